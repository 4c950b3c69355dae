//! Handlers that go on although their delivery was cancelled: each keeps its place until it ends.
//!
//! The broker gives the place to another request at once, for most handlers end soon. When one does
//! not, what waits behind it goes back as it does behind any slow handler, and the broker is told that
//! there is a place less, or it would give it again at once. It is told of the place when it is free.

use super::Worker;
use crate::proto::Time;
use crate::wire::Frame;
use std::collections::HashSet;

/// Which they are.
#[derive(Debug, Default)]
pub(super) struct Abandoned {
    running: HashSet<u64>,
    /// How many places fewer the broker was told for them.
    told: usize,
}

impl Abandoned {
    pub(super) fn len(&self) -> usize {
        self.running.len()
    }

    pub(super) fn told(&self) -> usize {
        self.told
    }

    pub(super) fn take(&mut self) -> HashSet<u64> {
        std::mem::take(&mut self.running)
    }
}

impl<F: Frame> Worker<F> {
    /// This delivery was cancelled after its user had taken it; its user ends it as any other.
    pub fn handle_left_running(&mut self, now: Time, delivery: u64) {
        self.abandoned.running.insert(delivery);
        if self.stalled_at.is_none() {
            self.watch_for_stall(now);
        }
    }

    /// How many take up room, or would like to.
    pub(super) fn busy(&self) -> usize {
        self.deliveries.len() + self.abandoned.len()
    }

    /// Offers had to wait behind them. True if the broker is to be told of a place more or less.
    pub(super) fn count_abandoned(&mut self) -> bool {
        let count = self.abandoned.running.len();
        std::mem::replace(&mut self.abandoned.told, count) != count
    }

    /// The user has ended what is no delivery any more.
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
