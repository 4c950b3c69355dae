//! The lanes of a queue beside the plain one, and their *fronts*: the first request of each, in the order in which they
//! would start. So the next request is found without a comparison of all lanes, which may be as many as requests.
//!
//! The fronts of lanes for one worker are kept apart. One whose worker has no room is removed when it is found, and
//! inserted again when the worker gets room. The fronts of lanes for all workers except some are tried one after the other.
//! For one message only [`LOOKS`] fronts are tried in vain; the others follow in later turns.

#[cfg(any(test, feature = "fuzz"))]
mod audit;
mod sweep;

use super::routing::{Eligible, Lane};
use super::{MAX_LEVEL, NONE, Requests};
use crate::proto::broker::keys::{RequestKey, WorkerKey};
use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::ops::Bound;
#[cfg(test)]
pub use sweep::LOOKS;
use sweep::Sweep;

/// The order in which requests of all lanes start: by the time of arrival, which is later by the ageing for each level
/// of priority below the highest, then by the serial number.
pub type Rank = (u64, u32);

/// Maximum of fronts behind which parked requests are looked for, for one message.
const FRONTS: usize = 64;

/// Head and tail of a linked list of requests.
#[derive(Debug, Clone, Copy)]
pub struct List {
    pub head: u32,
    pub tail: u32,
}

impl Default for List {
    fn default() -> Self {
        List {
            head: NONE,
            tail: NONE,
        }
    }
}

#[derive(Debug, Default)]
pub struct Lanes {
    /// No list is empty.
    pub lists: BTreeMap<Lane, List>,
    /// Number of lists of each level.
    levels: [usize; MAX_LEVEL as usize + 1],
    /// The fronts of lanes for any worker, of those for any worker except some, and of those for one worker.
    any: BTreeMap<Rank, RequestKey>,
    not: BTreeMap<Rank, RequestKey>,
    only: BTreeMap<Rank, (RequestKey, WorkerKey)>,
    sweep: Sweep,
}

impl Lanes {
    pub fn list(&mut self, lane: &Lane) -> &mut List {
        if !self.lists.contains_key(lane) {
            self.levels[usize::from(lane.level.0)] += 1;
        }
        self.lists.entry(lane.clone()).or_default()
    }

    /// Removes an empty list. Returns true if it was the last one.
    pub fn remove(&mut self, lane: &Lane) -> bool {
        if self.lists.remove(lane).is_some() {
            self.levels[usize::from(lane.level.0)] -= 1;
        }
        self.lists.is_empty()
    }

    /// Replaces the front of a lane.
    pub fn replace_front<F>(
        &mut self,
        lane: &Lane,
        old: Option<RequestKey>,
        new: Option<RequestKey>,
        requests: &Requests<F>,
    ) {
        if let Some(rank) = old.map(|key| requests.rank(key)) {
            match lane.who {
                Eligible::Any => _ = self.any.remove(&rank),
                Eligible::Not(_) => _ = self.not.remove(&rank),
                Eligible::Only(_) => _ = self.only.remove(&rank),
                Eligible::Later | Eligible::Nobody => {}
            }
        }
        if let Some(key) = new {
            self.insert_front(lane, key, requests);
        }
    }

    fn insert_front<F>(&mut self, lane: &Lane, key: RequestKey, requests: &Requests<F>) {
        let rank = requests.rank(key);
        match lane.who {
            Eligible::Any => _ = self.any.insert(rank, key),
            Eligible::Not(_) => {
                _ = self.not.insert(rank, key);
                self.sweep.at = self.sweep.at.map(|at| at.min(rank));
            }
            Eligible::Only(worker) => _ = self.only.insert(rank, (key, worker)),
            Eligible::Later | Eligible::Nobody => {}
        }
    }

    /// A worker has got room.
    pub fn has_room<F>(&mut self, worker: WorkerKey, requests: &Requests<F>) {
        for level in 0..=MAX_LEVEL {
            if self.levels[usize::from(level)] == 0 {
                continue;
            }
            let lane = Lane {
                level: Reverse(level),
                who: Eligible::Only(worker),
            };
            if let Some(list) = self.lists.get(&lane) {
                let head = RequestKey(list.head);
                self.insert_front(&lane, head, requests);
            }
        }
    }

    /// The first of all fronts that have a worker. `best` is the front of the plain lane. `has_room` tells whether a
    /// worker has room. `fits` tells whether a worker that may have the request has room, and how many were tried.
    pub fn first(
        &mut self,
        mut best: Option<(Rank, RequestKey)>,
        has_room: impl Fn(WorkerKey) -> bool,
        fits: impl Fn(RequestKey) -> (bool, usize),
    ) -> Option<RequestKey> {
        let is_before = |rank: &Rank, best: Option<(Rank, RequestKey)>| {
            best.is_none_or(|(other, _)| *rank < other)
        };
        if let Some((rank, key)) = self.any.first_key_value()
            && is_before(rank, best)
        {
            best = Some((*rank, *key));
        }
        while let Some((rank, (key, worker))) = self.only.first_key_value() {
            if has_room(*worker) {
                if is_before(rank, best) {
                    best = Some((*rank, *key));
                }
                break;
            }
            if self.sweep.looks == 0 {
                self.sweep.is_left = true;
                break;
            }
            self.sweep.looks -= 1;
            self.only.pop_first();
        }
        let found = self.first_not(|rank| is_before(rank, best), fits);
        found.or(best.map(|(_, key)| key))
    }

    /// The first front in `not` that has a worker, of those that are before the others.
    fn first_not(
        &mut self,
        is_before: impl Fn(&Rank) -> bool,
        fits: impl Fn(RequestKey) -> (bool, usize),
    ) -> Option<RequestKey> {
        let sweep = &mut self.sweep;
        sweep.again |= sweep.at.is_some() && !sweep.is_rest;
        let from = sweep.at.take().unwrap_or_default();
        for (rank, key) in self.not.range(from..) {
            if !is_before(rank) {
                return None;
            }
            if sweep.looks == 0 {
                sweep.at = Some(*rank);
                sweep.is_left = true;
                return None;
            }
            let (fits, tried) = fits(*key);
            if fits {
                return Some(*key);
            }
            sweep.looks = sweep.looks.saturating_sub(tried);
        }
        if std::mem::take(&mut sweep.again) {
            sweep.at = Some(Rank::default());
            sweep.is_left = true;
        }
        None
    }

    /// The fronts at which parked requests are to be looked for now, beside that of the plain lane: those that have a
    /// worker.
    pub fn fronts_to_ask(
        &mut self,
        has_room: impl Fn(WorkerKey) -> bool,
        fits: impl Fn(RequestKey) -> (bool, usize),
    ) -> Vec<RequestKey> {
        let mut found: Vec<RequestKey> = self.any.values().copied().collect();
        let sweep = &mut self.sweep;
        if !sweep.is_rest {
            sweep.to_ask = self.only.len() + self.not.len();
        }
        for _ in 0..sweep.to_ask.min(FRONTS) {
            if sweep.looks == 0 {
                break;
            }
            sweep.to_ask -= 1;
            let (is_in_not, at) = sweep.asked;
            let behind = (Bound::Excluded(at), Bound::Unbounded);
            let next = |found: Option<(&Rank, RequestKey)>| found.map(|(rank, key)| (*rank, key));
            let mut only = self.only.range(behind).map(|(rank, (key, _))| (rank, *key));
            let mut not = self.not.range(behind).map(|(rank, key)| (rank, *key));
            let first_only = || {
                self.only
                    .first_key_value()
                    .map(|(rank, (key, _))| (*rank, *key))
            };
            let first_not = || self.not.first_key_value().map(|(rank, key)| (*rank, *key));
            let of_only = |found: Option<(Rank, RequestKey)>| found.map(|found| (false, found));
            let of_not = |found: Option<(Rank, RequestKey)>| found.map(|found| (true, found));
            let front = match is_in_not {
                true => of_not(next(not.next()))
                    .or_else(|| of_only(first_only()))
                    .or_else(|| of_not(first_not())),
                false => of_only(next(only.next()))
                    .or_else(|| of_not(first_not()))
                    .or_else(|| of_only(first_only())),
            };
            let Some((is_in_not, (rank, key))) = front else {
                break;
            };
            sweep.asked = (is_in_not, rank);
            let has_worker = match is_in_not {
                true => {
                    let (fits, tried) = fits(key);
                    sweep.looks = sweep.looks.saturating_sub(tried);
                    fits
                }
                false => self
                    .only
                    .get(&rank)
                    .is_some_and(|(_, worker)| has_room(*worker)),
            };
            match has_worker {
                true => found.push(key),
                false if !is_in_not => _ = self.only.remove(&rank),
                false => {}
            }
        }
        sweep.is_left |= sweep.to_ask > 0;
        found
    }

    /// Makes later turns look for parked requests at all fronts again, because a look ended before their turn.
    pub fn ask_again(&mut self) {
        self.sweep.to_ask = self.only.len() + self.not.len();
    }

    /// Begins the rest of a look.
    pub fn begin_rest(&mut self) {
        self.sweep.is_rest = true;
    }

    /// Ends a look. Returns the number of fronts that were tried in vain, and whether a rest is left.
    pub fn end_look(&mut self) -> (usize, bool) {
        self.sweep.end()
    }
}
