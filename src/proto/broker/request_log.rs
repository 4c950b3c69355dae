//! The log of ended requests. Its rate is limited, because under full load a record costs the broker more than the
//! request.

use crate::proto::Time;
use std::time::Duration;

/// Maximum of records in a burst. It must be below the maximum of events that wait for JavaScript.
const BURST: u64 = 4000;

/// Records per second in the long run.
const PER_SECOND: u64 = 2000;

/// A token bucket; the unit is a record.
#[derive(Debug)]
pub(super) struct RequestLog {
    room: u64,
    /// The time at which `room` was computed.
    at: Time,
    /// Number of requests since the last record that were omitted.
    omitted: u64,
}

impl RequestLog {
    pub(super) fn new() -> Self {
        RequestLog {
            room: BURST,
            at: Time::ZERO,
            omitted: 0,
        }
    }

    /// Takes room for a record. Returns the number of requests omitted before it, or `None` if this one is to be
    /// omitted too.
    pub(super) fn take(&mut self, now: Time) -> Option<u64> {
        let gained = now.since(self.at).as_micros() as u64 * PER_SECOND / 1_000_000;
        if gained > 0 {
            self.room = (self.room + gained).min(BURST);
            self.at = match self.room {
                BURST => now,
                _ => self.at + Duration::from_micros(gained * 1_000_000 / PER_SECOND),
            };
        }
        if self.room == 0 {
            self.omitted += 1;
            return None;
        }
        self.room -= 1;
        Some(std::mem::take(&mut self.omitted))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn take_all(log: &mut RequestLog, now: Time) -> u64 {
        let mut taken = 0;
        while log.take(now).is_some() {
            taken += 1;
        }
        taken
    }

    #[test]
    fn a_burst_has_all_its_records_and_a_long_load_some() {
        let mut log = RequestLog::new();
        let mut now = Time::ZERO + Duration::from_secs(5);
        assert_eq!(take_all(&mut log, now), BURST);
        for _ in 0..1000 {
            now = now + Duration::from_micros(10_500);
            assert_eq!(take_all(&mut log, now), 21);
        }
        now = now + Duration::from_secs(3600);
        assert_eq!(log.take(now), Some(1));
        assert_eq!(log.take(now), Some(0));
        assert_eq!(take_all(&mut log, now), BURST - 2);
    }
}
