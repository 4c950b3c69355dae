//! Rate limit of a service: the maximum of requests that its workers together start in an interval.
//! Further requests wait.

use crate::proto::Time;
use crate::proto::deadlines::TimerKey;
use crate::wire::Rate;
use std::collections::VecDeque;
use std::time::Duration;

/// The recent starts: at most `rate.max` in any interval of that length.
#[derive(Debug)]
pub(in crate::proto::broker) struct Limiter {
    pub(super) rate: Rate,
    starts: VecDeque<Time>,
    /// Fires when the next start is permitted; set only while requests wait for it.
    pub(in crate::proto::broker) timer: Option<TimerKey>,
    /// Whether copies of fan-outs wait for it.
    pub(in crate::proto::broker) copies_wait: bool,
}

impl Limiter {
    pub(super) fn new(rate: Rate) -> Self {
        Limiter {
            rate,
            starts: VecDeque::new(),
            timer: None,
            copies_wait: false,
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

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(n: u64) -> Duration {
        Duration::from_millis(n)
    }

    #[test]
    fn no_interval_has_more_starts_than_the_maximum() {
        let mut limiter = Limiter::new(Rate {
            max: 2,
            interval_ms: 100,
        });
        let begin = Time::ZERO + ms(1000);
        for at in [begin, begin + ms(60)] {
            assert_eq!(limiter.free_at(at), None);
            limiter.start(at);
        }
        assert_eq!(limiter.free_at(begin + ms(99)), Some(begin + ms(100)));
        assert_eq!(limiter.free_at(begin + ms(100)), None);
        limiter.start(begin + ms(100));
        assert_eq!(limiter.free_at(begin + ms(100)), Some(begin + ms(160)));
    }

    #[test]
    fn a_lower_maximum_counts_the_latest_starts() {
        let mut limiter = Limiter::new(Rate {
            max: 3,
            interval_ms: 100,
        });
        let begin = Time::ZERO + ms(1000);
        for n in 0..3 {
            limiter.start(begin + ms(10 * n));
        }
        limiter.rate.max = 1;
        assert_eq!(limiter.free_at(begin + ms(100)), Some(begin + ms(120)));
    }
}
