//! The requests of one worker, in the order of assignment.
//!
//! Most workers have few, which are found by a linear search. A worker without a limit may have a hundred thousand,
//! and end the last of them first: from [`MANY`] on, an index finds each request.

use super::keys::RequestKey;
use crate::proto::table::Table;
use std::collections::VecDeque;

/// Number of requests from which an index is kept, until only [`FEW`] are left.
const MANY: usize = 64;
const FEW: usize = 16;

/// The requests of one worker; see the module.
#[derive(Debug, Default)]
pub(super) struct Running {
    /// `None` marks a request that has ended. The front is never empty, and without an index no slot is.
    slots: VecDeque<Option<RequestKey>>,
    len: usize,
    index: Option<Box<Index>>,
}

/// The position of each request, as its number among all requests since the index was created.
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

    /// The request that was assigned first.
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

    /// Removes a request. Returns false if it is not in the list.
    pub(super) fn remove(&mut self, key: RequestKey) -> bool {
        if self.index.is_some() {
            return self.remove_one_of_many(key);
        }
        // Replies come in the order of the requests, nearly always.
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

    /// Creates the index again without empty slots. So many requests have ended since the last time that the cost of
    /// each is small.
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

    /// For few requests and for many, ended in any order.
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
