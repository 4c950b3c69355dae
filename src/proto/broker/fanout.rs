//! Fan-out: a request to all workers of a service. Each worker that is registered on its arrival gets a copy, and the
//! answers go to the client as partials of one reply.
//!
//! The request itself is in the state `Gathering`. Its copies are requests of the same client, under ids that clients
//! cannot make, and each is for one worker. A copy waits for room at its worker and is given to no other. The reply
//! ends with the last copy. It outlives the client's connection as any request does, but not the broker: the next one
//! cannot know which workers have answered.

use super::accounts::REQUEST;
use super::incoming::RequestHead;
use super::keys::{RequestKey, WorkerKey};
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
const COPY: u8 = 0;

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
        let in_use = known.is_some_and(|client| {
            let client = self
                .cx
                .clients
                .request(client, &head.rid, &self.cx.requests);
            client.is_some()
        });
        if head.dialect != Dialect::Omdp || in_use {
            return self.cx.report_bad(from, "invalid name or id");
        }
        if !self.authorizer.may_call(self.cx.speaker.as_ref(), &name) {
            return self.refuse(from, head, Code::Denied);
        }
        let client = self.require_client(from, head.dialect);
        if let Some(entry) = self.cx.clients.get_mut(client) {
            entry.extended |= head.extended;
        }
        let (service, routing) = self.cx.require_home(&name, None);
        let serving = self.cx.workers.serving(service);
        let mut workers: Vec<WorkerKey> = serving.iter().copied().collect();
        for other in self.cx.services.shared_homes(&name) {
            if other != service {
                workers.extend(self.cx.workers.serving(other));
            }
        }
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
        let begin = rest.workers.len().saturating_sub(COPIES);
        let mut addressed = Vec::with_capacity(COPIES);
        for (worker, id) in rest.workers.drain(begin..).rev() {
            let Some(request) = self.cx.requests.get_mut(whole) else {
                return false;
            };
            request.charged -= rest.charge;
            let number = rest.number.to_string();
            rest.number += 1;
            let part = Part {
                of: rest.whole,
                worker: id.clone(),
            };
            let home = request.service;
            let registered = self.cx.workers.get(worker).filter(|worker| worker.id == id);
            // It may be of another version, if the name is a range.
            let service = registered.map(|worker| worker.service).filter(|&service| {
                let asked = rest.asked.as_deref();
                service == home
                    || asked.is_some_and(|asked| self.cx.services.may_serve(service, asked))
            });
            let routing = Routing {
                asked: rest.asked.clone(),
                part: Some(part),
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
            let copy = self.cx.insert_beside(copy, State::Addressed);
            let token = self.cx.requests.token(copy);
            let request = self.cx.requests.get_mut(whole);
            if let Some(gathering) = request.and_then(Request::gathering_mut) {
                gathering.open += 1;
                gathering.copies.push(token);
            }
            self.cx.count_request(service.unwrap_or(home), 0);
            if service.is_some() {
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
        if !rest.workers.is_empty() {
            return true;
        }
        if let Some(whole) = self.cx.requests.by_token(rest.whole)
            && let Some(request) = self.cx.requests.get_mut(whole)
            && let Some(gathering) = request.gathering_mut()
        {
            gathering.is_growing = false;
            if gathering.open == 0 {
                self.end_gathering(whole);
            }
        }
        false
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
