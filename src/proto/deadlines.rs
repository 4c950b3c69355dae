//! The table of deadlines of a machine. The code that waits for a deadline owns its key.

use super::Time;
use std::collections::{BTreeMap, VecDeque};

/// The key of an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct TimerKey {
    at: Time,
    /// Distinguishes entries with the same time, and keeps them in the order in which they were set.
    serial: u64,
}

impl TimerKey {
    pub(super) fn at(self) -> Time {
        self.at
    }
}

/// Deadlines in order of time. Cancelled entries are removed at once, so the size is the number of deadlines that are
/// waited for.
///
/// Most deadlines are of requests with the same timeout. So each is later than all before it, and they are cancelled
/// in about the order in which they were set. These are kept in a queue, where both operations take a few
/// instructions; all others are in a tree.
#[derive(Debug)]
pub(super) struct Deadlines<T> {
    /// In ascending order. The entry with the serial `first + i` is at `i`. The place is empty if the entry was
    /// cancelled or is in the tree. The first place is never empty.
    queue: VecDeque<Place<T>>,
    first: u64,
    /// Number of empty places in the queue.
    empty: usize,
    tree: BTreeMap<TimerKey, T>,
}

#[derive(Debug)]
struct Place<T> {
    at: Time,
    what: Option<T>,
}

/// Number of places that may be empty in a queue of any length.
const SPARE: usize = 64;

/// Maximum of entries that are moved from the queue to the tree at once.
const MOVES: usize = 8;

impl<T> Deadlines<T> {
    pub(super) fn new() -> Self {
        Deadlines {
            queue: VecDeque::new(),
            first: 0,
            empty: 0,
            tree: BTreeMap::new(),
        }
    }

    pub(super) fn set(&mut self, at: Time, what: T) -> TimerKey {
        let serial = self.first + self.queue.len() as u64;
        let key = TimerKey { at, serial };
        match self.queue.back() {
            Some(last) if at < last.at => self.set_before(key, what),
            _ => self.queue.push_back(Place {
                at,
                what: Some(what),
            }),
        }
        key
    }

    #[cold]
    fn set_before(&mut self, key: TimerKey, what: T) {
        self.tree.insert(key, what);
        // An empty place, so that later serials still match their places.
        if let Some(last) = self.queue.back() {
            let (at, what) = (last.at, None);
            self.queue.push_back(Place { at, what });
            self.empty += 1;
        }
        self.trim();
    }

    /// Removes an entry. It may have expired already.
    pub(super) fn cancel(&mut self, key: impl Into<Option<TimerKey>>) {
        let Some(key) = key.into() else {
            return;
        };
        let place = self.place(key);
        match place.and_then(|at| self.queue.get_mut(at)) {
            Some(Place { what, .. }) if what.is_some() => {
                *what = None;
                self.empty += 1;
                self.trim();
            }
            _ => _ = self.tree.remove(&key),
        }
    }

    /// The place of an entry in the queue, if it is there.
    fn place(&self, key: TimerKey) -> Option<usize> {
        let at = key.serial.checked_sub(self.first)?;
        usize::try_from(at).ok()
    }

    /// Removes empty places from the front. While most places are empty, also moves entries from the front to the tree,
    /// at most [`MOVES`] at a time.
    fn trim(&mut self) {
        let mut room = MOVES;
        while let Some(front) = self.queue.front() {
            let is_sparse = self.empty > SPARE && self.empty > self.queue.len() / 2;
            if front.what.is_some() {
                if !is_sparse || room == 0 {
                    return;
                }
                room -= 1;
            }
            let key = TimerKey {
                at: front.at,
                serial: self.first,
            };
            self.first += 1;
            match self.queue.pop_front().and_then(|place| place.what) {
                Some(what) => _ = self.tree.insert(key, what),
                None => self.empty -= 1,
            }
        }
    }

    /// The key of the first entry in the queue.
    fn front(&self) -> Option<TimerKey> {
        let at = self.queue.front()?.at;
        let serial = self.first;
        Some(TimerKey { at, serial })
    }

    /// Removes and returns the next entry whose time has come.
    pub(super) fn pop_due(&mut self, now: Time) -> Option<T> {
        let first = self.tree.first_key_value().map(|(key, _)| *key);
        match self.front() {
            Some(front) if first.is_none_or(|first| front < first) => {
                if front.at > now {
                    return None;
                }
                let what = self.queue.front_mut()?.what.take();
                self.empty += 1;
                self.trim();
                what
            }
            _ => {
                let entry = self.tree.first_entry()?;
                (entry.key().at <= now).then(|| entry.remove())
            }
        }
    }

    pub(super) fn next(&self) -> Option<Time> {
        let first = self.tree.first_key_value().map(|(key, _)| key.at);
        match (self.front().map(|front| front.at), first) {
            (Some(front), Some(first)) => Some(front.min(first)),
            (front, first) => front.or(first),
        }
    }

    #[cfg(any(test, feature = "fuzz"))]
    pub(super) fn contains(&self, key: TimerKey) -> bool {
        let place = self.place(key).and_then(|at| self.queue.get(at));
        place.is_some_and(|place| place.what.is_some()) || self.tree.contains_key(&key)
    }

    pub(super) fn len(&self) -> usize {
        self.queue.len() - self.empty + self.tree.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::tests::net::Rng;
    use std::time::Duration;

    fn time(ms: u64) -> Time {
        Time::ZERO + Duration::from_millis(ms)
    }

    /// Compares the table with a tree alone: the same entries in the same order after any operations.
    #[test]
    fn does_what_a_tree_does() {
        for seed in 0..200 {
            let mut rng = Rng::new(seed);
            let (mut table, mut model) = (Deadlines::new(), BTreeMap::new());
            let (mut now, mut most) = (0, 0);
            for what in 0..2000_u32 {
                now += rng.between(0, 2);
                let timeout = match rng.below(20) {
                    0 => rng.between(0, 4),
                    1 => 100_000,
                    _ => 60,
                };
                let key = table.set(time(now + timeout), what);
                model.insert((key.at(), what), key);
                if rng.percent(80) && !model.is_empty() {
                    let at = match rng.percent(50) {
                        true => 0,
                        false => rng.below(model.len()),
                    };
                    let (&entry, &key) = model.iter().nth(at).unwrap();
                    model.remove(&entry);
                    assert!(table.contains(key));
                    table.cancel(key);
                    assert!(!table.contains(key));
                }
                while let Some(due) = table.pop_due(time(now)) {
                    let ((at, what), _) = model.pop_first().unwrap();
                    assert!(at <= time(now));
                    assert_eq!(due, what);
                }
                let next = model.first_key_value().map(|((at, _), _)| *at);
                assert_eq!(table.next(), next);
                assert_eq!(table.len(), model.len());
                most = most.max(model.len());
                assert!(table.queue.len() <= 2 * (SPARE + most));
            }
        }
    }

    /// When most of very many are cancelled, each cancellation moves few of the others.
    #[test]
    fn moves_few_at_a_time() {
        let mut table = Deadlines::new();
        let keys: Vec<TimerKey> = (0..10_000).map(|n| table.set(time(n), n)).collect();
        for &key in keys
            .iter()
            .skip(1)
            .step_by(2)
            .chain(keys.iter().skip(2).step_by(4))
        {
            let before = table.tree.len();
            table.cancel(key);
            assert!(table.tree.len() <= before + MOVES);
        }
        assert!(!table.tree.is_empty() && table.queue.len() < 5000);
        for n in (0..10_000).step_by(4) {
            assert_eq!(table.pop_due(time(n)), Some(n));
        }
        assert_eq!((table.len(), table.next()), (0, None));
    }

    /// A single distant deadline does not keep the cancelled ones in memory.
    #[test]
    fn keeps_little_of_what_is_gone() {
        let mut table = Deadlines::new();
        table.set(time(3_600_000), 0);
        for what in 0..10_000 {
            let key = table.set(time(what + 1000), what);
            table.cancel(key);
        }
        assert_eq!(table.len(), 1);
        assert!(table.queue.len() <= 2 * SPARE);
        assert_eq!(table.next(), Some(time(3_600_000)));
    }
}
