//! PIGATO, another descendant of zmq-omdp 0.0.92.
//!
//! It has the tags and digits of OMDP, an empty frame after the address of each worker message, and
//! replies that always carry a code: `0`, or `-1` for an error. Bodies are JSON text. A message
//! that is equal in both dialects has the same meaning and is decoded as OMDP; [`is_pigato`]
//! recognizes the messages that only PIGATO has.

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

/// The subject of a client's heartbeat that is not about the client itself.
const OF_REQUEST: &[u8] = b"request";
const OF_WORKER: &[u8] = b"worker";

/// A message that the broker receives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PeerMessage<F> {
    /// From a client.
    Client(ClientMessage<F>),
    /// From a worker.
    Worker(WorkerMessage<F>),
}

/// A message of a client to the broker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ClientMessage<F> {
    /// `C 2 service rid data [opts]`.
    Request {
        /// The name of the service.
        service: F,
        /// The request id.
        rid: F,
        /// JSON or empty.
        data: F,
        /// JSON or empty.
        opts: Option<F>,
    },
    /// `C 4`.
    Heartbeat,
    /// `C 4 request rid`: the client still wants the request.
    RequestHeartbeat {
        /// The request id.
        rid: F,
    },
    /// `C 4 worker identity`: the worker is alive.
    WorkerHeartbeat {
        /// The worker's identity.
        worker: F,
    },
}

/// A message of a worker to the broker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WorkerMessage<F> {
    /// `W 1 service`.
    Ready {
        /// The name of the service.
        service: F,
    },
    /// `W 6|3 client ∅ rid 0|-1 data [opts]`.
    Reply {
        /// A decoded one is never [`ReplyKind::OwnError`].
        kind: ReplyKind,
        /// The client's address from the request.
        client: F,
        /// The request id.
        rid: F,
        /// JSON or empty.
        data: F,
        /// JSON that the handler adds to its reply.
        opts: Option<F>,
    },
    /// `W 7 client ∅ rid 0 reason [opts]`: the worker rejects the request.
    Reject {
        /// The client's address from the request.
        client: F,
        /// The request id.
        rid: F,
        /// JSON or empty.
        reason: F,
        /// Ignored.
        opts: Option<F>,
    },
    /// `W 4 [∅ json]`.
    Heartbeat {
        /// The worker's status as JSON.
        status: Option<F>,
    },
    /// `W 5`.
    Disconnect,
}

/// A message of the broker to a client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ToClient<F> {
    /// `C 6|3 ∅ rid 0|-1 data [opts]`.
    Reply {
        /// A decoded one is never [`ReplyKind::OwnError`].
        kind: ReplyKind,
        /// The request id.
        rid: F,
        /// JSON or empty.
        data: F,
        /// JSON that the handler added to its reply.
        opts: Option<F>,
    },
    /// `C 4`.
    Heartbeat,
}

/// A message of the broker to a worker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ToWorker<F> {
    /// `W 1`: the worker is registered.
    Welcome,
    /// `W 2 client service ∅ rid data [opts]`.
    Request {
        /// The client's address, to be returned with the reply.
        client: F,
        /// The requested name.
        service: F,
        /// The request id.
        rid: F,
        /// JSON or empty.
        data: F,
        /// The client's options as JSON, or empty.
        opts: Option<F>,
    },
    /// `W 2 client rid data rid data opts`: a request that workers of 0.0.92 and of PIGATO both can
    /// read, for a worker whose dialect is not yet known.
    EitherRequest {
        /// The client's address, to be returned with the reply.
        client: F,
        /// The request id.
        rid: F,
        /// JSON.
        data: F,
        /// The client's options as JSON, or empty.
        opts: F,
    },
    /// `W 4`.
    Heartbeat,
    /// `W 4 client ∅ rid`: the client still wants the request.
    RequestHeartbeat {
        /// The client's address.
        client: F,
        /// The request id.
        rid: F,
    },
    /// `W 5`.
    Disconnect,
}

/// Whether frames that begin like a message of OMDP are a message that only PIGATO has.
#[inline]
pub fn is_pigato<F: Frame>(frames: &[F]) -> bool {
    let [tag, command, rest @ ..] = frames else {
        return false;
    };
    match (&**tag, &**command, rest) {
        // Requests of extended peers have one more frame.
        (CLIENT, REQUEST, [_, rid, _, opts]) => is_request(rid, opts),
        (CLIENT, HEARTBEAT, [what, _]) => matches!(&**what, OF_REQUEST | OF_WORKER),
        (WORKER, HEARTBEAT, [delimiter, _]) => delimiter.is_empty(),
        (WORKER, FINAL | PARTIAL | REJECT, [_, delimiter, ..]) => delimiter.is_empty(),
        _ => false,
    }
}

/// Whether the name of a worker's service is a pattern. It ends with its only `*`.
pub fn is_pattern(service: &[u8]) -> bool {
    matches!(service.split_last(), Some((b'*', prefix)) if !prefix.contains(&b'*'))
}

/// Whether it is the heartbeat of a client without a hello. PIGATO's clients require an answer.
pub fn is_bare_beat<F: Frame>(frames: &[F]) -> bool {
    matches!(frames, [tag, command] if **tag == *CLIENT && **command == *HEARTBEAT)
}

/// Whether a request without an extension frame is PIGATO's: 0.0.92 has ids of another form, and
/// options with a timeout alone.
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

/// The body for PIGATO's data: missing data and `undefined` are null.
pub fn body<F: Frame>(data: F) -> Body<F> {
    match is_nothing(&data) {
        true => Body::null(),
        false => Body::json(data),
    }
}
