//! What an operator may want to know.

use super::access::Action;

/// Why a peer is no longer there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Departure {
    /// It said goodbye.
    Goodbye,
    /// Its connection broke.
    Connection,
    /// Nothing was heard of it for too long.
    Silence,
    /// It broke the protocol and was disconnected.
    Protocol,
    /// A peer with the same identity took its place.
    Replaced,
    /// It did not take what it was sent.
    Slow,
    /// The rules do not let it serve, or not any more.
    Denied,
    /// The broker was stopped.
    Stop,
}

impl Departure {
    /// The word that events carry.
    pub fn as_str(self) -> &'static str {
        match self {
            Departure::Goodbye => "goodbye",
            Departure::Connection => "connection lost",
            Departure::Silence => "heartbeat lost",
            Departure::Protocol => "protocol error",
            Departure::Replaced => "replaced",
            Departure::Slow => "too slow",
            Departure::Denied => "denied",
            Departure::Stop => "broker stopped",
        }
    }
}

/// Something that happened, for those who watch; the broker works the same if nobody does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BrokerEvent {
    /// A worker registered.
    WorkerReady {
        /// Its routing id.
        worker: Box<[u8]>,
        /// The service it offers.
        service: Box<[u8]>,
    },
    /// A worker is no longer there.
    WorkerGone {
        /// Its routing id.
        worker: Box<[u8]>,
        /// The service it offered.
        service: Box<[u8]>,
        /// Why.
        why: Departure,
        /// How many requests were lost with it.
        lost: usize,
    },
    /// A client was lost, with requests or for its silence or slowness.
    ClientGone {
        /// Its routing id.
        client: Box<[u8]>,
        /// Why.
        why: Departure,
        /// How many requests were cancelled with it.
        lost: usize,
    },
    /// A request was not answered within its timeout.
    RequestExpired {
        /// The service it was for.
        service: Box<[u8]>,
        /// Whether a worker had it.
        running: bool,
    },
    /// A request was turned away because too much waits already. Told when that begins, not for
    /// each.
    QueueFull {
        /// The service it was for.
        service: Box<[u8]>,
        /// How many requests wait.
        requests: usize,
        /// How many bytes of theirs.
        bytes: usize,
        /// Whether it is all queues together that are full, and the numbers theirs.
        total: bool,
    },
    /// A message was dropped because it is none, or not one that its sender may send.
    BadMessage {
        /// The sender's routing id.
        peer: Box<[u8]>,
        /// What is wrong with it.
        why: &'static str,
    },
    /// A peer wanted what its user may not.
    Denied {
        /// The peer's routing id.
        peer: Box<[u8]>,
        /// Its user.
        user: Box<str>,
        /// What it wanted to do.
        action: Action,
        /// With which service.
        service: Box<[u8]>,
    },
    /// May this user do that? The answer goes to [`Broker::authorize`](super::Broker::authorize).
    Authorize {
        /// Names the question.
        id: u64,
        /// Who wants something.
        user: Box<str>,
        /// What the authenticator said of it, as JSON or empty.
        metadata: Box<str>,
        /// What it wants to do.
        action: Action,
        /// With which service.
        service: Box<[u8]>,
    },
}
