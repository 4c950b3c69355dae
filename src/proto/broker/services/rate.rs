//! Rate limit of a service: the maximum of requests that its workers together start in an interval.
//! Further requests wait.

use crate::proto::Time;
use crate::proto::deadlines::TimerKey;
use crate::wire::Rate;
use std::collections::VecDeque;
use std::time::Duration;

/// The recent starts: at most `rate.max` in any interval of that length (sliding window).
#[derive(Debug)]
pub(in crate::proto::broker) struct Limiter {
    pub(super) rate: Rate,
    starts: VecDeque<Time>,
    /// Fires when the next start is permitted; set only while requests wait for it.
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

    /// When the next request may start; `None` if it may start now.
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
