//! The table of requests that have not ended.

mod data_stream;
mod lanes;
mod queue;
mod request;
mod routing;
mod state;
mod waiting;

pub(super) use data_stream::DataStream;
#[cfg(test)]
pub(super) use lanes::LOOKS;
pub(super) use lanes::{Lanes, Rank};
pub(super) use queue::{Cursors, Queue};
pub(super) use request::{Content, Request};
pub(super) use routing::{Eligible, Lane, MAX_LEVEL, Routing, Sequence};
pub(super) use state::{
    Assigned, Attempts, CopyOf, Deadline, Gathering, ParkState, Queued, Recalled, Reclaimed,
    Search, State,
};
pub(super) use waiting::Waiting;

use super::keys::{ClientKey, RequestKey, ServiceKey, WorkerKey};
use crate::proto::{Terms, Time};
use crate::wire::Frame;
use slab::Slab;
use std::time::Duration;

/// All requests that have not ended.
#[derive(Debug)]
pub(super) struct Requests<F> {
    slab: Slab<Request<F>>,
    serial: u32,
    /// The waiting time that outweighs one level of priority, in µs.
    ageing: u64,
    /// The requests that wait, and their bytes.
    pub(super) waiting: Waiting,
}

const NONE: u32 = u32::MAX;

impl<F> Requests<F> {
    /// `ageing` is [`Policies::ageing`](super::Policies).
    pub(super) fn new(ageing: Duration) -> Self {
        Requests {
            slab: Slab::new(),
            serial: 0,
            ageing: ageing.as_micros() as u64,
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

    /// One more than the highest index of a request.
    pub(super) fn end(&self) -> usize {
        self.slab.capacity()
    }

    /// The request with this index, if there is one.
    pub(super) fn at(&self, index: usize) -> Option<RequestKey> {
        self.slab
            .contains(index)
            .then_some(RequestKey(index as u32))
    }

    pub(super) fn get(&self, key: RequestKey) -> Option<&Request<F>> {
        self.slab.get(key.0 as usize)
    }

    pub(super) fn get_mut(&mut self, key: RequestKey) -> Option<&mut Request<F>> {
        self.slab.get_mut(key.0 as usize)
    }

    /// The bytes it counts in the queue and at its worker.
    pub(super) fn bytes(&self, key: RequestKey) -> usize {
        self.get(key).map_or(0, |request| request.bytes)
    }

    /// The worker that has it.
    pub(super) fn worker(&self, key: RequestKey) -> Option<WorkerKey> {
        self.get(key)?.worker()
    }

    /// Its constraints on workers, if any.
    pub(super) fn routing(&self, key: RequestKey) -> Option<&Routing> {
        self.get(key)?.routing.as_deref()
    }

    /// Whether its handler is known to have started.
    pub(super) fn has_begun(&self, key: RequestKey) -> bool {
        match self.get(key).map(|request| &request.state) {
            Some(State::Assigned(assigned)) => assigned.has_begun(),
            _ => false,
        }
    }

    /// Whether another worker cannot have it any more: the client has a part of the reply, or the handler has begun to
    /// read the data, which are a stream.
    pub(super) fn is_bound(&self, key: RequestKey) -> bool {
        self.get(key).is_some_and(|request| match &request.state {
            State::Assigned(assigned) => {
                assigned.parts() > 0 || assigned.has_begun() && request.data_stream.is_some()
            }
            _ => false,
        })
    }

    /// Number of parts of its reply that went to the client.
    pub(super) fn parts(&self, key: RequestKey) -> u32 {
        self.get(key).map_or(0, Request::parts)
    }

    /// Its park state, if it is in a queue.
    pub(super) fn park(&self, key: RequestKey) -> Option<ParkState> {
        match &self.get(key)?.state {
            State::Queued(queued) => Some(queued.park()),
            _ => None,
        }
    }

    /// The token for a worker: the key, and a serial number because keys are reused.
    pub(super) fn token(&self, key: RequestKey) -> u64 {
        let serial = self.slab[key.0 as usize].serial;
        u64::from(serial) << 32 | u64::from(key.0)
    }

    /// Puts requests that are to end together in order: waiting ones first, then the running ones from the latest to the
    /// first, so that the end of one does not start another one that is to end as well.
    pub(super) fn sort_to_end(&self, requests: &mut [RequestKey]) {
        requests.sort_by_cached_key(|&request| {
            let is_running = self.worker(request).is_some();
            u128::from(is_running) << 64 | u128::from(!self.token(request))
        });
    }

    /// The request of a token, if it has not ended.
    pub(super) fn by_token(&self, token: u64) -> Option<RequestKey> {
        let key = RequestKey(token as u32);
        let request = self.get(key)?;
        (u64::from(request.serial) == token >> 32).then_some(key)
    }

    /// The request behind it in its lane.
    pub(super) fn next(&self, key: RequestKey) -> Option<RequestKey> {
        match &self.get(key)?.state {
            State::Queued(queued) if queued.next != NONE => Some(RequestKey(queued.next)),
            _ => None,
        }
    }

    /// Gives a copy of a fan-out to its worker.
    pub(super) fn assign_copy(&mut self, key: RequestKey, worker: WorkerKey, now: Time) {
        if let Some(request) = self.get_mut(key) {
            let mut assigned = Assigned::new(worker, now);
            if let State::Addressed(copy) = &request.state {
                assigned.copy = Some(copy.clone());
            }
            request.state = State::Assigned(assigned);
        }
    }

    /// Invalidates the tokens that were given out for this request.
    pub(super) fn renew_token(&mut self, key: RequestKey) {
        self.serial = self.serial.wrapping_add(1);
        self.slab[key.0 as usize].serial = self.serial;
    }

    /// The sort key for merging queues: the time of arrival, then the serial number.
    pub(super) fn order(&self, key: RequestKey) -> (Time, u32) {
        self.get(key)
            .map_or((Time::ZERO, 0), |request| (request.arrived, request.serial))
    }

    /// The [order](Self::order) as one number.
    pub(super) fn age_rank(&self, key: RequestKey) -> u128 {
        let (arrived, serial) = self.order(key);
        u128::from(arrived.as_micros()) << 32 | u128::from(serial)
    }

    /// The workers that it waits for, while it is in a queue.
    pub(super) fn who(&self, key: RequestKey) -> &Eligible {
        self.routing(key)
            .map_or(&Eligible::Any, |routing| &routing.who)
    }

    /// Its order among the requests of all lanes, while it is in a queue.
    pub(super) fn rank(&self, key: RequestKey) -> Rank {
        let (arrived, serial) = self.order(key);
        let level = self.routing(key).map_or(0, |routing| routing.level);
        let age = self.ageing.saturating_mul(u64::from(MAX_LEVEL - level));
        (arrived.as_micros().saturating_add(age), serial)
    }

    /// The key that the next inserted request will get.
    pub(super) fn next_key(&self) -> RequestKey {
        RequestKey(self.slab.vacant_key() as u32)
    }

    pub(super) fn remove(&mut self, key: RequestKey) -> Option<Request<F>> {
        self.slab.try_remove(key.0 as usize)
    }
}

/// A request that has been admitted.
pub(super) struct NewRequest<F> {
    pub(super) client: ClientKey,
    pub(super) rid: F,
    pub(super) service: ServiceKey,
    pub(super) routing: Option<Box<Routing>>,
    pub(super) content: Content<F>,
    pub(super) terms: Terms,
    pub(super) retried: u8,
    pub(super) deadline: Option<Deadline>,
    pub(super) charged: usize,
}

impl<F: Frame> Requests<F> {
    /// Inserts a request. The caller puts it into its queue or counts it beside the queue.
    // Inlined, so that the request is constructed once.
    #[inline(always)]
    pub(super) fn insert(&mut self, now: Time, new: NewRequest<F>, state: State) -> RequestKey {
        self.serial = self.serial.wrapping_add(1);
        let NewRequest {
            client,
            rid,
            service,
            routing,
            content,
            terms,
            retried,
            deadline,
            charged,
        } = new;
        let bytes = content.size();
        let key = self.slab.insert(Request {
            client,
            rid,
            service,
            routing,
            content,
            state,
            deadline,
            retry: terms.retry,
            attempts: Attempts::retried(retried),
            fail_fast: terms.fail_fast,
            data_stream: terms.stream.then(Box::default),
            bytes,
            charged,
            arrived: now,
            serial: self.serial,
        });
        RequestKey(key as u32)
    }
}
