//! Events for the operator.

use super::action::Action;
use crate::proto::time::ms;
use crate::wire::json::{Text, value_or_text};
use serde::{Serialize, Serializer};
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

impl Serialize for Departure {
    fn serialize<S: Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        out.serialize_str(self.as_str())
    }
}

/// An identity or the name of a service.
pub type Name = Text<Box<[u8]>>;

/// An event. Events inform; the broker works the same if they are ignored. docs/api.md describes its JSON.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged, rename_all_fields = "camelCase")]
pub enum BrokerEvent {
    /// A worker has registered.
    WorkerReady {
        /// The worker's routing id.
        worker: Name,
        /// The service it serves.
        service: Name,
    },
    /// A worker is gone.
    WorkerGone {
        /// The worker's routing id.
        worker: Name,
        /// The service it served.
        service: Name,
        /// The reason.
        #[serde(rename = "reason")]
        why: Departure,
        /// Number of requests that were lost with it.
        lost: usize,
    },
    /// A client is gone, and it had requests, or was silent or slow.
    ClientGone {
        /// The client's routing id.
        client: Name,
        /// The reason.
        #[serde(rename = "reason")]
        why: Departure,
        /// Number of requests that were cancelled with it.
        lost: usize,
    },
    /// A request has timed out.
    RequestExpired {
        /// The name of the service that was called.
        service: Name,
        /// Whether a worker had it.
        running: bool,
    },
    /// A request was refused because too many wait. Reported once when the queue becomes full, not for each request.
    QueueFull {
        /// The name of the service that was called.
        service: Name,
        /// Number of waiting requests.
        #[serde(rename = "queued")]
        requests: usize,
        /// Bytes of these requests.
        #[serde(rename = "queuedBytes")]
        bytes: usize,
        /// Whether the limit of all queues together is reached, and the numbers are for all queues.
        total: bool,
    },
    /// A worker has rejected a request, which goes to another one. Reported some hundred times a second at most.
    RequestRejected {
        /// The name of the service that was called.
        service: Name,
        /// The worker's routing id.
        worker: Name,
        /// The reason: JSON, unless it is bytes.
        #[serde(serialize_with = "json_or_text")]
        reason: Box<str>,
    },
    /// A message was refused because a limit of held bytes would be exceeded. Reported a few times a second at most.
    LimitReached {
        /// The routing id of the sender.
        peer: Name,
        /// The sender's user; empty without security.
        user: Box<str>,
        /// The scope of the limit: `peer`, `user`, `address` or `total`.
        scope: &'static str,
        /// Bytes that are held.
        #[serde(rename = "heldBytes")]
        held: usize,
        /// The limit.
        limit: usize,
    },
    /// A message was dropped because it is malformed, or its sender may not send it.
    BadMessage {
        /// The sender's routing id.
        peer: Name,
        /// The fault.
        #[serde(rename = "reason")]
        why: &'static str,
    },
    /// An action of a peer was denied by the access rules.
    Denied {
        /// The peer's routing id.
        peer: Name,
        /// Its user.
        user: Box<str>,
        /// The action.
        action: Action,
        /// The name of the service.
        service: Name,
    },
    /// A request has ended. Only reported with [`BrokerConfig::log_requests`](super::BrokerConfig).
    RequestEnded(Box<EndedRequest>),
    /// A question to the authorizer. The answer goes to [`Broker::authorize`](super::Broker::authorize).
    #[serde(skip)]
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
        service: Name,
    },
}

/// A request that has ended. Times are in ms in its JSON.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct EndedRequest {
    /// Its id, as given by the client.
    pub rid: Name,
    /// The name of the service that was called.
    pub service: Name,
    /// The client's routing id.
    pub client: Name,
    /// The routing id of the worker that had it at the end.
    pub worker: Option<Name>,
    /// The number of its last attempt, from 1; 0 if it was refused or no worker had it.
    pub attempt: u32,
    /// Time from its arrival until that worker was given it.
    #[serde(serialize_with = "in_ms")]
    pub queue: Duration,
    /// Time that the worker had it.
    #[serde(serialize_with = "in_ms_if_any")]
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

fn in_ms<S: Serializer>(time: &Duration, out: S) -> Result<S::Ok, S::Error> {
    out.serialize_f64(ms(*time))
}

fn in_ms_if_any<S: Serializer>(time: &Option<Duration>, out: S) -> Result<S::Ok, S::Error> {
    time.map(ms).serialize(out)
}

fn json_or_text<S: Serializer>(text: &str, out: S) -> Result<S::Ok, S::Error> {
    value_or_text(text).serialize(out)
}

impl BrokerEvent {
    /// Its name in JavaScript; `None` for a question.
    pub(super) fn name(&self) -> Option<&'static str> {
        Some(match self {
            BrokerEvent::WorkerReady { .. } => "workerReady",
            BrokerEvent::WorkerGone { .. } => "workerGone",
            BrokerEvent::ClientGone { .. } => "clientGone",
            BrokerEvent::RequestExpired { .. } => "requestExpired",
            BrokerEvent::QueueFull { .. } => "queueFull",
            BrokerEvent::LimitReached { .. } => "limitReached",
            BrokerEvent::RequestRejected { .. } => "requestRejected",
            BrokerEvent::Denied { .. } => "denied",
            BrokerEvent::BadMessage { .. } => "badMessage",
            BrokerEvent::RequestEnded(_) => "requestEnded",
            BrokerEvent::Authorize { .. } => return None,
        })
    }

    /// The identity in it that not every view shows: that of a peer which may be a client.
    pub(super) fn identity_mut(&mut self) -> Option<&mut Name> {
        match self {
            BrokerEvent::ClientGone { client: peer, .. }
            | BrokerEvent::LimitReached { peer, .. }
            | BrokerEvent::Denied { peer, .. }
            | BrokerEvent::BadMessage { peer, .. } => Some(peer),
            BrokerEvent::WorkerReady { .. }
            | BrokerEvent::WorkerGone { .. }
            | BrokerEvent::RequestRejected { .. }
            | BrokerEvent::RequestExpired { .. }
            | BrokerEvent::QueueFull { .. }
            | BrokerEvent::RequestEnded(_)
            | BrokerEvent::Authorize { .. } => None,
        }
    }

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
