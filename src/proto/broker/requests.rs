//! Requests that wait for a worker or are in the hands of one, and the queues they wait in.

use super::clients::ClientKey;
use super::limits::Waiting;
use super::parking::Gate;
use super::services::{ServiceKey, Services};
use super::workers::WorkerKey;
use crate::proto::deadlines::TimerKey;
use crate::proto::flow::Debt;
use crate::proto::{Terms, Time};
use crate::wire::{Body, Frame};
use slab::Slab;
use std::time::Duration;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct RequestKey(u32);

/// Where a request is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    Queue,
    /// Beside the queue, until its client lets it go; see [`super::parking`].
    Aside,
    /// Looked for; see [`super::claims`].
    Sought,
    Worker(WorkerKey),
}

impl Place {
    /// Whether no worker has it.
    pub(super) fn is_waiting(self) -> bool {
        !matches!(self, Place::Worker(_))
    }
}

#[derive(Debug)]
pub(super) struct Request<F> {
    pub(super) client: ClientKey,
    pub(super) rid: F,
    pub(super) service: ServiceKey,
    /// What the worker gets. Kept until the request ends: a worker may give it back.
    pub(super) content: Content<F>,
    pub(super) place: Place,
    /// In a queue: whether it may be given to a worker.
    pub(super) gate: Gate,
    /// In a queue: since when it stands at this gate.
    pub(super) since: Time,
    /// In a queue: the latest look at those that wait at which its turn was near.
    pub(super) near: u32,
    /// In a queue: its client has let it go, or is asked to.
    pub(super) cleared: bool,
    /// Idle timeout; every partial restarts it.
    pub(super) timeout: Option<Duration>,
    /// Moved by every partial; the timer is set anew only when it fires too early.
    pub(super) deadline: Time,
    pub(super) timer: Option<TimerKey>,
    /// What its worker is owed in the place of its client.
    pub(super) debt: Debt,
    /// How often it may still be given to another worker after one was lost with it.
    pub(super) retry: u8,
    /// How often it was.
    pub(super) retried: u8,
    /// Whether a broker that died may have given it to a worker that was lost.
    pub(super) uncertain: bool,
    /// Whether it does not wait for a service without workers.
    fail_fast: bool,
    /// What it counts, here and with its worker.
    bytes: usize,
    /// When its worker was given it.
    pub(super) given: Time,
    /// Its worker has sent a part of the reply, or all of it.
    pub(super) begun: bool,
    serial: u32,
    prev: u32,
    next: u32,
}

impl<F: Frame> Request<F> {
    /// What a worker of 0.0.92 is to call it. One that was cut off goes on with what it had when it
    /// comes back, so another attempt has another name: what it says of the first is nobody's.
    pub(super) fn name_without_token(&self) -> F {
        match self.retried {
            0 => self.rid.clone(),
            retried => F::from([&*self.rid, format!("~{retried}").as_bytes()].concat()),
        }
    }
}

#[derive(Debug, Clone)]
pub(super) struct Content<F> {
    pub(super) body: Body<F>,
    pub(super) opts: Option<F>,
}

impl<F: Frame> Content<F> {
    pub(super) fn size(&self) -> usize {
        self.body.bytes.len() + self.opts.as_ref().map_or(0, |opts| opts.len())
    }
}

/// All requests that have not ended.
#[derive(Debug)]
pub(super) struct Requests<F> {
    slab: Slab<Request<F>>,
    serial: u32,
    /// Those in queues.
    pub(super) waiting: Waiting,
}

const NONE: u32 = u32::MAX;

impl<F> Requests<F> {
    pub(super) fn new() -> Self {
        Requests {
            slab: Slab::new(),
            serial: 0,
            waiting: Waiting::default(),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.slab.len()
    }

    pub(super) fn keys(&self) -> Vec<RequestKey> {
        self.slab
            .iter()
            .map(|(key, _)| RequestKey(key as u32))
            .collect()
    }

    pub(super) fn get(&self, key: RequestKey) -> Option<&Request<F>> {
        self.slab.get(key.0 as usize)
    }

    pub(super) fn get_mut(&mut self, key: RequestKey) -> Option<&mut Request<F>> {
        self.slab.get_mut(key.0 as usize)
    }

    /// The handle that a worker gets: the key, and a serial number in case the key is used again.
    /// What it holds.
    pub(super) fn bytes(&self, key: RequestKey) -> usize {
        self.get(key).map_or(0, |request| request.bytes)
    }

    pub(super) fn token(&self, key: RequestKey) -> u64 {
        let serial = self.slab[key.0 as usize].serial;
        u64::from(serial) << 32 | u64::from(key.0)
    }

    /// The request that a token names, if it has not ended.
    pub(super) fn by_token(&self, token: u64) -> Option<RequestKey> {
        let key = RequestKey(token as u32);
        let request = self.get(key)?;
        (u64::from(request.serial) == token >> 32).then_some(key)
    }

    /// The one behind it in its queue.
    pub(super) fn next(&self, key: RequestKey) -> Option<RequestKey> {
        let next = self.get(key)?.next;
        (next != NONE).then_some(RequestKey(next))
    }

    /// Makes the tokens that were given so far name nothing.
    pub(super) fn renew_token(&mut self, key: RequestKey) {
        self.serial = self.serial.wrapping_add(1);
        self.slab[key.0 as usize].serial = self.serial;
    }

    pub(super) fn remove(&mut self, key: RequestKey) -> Option<Request<F>> {
        self.slab.try_remove(key.0 as usize)
    }
}

impl<F: Frame> Requests<F> {
    /// A new request, in no queue yet.
    pub(super) fn insert(
        &mut self,
        client: ClientKey,
        rid: F,
        service: ServiceKey,
        content: Content<F>,
        terms: Terms,
        deadline: Time,
    ) -> RequestKey {
        self.serial = self.serial.wrapping_add(1);
        let bytes = content.size();
        let key = self.slab.insert(Request {
            client,
            rid,
            service,
            content,
            place: Place::Queue,
            gate: Gate::Open,
            since: Time::ZERO,
            near: 0,
            cleared: false,
            timeout: terms.timeout,
            deadline,
            timer: None,
            debt: Debt::default(),
            retry: terms.retry,
            retried: 0,
            uncertain: false,
            fail_fast: terms.fail_fast,
            bytes,
            given: Time::ZERO,
            begun: false,
            serial: self.serial,
            prev: NONE,
            next: NONE,
        });
        RequestKey(key as u32)
    }
}

/// A queue of one service, linked through its requests, so that one that ends leaves from the
/// middle at no cost.
#[derive(Debug)]
pub(super) struct Queue {
    head: u32,
    tail: u32,
    waiting: Waiting,
    /// How many of them do not wait without a worker.
    impatient: usize,
}

impl Default for Queue {
    fn default() -> Self {
        Queue {
            head: NONE,
            tail: NONE,
            waiting: Waiting::default(),
            impatient: 0,
        }
    }
}

impl Queue {
    pub(super) fn is_empty(&self) -> bool {
        self.head == NONE
    }

    pub(super) fn first(&self) -> Option<RequestKey> {
        (!self.is_empty()).then_some(RequestKey(self.head))
    }

    /// How much waits in it, or beside it.
    pub(super) fn waiting(&self) -> Waiting {
        self.waiting
    }

    /// One that waits beside it counts as well.
    pub(super) fn enter_aside<F>(&mut self, key: RequestKey, requests: &mut Requests<F>) {
        let bytes = requests.slab[key.0 as usize].bytes;
        self.waiting.add(bytes);
        requests.waiting.add(bytes);
    }

    pub(super) fn leave_aside<F>(&mut self, key: RequestKey, requests: &mut Requests<F>) {
        let bytes = requests.slab[key.0 as usize].bytes;
        self.waiting.remove(bytes);
        requests.waiting.remove(bytes);
    }

    pub(super) fn has_impatient(&self) -> bool {
        self.impatient > 0
    }

    /// Those in the queue of a service that do not wait without a worker.
    pub(super) fn impatient<F>(
        service: ServiceKey,
        services: &mut Services,
        requests: &Requests<F>,
    ) -> Vec<RequestKey> {
        let mut found = Vec::new();
        let mut at = services.get_mut(service).queue.head;
        while let Some(request) = requests.slab.get(at as usize) {
            if request.fail_fast {
                found.push(RequestKey(at));
            }
            at = request.next;
        }
        found
    }

    fn enter<F>(&mut self, key: RequestKey, requests: &mut Requests<F>) {
        let request = &requests.slab[key.0 as usize];
        self.impatient += usize::from(request.fail_fast);
        self.waiting.add(request.bytes);
        requests.waiting.add(request.bytes);
    }

    /// From the front; panics if the links are broken.
    #[cfg(any(test, feature = "fuzz"))]
    pub(super) fn iter<F>(&self, requests: &Requests<F>) -> impl Iterator<Item = RequestKey> {
        let mut prev = NONE;
        let mut at = self.head;
        std::iter::from_fn(move || {
            if at == NONE {
                assert_eq!(prev, self.tail);
                return None;
            }
            let request = &requests.slab[at as usize];
            assert_eq!(request.prev, prev);
            prev = at;
            at = request.next;
            Some(RequestKey(prev))
        })
    }

    pub(super) fn push_back<F>(&mut self, key: RequestKey, requests: &mut Requests<F>) {
        let tail = self.tail;
        let request = &mut requests.slab[key.0 as usize];
        request.place = Place::Queue;
        request.prev = tail;
        request.next = NONE;
        match requests.slab.get_mut(tail as usize) {
            Some(tail) => tail.next = key.0,
            None => self.head = key.0,
        }
        self.tail = key.0;
        self.enter(key, requests);
    }

    /// Back to where the next worker takes it: for what came back without having started.
    pub(super) fn push_front<F>(&mut self, key: RequestKey, requests: &mut Requests<F>) {
        let head = self.head;
        let request = &mut requests.slab[key.0 as usize];
        request.place = Place::Queue;
        request.prev = NONE;
        request.next = head;
        match requests.slab.get_mut(head as usize) {
            Some(head) => head.prev = key.0,
            None => self.tail = key.0,
        }
        self.head = key.0;
        self.enter(key, requests);
    }

    pub(super) fn pop_front<F>(&mut self, requests: &mut Requests<F>) -> Option<RequestKey> {
        if self.is_empty() {
            return None;
        }
        let key = RequestKey(self.head);
        self.unlink(key, requests);
        Some(key)
    }

    /// Takes out a request that is in this queue.
    pub(super) fn unlink<F>(&mut self, key: RequestKey, requests: &mut Requests<F>) {
        let request = &requests.slab[key.0 as usize];
        let (prev, next) = (request.prev, request.next);
        self.impatient -= usize::from(request.fail_fast);
        self.waiting.remove(request.bytes);
        requests.waiting.remove(request.bytes);
        match requests.slab.get_mut(prev as usize) {
            Some(prev) => prev.next = next,
            None => self.head = next,
        }
        match requests.slab.get_mut(next as usize) {
            Some(next) => next.prev = prev,
            None => self.tail = prev,
        }
    }
}
