//! MDP, the standard Majordomo protocol, in its three dialects.
//!
//! They differ in a table, not in structure, so each has a file with its table and its golden
//! vectors, and one codec serves them all. Bodies are one or more opaque frames.

mod codec;
mod majortomo;
mod neutral;
mod v01;
mod v02;

pub use neutral::{decode_for_worker, reply_frames, reply_of};

use super::Frame;

/// A dialect of MDP.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    /// MDP 0.1, RFC 7.
    V01,
    /// MDP 0.2, RFC 18.
    V02,
    /// MDP 0.2 as majortomo sends it.
    Majortomo,
}

/// The layout of the messages of a dialect.
struct Layout {
    /// An empty frame comes first, as a REQ socket would put it.
    delimiter: bool,
    client: &'static [u8],
    worker: &'static [u8],
    /// The client's side: REQUEST, PARTIAL, FINAL; `None` where messages carry no command, and
    /// then there is no partial either.
    commands: Option<[u8; 3]>,
    /// Whether a reply to a client names the service.
    names_service: bool,
    /// The worker's side.
    partial: Option<u8>,
    last: u8,
    heartbeat: u8,
    disconnect: u8,
}

/// The same in all.
const READY: u8 = 1;
/// The same in all.
const REQUEST: u8 = 2;

impl Dialect {
    const fn layout(self) -> &'static Layout {
        match self {
            Dialect::V01 => &v01::LAYOUT,
            Dialect::V02 => &v02::LAYOUT,
            Dialect::Majortomo => &majortomo::LAYOUT,
        }
    }

    /// Whether a reply may come in parts.
    pub fn has_partials(self) -> bool {
        self.layout().partial.is_some()
    }
}

/// A message that a broker received.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PeerMessage<F> {
    /// Of a client.
    Client(ClientRequest<F>),
    /// Of a worker.
    Worker(WorkerMessage<F>),
}

/// The message of a client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientRequest<F> {
    /// The service.
    pub service: F,
    /// At least one frame.
    pub body: Vec<F>,
}

/// Worker to broker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WorkerMessage<F> {
    /// It serves this.
    Ready {
        /// The name.
        service: F,
    },
    /// PARTIAL, or FINAL, which 0.1 calls REPLY.
    Reply {
        /// Whether it is the FINAL.
        last: bool,
        /// The address that came with the request.
        client: F,
        /// At least one frame.
        body: Vec<F>,
    },
    /// It lives.
    Heartbeat,
    /// It goes.
    Disconnect,
}

/// Broker to client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientReply<F> {
    /// Whether it is the FINAL, which 0.1 calls REPLY.
    pub last: bool,
    /// The service; `None` in a dialect that does not name it.
    pub service: Option<F>,
    /// At least one frame.
    pub body: Vec<F>,
}

/// Broker to worker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ToWorker<F> {
    /// Work.
    Request {
        /// To be sent back with the reply.
        client: F,
        /// At least one frame.
        body: Vec<F>,
    },
    /// It lives.
    Heartbeat,
    /// It goes, or wants this worker to begin anew.
    Disconnect,
}
