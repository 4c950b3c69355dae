//! Offers that the application has not taken. They are returned to the broker when they cannot start soon, when the
//! worker stops, and when its application is blocked or its broker lost.

use super::Worker;
use super::delivery::Delivery;
use crate::proto::Time;
use crate::proto::machine::Retract;
use crate::wire::Frame;
use crate::wire::omdp::WorkerMessage;
use crate::wire::sizes::MAX_LIST;
use std::time::Duration;

/// How long offers wait while no delivery ends. Several times the duration of prefetched work, see `AHEAD` in
/// `broker::pace`.
pub const STALL: Duration = Duration::from_millis(5);

/// Maximum wait of an offer, estimated from the pace of recent requests. Longer than anything that an extended broker
/// gives ahead of need, unless the application has become slower.
pub const MAX_OFFER_WAIT: Duration = Duration::from_millis(100);

impl<F: Frame> Worker<F> {
    /// Handles that the owner has taken back these offers, in order of arrival.
    pub(super) fn take_back(&mut self, now: Time, deliveries: &[u64]) {
        let mut tokens: Vec<u8> = Vec::new();
        for &number in deliveries {
            match self.forget(number) {
                Some(Delivery {
                    token: Some(token), ..
                }) => tokens.extend(token.to_be_bytes()),
                Some(delivery) if delivery.detached => self.disown(number, delivery),
                _ => {}
            }
        }
        if !tokens.is_empty() {
            // Before RETURN, or the broker would give them again at once.
            if self.shared && self.draining.is_none() {
                self.full = true;
                self.send_ready();
            } else if self.count_abandoned() {
                self.send_ready();
            }
            // In reverse, because the broker puts them at the front of the queue.
            for tokens in tokens.rchunks(MAX_LIST) {
                let tokens = F::from(tokens);
                self.transmits.push(WorkerMessage::Return { tokens });
            }
            // After RETURN the broker assumes a slow worker.
            self.pace.untold();
        }
        if self.watchdog.is_barking() && self.link.is_up() {
            self.lose_blocked(now);
        }
        self.check_drained(now);
    }

    pub(super) fn watch_for_stall(&mut self, now: Time) {
        if self.shared {
            return;
        }
        let limit = self.config.concurrency.unwrap_or(usize::MAX);
        self.stalled_at = (self.busy() > limit).then(|| now + STALL);
    }

    /// Returns offers that would wait for too long although deliveries still end.
    pub(super) fn shed_backlog(&mut self) {
        let Some(limit) = self
            .config
            .concurrency
            .filter(|_| self.stalled_at.is_some())
        else {
            return;
        };
        let Some(soon) = self.pace.within(MAX_OFFER_WAIT) else {
            return;
        };
        let limit = limit.saturating_add(soon);
        if self.busy() > limit && self.retract.is_none() && self.draining.is_none() {
            self.ask_back(limit);
        }
    }

    pub(super) fn ask_back(&mut self, limit: usize) {
        self.retract = Some(Retract {
            broker: None,
            outstanding: self.busy(),
            limit,
        });
    }
}
