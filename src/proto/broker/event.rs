//! What an operator may want to know.

use super::access::Action;
use super::addresses::View;
use super::stats::text;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;

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
    /// It went on although a limit of what may be kept for it was reached.
    OverLimit,
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
            Departure::OverLimit => "over its limit",
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
    /// A worker does not want a request, which goes to another one. Told some hundred times a second at most.
    RequestRejected {
        /// The service it was for.
        service: Box<[u8]>,
        /// The worker's routing id.
        worker: Box<[u8]>,
        /// The reason, JSON if it is not bytes.
        reason: Box<str>,
    },
    /// Something was refused because more would be kept than may for one peer, one user or in all.
    /// Told a few times a second at most.
    LimitReached {
        /// The routing id of the peer whose message was refused.
        peer: Box<[u8]>,
        /// Its user; empty without security.
        user: Box<str>,
        /// Whose limit it is: `peer`, `user` or `total`.
        scope: &'static str,
        /// How many bytes are kept.
        held: usize,
        /// How many may be.
        limit: usize,
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
    /// A request has ended; only told if [`BrokerConfig`](super::BrokerConfig) says so.
    RequestEnded(Box<EndedRequest>),
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

/// A request that has ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EndedRequest {
    /// Its id, as its client says it.
    pub rid: Box<[u8]>,
    /// The service it was for.
    pub service: Box<[u8]>,
    /// The routing id of its client.
    pub client: Box<[u8]>,
    /// That of the worker that had it at the end.
    pub worker: Option<Box<[u8]>>,
    /// Which start it was.
    pub attempt: u32,
    /// From its coming until that worker was given it.
    pub queue: Duration,
    /// How long that worker had it.
    pub work: Option<Duration>,
    /// `ok`, `error`, or a code.
    pub outcome: &'static str,
    /// Requests that ended since the record before this one, without a record.
    pub omitted: u64,
}

/// An event, and from where the peer is connected that it is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    /// What happened.
    pub event: BrokerEvent,
    /// As the transport says it; nothing over ipc and inproc.
    pub address: Option<Arc<str>>,
}

impl Told {
    /// The event's name and what it tells, as JavaScript gets it; nothing for what is a question.
    pub fn describe(&self) -> Option<(&'static str, Value)> {
        self.describe_to(&View::WHOLE)
    }

    /// The same for somebody who may know less.
    pub(super) fn describe_to(&self, view: &View<'_>) -> Option<(&'static str, Value)> {
        let (name, mut payload) = self.event.describe(view)?;
        if let Some(address) = self.address.as_deref().filter(|_| view.tells_addresses()) {
            payload["address"] = address.into();
        }
        Some((name, payload))
    }
}

impl BrokerEvent {
    /// The peer that it is about.
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

    /// Its name and what it tells. Identities and names are bytes; where they are text they are shown as such.
    fn describe(&self, view: &View<'_>) -> Option<(&'static str, Value)> {
        let described = match self {
            BrokerEvent::WorkerReady { worker, service } => (
                "workerReady",
                json!({ "worker": text(worker), "service": text(service) }),
            ),
            BrokerEvent::WorkerGone {
                worker,
                service,
                why,
                lost,
            } => (
                "workerGone",
                json!({
                    "worker": text(worker),
                    "service": text(service),
                    "reason": why.as_str(),
                    "lost": lost,
                }),
            ),
            BrokerEvent::ClientGone { client, why, lost } => (
                "clientGone",
                json!({ "client": view.name(client), "reason": why.as_str(), "lost": lost }),
            ),
            BrokerEvent::RequestExpired { service, running } => (
                "requestExpired",
                json!({ "service": text(service), "running": running }),
            ),
            BrokerEvent::QueueFull {
                service,
                requests,
                bytes,
                total,
            } => (
                "queueFull",
                json!({
                    "service": text(service),
                    "queued": requests,
                    "queuedBytes": bytes,
                    "total": total,
                }),
            ),
            BrokerEvent::LimitReached {
                peer,
                user,
                scope,
                held,
                limit,
            } => (
                "limitReached",
                json!({
                    "peer": view.name(peer),
                    "user": user,
                    "scope": scope,
                    "heldBytes": held,
                    "limit": limit,
                }),
            ),
            BrokerEvent::RequestRejected {
                service,
                worker,
                reason,
            } => (
                "requestRejected",
                json!({
                    "service": text(service),
                    "worker": text(worker),
                    "reason": serde_json::from_str(reason).unwrap_or(Value::from(&**reason)),
                }),
            ),
            BrokerEvent::Denied {
                peer,
                user,
                action,
                service,
            } => (
                "denied",
                json!({
                    "peer": view.name(peer),
                    "user": user,
                    "action": action.as_str(),
                    "service": text(service),
                }),
            ),
            BrokerEvent::BadMessage { peer, why } => (
                "badMessage",
                json!({ "peer": view.name(peer), "reason": why }),
            ),
            BrokerEvent::RequestEnded(ended) => ("requestEnded", ended.describe()),
            BrokerEvent::Authorize { .. } => return None,
        };
        Some(described)
    }
}

impl EndedRequest {
    fn describe(&self) -> Value {
        let ms = |time: Duration| time.as_micros() as f64 / 1000.0;
        json!({
            "rid": text(&self.rid),
            "service": text(&self.service),
            "client": text(&self.client),
            "worker": self.worker.as_deref().map(text),
            "attempt": self.attempt,
            "queue": ms(self.queue),
            "work": self.work.map(ms),
            "outcome": self.outcome,
            "omitted": self.omitted,
        })
    }
}
