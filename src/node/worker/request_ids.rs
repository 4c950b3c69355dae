//! The clients' ids of requests, for subscribers of the handling's channel.

use crate::proto::request_id::{IdEnd, number_in};
use std::collections::BTreeMap;

/// An offer that is taken back leaves its id here. More entries than one drain and its nested ones have.
const MAX_IDS: usize = 8192;

/// Empty without subscribers: a record has no field for an id that is rarely read.
#[derive(Default)]
pub(super) struct RequestIds {
    kept: bool,
    ends: BTreeMap<u64, IdEnd>,
}

impl RequestIds {
    pub(super) fn keep(&mut self, keep: bool) {
        self.kept = keep;
        if !keep {
            self.ends.clear();
        }
    }

    #[inline]
    pub(super) fn add(&mut self, delivery: u64, end: &IdEnd) {
        if self.kept {
            self.insert(delivery, *end);
        }
    }

    #[cold]
    fn insert(&mut self, delivery: u64, end: IdEnd) {
        if self.ends.len() >= MAX_IDS {
            self.ends.pop_first();
        }
        self.ends.insert(delivery, end);
    }

    /// The client's id of the request, which is its number as text.
    pub(super) fn take(&mut self, delivery: u64) -> Option<String> {
        let end = self.ends.remove(&delivery)?;
        Some(number_in(&end)?.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_kept_while_asked_for_and_given_once() {
        let mut ids = RequestIds::default();
        let end = |n: u64| {
            let mut end = *b"9999999999-0";
            end[11] += n as u8;
            end
        };
        ids.add(1, &end(7));
        assert_eq!(ids.take(1), None);
        ids.keep(true);
        for delivery in 0..=MAX_IDS as u64 {
            ids.add(delivery, &end(delivery % 5));
        }
        assert_eq!(ids.ends.len(), MAX_IDS);
        assert_eq!(ids.take(0), None);
        assert_eq!(ids.take(1).as_deref(), Some("1"));
        assert_eq!(ids.take(1), None);
        ids.keep(false);
        assert_eq!(ids.take(2), None);
    }
}
