//! The queue of one service.

mod links;

use super::lanes::{Lanes, List};
use super::routing::{Lane, PLAIN, Sequence};
use super::state::{Assigned, ParkState, SetAside, State};
use super::{NONE, Requests, Waiting};
use crate::proto::Time;
use crate::proto::broker::keys::{ClientKey, RequestKey, WorkerKey};
pub use links::Cursors;
use std::collections::BTreeSet;
use std::ops::Bound;

/// Requests that were set aside and are looked at after an answer of their client.
const LOOKED_AT: usize = 64;

/// The queue of one service, linked through its requests, so that a request that ends leaves the middle at no cost.
/// It also counts the requests beside it: those that wait without being in a lane.
#[derive(Debug, Default)]
pub struct Queue {
    /// The plain lane: requests that any worker may have, without priority.
    plain: List,
    /// All other lanes, if there is one.
    // Boxed, because most queues have no lanes.
    lanes: Option<Box<Lanes>>,
    waiting: Waiting,
    /// Number of requests beside the queue: set aside, searching, addressed, gathering or reclaimed.
    beside: usize,
    /// Those of them that their clients have not released, which later ones of the same sequence do not overtake: the
    /// client, the sequence and the token.
    aside: BTreeSet<(ClientKey, Sequence, u64)>,
    /// Number of parked requests in the queue.
    parked: usize,
    /// Number of requests in the queue whose clients were asked for them, whether they have answered or not.
    asked_for: usize,
    /// Number of requests in the queue with `failFast`.
    fail_fast: usize,
}

impl Queue {
    /// Whether no request waits, in the queue or beside it.
    pub fn is_empty(&self) -> bool {
        self.plain.head == NONE && self.lanes.is_none() && self.beside == 0
    }

    /// The first request of the plain lane.
    pub fn first_plain(&self) -> Option<RequestKey> {
        (self.plain.head != NONE).then_some(RequestKey(self.plain.head))
    }

    /// The first request by lane, whatever its age.
    pub fn first(&self) -> Option<RequestKey> {
        match self.lanes {
            None => self.first_plain(),
            Some(_) => self.heads().next().map(|(_, key)| key),
        }
    }

    /// The next request, in the same lane or at the head of the next one.
    pub fn next<F>(&self, key: RequestKey, requests: &Requests<F>) -> Option<RequestKey> {
        let next = requests.next(key);
        if next.is_some() || self.lanes.is_none() {
            return next;
        }
        let lane = requests.get(key)?.lane().unwrap_or(PLAIN.clone());
        let lanes = self.lanes.as_deref()?;
        let behind = lanes
            .lists
            .range((Bound::Excluded(&lane), Bound::Unbounded))
            .next();
        let plain = self.first_plain().filter(|_| lane < PLAIN);
        match behind {
            Some((other, list)) if plain.is_none() || *other < PLAIN => Some(RequestKey(list.head)),
            _ => plain,
        }
    }

    /// Whether there are other lanes than the plain one.
    pub fn has_lanes(&self) -> bool {
        self.lanes.is_some()
    }

    /// The lanes beside the plain one.
    pub fn lanes_mut(&mut self) -> Option<&mut Lanes> {
        self.lanes.as_deref_mut()
    }

    #[cfg(any(test, feature = "fuzz"))]
    pub fn lanes(&self) -> Option<&Lanes> {
        self.lanes.as_deref()
    }

    /// The first request of each lane, in the order of the lanes.
    pub fn heads(&self) -> impl Iterator<Item = (&Lane, RequestKey)> {
        let lanes = self.lanes.as_deref().map(|lanes| &lanes.lists);
        let before = lanes.map(|lanes| lanes.range(..PLAIN.clone()));
        let behind = lanes.map(|lanes| lanes.range(PLAIN.clone()..));
        let before = before.into_iter().flatten();
        let behind = behind.into_iter().flatten();
        let plain = (self.plain.head != NONE).then_some((&PLAIN, &self.plain));
        let all = before.chain(plain).chain(behind);
        all.map(|(lane, list)| (lane, RequestKey(list.head)))
    }

    /// The requests and bytes in the queue and beside it.
    pub fn waiting(&self) -> Waiting {
        self.waiting
    }

    #[cfg(any(test, feature = "fuzz"))]
    pub fn beside(&self) -> usize {
        self.beside
    }

    /// Whether requests wait beside the queue until their clients answer.
    pub fn has_aside(&self) -> bool {
        !self.aside.is_empty()
    }

    #[cfg(any(test, feature = "fuzz"))]
    pub fn aside(&self) -> impl Iterator<Item = (ClientKey, u64)> {
        self.aside.iter().map(|&(client, _, token)| (client, token))
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

    /// All requests from the front; panics if the links are inconsistent.
    #[cfg(any(test, feature = "fuzz"))]
    pub fn iter<F>(&self, requests: &Requests<F>) -> impl Iterator<Item = RequestKey> {
        let lanes = self.lanes.as_deref().map(|lanes| &lanes.lists);
        let lanes = lanes.into_iter().flatten();
        let lists = lanes.map(|(lane, list)| (Some(lane), *list));
        let lists = lists.chain([(None, self.plain)]);
        lists.flat_map(move |(lane, list)| {
            assert!(lane.is_none() || list.head != NONE, "no lane is empty");
            let mut prev = NONE;
            let mut at = list.head;
            std::iter::from_fn(move || {
                if at == NONE {
                    assert_eq!(prev, list.tail);
                    return None;
                }
                let request = &requests.slab[at as usize];
                assert_eq!(request.lane().as_ref(), lane, "it is in its lane");
                let State::Queued(queued) = &request.state else {
                    panic!("what is linked is queued");
                };
                assert_eq!(queued.prev, prev);
                prev = at;
                at = queued.next;
                Some(RequestKey(prev))
            })
        })
    }

    /// Whether a request in this queue may be given to a worker.
    pub fn may_start<F>(&self, key: RequestKey, requests: &Requests<F>) -> bool {
        requests.park(key).is_some_and(ParkState::may_start)
            && (self.aside.is_empty() || !self.would_overtake(key, requests))
    }

    /// Whether earlier requests of the same client and sequence are set aside until the client answers. One that may have run before
    /// overtakes them, since it cannot be parked.
    #[cold]
    pub fn would_overtake<F>(&self, key: RequestKey, requests: &Requests<F>) -> bool {
        let Some(request) = requests.get(key).filter(|request| request.may_be_parked()) else {
            return false;
        };
        // Tokens grow with the time of arrival.
        let (client, sequence) = (request.client, request.sequence());
        let earlier = (client, sequence, 0)..(client, sequence, requests.token(key));
        self.aside.range(earlier).next().is_some()
    }

    /// Notes that a request is not set aside any more, or that its client has released it.
    pub fn end_aside<F>(&mut self, key: RequestKey, requests: &Requests<F>) {
        if let Some(request) = requests.get(key)
            && !self.aside.is_empty()
        {
            self.aside
                .remove(&(request.client, request.sequence(), requests.token(key)));
        }
    }

    /// Lets later requests of a client overtake those that it has not released though it was asked for them by then.
    pub fn pass_over<F>(&mut self, client: ClientKey, asked: Time, requests: &Requests<F>) {
        let all = (client, Sequence::FIRST, 0)..=(client, Sequence::LAST, u64::MAX);
        let of_client = self.aside.range(all);
        let mut passed = Vec::new();
        for &entry in of_client.take(LOOKED_AT) {
            let key = requests.by_token(entry.2);
            if let Some(State::SetAside(aside)) =
                key.and_then(|key| Some(&requests.get(key)?.state))
                && aside.asked <= asked
            {
                passed.push(entry);
            }
        }
        for entry in passed {
            self.aside.remove(&entry);
        }
    }

    /// Moves a request from this queue to a worker.
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

    /// Moves a request beside this queue until its client answers.
    pub fn set_aside<F>(&mut self, key: RequestKey, asked: Time, requests: &mut Requests<F>) {
        self.unlink(key, requests);
        requests.slab[key.0 as usize].state = State::SetAside(SetAside {
            asked,
            is_kept_back: false,
        });
        let request = &requests.slab[key.0 as usize];
        let (client, sequence) = (request.client, request.sequence());
        self.aside.insert((client, sequence, requests.token(key)));
        self.enter_beside(key, requests);
    }

    /// Puts a request, which was already assigned, beside this queue until its client has heard of new workers.
    pub fn keep_back<F>(&mut self, key: RequestKey, now: Time, requests: &mut Requests<F>) {
        requests.slab[key.0 as usize].state = State::SetAside(SetAside {
            asked: now,
            is_kept_back: true,
        });
        self.enter_beside(key, requests);
    }

    /// Counts a request that waits beside the queue.
    pub fn enter_beside<F>(&mut self, key: RequestKey, requests: &mut Requests<F>) {
        let request = &requests.slab[key.0 as usize];
        self.beside += 1;
        if request.counts_beside() {
            self.waiting.add(request.bytes);
            requests.waiting.add(request.bytes);
        }
    }

    /// Takes out a request that waits in this queue or beside it. The caller gives it a new place or removes it.
    pub fn leave<F>(&mut self, key: RequestKey, requests: &mut Requests<F>) {
        let request = &requests.slab[key.0 as usize];
        match request.state {
            State::Queued(_) => self.unlink(key, requests),
            State::SetAside(_)
            | State::Searching(_)
            | State::Addressed(_)
            | State::Gathering(_)
            | State::Reclaimed(_) => {
                let bytes = request.bytes;
                self.beside -= 1;
                self.end_aside(key, requests);
                if request.counts_beside() {
                    self.waiting.remove(bytes);
                    requests.waiting.remove(bytes);
                }
            }
            State::Assigned(_) => {}
        }
    }

    /// Changes the park state of a request in this queue.
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
