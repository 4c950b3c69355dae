//! How long a worker's user takes for a request, which the broker is told now and then.
//!
//! It is measured where requests are worked on: the broker can't tell the time that a request
//! takes from the time that it travels, nor from the time until a loaded machine lets somebody
//! run. So what counts is the time in which the user had something in its hands.

use super::Worker;
use crate::proto::Time;
use crate::wire::Frame;
use std::time::Duration;

/// What the user has done since it said so last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Worked {
    /// The last delivery that it has taken, and when it took the first of them; `None` if it took
    /// none.
    pub taken: Option<(u64, Time)>,
    /// The end of the span.
    pub at: Time,
    /// How many deliveries ended in it.
    pub ends: usize,
}

/// The weight of the past in the average: so many requests.
const MEMORY: u64 = 16;

/// A single slow request counts for no more than this. It makes the average 2 ms, so the next one
/// to be slow makes a slow worker, and sixteen fast ones make it a fast one again.
const LONGEST: Duration = Duration::from_millis(32);

/// How long the broker is left with what it was told, although nothing has changed: it also
/// learns the round trip from it.
const REPEAT: Duration = Duration::from_millis(100);

/// Fractions of a µs that the average counts: sixteenths.
const UNIT: u64 = 16;

/// The worker's end of `broker::pace`.
#[derive(Debug)]
pub(super) struct Pace {
    /// Between two ends while the user has all that it may take; how many requests it is the
    /// average of, up to [`MEMORY`].
    average: u64,
    count: u64,
    /// The last delivery that was taken.
    taken: u64,
    /// Since when the user works on what it has in its hands, or when the last of it ended.
    since: Time,
    /// What the broker was told last, and when.
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

    /// `oldest` is the oldest delivery that was there before these ends, `load` how many there
    /// were, of which `limit` may be worked on at once.
    pub(super) fn worked(&mut self, worked: Worked, oldest: Option<u64>, load: usize, limit: u64) {
        if let Some((last, at)) = worked.taken {
            // Nothing was left in its hands, so what passed until it took these was no work.
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
        // With half of what it may work on it ends half as many as it could.
        let sample = (span * UNIT).saturating_mul((load as u64).clamp(1, limit)) / (limit * ends);
        let sample = sample.min(LONGEST.as_micros() as u64 * UNIT);
        self.count = (self.count + ends).min(MEMORY);
        let weight = ends.min(self.count);
        self.average = (self.average * (self.count - weight) + sample * weight) / self.count;
    }

    /// The pace of before is not that of now.
    pub(super) fn forget(&mut self) {
        self.count = 0;
        self.told = None;
    }

    /// The broker knows nothing of it.
    pub(super) fn untold(&mut self) {
        self.told = None;
    }

    /// The µs to be told with the reply that leaves now, if any.
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

    /// How many requests the user works off in this time; `None` if nobody knows.
    pub(super) fn within(&self, time: Duration) -> Option<usize> {
        let count = (time.as_micros() as u64 * UNIT).checked_div(self.average)?;
        (self.count > 0).then_some(count as usize)
    }
}

impl<F: Frame> Worker<F> {
    /// Takes note of what the user has taken, and is about to end.
    pub fn handle_worked(&mut self, worked: Worked) {
        if let (Some(limit), true) = (self.config.concurrency, self.config.prefetch > 0) {
            let oldest = self.deliveries.first_key_value().map(|(number, _)| *number);
            let load = self.deliveries.len();
            self.pace.worked(worked, oldest, load, limit as u64);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One request at a time, taken as soon as the one before has ended.
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

    /// What counts is how often one of them ends.
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
