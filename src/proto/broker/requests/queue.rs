//! The queue of a service.

use super::state::{Assigned, ParkState, Queued, SetAside, State};
use super::{NONE, Requests};
use crate::proto::Time;
use crate::proto::broker::keys::{RequestKey, WorkerKey};
use crate::proto::broker::limits::Waiting;

/// A queue of one service, linked through its requests, so that one that ends leaves from the
/// middle at no cost. It counts what waits beside it as well.
#[derive(Debug)]
pub struct Queue {
    head: u32,
    tail: u32,
    waiting: Waiting,
    /// Requests beside the queue: set aside, or searching.
    beside: usize,
    /// Requests in the queue that are parked.
    parked: usize,
    /// Requests in the queue that were asked for, released or not yet.
    asked_for: usize,
    /// Requests in the queue that do not wait without a worker.
    fail_fast: usize,
}

impl Default for Queue {
    fn default() -> Self {
        Queue {
            head: NONE,
            tail: NONE,
            waiting: Waiting::default(),
            beside: 0,
            parked: 0,
            asked_for: 0,
            fail_fast: 0,
        }
    }
}

impl Queue {
    /// Whether nothing waits, in it or beside it.
    pub fn is_empty(&self) -> bool {
        self.head == NONE && self.beside == 0
    }

    pub fn first(&self) -> Option<RequestKey> {
        (self.head != NONE).then_some(RequestKey(self.head))
    }

    /// How much waits in it, or beside it.
    pub fn waiting(&self) -> Waiting {
        self.waiting
    }

    #[cfg(any(test, feature = "fuzz"))]
    pub fn beside(&self) -> usize {
        self.beside
    }

    pub fn parked(&self) -> usize {
        self.parked
    }

    pub fn asked_for(&self) -> usize {
        self.asked_for
    }

    pub fn has_fail_fast(&self) -> bool {
        self.fail_fast > 0
    }

    /// The requests in it that do not wait without a worker.
    pub fn fail_fast<F>(&self, requests: &Requests<F>) -> Vec<RequestKey> {
        let mut found = Vec::new();
        let mut next = self.first();
        while let Some(key) = next {
            next = requests.next(key);
            if requests.get(key).is_some_and(|request| request.fail_fast) {
                found.push(key);
            }
        }
        found
    }

    /// From the front; panics if the links are broken.
    #[cfg(any(test, feature = "fuzz"))]
    pub fn iter<F>(&self, requests: &Requests<F>) -> impl Iterator<Item = RequestKey> {
        let mut prev = NONE;
        let mut at = self.head;
        std::iter::from_fn(move || {
            if at == NONE {
                assert_eq!(prev, self.tail);
                return None;
            }
            let State::Queued(queued) = &requests.slab[at as usize].state else {
                panic!("what is linked is queued");
            };
            assert_eq!(queued.prev, prev);
            prev = at;
            at = queued.next;
            Some(RequestKey(prev))
        })
    }

    /// A request that is nowhere else waits for its turn.
    pub fn push_back<F>(&mut self, key: RequestKey, requests: &mut Requests<F>) {
        let prev = self.tail;
        self.enter(key, (prev, NONE), requests);
        match links(prev, requests) {
            Some(tail) => tail.next = key.0,
            None => self.head = key.0,
        }
        self.tail = key.0;
    }

    /// Back to where the next worker takes it: for what came back without having started.
    pub fn push_front<F>(&mut self, key: RequestKey, requests: &mut Requests<F>) {
        let next = self.head;
        self.enter(key, (NONE, next), requests);
        match links(next, requests) {
            Some(head) => head.prev = key.0,
            None => self.tail = key.0,
        }
        self.head = key.0;
    }

    /// Puts in requests that are nowhere else, each before the first that came later than it. They are in the order in
    /// which they came.
    pub fn merge<F>(&mut self, keys: impl Iterator<Item = RequestKey>, requests: &mut Requests<F>) {
        let mut next = self.head;
        for key in keys {
            let order = requests.order(key);
            while next != NONE && requests.order(RequestKey(next)) <= order {
                next = requests.next(RequestKey(next)).map_or(NONE, |key| key.0);
            }
            let prev = match links(next, requests) {
                Some(next) => next.prev,
                None => self.tail,
            };
            self.enter(key, (prev, next), requests);
            match links(prev, requests) {
                Some(prev) => prev.next = key.0,
                None => self.head = key.0,
            }
            match links(next, requests) {
                Some(next) => next.prev = key.0,
                None => self.tail = key.0,
            }
        }
    }

    fn enter<F>(&mut self, key: RequestKey, (prev, next): (u32, u32), requests: &mut Requests<F>) {
        let request = &mut requests.slab[key.0 as usize];
        request.state = State::Queued(Queued {
            prev,
            next,
            park: ParkState::Open,
            since: Time::ZERO,
        });
        self.fail_fast += usize::from(request.fail_fast);
        self.waiting.add(request.bytes);
        requests.waiting.add(request.bytes);
    }

    /// Gives a request of this queue to a worker.
    pub fn assign<F>(
        &mut self,
        key: RequestKey,
        worker: WorkerKey,
        now: Time,
        requests: &mut Requests<F>,
    ) {
        self.unlink(key, requests);
        requests.slab[key.0 as usize].state = State::Assigned(Assigned::new(worker, now));
    }

    /// Puts a request of this queue beside it, until its client answers.
    pub fn set_aside<F>(&mut self, key: RequestKey, asked: Time, requests: &mut Requests<F>) {
        self.unlink(key, requests);
        requests.slab[key.0 as usize].state = State::SetAside(SetAside { asked });
        self.enter_beside(key, requests);
    }

    /// Counts a request beside the queue.
    pub fn enter_beside<F>(&mut self, key: RequestKey, requests: &mut Requests<F>) {
        let bytes = requests.slab[key.0 as usize].bytes;
        self.beside += 1;
        self.waiting.add(bytes);
        requests.waiting.add(bytes);
    }

    /// The request does not wait any more: the caller places it elsewhere, or removes it.
    pub fn leave<F>(&mut self, key: RequestKey, requests: &mut Requests<F>) {
        let request = &requests.slab[key.0 as usize];
        match request.state {
            State::Queued(_) => self.unlink(key, requests),
            State::SetAside(_) | State::Searching(_) | State::Addressed | State::Gathering(_) => {
                let bytes = request.bytes;
                self.beside -= 1;
                self.waiting.remove(bytes);
                requests.waiting.remove(bytes);
            }
            State::Assigned(_) => {}
        }
    }

    fn unlink<F>(&mut self, key: RequestKey, requests: &mut Requests<F>) {
        let request = &requests.slab[key.0 as usize];
        let State::Queued(queued) = &request.state else {
            return;
        };
        let (prev, next) = (queued.prev, queued.next);
        self.count_park(queued.park, usize::wrapping_sub);
        self.fail_fast -= usize::from(request.fail_fast);
        self.waiting.remove(request.bytes);
        requests.waiting.remove(request.bytes);
        match links(prev, requests) {
            Some(prev) => prev.next = next,
            None => self.head = next,
        }
        match links(next, requests) {
            Some(next) => next.prev = prev,
            None => self.tail = prev,
        }
    }

    /// Moves a request of this queue to another park state.
    pub fn set_park<F>(
        &mut self,
        key: RequestKey,
        park: ParkState,
        now: Time,
        requests: &mut Requests<F>,
    ) {
        if let State::Queued(queued) = &mut requests.slab[key.0 as usize].state {
            self.count_park(queued.park, usize::wrapping_sub);
            self.count_park(park, usize::wrapping_add);
            queued.park = park;
            queued.since = now;
        }
    }

    fn count_park(&mut self, park: ParkState, step: fn(usize, usize) -> usize) {
        match park {
            ParkState::Open => {}
            ParkState::Parked => self.parked = step(self.parked, 1),
            ParkState::Asked | ParkState::Released => self.asked_for = step(self.asked_for, 1),
        }
    }
}

fn links<F>(at: u32, requests: &mut Requests<F>) -> Option<&mut Queued> {
    match &mut requests.slab.get_mut(at as usize)?.state {
        State::Queued(queued) => Some(queued),
        _ => None,
    }
}
