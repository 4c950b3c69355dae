//! Rate limit of a service: the maximum of requests that its workers together start in an interval.
//! Further requests wait.

use crate::proto::Time;
use crate::proto::deadlines::TimerKey;
use crate::wire::Rate;
use std::collections::VecDeque;
use std::time::Duration;

/// How many groups of starts are remembered at most. A start counts for the interval and this part of it at most, so
/// that a limit of a million starts costs no more memory than a small one.
const GROUPS: u32 = 256;

/// The size of the groups of a limiter, at most.
pub(in crate::proto::broker) const SIZE: usize = GROUPS as usize * size_of::<Group>();

/// Starts that count as one point in time, that of the last one.
#[derive(Debug)]
struct Group {
    first: Time,
    last: Time,
    starts: u32,
}

/// The recent starts: at most `rate.max` in any interval of that length.
#[derive(Debug)]
pub(in crate::proto::broker) struct Limiter {
    pub(super) rate: Rate,
    groups: VecDeque<Group>,
    /// The number of starts in all groups.
    starts: u32,
    /// Fires when the next start is permitted; set only while requests wait for it.
    pub(in crate::proto::broker) timer: Option<TimerKey>,
    /// Whether copies of fan-outs wait for it.
    pub(in crate::proto::broker) copies_wait: bool,
}

impl Limiter {
    pub(super) fn new(rate: Rate) -> Self {
        Limiter {
            rate,
            groups: VecDeque::new(),
            starts: 0,
            timer: None,
            copies_wait: false,
        }
    }

    fn interval(&self) -> Duration {
        Duration::from_millis(self.rate.interval_ms.into())
    }

    /// When the next request may start; `None` if it may start now.
    pub(in crate::proto::broker) fn free_at(&self, now: Time) -> Option<Time> {
        let mut left = self.starts;
        let mut groups = self.groups.iter();
        let last = loop {
            if left < self.rate.max {
                return None;
            }
            let group = groups.next()?;
            left -= group.starts;
            if left < self.rate.max {
                break group.last;
            }
        };
        let at = last + self.interval();
        (at > now).then_some(at)
    }

    pub(super) fn start(&mut self, now: Time) {
        let interval = self.interval();
        while let Some(group) = self.groups.front()
            && (self.starts >= self.rate.max || group.last + interval <= now)
        {
            self.starts -= group.starts;
            self.groups.pop_front();
        }
        self.starts += 1;
        // As many starts as groups are remembered one by one.
        let span = match self.rate.max <= GROUPS {
            true => Duration::ZERO,
            false => interval / GROUPS,
        };
        match self.groups.back_mut() {
            Some(group) if now.since(group.first) < span => {
                group.last = now;
                group.starts += 1;
            }
            _ => self.groups.push_back(Group {
                first: now,
                last: now,
                starts: 1,
            }),
        }
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

    #[test]
    fn very_many_starts_cost_no_more_than_some_hundred() {
        let rate = Rate {
            max: 1_000_000,
            interval_ms: 1000,
        };
        let mut limiter = Limiter::new(rate);
        let mut now = Time::ZERO + ms(1000);
        let mut started = VecDeque::new();
        for _ in 0..3_000_000 {
            match limiter.free_at(now) {
                None => {
                    limiter.start(now);
                    started.push_back(now);
                }
                Some(at) => {
                    // It waits for the part of an interval too long at most.
                    let exact = started[started.len() - 1_000_000] + ms(1000);
                    assert!(at >= exact && at <= exact + ms(1000) / GROUPS);
                    now = at;
                }
            }
            now = now + Duration::from_nanos(700);
            while started.len() > 1_000_001 {
                started.pop_front();
            }
            assert!(limiter.groups.len() <= GROUPS as usize + 1);
        }
        assert!(started.len() > 1_000_000);
    }
}
