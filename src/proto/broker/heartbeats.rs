//! Signs of life between the broker and one peer: when the peer was heard, and when it is to hear of the broker.

use crate::proto::Time;
use std::time::Duration;

/// The additional time for a distant peer to return: a few round trips, estimated from the time `took` from the
/// beginning of its connection to its hello.
pub(super) fn distance(took: Duration) -> Duration {
    let distance = took.saturating_sub(NEAR).saturating_mul(ATTEMPTS);
    distance.min(MAX_DISTANCE)
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Heartbeats {
    /// When the last message of the peer arrived.
    heard: Time,
    /// When the next heartbeat to it is due.
    next: Time,
    /// How much longer the peer may take to return than others, in ms.
    distance: u16,
}

/// A connection that takes longer from its beginning to the hello is that of a distant peer.
const NEAR: Duration = Duration::from_millis(50);

/// How many attempts to return a distant peer may make: its connection may break again before it is heard.
const ATTEMPTS: u32 = 16;

/// The most that the distance counts.
const MAX_DISTANCE: Duration = Duration::from_secs(10);

impl Heartbeats {
    /// The heartbeats of a peer that has just been heard.
    pub(super) fn new(now: Time, interval: Duration) -> Self {
        Heartbeats {
            heard: now,
            next: now + interval,
            distance: 0,
        }
    }

    /// The heartbeats of the peer after its return on a new connection.
    pub(super) fn of_return(self, now: Time, interval: Duration) -> Self {
        Heartbeats {
            distance: self.distance,
            ..Heartbeats::new(now, interval)
        }
    }

    /// A message of the peer has arrived.
    #[inline]
    pub(super) fn heard(&mut self, now: Time) {
        self.heard = now;
    }

    pub(super) fn set_distance(&mut self, distance: Duration) {
        self.distance = distance.as_millis() as u16;
    }

    /// How much longer the peer may take to return than others.
    pub(super) fn distance(&self) -> Duration {
        Duration::from_millis(self.distance.into())
    }

    /// How long the peer has been silent.
    pub(super) fn silence(&self, now: Time) -> Duration {
        now - self.heard
    }

    /// When the peer will have been silent for longer than permitted.
    pub(super) fn silent_at(&self, patience: Duration) -> Time {
        self.heard + patience
    }

    /// Whether the peer has been silent for longer than permitted.
    pub(super) fn is_silent(&self, now: Time, patience: Duration) -> bool {
        now.since(self.heard) >= patience
    }

    /// When the next heartbeat is due.
    pub(super) fn next(&self) -> Time {
        self.next
    }

    /// Whether a heartbeat is due now; then the next one is due after the interval.
    pub(super) fn take(&mut self, now: Time, interval: Duration) -> bool {
        let is_due = self.next <= now;
        if is_due {
            // Counted from now: after a long suspension one heartbeat is enough.
            self.next = now + interval;
        }
        is_due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const INTERVAL: Duration = Duration::from_millis(100);
    const PATIENCE: Duration = Duration::from_millis(300);

    #[test]
    fn a_message_restarts_the_permitted_silence_and_no_heartbeat() {
        let begin = Time::ZERO + INTERVAL;
        let mut beats = Heartbeats::new(begin, INTERVAL);
        assert!(!beats.is_silent(begin + PATIENCE - Duration::from_micros(1), PATIENCE));
        assert!(beats.is_silent(begin + PATIENCE, PATIENCE));
        beats.heard(begin + INTERVAL);
        assert_eq!(beats.silent_at(PATIENCE), begin + INTERVAL + PATIENCE);
        assert_eq!(beats.silence(begin + 2 * INTERVAL), INTERVAL);
        assert_eq!(beats.next(), begin + INTERVAL);
    }

    #[test]
    fn a_peer_that_takes_long_to_be_heard_has_more_time_to_return() {
        let of = |ms| {
            let mut beats = Heartbeats::new(Time::ZERO, INTERVAL);
            beats.set_distance(distance(Duration::from_millis(ms)));
            beats.distance().as_millis()
        };
        assert_eq!([0, 50, 51, 385, 9000].map(of), [0, 0, 16, 5360, 10_000]);
    }

    #[test]
    fn after_a_suspension_one_heartbeat_is_due() {
        let mut beats = Heartbeats::new(Time::ZERO, INTERVAL);
        assert!(!beats.take(Time::ZERO, INTERVAL));
        let late = Time::ZERO + 9 * INTERVAL;
        assert!(beats.take(late, INTERVAL) && !beats.take(late, INTERVAL));
        assert_eq!(beats.next(), late + INTERVAL);
    }
}
