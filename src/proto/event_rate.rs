//! The rate limit of events that peers can cause at will.

use super::Time;
use std::time::Duration;

const PERIOD: Duration = Duration::from_secs(1);

/// Permits a maximum number of events per second. Events beyond it are counted, and the next permitted event has their
/// number.
#[derive(Debug)]
pub struct EventRate {
    max: u32,
    /// The beginning of the current second, and the number of events in it.
    since: Time,
    told: u32,
    suppressed: u64,
}

impl EventRate {
    /// Permits `max` events per second.
    pub fn new(max: u32) -> Self {
        EventRate {
            max,
            since: Time::ZERO,
            told: 0,
            suppressed: 0,
        }
    }

    /// Asks for permission to report an event. Returns the number of events suppressed since the last permitted one, or
    /// `None` if this one is suppressed too.
    pub fn take(&mut self, now: Time) -> Option<u64> {
        if now.since(self.since) >= PERIOD {
            self.since = now;
            self.told = 0;
        }
        if self.told >= self.max {
            self.suppressed += 1;
            return None;
        }
        self.told += 1;
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
}
