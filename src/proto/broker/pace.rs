//! The number of requests that are given to a worker as prefetch.
//!
//! A worker without further requests idles for a round trip after each reply. So it is given more than it can run: as
//! much as it processes in a round trip and in [`AHEAD`]. In normal operation only the requests for the round trip
//! are under way, so no request waits longer than that.
//!
//! The worker's clock separates the two times. It reports now and then how long its requests take, and how long it
//! has spent on this one. The rest of the time between assignment and end is the round trip.

use crate::proto::Time;
use crate::wire::ext::Pace as Told;
use std::time::Duration;

/// Work that may lie at the worker beyond the round trip, in µs. It is long compared with the wake-up of a thread,
/// and short compared with human perception and with `worker::STALL`, after which the worker returns it.
const AHEAD: u64 = 1_000;

/// A worker whose requests take longer than this, in µs, gets no prefetch. Half of `worker::STALL`, because
/// otherwise it would return them again and again.
const SLOW: u64 = 2_500;

/// Maximum round trip to hide, in µs. Half of `worker::MAX_OFFER_WAIT`.
const FARTHEST: u64 = 50_000;

/// A round trip longer than twice the shortest plus this, in µs, is a sign of congestion.
const CROWDED: u64 = 5_000;

/// Divisor of a change of the average round trip. Reports are few, so it follows within a second.
const RECENT: i64 = 8;

/// Divisor of the drift: a longer round trip is accepted as the shortest after some sixty reports, of which there are
/// at least ten a second.
const DRIFT: u64 = 64;

#[derive(Debug, Default)]
pub(super) struct Pace {
    /// The shortest recent round trip, in µs.
    round_trip: Option<u64>,
    /// The average of recent round trips, in µs. On a loaded machine it is several times the shortest.
    usual_trip: u64,
    /// Number of requests that hide the round trip, by the latest report.
    target: usize,
    /// Current limit. It grows by one with each request that ends, so it doubles in each round trip. On a slow path,
    /// congestion thus shows before much is under way.
    depth: usize,
}

impl Pace {
    /// Applies a worker's report, made at the end of a request that it was given at `given`.
    pub(super) fn told(&mut self, now: Time, given: Time, told: Told) {
        let travelled = now.since(given).as_micros() as u64;
        let travelled = travelled.saturating_sub(u64::from(told.spent));
        self.usual_trip = match self.round_trip {
            // One delay must not make the work of many requests look like transport.
            Some(_) => {
                let usual = self.usual_trip as i64;
                let sample = travelled.min(2 * self.usual_trip + CROWDED) as i64;
                (usual + (sample - usual) / RECENT) as u64
            }
            None => travelled,
        };
        let shortest = match self.round_trip {
            Some(shortest) if travelled > shortest => shortest + (travelled - shortest) / DRIFT,
            _ => travelled,
        };
        self.round_trip = Some(shortest);
        let service = u64::from(told.service).max(1);
        let hidden = shortest.min(FARTHEST);
        let micros = match service {
            ..AHEAD => AHEAD + hidden,
            AHEAD..SLOW => hidden,
            SLOW.. => 0,
        };
        self.target = (micros / service) as usize;
        if travelled > 2 * shortest + CROWDED {
            // So few that the path clears and the next report shows its true length.
            self.depth = (self.depth.min(self.target) / 4).max(1);
        }
    }

    /// The part of this time between assignment and end that the worker had the request, as far as its reports tell.
    pub(super) fn work_in(&self, took: Duration) -> Duration {
        took.saturating_sub(Duration::from_micros(self.usual_trip))
    }

    /// Counts a request that the worker has ended.
    pub(super) fn end(&mut self) {
        if self.depth < self.target {
            self.depth += 1;
        }
    }

    /// Stops prefetch after the worker returned requests because one takes too long. The next report of a fast
    /// request starts it again.
    pub(super) fn stall(&mut self) {
        self.target = 0;
    }

    /// Number of requests beyond those that the worker can run.
    pub(super) fn ahead(&self) -> usize {
        self.depth.min(self.target)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reports a request with this service time, round trip and waiting time at the worker, in µs.
    fn tell(pace: &mut Pace, service: u16, round_trip: u64, waited: u64) {
        let spent = u64::from(service) + waited;
        let told = Told {
            service,
            spent: spent as u32,
        };
        let now = Time::from_micros(round_trip + spent);
        pace.told(now, Time::ZERO, told);
    }

    fn trusted(service: u16, round_trip: u64) -> usize {
        let mut pace = Pace::default();
        tell(&mut pace, service, round_trip, 0);
        (0..100_000).for_each(|_| pace.end());
        pace.ahead()
    }

    #[test]
    fn nothing_is_sent_ahead_before_anything_is_known() {
        let mut pace = Pace::default();
        (0..100).for_each(|_| pace.end());
        assert_eq!(pace.ahead(), 0);
    }

    #[test]
    fn a_fast_handler_has_a_millisecond_and_the_round_trip_ahead_of_it() {
        assert_eq!(trusted(20, 0), 50);
        assert_eq!(trusted(20, 100), 55);
        assert_eq!(trusted(20, 10_000), 550);
        assert_eq!(trusted(0, 0), 1_000);
    }

    #[test]
    fn no_round_trip_is_too_long_to_be_hidden_in_part() {
        assert_eq!(trusted(100, 10_000_000), 510);
    }

    #[test]
    fn a_slow_handler_has_what_is_on_its_way_and_a_slower_one_nothing() {
        assert_eq!(trusted(999, 100), 1);
        assert_eq!(trusted(1_000, 100), 0);
        assert_eq!(trusted(2_000, 10_000), 5);
        assert_eq!(trusted(2_500, 10_000), 0);
        assert_eq!(trusted(u16::MAX, 50_000), 0);
    }

    #[test]
    fn trust_grows_with_what_has_ended() {
        let mut pace = Pace::default();
        for ends in 0..60 {
            tell(&mut pace, 20, 0, 0);
            assert_eq!(pace.ahead(), ends.min(50));
            pace.end();
        }
    }

    #[test]
    fn the_time_in_line_is_no_part_of_the_round_trip() {
        let mut pace = Pace::default();
        for waited in 0..1_000 {
            tell(&mut pace, 20, 2_000, 50 * waited);
            pace.end();
        }
        assert_eq!(pace.ahead(), 150);
    }

    #[test]
    fn after_a_stall_it_has_nothing_until_it_is_fast_and_then_what_it_had() {
        let mut pace = Pace::default();
        tell(&mut pace, 20, 10_000, 0);
        (0..600).for_each(|_| pace.end());
        pace.stall();
        pace.end();
        assert_eq!(pace.ahead(), 0);
        tell(&mut pace, 5_000, 10_000, 0);
        assert_eq!(pace.ahead(), 0);
        tell(&mut pace, 20, 10_000, 0);
        assert_eq!(pace.ahead(), 550);
    }

    #[test]
    fn one_long_way_among_short_ones_is_an_accident_and_many_are_not() {
        let mut pace = Pace::default();
        for n in 0..1_000 {
            tell(&mut pace, 20, if n % 10 == 9 { 40_000 } else { 1_000 }, 0);
            (0..100).for_each(|_| pace.end());
            assert!((100..1_100).contains(&pace.ahead()), "{}", pace.ahead());
        }
        for _ in 0..300 {
            tell(&mut pace, 20, 40_000, 0);
            (0..100).for_each(|_| pace.end());
        }
        assert!(pace.ahead() > 1_800, "{}", pace.ahead());
    }

    #[test]
    fn the_usual_round_trip_is_no_work() {
        let mut pace = Pace::default();
        let took = Duration::from_micros(10_000);
        assert_eq!(pace.work_in(took), took);
        for n in 0..100 {
            tell(&mut pace, 5_000, if n % 2 == 0 { 3_000 } else { 5_000 }, 0);
        }
        let work = pace.work_in(took).as_micros();
        assert!((5_500..=6_500).contains(&work), "{work}");
        assert_eq!(pace.work_in(Duration::from_micros(1_000)), Duration::ZERO);
        // A single delay changes little.
        tell(&mut pace, 5_000, 9_000_000, 0);
        let work = pace.work_in(took).as_micros();
        assert!((4_000..=6_500).contains(&work), "{work}");
    }

    /// A path that transfers one request in 4 ms; each additional request under way delays all of them.
    #[test]
    fn a_crowded_way_gets_no_more_crowded() {
        let mut pace = Pace::default();
        let mut most = 0;
        for _ in 0..1_000 {
            let on_the_way = pace.ahead() as u64 + 1;
            tell(&mut pace, 20, 4_000 * on_the_way, 0);
            pace.end();
            most = most.max(pace.ahead());
        }
        assert!((1..20).contains(&most), "{most}");
    }
}
