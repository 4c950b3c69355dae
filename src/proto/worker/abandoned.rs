//! Handlers that go on although their delivery was cancelled. Each takes up room until it ends.
//!
//! The broker reuses the room at once, because most handlers end soon. If one does not, the offers behind it are
//! returned as behind any slow handler, and the broker is told of less room; otherwise it would give them again at
//! once. It is told when the room is free again.

use super::Worker;
use crate::proto::Time;
use crate::wire::Frame;
use std::collections::HashSet;

/// The handlers, by number of the delivery.
#[derive(Debug, Default)]
pub(super) struct Abandoned {
    running: HashSet<u64>,
    /// The reduction of room that the broker was told.
    told: usize,
}

impl Abandoned {
    pub(super) fn len(&self) -> usize {
        self.running.len()
    }

    /// Adds the handler of a cancelled delivery.
    pub(super) fn add(&mut self, delivery: u64) {
        self.running.insert(delivery);
    }

    pub(super) fn told(&self) -> usize {
        self.told
    }

    pub(super) fn take(&mut self) -> HashSet<u64> {
        std::mem::take(&mut self.running)
    }
}

impl<F: Frame> Worker<F> {
    /// Number of deliveries and handlers that take up room or wait for it.
    pub(super) fn busy(&self) -> usize {
        self.deliveries.len() + self.abandoned.len()
    }

    /// Counts the handlers after offers had to wait behind them. Returns true if the broker has to be told.
    pub(super) fn count_abandoned(&mut self) -> bool {
        let count = self.abandoned.running.len();
        std::mem::replace(&mut self.abandoned.told, count) != count
    }

    /// Handles the end of a handler whose delivery was cancelled.
    pub(super) fn end_left(&mut self, now: Time, delivery: u64) {
        if !self.abandoned.running.remove(&delivery) {
            return;
        }
        self.watch_for_stall(now);
        let is_free = self.abandoned.told > self.abandoned.running.len() && self.count_abandoned();
        if is_free && self.link.peer().is_some() {
            self.send_ready();
        }
    }
}
