//! One table of deadlines a machine: whoever waits for a time has an entry here, and owns its key.

use super::Time;
use std::collections::BTreeMap;

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
#[derive(Debug)]
pub(super) struct Deadlines<T> {
    entries: BTreeMap<TimerKey, T>,
    serial: u64,
}

impl<T> Deadlines<T> {
    pub(super) fn new() -> Self {
        Deadlines {
            entries: BTreeMap::new(),
            serial: 0,
        }
    }

    pub(super) fn set(&mut self, at: Time, what: T) -> TimerKey {
        self.serial += 1;
        let key = TimerKey {
            at,
            serial: self.serial,
        };
        self.entries.insert(key, what);
        key
    }

    /// Forgets an entry; one that has expired already is no error.
    pub(super) fn cancel(&mut self, key: TimerKey) {
        self.entries.remove(&key);
    }

    /// The next entry whose time has come.
    pub(super) fn pop_due(&mut self, now: Time) -> Option<T> {
        let entry = self.entries.first_entry()?;
        (entry.key().at <= now).then(|| entry.remove())
    }

    pub(super) fn next(&self) -> Option<Time> {
        self.entries.first_key_value().map(|(key, _)| key.at)
    }

    #[cfg(any(test, feature = "fuzz"))]
    pub(super) fn contains(&self, key: TimerKey) -> bool {
        self.entries.contains_key(&key)
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }
}
