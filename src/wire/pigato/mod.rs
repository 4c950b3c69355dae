//! PIGATO, the other descendant of zmq-omdp 0.0.92.
//!
//! It has the tags and digits of OMDP, an empty frame behind the address of each message of a worker,
//! and replies that always carry a code: `0`, or `-1` for an error. Bodies are JSON text. Where a
//! message looks the same in both dialects it is taken for OMDP, and means the same; what only PIGATO
//! sends is recognized by [`is_pigato`].

mod codec;
mod neutral;

pub use neutral::{is_nothing, status};

use super::{Body, Frame, omdp::ReplyKind};

const CLIENT: &[u8] = b"C";
const WORKER: &[u8] = b"W";

const READY: &[u8] = b"1";
const REQUEST: &[u8] = b"2";
const FINAL: &[u8] = b"3";
const HEARTBEAT: &[u8] = b"4";
const DISCONNECT: &[u8] = b"5";
const PARTIAL: &[u8] = b"6";
const REJECT: &[u8] = b"7";

/// The code frames of replies.
const SUCCESS: &[u8] = b"0";
const FAILURE: &[u8] = b"-1";

/// What a heartbeat of a client is for, if it is not for the client itself.
const OF_REQUEST: &[u8] = b"request";
const OF_WORKER: &[u8] = b"worker";

/// A message that a broker received.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PeerMessage<F> {
    /// Of a client.
    Client(ClientMessage<F>),
    /// Of a worker.
    Worker(WorkerMessage<F>),
}

/// Client to broker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ClientMessage<F> {
    /// `C 2 service rid data [opts]`.
    Request {
        /// The service.
        service: F,
        /// Its id.
        rid: F,
        /// JSON, or nothing.
        data: F,
        /// JSON, or nothing.
        opts: Option<F>,
    },
    /// `C 4`.
    Heartbeat,
    /// `C 4 request rid`: this request is still wanted.
    RequestHeartbeat {
        /// The request's id.
        rid: F,
    },
    /// `C 4 worker identity`: this worker lives.
    WorkerHeartbeat {
        /// The worker's identity.
        worker: F,
    },
}

/// Worker to broker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WorkerMessage<F> {
    /// `W 1 service`.
    Ready {
        /// The service.
        service: F,
    },
    /// `W 6|3 client ∅ rid 0|-1 data [opts]`.
    Reply {
        /// Never [`ReplyKind::OwnError`] of what was decoded.
        kind: ReplyKind,
        /// The address that came with the request.
        client: F,
        /// The request's id.
        rid: F,
        /// JSON, or nothing.
        data: F,
        /// What the handler adds to its reply, as JSON.
        opts: Option<F>,
    },
    /// `W 7 client ∅ rid 0 reason [opts]`: another worker is to have it.
    Reject {
        /// The address that came with the request.
        client: F,
        /// The request's id.
        rid: F,
        /// JSON, or nothing.
        reason: F,
        /// Means nothing.
        opts: Option<F>,
    },
    /// `W 4 [∅ json]`.
    Heartbeat {
        /// What the worker says of itself, as JSON.
        status: Option<F>,
    },
    /// `W 5`.
    Disconnect,
}

/// Broker to client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ToClient<F> {
    /// `C 6|3 ∅ rid 0|-1 data [opts]`.
    Reply {
        /// Never [`ReplyKind::OwnError`] of what was decoded.
        kind: ReplyKind,
        /// The request's id.
        rid: F,
        /// JSON, or nothing.
        data: F,
        /// What the handler added to its reply, as JSON.
        opts: Option<F>,
    },
    /// `C 4`.
    Heartbeat,
}

/// Broker to worker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ToWorker<F> {
    /// `W 1`: it is registered.
    Welcome,
    /// `W 2 client service ∅ rid data [opts]`.
    Request {
        /// To be sent back with the reply.
        client: F,
        /// The name that was asked for.
        service: F,
        /// The request's id.
        rid: F,
        /// JSON, or nothing.
        data: F,
        /// The client's options as JSON, or nothing.
        opts: Option<F>,
    },
    /// `W 2 client rid data rid data opts`: a request in the form that a worker of 0.0.92 and one of
    /// PIGATO both read, for one of which it is not known what it is.
    EitherRequest {
        /// To be sent back with the reply.
        client: F,
        /// The request's id.
        rid: F,
        /// JSON.
        data: F,
        /// The client's options as JSON, or nothing.
        opts: F,
    },
    /// `W 4`.
    Heartbeat,
    /// `W 4 client ∅ rid`: the client of this request still waits.
    RequestHeartbeat {
        /// The client's address.
        client: F,
        /// The request's id.
        rid: F,
    },
    /// `W 5`.
    Disconnect,
}

/// Whether frames that begin like a message of OMDP are one that only a peer of PIGATO sends.
#[inline]
pub fn is_pigato<F: Frame>(frames: &[F]) -> bool {
    let [tag, command, rest @ ..] = frames else {
        return false;
    };
    match (&**tag, &**command, rest) {
        // Every peer of ours adds a frame.
        (CLIENT, REQUEST, [_, rid, _, opts]) => is_request(rid, opts),
        (CLIENT, HEARTBEAT, [what, _]) => matches!(&**what, OF_REQUEST | OF_WORKER),
        (WORKER, HEARTBEAT, [delimiter, _]) => delimiter.is_empty(),
        (WORKER, FINAL | PARTIAL | REJECT, [_, delimiter, ..]) => delimiter.is_empty(),
        _ => false,
    }
}

/// Whether it is the heartbeat of a client that never said hello, which one of PIGATO wants answered.
pub fn is_bare_beat<F: Frame>(frames: &[F]) -> bool {
    matches!(frames, [tag, command] if **tag == *CLIENT && **command == *HEARTBEAT)
}

/// A request without an extension frame: 0.0.92 has other ids, and options that say a timeout alone.
#[cold]
fn is_request(rid: &[u8], opts: &[u8]) -> bool {
    opts.is_empty() || is_uuid(rid) || neutral::has_retry(opts)
}

fn is_uuid(rid: &[u8]) -> bool {
    rid.len() == 36
        && rid.iter().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => *byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        })
}

/// The text of data: what is missing or `undefined` is null.
pub fn body<F: Frame>(data: F) -> Body<F> {
    match is_nothing(&data) {
        true => Body::null(),
        false => Body::json(data),
    }
}
