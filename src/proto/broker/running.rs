//! The requests that a worker has, in the order in which it was given them.
//!
//! Most workers have few, and these are looked for one after the other. One that takes any number may have a hundred
//! thousand, and end the last of them first: from [`MANY`] on it is known where each is.

use super::keys::RequestKey;
use crate::proto::table::Table;
use std::collections::VecDeque;

/// From so many on there is an index, until there are [`FEW`] again.
const MANY: usize = 64;
const FEW: usize = 16;

/// See the top of the file.
#[derive(Debug, Default)]
pub(super) struct Running {
    /// None where one was that has ended; never at the front, and nowhere without an index.
    slots: VecDeque<Option<RequestKey>>,
    len: usize,
    index: Option<Box<Index>>,
}

/// Where each is: its number among all that were put there since the index was made.
#[derive(Debug)]
struct Index {
    numbers: Table<RequestKey, u64>,
    /// The number of the front.
    first: u64,
}

impl Running {
    pub(super) fn len(&self) -> usize {
        self.len
    }

    pub(super) fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The one that it was given first.
    pub(super) fn front(&self) -> Option<RequestKey> {
        self.slots.front().copied().flatten()
    }

    pub(super) fn iter(&self) -> impl DoubleEndedIterator<Item = RequestKey> + Clone {
        self.slots.iter().copied().flatten()
    }

    pub(super) fn push_back(&mut self, key: RequestKey) {
        if let Some(index) = &mut self.index {
            index
                .numbers
                .insert(key, index.first + self.slots.len() as u64);
        }
        self.slots.push_back(Some(key));
        self.len += 1;
        if self.len >= MANY && self.index.is_none() {
            self.make_index();
        }
    }

    /// True if it was there.
    pub(super) fn remove(&mut self, key: RequestKey) -> bool {
        if self.index.is_some() {
            return self.remove_one_of_many(key);
        }
        // Replies come in the order of the requests, as good as always.
        let at = self.slots.iter().position(|&slot| slot == Some(key));
        let found = at.and_then(|at| self.slots.remove(at)).is_some();
        self.len -= usize::from(found);
        found
    }

    #[cold]
    fn remove_one_of_many(&mut self, key: RequestKey) -> bool {
        let Some(index) = &mut self.index else {
            return false;
        };
        let Some(number) = index.numbers.remove(&key) else {
            return false;
        };
        let at = (number - index.first) as usize;
        if let Some(slot) = self.slots.get_mut(at) {
            *slot = None;
        }
        self.len -= 1;
        while let Some(None) = self.slots.front() {
            self.slots.pop_front();
            index.first += 1;
        }
        if self.len <= FEW {
            self.slots.retain(Option::is_some);
            self.index = None;
        } else if self.slots.len() > 2 * self.len {
            self.make_index();
        }
        true
    }

    /// Anew, without gaps: so many have ended since the last time that it costs each of them little.
    #[cold]
    fn make_index(&mut self) {
        self.slots.retain(Option::is_some);
        let keys = self.slots.iter().copied().flatten();
        let numbers = keys.zip(0..).collect();
        self.index = Some(Box::new(Index { numbers, first: 0 }));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listed(running: &Running) -> Vec<u32> {
        running.iter().map(|key| key.0).collect()
    }

    /// A worker that ends requests in any order, of few or many, keeps the others in theirs.
    #[test]
    fn whatever_ends_the_others_keep_their_order() {
        for most in [5, FEW, MANY, 1000] {
            let (mut running, mut model) = (Running::default(), Vec::new());
            let mut random = 1_u64;
            for n in 0..20_000_u32 {
                random = random
                    .wrapping_mul(6_364_136_223_846_793_005)
                    .wrapping_add(1);
                let pick = (random >> 33) as usize;
                let ends = n % 5000 > 2500 || model.len() >= most;
                if ends && !model.is_empty() {
                    let key = model.remove(pick % model.len());
                    assert!(running.remove(RequestKey(key)));
                    assert!(!running.remove(RequestKey(key)));
                } else {
                    model.push(n);
                    running.push_back(RequestKey(n));
                }
                assert_eq!(running.len(), model.len());
                assert_eq!(running.front().map(|key| key.0), model.first().copied());
                assert!(running.slots.len() <= 2 * model.len().max(MANY));
                if n % 100 == 0 {
                    assert_eq!(listed(&running), model);
                    let index = running.index.as_ref();
                    assert!(index.is_none_or(|index| index.numbers.len() == model.len()));
                }
            }
        }
    }

    #[test]
    fn the_last_of_many_is_found_as_fast_as_the_first() {
        let mut running = Running::default();
        (0..200_000).for_each(|n| running.push_back(RequestKey(n)));
        (0..200_000)
            .rev()
            .for_each(|n| assert!(running.remove(RequestKey(n))));
        assert!(running.is_empty() && running.index.is_none());
    }
}
