//! The pace of a worker: how long its application takes for a request. The broker is told now and
//! then.
//!
//! It is measured where requests are handled. The broker cannot separate the time of a request from
//! its transfer, or from the delays of a loaded machine. So only the time in which the application
//! had requests counts.

use super::Worker;
use crate::proto::Time;
use crate::wire::Frame;
use std::time::Duration;

/// The work of the application since its last report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Worked {
    /// The last delivery that it has taken, and when it took the first of them; `None` if it took
    /// none.
    pub taken: Option<(u64, Time)>,
    /// The end of the time span.
    pub at: Time,
    /// Number of deliveries that ended in it.
    pub ends: usize,
}

/// The weight of the past in the average, as a number of requests.
const MEMORY: u64 = 16;

/// Maximum that a single slow request counts. It raises the average to 2 ms, so a second slow
/// request makes the worker slow, and sixteen fast ones make it fast again.
const LONGEST: Duration = Duration::from_millis(32);

/// How often the broker is told without a change: it also measures the round trip by it.
const REPEAT: Duration = Duration::from_millis(100);

/// Fractions of a µs in the average: sixteenths.
const UNIT: u64 = 16;

/// The worker's counterpart of `broker::pace`.
#[derive(Debug)]
pub(super) struct Pace {
    /// Average time between two ends while the application has all the requests that it may take,
    /// and the number of requests in it, up to [`MEMORY`].
    average: u64,
    count: u64,
    /// The number of the delivery that was taken last.
    taken: u64,
    /// Since when the application has worked on its requests, or when the last one ended.
    since: Time,
    /// The latest report to the broker, and its time.
    told: Option<(u64, Time)>,
}

impl Pace {
    pub(super) fn new() -> Self {
        Pace {
            average: 0,
            count: 0,
            taken: 0,
            since: Time::ZERO,
            told: None,
        }
    }

    /// Applies a report. `oldest` is the oldest delivery before these ends, `load` the number of
    /// deliveries, and `limit` the concurrency.
    pub(super) fn worked(&mut self, worked: Worked, oldest: Option<u64>, load: usize, limit: u64) {
        if let Some((last, at)) = worked.taken {
            // The application had no request, so the time before it took these is no work.
            if oldest.is_none_or(|oldest| oldest > self.taken) {
                self.since = self.since.max(at);
            }
            self.taken = last;
        }
        let (ends, limit) = (worked.ends as u64, limit.max(1));
        if ends == 0 {
            return;
        }
        let span = worked.at.since(self.since).as_micros() as u64;
        self.since = self.since.max(worked.at);
        // With half its concurrency in use, half as many requests end as could.
        let sample = (span * UNIT).saturating_mul((load as u64).clamp(1, limit)) / (limit * ends);
        let sample = sample.min(LONGEST.as_micros() as u64 * UNIT);
        self.count = (self.count + ends).min(MEMORY);
        let weight = ends.min(self.count);
        self.average = (self.average * (self.count - weight) + sample * weight) / self.count;
    }

    /// Discards the average, which no longer holds.
    pub(super) fn forget(&mut self) {
        self.count = 0;
        self.told = None;
    }

    /// Forgets the pace that was reported.
    pub(super) fn untold(&mut self) {
        self.told = None;
    }

    /// The average in µs to report with the next reply, if a report is due.
    pub(super) fn tell(&mut self, now: Time) -> Option<u16> {
        if self.count == 0 {
            return None;
        }
        let average = self.average;
        if let Some((told, at)) = self.told
            && average.abs_diff(told) <= told / 4
            && now.since(at) < REPEAT
        {
            return None;
        }
        self.told = Some((average, now));
        Some(u16::try_from(average.div_ceil(UNIT)).unwrap_or(u16::MAX))
    }

    /// Number of requests that end within this time; `None` if unknown.
    pub(super) fn within(&self, time: Duration) -> Option<usize> {
        let count = (time.as_micros() as u64 * UNIT).checked_div(self.average)?;
        (self.count > 0).then_some(count as usize)
    }
}

impl<F: Frame> Worker<F> {
    /// Records the deliveries that the application has taken, and those that it is about to end.
    pub fn handle_worked(&mut self, worked: Worked) {
        // Without prefetch the broker still counts by it how much each worker has worked.
        if let Some(limit) = self.config.concurrency {
            let oldest = self.deliveries.first_key_value().map(|(number, _)| *number);
            let load = self.deliveries.len();
            self.pace.worked(worked, oldest, load, limit as u64);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Handles one request at a time, each taken at the end of the one before.
    fn after(pace: &mut Pace, now: &mut Time, micros: impl IntoIterator<Item = u64>) {
        for micros in micros {
            let begin = *now;
            *now = begin + Duration::from_micros(micros);
            one(pace, begin, *now);
        }
    }

    fn one(pace: &mut Pace, begin: Time, end: Time) {
        let taken = Some((pace.taken + 1, begin));
        let worked = Worked {
            taken,
            at: end,
            ends: 1,
        };
        pace.worked(worked, Some(pace.taken + 1), 1, 1);
    }

    fn told(samples: impl IntoIterator<Item = u64>) -> Option<u16> {
        let (mut pace, mut now) = (Pace::new(), Time::ZERO);
        after(&mut pace, &mut now, samples);
        pace.tell(now)
    }

    #[test]
    fn it_is_the_average_of_the_latest_requests() {
        assert_eq!(told([]), None);
        assert_eq!(told([20]), Some(20));
        assert_eq!(told([100, 50]), Some(75));
        assert_eq!(told([20; 100]), Some(20));
        assert!(told([9_000; 3].into_iter().chain([20; 200])) <= Some(21));
    }

    #[test]
    fn the_time_in_which_there_was_nothing_to_do_does_not_count() {
        let mut pace = Pace::new();
        for n in 0..100 {
            let begin = Time::from_micros(n * 10_000);
            one(&mut pace, begin, begin + Duration::from_micros(20));
        }
        assert_eq!(pace.tell(Time::from_micros(1)), Some(20));
    }

    #[test]
    fn one_stall_is_no_slow_worker_and_two_are() {
        let fast = || [20; 50].into_iter();
        assert!((200..400).contains(&told(fast().chain([5_000])).unwrap()));
        assert!((200..400).contains(&told(fast().chain([5_000; 1])).unwrap()));
        assert!(told(fast().chain([900_000])).unwrap() < 2_100);
        assert!(told(fast().chain([900_000; 2])).unwrap() > 3_000);
    }

    #[test]
    fn ends_that_are_told_together_count_by_their_number() {
        let mut pace = Pace::new();
        for n in 0..10 {
            let worked = Worked {
                taken: Some(((n + 1) * 100, Time::from_micros(n * 200))),
                at: Time::from_micros((n + 1) * 200),
                ends: 100,
            };
            pace.worked(worked, Some(n * 100 + 1), 100, 1);
        }
        assert_eq!(pace.tell(Time::ZERO), Some(2));
    }

    /// The rate of ends counts.
    #[test]
    fn requests_that_are_worked_on_at_once_share_the_time() {
        for load in [1, 5, 10, 40] {
            let mut pace = Pace::new();
            let hands = load.min(10);
            let mut now = Time::ZERO;
            let mut taken = Some((load, now));
            for ended in 0..200 {
                now = now + Duration::from_micros(10_000 / hands);
                let worked = Worked {
                    taken: taken.take(),
                    at: now,
                    ends: 1,
                };
                pace.worked(worked, Some(ended + 1), load as usize, 10);
                taken = Some((load + ended + 1, now));
            }
            assert_eq!(pace.tell(now), Some(1_000), "{load}");
        }
    }

    #[test]
    fn it_is_told_when_it_has_changed_and_now_and_then() {
        let (mut pace, mut now) = (Pace::new(), Time::ZERO);
        let mut count = 0;
        for _ in 0..50_000 {
            after(&mut pace, &mut now, [20]);
            count += usize::from(pace.tell(now).is_some());
        }
        assert_eq!(count, 10, "in a second");
        after(&mut pace, &mut now, [200]);
        assert_eq!(pace.tell(now), Some(32));
        assert_eq!(pace.tell(now), None);
        pace.untold();
        assert_eq!(pace.tell(now), Some(32));
        pace.forget();
        assert_eq!(pace.tell(now), None);
    }
}
