//! How many requests at the front of a queue have their turn before their clients could answer a
//! question: these are not parked, and those of them that are parked are asked for.

use crate::proto::Time;
use std::time::Duration;

/// What the depth is estimated from: how many requests a service has given out lately.
#[derive(Debug, Default)]
pub(super) struct Lookahead {
    since: Time,
    count: usize,
    before: usize,
    /// How long a client took for its answer, the latest time.
    trip: Duration,
    /// How many more are asked for since workers were left without any: what it gives out is no
    /// measure of what it could.
    starved: usize,
}

/// What a rate is taken over.
const INTERVAL: Duration = Duration::from_millis(50);

impl Lookahead {
    /// A request was given to a worker.
    pub(super) fn count(&mut self, now: Time) {
        self.turn(now);
        self.count += 1;
    }

    /// A client took so long to let a request go.
    pub(super) fn answered(&mut self, trip: Duration) {
        self.trip = trip;
    }

    /// How many requests have their turn soon: as many as workers have room for, and as many as are
    /// given out before clients have answered.
    pub(super) fn depth(&mut self, now: Time, room: usize) -> usize {
        room + self.rate(now)
    }

    /// How deep to look for parked requests to ask for; `None` while enough are asked for.
    pub(super) fn ask_depth(
        &mut self,
        now: Time,
        room: usize,
        has_idle: bool,
        asked_for: usize,
    ) -> Option<usize> {
        if asked_for == 0 && has_idle {
            self.turn(now);
            self.starved = (8 * self.starved).clamp(8, 4096);
        }
        let depth = self.depth(now, room);
        // One question for many requests, not one for each that was let go.
        (depth > 0 && asked_for * 4 <= depth * 3).then_some(depth)
    }

    fn turn(&mut self, now: Time) {
        let passed = now.since(self.since);
        if passed >= INTERVAL {
            let lately = passed < 2 * INTERVAL;
            self.before = if lately { self.count } else { 0 };
            self.starved = if lately { self.starved / 2 } else { 0 };
            self.count = 0;
            self.since = now;
        }
    }

    /// How many are given out before clients have answered, for sure; none if it is slow.
    fn rate(&mut self, now: Time) -> usize {
        self.turn(now);
        let lately = self.count.max(self.before);
        if lately <= 2 {
            return self.starved;
        }
        let span = (2 * self.trip).clamp(3 * INTERVAL / 4, 5 * INTERVAL);
        self.starved + lately * span.as_micros() as usize / INTERVAL.as_micros() as usize
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
