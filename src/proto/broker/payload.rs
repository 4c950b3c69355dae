//! The payloads of events, as typed values.

use super::addresses::View;
use super::event::{BrokerEvent, EndedRequest, Told};
use crate::proto::time::ms;
use crate::wire::json::{Text, value_or_text};
use serde::Serialize;
use serde_json::Value;

/// The payload of an event, as a view shows it: docs/api.md describes its members.
#[derive(Debug, Serialize)]
pub struct Payload<'a> {
    #[serde(flatten)]
    what: What<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    address: Option<&'a str>,
}

/// Names and identities of workers, which are bytes.
type Name<'a> = Text<&'a [u8]>;

#[derive(Debug, Serialize)]
#[serde(untagged, rename_all_fields = "camelCase")]
enum What<'a> {
    WorkerReady {
        worker: Name<'a>,
        service: Name<'a>,
    },
    WorkerGone {
        worker: Name<'a>,
        service: Name<'a>,
        reason: &'static str,
        lost: usize,
    },
    ClientGone {
        client: String,
        reason: &'static str,
        lost: usize,
    },
    RequestExpired {
        service: Name<'a>,
        running: bool,
    },
    QueueFull {
        service: Name<'a>,
        queued: usize,
        queued_bytes: usize,
        total: bool,
    },
    LimitReached {
        peer: String,
        user: &'a str,
        scope: &'static str,
        held_bytes: usize,
        limit: usize,
    },
    RequestRejected {
        service: Name<'a>,
        worker: Name<'a>,
        reason: Value,
    },
    Denied {
        peer: String,
        user: &'a str,
        action: &'static str,
        service: Name<'a>,
    },
    BadMessage {
        peer: String,
        reason: &'static str,
    },
    RequestEnded {
        rid: Name<'a>,
        service: Name<'a>,
        client: Name<'a>,
        worker: Option<Name<'a>>,
        attempt: u32,
        queue: f64,
        work: Option<f64>,
        outcome: &'static str,
        omitted: u64,
    },
}

impl Told {
    /// The name and the payload of the event for JavaScript; `None` for a question.
    pub fn describe(&self) -> Option<(&'static str, Payload<'_>)> {
        self.describe_to(&View::WHOLE)
    }

    /// As [`describe`](Self::describe), limited to `view`.
    pub(super) fn describe_to(&self, view: &View<'_>) -> Option<(&'static str, Payload<'_>)> {
        let (name, what) = self.event.describe(view)?;
        let address = self.address.as_deref();
        let address = address.filter(|_| view.tells_addresses());
        Some((name, Payload { what, address }))
    }
}

impl BrokerEvent {
    /// The name and the payload of the event.
    fn describe(&self, view: &View<'_>) -> Option<(&'static str, What<'_>)> {
        let described = match self {
            BrokerEvent::WorkerReady { worker, service } => (
                "workerReady",
                What::WorkerReady {
                    worker: Text(worker),
                    service: Text(service),
                },
            ),
            BrokerEvent::WorkerGone {
                worker,
                service,
                why,
                lost,
            } => (
                "workerGone",
                What::WorkerGone {
                    worker: Text(worker),
                    service: Text(service),
                    reason: why.as_str(),
                    lost: *lost,
                },
            ),
            BrokerEvent::ClientGone { client, why, lost } => (
                "clientGone",
                What::ClientGone {
                    client: view.name(client),
                    reason: why.as_str(),
                    lost: *lost,
                },
            ),
            BrokerEvent::RequestExpired { service, running } => (
                "requestExpired",
                What::RequestExpired {
                    service: Text(service),
                    running: *running,
                },
            ),
            BrokerEvent::QueueFull {
                service,
                requests,
                bytes,
                total,
            } => (
                "queueFull",
                What::QueueFull {
                    service: Text(service),
                    queued: *requests,
                    queued_bytes: *bytes,
                    total: *total,
                },
            ),
            BrokerEvent::LimitReached {
                peer,
                user,
                scope,
                held,
                limit,
            } => (
                "limitReached",
                What::LimitReached {
                    peer: view.name(peer),
                    user,
                    scope,
                    held_bytes: *held,
                    limit: *limit,
                },
            ),
            BrokerEvent::RequestRejected {
                service,
                worker,
                reason,
            } => (
                "requestRejected",
                What::RequestRejected {
                    service: Text(service),
                    worker: Text(worker),
                    reason: value_or_text(reason),
                },
            ),
            BrokerEvent::Denied {
                peer,
                user,
                action,
                service,
            } => (
                "denied",
                What::Denied {
                    peer: view.name(peer),
                    user,
                    action: action.as_str(),
                    service: Text(service),
                },
            ),
            BrokerEvent::BadMessage { peer, why } => (
                "badMessage",
                What::BadMessage {
                    peer: view.name(peer),
                    reason: why,
                },
            ),
            BrokerEvent::RequestEnded(ended) => ("requestEnded", ended.describe()),
            BrokerEvent::Authorize { .. } => return None,
        };
        Some(described)
    }
}

impl EndedRequest {
    fn describe(&self) -> What<'_> {
        What::RequestEnded {
            rid: Text(&self.rid),
            service: Text(&self.service),
            client: Text(&self.client),
            worker: self.worker.as_deref().map(Text),
            attempt: self.attempt,
            queue: ms(self.queue),
            work: self.work.map(ms),
            outcome: self.outcome,
            omitted: self.omitted,
        }
    }
}
