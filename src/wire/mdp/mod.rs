//! MDP, the standard Majordomo protocol, in its three dialects.
//!
//! The dialects differ in a table, not in structure: each has a file with its table and its golden
//! vectors, and one codec serves them all. Bodies are one or more opaque frames.

mod codec;
mod majortomo;
mod neutral;
#[cfg(test)]
mod testing;
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
    /// Whether an empty frame comes first, as a REQ socket sends it.
    delimiter: bool,
    client: &'static [u8],
    worker: &'static [u8],
    /// Commands of the client's side: REQUEST, PARTIAL, FINAL. `None` if messages carry no command;
    /// such a dialect has no partials either.
    commands: Option<[u8; 3]>,
    /// Whether a reply to a client names the service.
    names_service: bool,
    /// Commands of the worker's side.
    partial: Option<u8>,
    last: u8,
    heartbeat: u8,
    disconnect: u8,
}

/// READY in every dialect.
const READY: u8 = 1;
/// REQUEST in every dialect.
const REQUEST: u8 = 2;

impl Dialect {
    const fn layout(self) -> &'static Layout {
        match self {
            Dialect::V01 => &v01::LAYOUT,
            Dialect::V02 => &v02::LAYOUT,
            Dialect::Majortomo => &majortomo::LAYOUT,
        }
    }

    /// Whether a reply may have partials.
    pub fn has_partials(self) -> bool {
        self.layout().partial.is_some()
    }
}

/// A message that the broker receives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PeerMessage<F> {
    /// From a client.
    Client(ClientRequest<F>),
    /// From a worker.
    Worker(WorkerMessage<F>),
}

/// A request of a client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientRequest<F> {
    /// The name of the service.
    pub service: F,
    /// At least one frame.
    pub body: Vec<F>,
}

/// A message of a worker to the broker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WorkerMessage<F> {
    /// Registers the worker for a service.
    Ready {
        /// The name of the service.
        service: F,
    },
    /// PARTIAL, or FINAL, which 0.1 calls REPLY.
    Reply {
        /// Whether it is a FINAL.
        last: bool,
        /// The client's address from the request.
        client: F,
        /// At least one frame.
        body: Vec<F>,
    },
    /// The worker is alive.
    Heartbeat,
    /// The worker leaves.
    Disconnect,
}

/// A message of the broker to a client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientReply<F> {
    /// Whether it is the FINAL, which 0.1 calls REPLY.
    pub last: bool,
    /// The service; `None` in a dialect that does not name it.
    pub service: Option<F>,
    /// At least one frame.
    pub body: Vec<F>,
}

/// A message of the broker to a worker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ToWorker<F> {
    /// A request.
    Request {
        /// The client's address, to be returned with the reply.
        client: F,
        /// At least one frame.
        body: Vec<F>,
    },
    /// The broker is alive.
    Heartbeat,
    /// The broker leaves, or the worker has to register again.
    Disconnect,
}
