//! The links between the requests of a queue: inserting a request, and taking it out.

use super::Queue;
use crate::proto::Time;
use crate::proto::broker::keys::{RequestKey, ServiceKey};
use crate::proto::broker::requests::lanes::List;
use crate::proto::broker::requests::routing::Lane;
use crate::proto::broker::requests::state::{ParkState, Queued, State};
use crate::proto::broker::requests::{NONE, Requests};
use std::collections::BTreeMap;

/// Requests of a queue that are passed in one unit of work.
const PASSED: usize = 64;

/// Maximum of cursors that are kept for longer than a merge.
const MAX_CURSORS: usize = 1024;

/// The requests that were inserted last in front of others, by service and lane, so that a merge in several pieces does
/// not begin at the front each time.
#[derive(Debug, Default)]
pub struct Cursors {
    last: BTreeMap<(usize, Option<Lane>), u64>,
    /// Requests that were passed on the way to the places.
    passed: usize,
}

impl Cursors {
    /// The request inserted last, if it is still in its place, which is before that of a request with this order.
    fn find<F>(
        &self,
        home: ServiceKey,
        lane: &Option<Lane>,
        order: (Time, u32),
        requests: &Requests<F>,
    ) -> Option<RequestKey> {
        let token = *self.last.get(&(home.index(), lane.clone()))?;
        let key = requests.by_token(token)?;
        let request = requests.get(key)?;
        let is_there = matches!(request.state, State::Queued(_)) && request.service == home;
        (is_there && request.lane() == *lane && requests.order(key) <= order).then_some(key)
    }

    /// Forgets all if there are very many, which costs a look at the queues from the front.
    pub fn shorten(&mut self) {
        if self.last.len() > MAX_CURSORS {
            self.last.clear();
        }
    }

    fn set(&mut self, home: ServiceKey, lane: &Option<Lane>, token: u64) {
        self.last.insert((home.index(), lane.clone()), token);
    }

    /// The units of work of the merges since the last call.
    pub fn take_work(&mut self) -> usize {
        let work = self.passed / PASSED;
        self.passed %= PASSED;
        work
    }
}

impl Queue {
    fn list(&mut self, lane: &Option<Lane>) -> &mut List {
        match lane {
            None => &mut self.plain,
            Some(lane) => self.lanes.get_or_insert_default().list(lane),
        }
    }

    /// Replaces the front of a lane.
    #[cold]
    fn replace_front<F>(&mut self, lane: &Lane, [old, new]: [u32; 2], requests: &Requests<F>) {
        let [old, new] = [old, new].map(|at| (at != NONE).then_some(RequestKey(at)));
        if let Some(lanes) = &mut self.lanes {
            lanes.replace_front(lane, old, new, requests);
            if new.is_none() && lanes.remove(lane) {
                self.lanes = None;
            }
        }
    }

    /// Appends a request, which is in no queue, to its lane. Returns its bytes.
    pub fn push_back<F>(&mut self, key: RequestKey, requests: &mut Requests<F>) -> usize {
        let request = &requests.slab[key.0 as usize];
        let (lane, bytes) = (request.lane(), request.bytes);
        let prev = self.list(&lane).tail;
        self.link(lane, key, (prev, NONE), requests);
        bytes
    }

    /// Puts a request, which is in no queue, before the others of its lane. For requests that a worker has returned.
    pub fn push_front<F>(&mut self, key: RequestKey, requests: &mut Requests<F>) {
        let lane = requests.slab[key.0 as usize].lane();
        let next = self.list(&lane).head;
        self.link(lane, key, (NONE, next), requests);
    }

    /// Inserts requests, which are in no queue, by arrival: each before the first later request of its lane. `keys`
    /// are in order of arrival. Calls that share the cursors are in order of arrival too.
    pub fn merge<F>(
        &mut self,
        keys: impl Iterator<Item = RequestKey>,
        requests: &mut Requests<F>,
        cursors: &mut Cursors,
    ) {
        let mut nexts: BTreeMap<Option<Lane>, u32> = BTreeMap::new();
        for key in keys {
            let order = requests.order(key);
            let request = &requests.slab[key.0 as usize];
            let (lane, home) = (request.lane(), request.service);
            let list = *self.list(&lane);
            let next = nexts.entry(lane.clone()).or_insert_with(|| {
                if list.tail != NONE && requests.order(RequestKey(list.tail)) <= order {
                    return NONE;
                }
                let behind = cursors.find(home, &lane, order, requests);
                behind.map_or(list.head, |key| {
                    requests.next(key).map_or(NONE, |key| key.0)
                })
            });
            while *next != NONE && requests.order(RequestKey(*next)) <= order {
                *next = requests.next(RequestKey(*next)).map_or(NONE, |key| key.0);
                cursors.passed += 1;
            }
            let next = *next;
            let prev = match links(next, requests) {
                Some(next) => next.prev,
                None => list.tail,
            };
            if next != NONE {
                cursors.set(home, &lane, requests.token(key));
            }
            self.link(lane, key, (prev, next), requests);
        }
    }

    fn link<F>(
        &mut self,
        lane: Option<Lane>,
        key: RequestKey,
        (prev, next): (u32, u32),
        requests: &mut Requests<F>,
    ) {
        self.enter(key, (prev, next), requests);
        let list = self.list(&lane);
        match links(prev, requests) {
            Some(prev) => prev.next = key.0,
            None => list.head = key.0,
        }
        match links(next, requests) {
            Some(next) => next.prev = key.0,
            None => list.tail = key.0,
        }
        if prev == NONE
            && let Some(lane) = lane
        {
            self.replace_front(&lane, [next, key.0], requests);
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

    pub(super) fn unlink<F>(&mut self, key: RequestKey, requests: &mut Requests<F>) {
        let request = &requests.slab[key.0 as usize];
        let State::Queued(queued) = &request.state else {
            return;
        };
        let (prev, next) = (queued.prev, queued.next);
        self.count_park(queued.park, usize::wrapping_sub);
        self.fail_fast -= usize::from(request.fail_fast);
        self.waiting.remove(request.bytes);
        let lane = request.lane();
        requests.waiting.remove(request.bytes);
        let list = self.list(&lane);
        match links(prev, requests) {
            Some(prev) => prev.next = next,
            None => list.head = next,
        }
        match links(next, requests) {
            Some(next) => next.prev = prev,
            None => list.tail = prev,
        }
        if prev == NONE
            && let Some(lane) = lane
        {
            self.replace_front(&lane, [key.0, next], requests);
        }
    }
}

fn links<F>(at: u32, requests: &mut Requests<F>) -> Option<&mut Queued> {
    match &mut requests.slab.get_mut(at as usize)?.state {
        State::Queued(queued) => Some(queued),
        _ => None,
    }
}
