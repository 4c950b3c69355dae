//! Fan-out: a request to all workers of a service. Each worker that is registered on its arrival gets a copy, and the
//! answers go to the client as partials of one reply.
//!
//! The request itself is in the state `Gathering`. Its copies are requests of the same client, under ids that clients
//! cannot make, and each is for one worker. A copy waits for room at its worker and is given to no other. The reply
//! ends with the last copy. It outlives the client's connection as any request does, but not the broker: the next one
//! cannot know which workers have answered.

use super::RoutingId;
use super::access::Authorizer;
use super::accounts::{OverLimit, REQUEST};
use super::context::Context;
use super::incoming::RequestHead;
use super::keys::{ClientKey, RequestKey, ServiceKey, WorkerKey};
use super::requests::{Content, CopyOf, Gathering, NewRequest, Request, Routing, State};
use crate::proto::Terms;
use crate::wire::omdp::ReplyKind;
use crate::wire::{Body, Dialect, Encoding, Frame};
use std::sync::Arc;

/// Prefix of the name of the service whose workers are all called.
pub const ALL_PREFIX: &str = "mmi.all:";

/// Separator between the id of the request and the number of the copy.
pub(super) const COPY: u8 = 0;

/// Flags in the first byte of an answer, as in extension frames: its value is binary.
pub const ANSWER_BINARY: u8 = 0x01;
/// Its value is an error value.
pub const ANSWER_ERROR: u8 = 0x04;
/// Its value is an own code.
pub const ANSWER_OWN: u8 = 0x08;

/// Maximum of copies that are made at once.
const COPIES: usize = 32;

/// The service that a fan-out calls; `None` if the name is not that of a fan-out.
pub(super) fn all_of(service: &[u8]) -> Option<&[u8]> {
    service
        .strip_prefix(ALL_PREFIX.as_bytes())
        .filter(|name| !name.is_empty())
}

/// The rest of a fan-out.
#[derive(Debug)]
pub(super) struct FanOut {
    /// The token of the request.
    whole: u64,
    /// The workers that have no copy yet; the last one is next.
    workers: Vec<(WorkerKey, RoutingId)>,
    /// The number of the next copy.
    number: usize,
    /// The charge for each copy, which the request itself bears before.
    charge: usize,
    asked: Option<Arc<[u8]>>,
}

/// The copies of one piece of a fan-out.
#[derive(Default)]
pub(super) struct Copies {
    /// The workers that have got one, and are given it when they have room.
    pub(super) addressed: Vec<WorkerKey>,
    /// The tokens of those for workers that are gone.
    pub(super) unserved: Vec<u64>,
}

impl FanOut {
    /// Makes copies for some workers. The caller ends those for which there is no worker.
    pub(super) fn go_on<F: Frame>(&mut self, cx: &mut Context<F>) -> Copies {
        let mut copies = Copies::default();
        let Some(whole) = cx.requests.by_token(self.whole) else {
            self.workers.clear();
            return copies;
        };
        for _ in 0..COPIES {
            let Some((worker, id)) = self.workers.pop() else {
                break;
            };
            let is_registered = cx.workers.get(worker).is_some_and(|it| it.id == id);
            let registered = is_registered.then_some(worker);
            let Some((copy, is_served)) = self.copy_for(cx, whole, registered, id) else {
                break;
            };
            let token = cx.requests.token(copy);
            if is_served {
                cx.address(worker, token, false);
                copies.addressed.push(worker);
            } else {
                copies.unserved.push(token);
            }
        }
        copies
    }

    /// Whether workers are left.
    pub(super) fn is_left(&self) -> bool {
        !self.workers.is_empty()
    }

    /// After the last piece: the request, if all its copies have ended. Otherwise it ends with the last one.
    pub(super) fn close<F: Frame>(&self, cx: &mut Context<F>) -> Option<RequestKey> {
        let whole = cx.requests.by_token(self.whole)?;
        let gathering = cx.requests.get_mut(whole)?.gathering_mut()?;
        gathering.is_growing = false;
        (gathering.open == 0).then_some(whole)
    }

    /// Makes the copy of a fan-out for one worker; `worker` is `None` if the worker of this id has left. Returns the
    /// copy, and whether the worker serves the fan-out. Returns `None` if the fan-out has ended.
    fn copy_for<F: Frame>(
        &mut self,
        cx: &mut Context<F>,
        whole: RequestKey,
        worker: Option<WorkerKey>,
        id: RoutingId,
    ) -> Option<(RequestKey, bool)> {
        let request = cx.requests.get_mut(whole)?;
        request.charged -= self.charge;
        let number = self.number.to_string();
        self.number += 1;
        let home = request.service;
        let registered = worker.and_then(|worker| cx.workers.get(worker));
        // It may be of another version, if the name is a range.
        let service = registered.map(|worker| worker.service).filter(|&service| {
            let asked = self.asked.as_deref();
            service == home || asked.is_some_and(|asked| cx.services.may_serve(service, asked))
        });
        let routing = self.asked.clone().map(|asked| {
            Box::new(Routing {
                asked: Some(asked),
                ..Routing::default()
            })
        });
        let copy_of = CopyOf {
            whole: self.whole,
            worker: id,
        };
        let copy = NewRequest {
            client: request.client,
            rid: F::from([&*request.rid, &[COPY], number.as_bytes()].concat()),
            service: service.unwrap_or(home),
            routing,
            content: request.content.clone(),
            terms: Terms::default(),
            retried: 0,
            deadline: None,
            charged: self.charge,
        };
        let copy = cx.insert_beside(copy, State::Addressed(Box::new(copy_of)));
        let token = cx.requests.token(copy);
        let request = cx.requests.get_mut(whole);
        if let Some(gathering) = request.and_then(Request::gathering_mut) {
            gathering.open += 1;
            gathering.copies.push(token);
        }
        cx.count_request(service.unwrap_or(home), 0);
        Some((copy, service.is_some()))
    }
}

impl<F: Frame> Context<F> {
    /// The workers that a fan-out calls: those of its home, and of the services that share its requests.
    fn workers_of_all(&self, name: &[u8], home: ServiceKey) -> Vec<WorkerKey> {
        let mut workers: Vec<WorkerKey> = self.workers.serving(home).iter().copied().collect();
        for other in self.services.shared_homes(name) {
            if other != home {
                workers.extend(self.workers.serving(other));
            }
        }
        workers
    }

    /// Admits a request to all workers of a service.
    #[cold]
    pub(super) fn admit_fan_out(
        &mut self,
        authorizer: &Authorizer<F>,
        from: &[u8],
        head: RequestHead<F>,
        content: Content<F>,
        terms: Terms,
    ) -> Result<FanOut, Refusal<F>> {
        let name: Box<[u8]> = all_of(&head.service).unwrap_or_default().into();
        let known = self.clients.find(from);
        let (clients, requests) = (&self.clients, &self.requests);
        let in_use = known.is_some_and(|key| clients.request(key, &head.rid, requests).is_some());
        if head.dialect != Dialect::Omdp || in_use {
            return Err(Refusal::Malformed);
        }
        if !authorizer.may_call(self.speaker.as_ref(), &name) {
            return Err(Refusal::Denied(head));
        }
        let client = self.require_client(from, head.dialect);
        if let Some(entry) = self.clients.get_mut(client) {
            entry.sends_extensions |= head.extended;
        }
        let (service, routing) = self.require_home(&name, None);
        let workers = self.workers_of_all(&name, service);
        self.count_request(service, content.size());
        let size = REQUEST + content.size() + head.rid.len() + head.service.len();
        self.count_work(workers.len());
        // The fan-out and all its copies are charged, or nothing is.
        let charged = (workers.len() + 1).saturating_mul(size);
        if let Err(over) = self.charge_request(client, charged) {
            return Err(Refusal::OverLimit(head, (client, service), over));
        }
        let new = NewRequest {
            client,
            rid: head.rid,
            service,
            routing: None,
            content,
            terms: Terms { retry: 0, ..terms },
            retried: 0,
            deadline: None,
            charged,
        };
        let gathering = Gathering {
            is_growing: true,
            ..Gathering::default()
        };
        let whole = self.insert_beside(new, State::Gathering(gathering));
        let named = |&key: &WorkerKey| Some((key, self.workers.get(key)?.id.clone()));
        Ok(FanOut {
            whole: self.requests.token(whole),
            workers: workers.iter().rev().filter_map(named).collect(),
            number: 0,
            charge: size,
            asked: routing.and_then(|routing| routing.asked),
        })
    }
}

/// The reason why a request is no fan-out.
pub(super) enum Refusal<F> {
    Malformed,
    Denied(RequestHead<F>),
    /// Its client and the service are still to be released.
    OverLimit(RequestHead<F>, (ClientKey, ServiceKey), OverLimit),
}

/// The encoding of an answer: flags, length of the worker's name, the name, and the body.
pub(super) fn item<F: Frame>(worker: &RoutingId, kind: ReplyKind, body: Body<F>) -> Body<F> {
    let binary = if body.encoding == Encoding::Binary {
        ANSWER_BINARY
    } else {
        0
    };
    let error = match kind {
        ReplyKind::Error => ANSWER_ERROR,
        ReplyKind::OwnError | ReplyKind::Rejected => ANSWER_ERROR | ANSWER_OWN,
        ReplyKind::Partial | ReplyKind::Final => 0,
    };
    let name = &worker[..worker.len().min(usize::from(u8::MAX))];
    let mut bytes = Vec::with_capacity(2 + name.len() + body.bytes.len());
    bytes.extend([binary | error, name.len() as u8]);
    bytes.extend_from_slice(name);
    bytes.extend_from_slice(&body.bytes);
    Body::binary(F::from(bytes))
}
