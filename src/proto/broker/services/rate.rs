//! How many requests of a service may start in a time, over all its workers. What is beyond waits.

use crate::proto::Time;
use crate::proto::deadlines::TimerKey;
use crate::wire::Rate;
use std::collections::VecDeque;
use std::time::Duration;

/// The starts of late: no more than the maximum in any interval, wherever it begins.
#[derive(Debug)]
pub(in crate::proto::broker) struct Limiter {
    pub(super) rate: Rate,
    starts: VecDeque<Time>,
    /// When the next may start, while some wait for that.
    pub(in crate::proto::broker) timer: Option<TimerKey>,
}

impl Limiter {
    pub(super) fn new(rate: Rate) -> Self {
        Limiter {
            rate,
            starts: VecDeque::new(),
            timer: None,
        }
    }

    /// When the next request may start; `None` is now.
    pub(in crate::proto::broker) fn free_at(&self, now: Time) -> Option<Time> {
        let max = self.rate.max as usize;
        if self.starts.len() < max {
            return None;
        }
        let oldest = self.starts.get(self.starts.len() - max)?;
        let at = *oldest + Duration::from_millis(self.rate.interval_ms.into());
        (at > now).then_some(at)
    }

    pub(super) fn start(&mut self, now: Time) {
        while self.starts.len() >= self.rate.max as usize {
            self.starts.pop_front();
        }
        self.starts.push_back(now);
    }
}
