//! Fan-out: a request to all workers of a service. Each worker that is registered on its arrival gets a copy, and the
//! answers go to the client as partials of one reply.
//!
//! The request itself is in the state `Gathering`. Its copies are requests of the same client, under ids that clients
//! cannot make, and each is for one worker. A copy waits for room at its worker and is given to no other. The reply
//! ends with the last copy. It outlives the client's connection as any request does, but not the broker: the next one
//! cannot know which workers have answered.

use super::accounts::REQUEST;
use super::context::Context;
use super::incoming::RequestHead;
use super::keys::{RequestKey, ServiceKey, WorkerKey};
use super::outcome::End;
use super::requests::{Content, Gathering, NewRequest, Part, Request, Routing, State};
use super::tasks::{Ending, FanOut, Task};
use super::{Broker, RoutingId};
use crate::proto::Terms;
use crate::proto::code::Code;
use crate::wire::omdp::ReplyKind;
use crate::wire::{Body, Dialect, Encoding, Frame};

/// Prefix of the name of the service whose workers are all called.
const ALL: &[u8] = b"mmi.all:";

/// Separator between the id of the request and the number of the copy.
pub(super) const COPY: u8 = 0;

/// Flags in the first byte of an answer, as in extension frames.
const BINARY: u8 = 0x01;
const ERROR: u8 = 0x04;
const OWN: u8 = 0x08;

/// Maximum of copies that are made at once.
const COPIES: usize = 32;

/// Maximum of copies that end with their fan-out at once.
const FEW: usize = 8;

/// The service that a fan-out calls; `None` if the name is not that of a fan-out.
pub(super) fn all_of(service: &[u8]) -> Option<&[u8]> {
    service.strip_prefix(ALL).filter(|name| !name.is_empty())
}

/// Requests that depend on requests that have ended.
#[derive(Debug, Default)]
pub(super) struct Dependents {
    /// Tokens of the fan-outs of which copies have ended.
    of: Vec<u64>,
    /// Tokens of copies whose fan-out has ended.
    orphans: Vec<u64>,
}

impl Dependents {
    /// Notes an ended request that is a fan-out or a copy.
    #[inline]
    pub(super) fn note<F>(&mut self, request: &Request<F>) {
        if let Some(part) = request.part() {
            self.of.push(part.of);
        }
        if let State::Gathering(gathering) = &request.state {
            self.orphans.extend(&gathering.copies);
        }
    }

    fn is_empty(&self) -> bool {
        self.of.is_empty() && self.orphans.is_empty()
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

    /// Makes the copy of a fan-out for one worker, which is `None` if it is not registered any more. Returns it, and
    /// whether the worker serves the fan-out; `None` if the fan-out has ended.
    fn copy_for(
        &mut self,
        whole: RequestKey,
        rest: &mut FanOut,
        worker: Option<WorkerKey>,
        id: RoutingId,
    ) -> Option<(RequestKey, bool)> {
        let request = self.requests.get_mut(whole)?;
        request.charged -= rest.charge;
        let number = rest.number.to_string();
        rest.number += 1;
        let home = request.service;
        let registered = worker.and_then(|worker| self.workers.get(worker));
        // It may be of another version, if the name is a range.
        let service = registered.map(|worker| worker.service).filter(|&service| {
            let asked = rest.asked.as_deref();
            service == home || asked.is_some_and(|asked| self.services.may_serve(service, asked))
        });
        let routing = Routing {
            asked: rest.asked.clone(),
            part: Some(Part {
                of: rest.whole,
                worker: id,
            }),
            ..Routing::default()
        };
        let copy = NewRequest {
            client: request.client,
            rid: F::from([&*request.rid, &[COPY], number.as_bytes()].concat()),
            service: service.unwrap_or(home),
            routing: Some(Box::new(routing)),
            content: request.content.clone(),
            terms: Terms::default(),
            retried: 0,
            deadline: None,
            charged: rest.charge,
        };
        let copy = self.insert_beside(copy, State::Addressed);
        let token = self.requests.token(copy);
        let request = self.requests.get_mut(whole);
        if let Some(gathering) = request.and_then(Request::gathering_mut) {
            gathering.open += 1;
            gathering.copies.push(token);
        }
        self.count_request(service.unwrap_or(home), 0);
        Some((copy, service.is_some()))
    }
}

impl<F: Frame> Broker<F> {
    #[cold]
    pub(super) fn admit_all(
        &mut self,
        from: &[u8],
        head: RequestHead<F>,
        content: Content<F>,
        terms: Terms,
    ) {
        let name: Box<[u8]> = all_of(&head.service).unwrap_or_default().into();
        let known = self.cx.clients.find(from);
        let (clients, requests) = (&self.cx.clients, &self.cx.requests);
        let in_use = known.is_some_and(|key| clients.request(key, &head.rid, requests).is_some());
        if head.dialect != Dialect::Omdp || in_use {
            return self.cx.report_bad(from, "invalid name or id");
        }
        if !self.authorizer.may_call(self.cx.speaker.as_ref(), &name) {
            return self.refuse(from, head, Code::Denied);
        }
        let client = self.cx.require_client(from, head.dialect);
        if let Some(entry) = self.cx.clients.get_mut(client) {
            entry.extended |= head.extended;
        }
        let (service, routing) = self.cx.require_home(&name, None);
        let workers = self.cx.workers_of_all(&name, service);
        self.cx.count_request(service, 0);
        let size = REQUEST + content.size() + head.rid.len() + head.service.len();
        self.cx.count_work(workers.len());
        // The fan-out and all its copies are charged, or nothing is.
        let charged = (workers.len() + 1).saturating_mul(size);
        if let Err(over) = self.cx.charge_request(client, charged) {
            self.refuse(from, head, Code::QueueFull);
            self.release_refused(client, service);
            return self.over_limit(from, over);
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
        let whole = self.cx.insert_beside(new, State::Gathering(gathering));
        let named = |&key: &WorkerKey| Some((key, self.cx.workers.get(key)?.id.clone()));
        let fan_out = FanOut {
            whole: self.cx.requests.token(whole),
            workers: workers.iter().rev().filter_map(named).collect(),
            number: 0,
            charge: size,
            asked: routing.and_then(|routing| routing.asked),
        };
        self.start(Task::FanOut(fan_out));
    }

    /// Gives some workers their copies of a fan-out. Returns false if there is no more to do.
    pub(super) fn fan_out(&mut self, rest: &mut FanOut) -> bool {
        let Some(whole) = self.cx.requests.by_token(rest.whole) else {
            return false;
        };
        let mut addressed = Vec::with_capacity(COPIES);
        for _ in 0..COPIES {
            let Some((worker, id)) = rest.workers.pop() else {
                break;
            };
            let is_registered = self.cx.workers.get(worker).is_some_and(|it| it.id == id);
            let registered = is_registered.then_some(worker);
            let Some((copy, is_served)) = self.cx.copy_for(whole, rest, registered, id) else {
                return false;
            };
            if is_served {
                let token = self.cx.requests.token(copy);
                self.cx.address(worker, token, false);
                addressed.push(worker);
            } else {
                self.end(copy, End::Failed(Code::WorkerLost));
            }
        }
        for worker in addressed {
            self.line_up(worker);
        }
        self.end_dependents();
        if rest.workers.is_empty() {
            self.has_all_copies(rest.whole);
        }
        !rest.workers.is_empty()
    }

    /// A fan-out has all its copies, so it may end with the last one.
    fn has_all_copies(&mut self, token: u64) {
        if let Some(whole) = self.cx.requests.by_token(token)
            && let Some(request) = self.cx.requests.get_mut(whole)
            && let Some(gathering) = request.gathering_mut()
        {
            gathering.is_growing = false;
            if gathering.open == 0 {
                self.end_gathering(whole);
            }
        }
    }

    /// Ends requests that depend on ended requests.
    #[inline]
    pub(super) fn end_dependents(&mut self) {
        if !self.dependents.is_empty() {
            self.end_all_dependents();
        }
    }

    #[cold]
    fn end_all_dependents(&mut self) {
        if self.dependents.orphans.len() > FEW {
            let orphans = std::mem::take(&mut self.dependents.orphans);
            let ending = Ending::Cancelled;
            self.put_off(Task::Ends {
                tokens: orphans,
                ending,
            });
        }
        while let Some(token) = self.dependents.orphans.pop() {
            self.end_one_of(token, Ending::Cancelled);
        }
        while let Some(token) = self.dependents.of.pop() {
            let Some(key) = self.cx.requests.by_token(token) else {
                continue;
            };
            let request = self.cx.requests.get_mut(key);
            if let Some(gathering) = request.and_then(Request::gathering_mut) {
                gathering.open -= 1;
                if gathering.open == 0 && !gathering.is_growing {
                    self.end_gathering(key);
                }
            }
        }
    }

    /// Ends a fan-out after its last copy.
    fn end_gathering(&mut self, key: RequestKey) {
        let nothing = Body::json(F::from(&b"null"[..]));
        self.end(key, End::Answered(ReplyKind::Final, nothing));
    }
}

/// The encoding of an answer: flags, length of the worker's name, the name, and the body.
pub(super) fn item<F: Frame>(worker: &RoutingId, kind: ReplyKind, body: Body<F>) -> Body<F> {
    let binary = if body.encoding == Encoding::Binary {
        BINARY
    } else {
        0
    };
    let error = match kind {
        ReplyKind::Error => ERROR,
        ReplyKind::OwnError | ReplyKind::Rejected => ERROR | OWN,
        ReplyKind::Partial | ReplyKind::Final => 0,
    };
    let name = &worker[..worker.len().min(usize::from(u8::MAX))];
    let mut bytes = Vec::with_capacity(2 + name.len() + body.bytes.len());
    bytes.extend([binary | error, name.len() as u8]);
    bytes.extend_from_slice(name);
    bytes.extend_from_slice(&body.bytes);
    Body::binary(F::from(bytes))
}
