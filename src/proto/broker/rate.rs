//! How fast a service gives out its requests.

use crate::proto::Time;
use std::time::Duration;

/// How many requests a service has given out lately.
#[derive(Debug, Default)]
pub(super) struct Rate {
    since: Time,
    count: usize,
    before: usize,
    /// How long a client took for its answer, the latest time.
    pub(super) trip: Duration,
    /// How many more are asked for since workers were left without any: what it gives out is no
    /// measure of what it could.
    starved: usize,
}

/// Over which a rate is taken.
const WINDOW: Duration = Duration::from_millis(50);

impl Rate {
    pub(super) fn count(&mut self, now: Time) {
        self.turn(now);
        self.count += 1;
    }

    fn turn(&mut self, now: Time) {
        let passed = now.since(self.since);
        if passed >= WINDOW {
            let lately = passed < 2 * WINDOW;
            self.before = if lately { self.count } else { 0 };
            self.starved = if lately { self.starved / 2 } else { 0 };
            self.count = 0;
            self.since = now;
        }
    }

    /// Workers have nothing to do, and nothing is asked for.
    pub(super) fn starve(&mut self, now: Time) {
        self.turn(now);
        self.starved = (8 * self.starved).clamp(8, 4096);
    }

    /// How many it gives out before clients have answered, for sure; none if it is slow.
    pub(super) fn ahead(&mut self, now: Time) -> usize {
        self.turn(now);
        let lately = self.count.max(self.before);
        if lately <= 2 {
            return self.starved;
        }
        let span = (2 * self.trip).clamp(3 * WINDOW / 4, 5 * WINDOW);
        self.starved + lately * span.as_micros() as usize / WINDOW.as_micros() as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_given_out_slowly_is_not_asked_for_ahead() {
        let mut rate = Rate::default();
        let mut now = Time::ZERO;
        for _ in 0..10 {
            now = now + Duration::from_millis(60);
            rate.count(now);
            assert_eq!(rate.ahead(now), 0);
        }
        for _ in 0..200 {
            now = now + Duration::from_micros(500);
            rate.count(now);
        }
        let ahead = rate.ahead(now);
        assert!((60..=80).contains(&ahead), "{ahead}");
        assert_eq!(rate.ahead(now + 3 * WINDOW), 0);
    }
}
