//! How far ahead of need a worker is given requests.
//!
//! A worker that has nothing until its reply has reached the broker idles for a round trip. So it
//! is given more than it can run, as much as it works off in [`AHEAD`], by the pace at which its
//! replies came lately: a 20 µs handler has fifty requests ahead of it, one of a millisecond and
//! more has none, and nothing waits behind it.

use crate::proto::Time;
use std::time::Duration;

/// How much work may lie ahead. Long against a round trip on a machine or in a data centre, short
/// against what people notice, and against the worker's patience with itself, `worker::STALL`.
const AHEAD: Duration = Duration::from_millis(1);

/// The weight of the past in the average, as a power of two: some sixteen replies.
const MEMORY: u32 = 4;

#[derive(Debug)]
pub(super) struct Pace {
    /// Average time between the ends of two requests while there was work, in 1/16 µs; `None`
    /// until a request has ended.
    average: Option<u64>,
    /// When the worker began with what it works on now, as far as we know.
    since: Time,
}

impl Pace {
    pub(super) fn new(now: Time) -> Self {
        Pace {
            average: None,
            since: now,
        }
    }

    /// The worker had nothing and was given something.
    pub(super) fn begin(&mut self, now: Time) {
        self.since = now;
    }

    /// It has ended a request, and goes on with the next if it has one.
    pub(super) fn end(&mut self, now: Time) {
        let sample = now.since(self.since).as_micros() as u64;
        self.since = now;
        self.average = Some(match self.average {
            None => sample << MEMORY,
            // A slow one counts at once: whoever lies ahead waits for all of it.
            Some(average) if sample > AHEAD.as_micros() as u64 => average.max(sample << MEMORY),
            Some(average) => average - (average >> MEMORY) + sample,
        });
    }

    /// It gave requests back, because one takes longer than it should.
    pub(super) fn stall(&mut self) {
        let slow = (AHEAD.as_micros() as u64 + 1) << MEMORY;
        self.average = Some(self.average.map_or(slow, |average| average.max(slow)));
    }

    /// How many requests it works off in [`AHEAD`].
    pub(super) fn ahead(&self) -> usize {
        let ahead = (AHEAD.as_micros() as u64) << MEMORY;
        match self.average {
            None => 0,
            Some(0) => usize::MAX,
            Some(average) => usize::try_from(ahead / average).unwrap_or(usize::MAX),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pace(samples: impl IntoIterator<Item = u64>) -> Pace {
        let mut now = Time::ZERO;
        let mut pace = Pace::new(now);
        for micros in samples {
            now = now + Duration::from_micros(micros);
            pace.end(now);
        }
        pace
    }

    #[test]
    fn nothing_is_sent_ahead_before_anything_is_known() {
        assert_eq!(pace([]).ahead(), 0);
    }

    #[test]
    fn a_fast_handler_has_a_millisecond_ahead_of_it() {
        assert_eq!(pace([20; 100]).ahead(), 50);
        assert!(pace([150].into_iter().chain([5; 200])).ahead() >= 150);
    }

    #[test]
    fn replies_that_arrive_in_bursts_count_by_their_average() {
        let bursts = (0..400).map(|i| if i % 20 == 0 { 400 } else { 0 });
        let ahead = pace(bursts).ahead();
        assert!((20..=150).contains(&ahead), "{ahead}");
    }

    #[test]
    fn a_slow_handler_has_nothing_ahead_of_it() {
        assert_eq!(pace([1_001; 3]).ahead(), 0);
        let turned_slow = pace([10; 50].into_iter().chain([20_000]));
        assert_eq!(turned_slow.ahead(), 0);
        let mut stalled = pace([10; 50]);
        stalled.stall();
        assert_eq!(stalled.ahead(), 0);
    }

    #[test]
    fn a_handler_that_turned_fast_is_trusted_again() {
        let recovered = pace([20_000].into_iter().chain([10; 200]));
        assert!(recovered.ahead() > 50, "{}", recovered.ahead());
    }
}
