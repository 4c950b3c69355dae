//! The rate limit of events that peers can cause at will.

use super::Time;
use std::time::Duration;

/// Permits a burst of events, and a number of further ones in each period. Events beyond that are counted, and the next
/// permitted event has their number.
#[derive(Debug)]
pub struct EventRate {
    burst: u64,
    /// How many events each period permits.
    gain: u64,
    period: Duration,
    /// How many events are permitted now, and the time at which that was computed.
    room: u64,
    at: Time,
    suppressed: u64,
}

impl EventRate {
    /// Permits `max` events per second.
    pub fn new(max: u32) -> Self {
        EventRate::with_burst(max.into(), max.into(), Duration::from_secs(1))
    }

    /// Permits `burst` events at once, and `gain` in each period in the long run.
    pub fn with_burst(burst: u64, gain: u64, period: Duration) -> Self {
        EventRate {
            burst,
            gain,
            period,
            room: burst,
            at: Time::ZERO,
            suppressed: 0,
        }
    }

    /// Asks for permission to report an event. Returns the number of events suppressed since the last permitted one, or
    /// `None` if this one is suppressed too.
    pub fn take(&mut self, now: Time) -> Option<u64> {
        let period = self.period.as_micros() as u64;
        let periods = now.since(self.at).as_micros() as u64 / period;
        if periods > 0 {
            self.room = periods
                .saturating_mul(self.gain)
                .saturating_add(self.room)
                .min(self.burst);
            self.at = match self.room == self.burst {
                true => now,
                false => self.at + Duration::from_micros(periods * period),
            };
        }
        if self.room == 0 {
            self.suppressed += 1;
            return None;
        }
        self.room -= 1;
        Some(std::mem::take(&mut self.suppressed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn suppressed_events_are_counted() {
        let mut rate = EventRate::new(10);
        let at = |ms: u64| Time::from_micros(ms * 1000);
        let told = (0..1000).filter_map(|_| rate.take(at(5000))).count();
        assert_eq!(told, 10);
        assert_eq!(rate.take(at(5999)), None);
        assert_eq!(rate.take(at(6000)), Some(991));
        assert_eq!(rate.take(at(6000)), Some(0));
    }

    fn take_all(rate: &mut EventRate, now: Time) -> u64 {
        let mut taken = 0;
        while rate.take(now).is_some() {
            taken += 1;
        }
        taken
    }

    #[test]
    fn a_burst_is_permitted_and_a_part_of_a_long_load() {
        let mut rate = EventRate::with_burst(4000, 1, Duration::from_micros(500));
        let mut now = Time::ZERO + Duration::from_secs(5);
        assert_eq!(take_all(&mut rate, now), 4000);
        for _ in 0..1000 {
            now = now + Duration::from_micros(10_500);
            assert_eq!(take_all(&mut rate, now), 21);
        }
        now = now + Duration::from_secs(3600);
        assert_eq!(rate.take(now), Some(1));
        assert_eq!(rate.take(now), Some(0));
        assert_eq!(take_all(&mut rate, now), 3998);
    }
}
