//! The content of the roster: for each name the sum of the numbers of its workers, and the messages with these sums.

use crate::proto::Time;
use crate::wire::Frame;
use crate::wire::omdp::{RosterHead, ToClient, roster_to_frame};
use crate::wire::sizes::MAX_ROSTER;
use std::collections::{BTreeMap, BTreeSet};

#[derive(Debug, Default)]
pub(super) struct Sums {
    sums: BTreeMap<Box<[u8]>, u64>,
    /// The size of `sums` in a message.
    bytes: usize,
    /// Whether the roster did not fit into a message. Clients are told that there is none.
    is_void: bool,
}

impl Sums {
    /// Changes the sum of a name. A sum of zero has no entry.
    pub(super) fn change(&mut self, name: &[u8], by: impl Fn(u64) -> u64) {
        let sum = match self.sums.get_mut(name) {
            Some(sum) => sum,
            None => {
                self.bytes += entry_bytes(name);
                self.sums.entry(name.into()).or_default()
            }
        };
        *sum = by(*sum);
        if *sum == 0 {
            self.bytes -= entry_bytes(name);
            self.sums.remove(name);
        }
        self.is_void |= self.bytes > MAX_ROSTER;
    }

    pub(super) fn is_void(&self) -> bool {
        self.is_void
    }

    /// The message with all sums, or without a roster if that is too large.
    pub(super) fn whole<F: Frame>(&self, now: Time, last: u64) -> ToClient<F> {
        self.message(now, last, self.sums.keys())
    }

    /// The message with the sums of these names. If that is too large, there is no roster from then on, because the
    /// earlier knowledge of the clients is no longer valid.
    pub(super) fn changes<F: Frame>(
        &mut self,
        now: Time,
        last: u64,
        names: &BTreeSet<Box<[u8]>>,
    ) -> ToClient<F> {
        let message = self.message(now, last, names.iter());
        self.is_void |= matches!(message, ToClient::Roster { entries: None, .. });
        message
    }

    fn message<'a, F: Frame>(
        &'a self,
        now: Time,
        last: u64,
        names: impl Iterator<Item = &'a Box<[u8]>>,
    ) -> ToClient<F> {
        let sum = |name: &[u8]| self.sums.get(name).copied().unwrap_or_default();
        let entries: F = roster_to_frame(names.map(|name| (&**name, sum(name))));
        let is_void = self.is_void || entries.len() > MAX_ROSTER;
        let stamp = if is_void { 0 } else { stamp(now) };
        ToClient::Roster {
            head: RosterHead { stamp, last },
            entries: (!is_void).then_some(entries),
        }
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.sums.len()
    }

    /// Panics if the sums or their size are not as `expected`.
    #[cfg(any(test, feature = "fuzz"))]
    pub(super) fn audit(&self, expected: &Sums) {
        assert_eq!(self.sums, expected.sums);
        assert_eq!(self.bytes, expected.bytes);
    }
}

fn entry_bytes(name: &[u8]) -> usize {
    1 + name.len() + size_of::<u64>()
}

/// The broker's time, as sent to peers.
pub(in crate::proto::broker) fn stamp(now: Time) -> u64 {
    now.as_micros() + 1
}
