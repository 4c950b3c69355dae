//! The requests of one client, found by their ids.

use super::keys::RequestKey;
use hashbrown::HashTable;

/// Each key is stored with a part of its hash. A table that grows then reads no request: most of them are not in the
/// processor's cache.
#[derive(Debug, Default, Clone)]
pub(super) struct Rids(HashTable<(u32, RequestKey)>);

/// The hash in the table. Its upper bits, which the table needs, are made of the part that is kept.
fn spread(part: u32) -> u64 {
    u64::from(part).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

impl Rids {
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = RequestKey> + '_ {
        self.0.iter().map(|(_, key)| *key)
    }

    /// The request whose id has this hash, and is the right one.
    pub(super) fn find(&self, hash: u64, is_it: impl Fn(RequestKey) -> bool) -> Option<RequestKey> {
        let part = hash as u32;
        let found = self
            .0
            .find(spread(part), |(other, key)| *other == part && is_it(*key));
        found.map(|(_, key)| *key)
    }

    pub(super) fn insert(&mut self, hash: u64, key: RequestKey) {
        let part = hash as u32;
        self.0
            .insert_unique(spread(part), (part, key), |(part, _)| spread(*part));
    }

    /// Removes a request. Returns false if it is not there.
    pub(super) fn remove(&mut self, hash: u64, key: RequestKey) -> bool {
        let found = self
            .0
            .find_entry(spread(hash as u32), |(_, other)| *other == key);
        match found {
            Ok(entry) => {
                entry.remove();
                true
            }
            Err(_) => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::table::Seeded;
    use std::hash::BuildHasher;

    #[test]
    fn each_is_found_by_its_hash_and_no_other() {
        let (seeded, mut rids) = (Seeded::default(), Rids::default());
        let hash = |n: u32| seeded.hash_one(n);
        for n in 0..10_000 {
            rids.insert(hash(n), RequestKey(n));
        }
        for n in (0..10_000).step_by(2) {
            assert!(rids.remove(hash(n), RequestKey(n)));
            assert!(!rids.remove(hash(n), RequestKey(n)));
        }
        assert_eq!(rids.len(), 5000);
        for n in 0..10_000 {
            let found = rids.find(hash(n), |key| key == RequestKey(n));
            assert_eq!(found, (n % 2 == 1).then_some(RequestKey(n)));
        }
        // The same hash for two ids.
        rids.insert(hash(1), RequestKey(1_000_000));
        let other = rids.find(hash(1), |key| key != RequestKey(1));
        assert_eq!(other, Some(RequestKey(1_000_000)));
        assert_eq!(rids.iter().count(), 5001);
    }
}
