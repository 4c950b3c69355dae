//! Requests that wait for a worker or are in the hands of one.

mod queue;

pub(super) use queue::Queue;

use super::clients::ClientKey;
use super::limits::Waiting;
use super::parking::Gate;
use super::services::ServiceKey;
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

    /// What it holds.
    pub(super) fn bytes(&self, key: RequestKey) -> usize {
        self.get(key).map_or(0, |request| request.bytes)
    }

    pub(super) fn place(&self, key: RequestKey) -> Option<Place> {
        self.get(key).map(|request| request.place)
    }

    pub(super) fn has_begun(&self, key: RequestKey) -> bool {
        self.get(key).is_some_and(|request| request.begun)
    }

    /// The handle that a worker gets: the key, and a serial number in case the key is used again.
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
