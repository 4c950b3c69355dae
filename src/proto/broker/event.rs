//! Events for the operator.

use super::action::Action;
use std::sync::Arc;
use std::time::Duration;

/// The reason for which a peer is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Departure {
    /// The peer said goodbye.
    Goodbye,
    /// The connection has ended.
    Connection,
    /// The connection was reset or timed out, which its peer may not have noticed.
    Broken,
    /// No message arrived for too long.
    Silence,
    /// The peer violated the protocol and was disconnected.
    Protocol,
    /// Another peer with the same identity took its place.
    Replaced,
    /// The peer did not take the messages that were sent to it.
    Slow,
    /// The peer went on although a limit of held bytes was reached.
    OverLimit,
    /// The access rules do not allow the peer to serve, or no longer do.
    Denied,
    /// The broker was stopped.
    Stop,
}

impl Departure {
    /// The word for the reason in events.
    pub fn as_str(self) -> &'static str {
        match self {
            Departure::Goodbye => "goodbye",
            Departure::Connection | Departure::Broken => "connection lost",
            Departure::Silence => "heartbeat lost",
            Departure::Protocol => "protocol error",
            Departure::Replaced => "replaced",
            Departure::Slow => "too slow",
            Departure::OverLimit => "over its limit",
            Departure::Denied => "denied",
            Departure::Stop => "broker stopped",
        }
    }
}

/// An event. Events inform; the broker works the same if they are ignored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BrokerEvent {
    /// A worker has registered.
    WorkerReady {
        /// The worker's routing id.
        worker: Box<[u8]>,
        /// The service it serves.
        service: Box<[u8]>,
    },
    /// A worker is gone.
    WorkerGone {
        /// The worker's routing id.
        worker: Box<[u8]>,
        /// The service it served.
        service: Box<[u8]>,
        /// The reason.
        why: Departure,
        /// Number of requests that were lost with it.
        lost: usize,
    },
    /// A client is gone, and it had requests, or was silent or slow.
    ClientGone {
        /// The client's routing id.
        client: Box<[u8]>,
        /// The reason.
        why: Departure,
        /// Number of requests that were cancelled with it.
        lost: usize,
    },
    /// A request has timed out.
    RequestExpired {
        /// The name of the service that was called.
        service: Box<[u8]>,
        /// Whether a worker had it.
        running: bool,
    },
    /// A request was refused because too many wait. Reported once when the queue becomes full, not for each request.
    QueueFull {
        /// The name of the service that was called.
        service: Box<[u8]>,
        /// Number of waiting requests.
        requests: usize,
        /// Bytes of these requests.
        bytes: usize,
        /// Whether the limit of all queues together is reached, and the numbers are for all queues.
        total: bool,
    },
    /// A worker has rejected a request, which goes to another one. Reported some hundred times a second at most.
    RequestRejected {
        /// The name of the service that was called.
        service: Box<[u8]>,
        /// The worker's routing id.
        worker: Box<[u8]>,
        /// The reason: JSON, unless it is bytes.
        reason: Box<str>,
    },
    /// A message was refused because a limit of held bytes would be exceeded. Reported a few times a second at most.
    LimitReached {
        /// The routing id of the sender.
        peer: Box<[u8]>,
        /// The sender's user; empty without security.
        user: Box<str>,
        /// The scope of the limit: `peer`, `user`, `address` or `total`.
        scope: &'static str,
        /// Bytes that are held.
        held: usize,
        /// The limit.
        limit: usize,
    },
    /// A message was dropped because it is malformed, or its sender may not send it.
    BadMessage {
        /// The sender's routing id.
        peer: Box<[u8]>,
        /// The fault.
        why: &'static str,
    },
    /// An action of a peer was denied by the access rules.
    Denied {
        /// The peer's routing id.
        peer: Box<[u8]>,
        /// Its user.
        user: Box<str>,
        /// The action.
        action: Action,
        /// The name of the service.
        service: Box<[u8]>,
    },
    /// A request has ended. Only reported with [`BrokerConfig::log_requests`](super::BrokerConfig).
    RequestEnded(Box<EndedRequest>),
    /// A question to the authorizer. The answer goes to [`Broker::authorize`](super::Broker::authorize).
    Authorize {
        /// The id of the question.
        id: u64,
        /// The user.
        user: Box<str>,
        /// The metadata that the authenticator added, as JSON or empty.
        metadata: Box<str>,
        /// The action.
        action: Action,
        /// The name of the service.
        service: Box<[u8]>,
    },
}

/// A request that has ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EndedRequest {
    /// Its id, as given by the client.
    pub rid: Box<[u8]>,
    /// The name of the service that was called.
    pub service: Box<[u8]>,
    /// The client's routing id.
    pub client: Box<[u8]>,
    /// The routing id of the worker that had it at the end.
    pub worker: Option<Box<[u8]>>,
    /// The number of its last attempt, from 1; 0 if it was refused or no worker had it.
    pub attempt: u32,
    /// Time from its arrival until that worker was given it.
    pub queue: Duration,
    /// Time that the worker had it.
    pub work: Option<Duration>,
    /// `ok`, `error`, or a code.
    pub outcome: &'static str,
    /// Number of requests without a record that ended since the previous record.
    pub omitted: u64,
}

/// An event, with the address of its peer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    /// The event.
    pub event: BrokerEvent,
    /// The address, as reported by the transport; `None` for ipc and inproc.
    pub address: Option<Arc<str>>,
}

impl BrokerEvent {
    /// The peer of the event.
    pub(super) fn peer(&self) -> Option<&[u8]> {
        match self {
            BrokerEvent::WorkerReady { worker: peer, .. }
            | BrokerEvent::WorkerGone { worker: peer, .. }
            | BrokerEvent::ClientGone { client: peer, .. }
            | BrokerEvent::RequestRejected { worker: peer, .. }
            | BrokerEvent::LimitReached { peer, .. }
            | BrokerEvent::BadMessage { peer, .. }
            | BrokerEvent::Denied { peer, .. } => Some(peer),
            BrokerEvent::RequestExpired { .. }
            | BrokerEvent::QueueFull { .. }
            | BrokerEvent::RequestEnded(_)
            | BrokerEvent::Authorize { .. } => None,
        }
    }
}
