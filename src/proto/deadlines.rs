//! One table of deadlines a machine: code that waits for a time has an entry here, and owns its key.

use super::Time;
use std::collections::{BTreeMap, VecDeque};

/// The owner's handle of one entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct TimerKey {
    at: Time,
    /// Tells entries of one time apart, and keeps them in the order in which they were set.
    serial: u64,
}

impl TimerKey {
    pub(super) fn at(self) -> Time {
        self.at
    }
}

/// Deadlines in order. Cancelled entries are gone at once, so the size is what is really waited for.
///
/// Most deadlines are those of requests with one timeout, so each is later than all before it, and is cancelled in about
/// the order in which it was set. These are in a queue, where both take a few instructions; all others are in a tree.
#[derive(Debug)]
pub(super) struct Deadlines<T> {
    /// Ascending. The one with the serial `first + i` is at `i`; its place is empty if it was cancelled, or is in the tree.
    /// The first is never empty.
    queue: VecDeque<Place<T>>,
    first: u64,
    /// How many places of the queue are empty.
    empty: usize,
    tree: BTreeMap<TimerKey, T>,
}

#[derive(Debug)]
struct Place<T> {
    at: Time,
    what: Option<T>,
}

/// So many places may be empty whatever the length of the queue.
const SPARE: usize = 64;

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
        // The serials of those that follow still tell their places.
        if let Some(last) = self.queue.back() {
            let (at, what) = (last.at, None);
            self.queue.push_back(Place { at, what });
            self.empty += 1;
        }
        self.trim();
    }

    /// Forgets an entry; one that has expired already is no error.
    pub(super) fn cancel(&mut self, key: TimerKey) {
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

    /// Where in the queue an entry is, if it is there.
    fn place(&self, key: TimerKey) -> Option<usize> {
        let at = key.serial.checked_sub(self.first)?;
        usize::try_from(at).ok()
    }

    /// Removes empty places from the front, and while most are empty, moves what is in front of them to the tree.
    fn trim(&mut self) {
        while let Some(front) = self.queue.front() {
            let is_sparse = self.empty > SPARE && self.empty > self.queue.len() / 2;
            if front.what.is_some() && !is_sparse {
                return;
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

    /// The next entry of the queue.
    fn front(&self) -> Option<TimerKey> {
        let at = self.queue.front()?.at;
        let serial = self.first;
        Some(TimerKey { at, serial })
    }

    /// The next entry whose time has come.
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

    /// Whatever is set and cancelled, it has the same entries in the same order as a tree alone.
    #[test]
    fn does_what_a_tree_does() {
        for seed in 0..200 {
            let mut rng = Rng::new(seed);
            let (mut table, mut model) = (Deadlines::new(), BTreeMap::new());
            let mut now = 0;
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
                assert!(table.empty <= SPARE.max(table.queue.len() / 2));
            }
        }
    }

    /// A far deadline that stays does not make the others stay.
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
