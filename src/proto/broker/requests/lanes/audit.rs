//! The check of the fronts.

use super::{Lanes, Requests};
use crate::proto::broker::keys::{RequestKey, WorkerKey};
use crate::proto::broker::requests::routing::{Eligible, Lane};
use std::collections::BTreeMap;

impl Lanes {
    /// Panics if the fronts are not those of the lists. `has_room` tells whether a worker has room.
    pub fn audit<F>(&self, requests: &Requests<F>, has_room: impl Fn(WorkerKey) -> bool) {
        let (mut any, mut not) = (BTreeMap::new(), BTreeMap::new());
        for (lane, list) in &self.lists {
            let key = RequestKey(list.head);
            let rank = requests.rank(key);
            match lane.who {
                Eligible::Any => _ = any.insert(rank, key),
                Eligible::Not(_) => _ = not.insert(rank, key),
                Eligible::Only(worker) => {
                    let found = self.only.get(&rank);
                    assert!(found.is_some() || !has_room(worker), "a front is found");
                    assert!(found.is_none_or(|found| *found == (key, worker)));
                }
                Eligible::Later | Eligible::Nobody => {}
            }
        }
        assert_eq!((&self.any, &self.not), (&any, &not), "fronts are of lanes");
        for (rank, (key, worker)) in &self.only {
            assert_eq!(requests.rank(*key), *rank);
            let lane = requests.get(*key).and_then(|request| request.lane());
            let lane = lane.filter(|lane| lane.who == Eligible::Only(*worker));
            let list = lane.and_then(|lane| self.lists.get(&lane));
            assert_eq!(list.map(|list| list.head), Some(key.0));
        }
        for (level, count) in self.levels.iter().enumerate() {
            let of_level = |lane: &&Lane| usize::from(lane.level.0) == level;
            assert_eq!(self.lists.keys().filter(of_level).count(), *count);
        }
    }
}
