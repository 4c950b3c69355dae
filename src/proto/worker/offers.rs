//! Offers, which the user has not taken: they go back to the broker when they can't be started soon,
//! when the worker is to stop, and when its user is blocked or its broker lost.

use super::Worker;
use super::delivery::Delivery;
use crate::proto::Time;
use crate::wire::Frame;
use crate::wire::omdp::WorkerMessage;
use crate::wire::sizes::MAX_LIST;
use std::time::Duration;

/// How long offers wait while no delivery ends. Several times what the broker sends ahead of need
/// should take, see `AHEAD` in `broker::pace`.
pub const STALL: Duration = Duration::from_millis(5);

/// How long an offer may have to wait by the pace of the latest requests. Longer than anything that
/// a broker of ours gives ahead of need, unless the user became slower meanwhile.
pub const BACKLOG: Duration = Duration::from_millis(100);

/// The owner is to take back offers that are returnable, the latest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retract {
    /// Only those of this broker, of a worker of [several](crate::proto::several) brokers.
    pub broker: Option<usize>,
    /// How many deliveries there are, taken or offered.
    pub outstanding: usize,
    /// How many may remain: offers up to here have room to be taken.
    pub limit: usize,
}

impl<F: Frame> Worker<F> {
    /// Which offers are to be taken back; the answer is
    /// [`handle_retracted`](Self::handle_retracted).
    pub fn poll_retract(&mut self) -> Option<Retract> {
        self.retract.take()
    }

    /// Takes note that the owner has taken these offers back, in the order in which they came.
    pub fn handle_retracted(&mut self, now: Time, deliveries: &[u64]) {
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
            // First, or the broker would give them back at once.
            if self.shared && self.draining.is_none() {
                self.full = true;
                self.send_ready();
            } else if self.count_abandoned() {
                self.send_ready();
            }
            // From the last to the first, as the broker puts them at the front of the queue.
            for tokens in tokens.rchunks(MAX_LIST) {
                let tokens = F::from(tokens);
                self.transmits.push(WorkerMessage::Return { tokens });
            }
            // It takes this worker for a slow one.
            self.pace.untold();
        }
        if self.watchdog.is_barking() && self.link.is_up() {
            self.lose_blocked(now);
        }
        self.settle_drain(now);
    }

    pub(super) fn watch_for_stall(&mut self, now: Time) {
        if self.shared {
            return;
        }
        let limit = self.config.concurrency.unwrap_or(usize::MAX);
        self.stalled_at = (self.busy() > limit).then(|| now + STALL);
    }

    /// It became slow, though not so slow that nothing ends: what would wait for long goes back.
    pub(super) fn shed_backlog(&mut self) {
        let Some(limit) = self
            .config
            .concurrency
            .filter(|_| self.stalled_at.is_some())
        else {
            return;
        };
        let Some(soon) = self.pace.within(BACKLOG) else {
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
