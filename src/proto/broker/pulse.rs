//! The rate limit of events that peers can cause at will.

use crate::proto::Time;
use std::time::Duration;

/// Limits the rate of events that peers can cause at will.
#[derive(Debug)]
pub(super) struct Pulse {
    since: Time,
    told: u32,
    /// Maximum of events per second.
    most: u32,
}

impl Pulse {
    const PERIOD: Duration = Duration::from_secs(1);

    pub(super) fn new(most: u32) -> Self {
        Pulse {
            since: Time::ZERO,
            told: 0,
            most,
        }
    }

    pub(super) fn beats(&mut self, now: Time) -> bool {
        if now.since(self.since) >= Pulse::PERIOD {
            self.since = now;
            self.told = 0;
        }
        self.told = self.told.saturating_add(1);
        self.told <= self.most
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pulse_beats_so_many_times_a_second() {
        let mut pulse = Pulse::new(3);
        let beats = |pulse: &mut Pulse, now| (0..9).filter(|_| pulse.beats(now)).count();
        let start = Time::ZERO + Pulse::PERIOD;
        assert_eq!(beats(&mut pulse, start), 3);
        assert_eq!(beats(&mut pulse, start + Pulse::PERIOD / 2), 0);
        assert_eq!(beats(&mut pulse, start + Pulse::PERIOD), 3);
    }
}
