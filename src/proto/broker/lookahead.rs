//! Estimates how many requests at the front of a queue get their turn before their clients could
//! answer a question. These requests are not parked, and those that are parked already are asked
//! for.

use crate::proto::Time;
use std::time::Duration;

/// The recent rate of a service, from which the depth is estimated.
#[derive(Debug, Default)]
pub(super) struct Lookahead {
    since: Time,
    count: usize,
    before: usize,
    /// The latest time that a client took to answer.
    trip: Duration,
    /// Additional depth since workers went idle for want of requests: then the measured rate is
    /// below the possible one.
    starved: usize,
}

/// The interval over which the rate is measured, unless clients take longer to answer.
const INTERVAL: Duration = Duration::from_millis(50);

/// The longest time of an answer for which requests are asked for ahead.
const LONGEST: Duration = Duration::from_millis(500);

impl Lookahead {
    /// Counts a request that was given to a worker.
    pub(super) fn count(&mut self, now: Time) {
        self.begin_interval(now);
        self.count += 1;
    }

    /// Records how long a client took to release a request.
    pub(super) fn answered(&mut self, trip: Duration) {
        self.trip = trip;
    }

    /// The number of requests whose turn is near: the room of the workers, and those given out
    /// before clients can answer.
    pub(super) fn depth(&mut self, now: Time, room: usize) -> usize {
        room + self.rate(now)
    }

    /// How deep to search for parked requests to ask for; `None` while enough are asked for.
    pub(super) fn ask_depth(
        &mut self,
        now: Time,
        room: usize,
        has_idle: bool,
        asked_for: usize,
    ) -> Option<usize> {
        if asked_for == 0 && has_idle {
            self.begin_interval(now);
            self.starved = (8 * self.starved).clamp(8, 4096);
        }
        let depth = self.depth(now, room);
        // Ask for many requests at a time, not for one after each release.
        (depth > 0 && asked_for * 4 <= depth * 3).then_some(depth)
    }

    /// In a slow service, few requests begin while a distant client answers.
    fn interval(&self) -> Duration {
        self.trip.clamp(INTERVAL, LONGEST)
    }

    fn begin_interval(&mut self, now: Time) {
        let passed = now.since(self.since);
        let interval = self.interval();
        if passed >= interval {
            let lately = passed < 2 * interval;
            self.before = if lately { self.count } else { 0 };
            self.starved = if lately { self.starved / 2 } else { 0 };
            self.count = 0;
            self.since = now;
        }
    }

    /// How many requests are given out before clients can answer, with a margin. Zero for a slow
    /// service whose clients answer soon.
    fn rate(&mut self, now: Time) -> usize {
        self.begin_interval(now);
        let lately = self.count.max(self.before);
        let interval = self.interval();
        if lately <= 2 && interval == INTERVAL {
            return self.starved;
        }
        let most = (2 * interval).max(5 * INTERVAL);
        let span = (2 * self.trip).clamp(3 * INTERVAL / 4, most);
        self.starved + lately * span.as_micros() as usize / interval.as_micros() as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_given_out_slowly_is_not_asked_for_ahead() {
        let mut lookahead = Lookahead::default();
        let mut now = Time::ZERO;
        for _ in 0..10 {
            now = now + Duration::from_millis(60);
            lookahead.count(now);
            assert_eq!(lookahead.depth(now, 0), 0);
        }
        for _ in 0..200 {
            now = now + Duration::from_micros(500);
            lookahead.count(now);
        }
        let ahead = lookahead.depth(now, 0);
        assert!((60..=80).contains(&ahead), "{ahead}");
        assert_eq!(lookahead.depth(now + 3 * INTERVAL, 0), 0);
    }
}
