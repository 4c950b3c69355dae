//! Signs of life between the broker and one peer: when the peer was heard, and when it is to hear of the broker.

use crate::proto::Time;
use std::time::Duration;

#[derive(Debug, Clone, Copy)]
pub(super) struct Heartbeats {
    /// When the last message of the peer arrived.
    heard: Time,
    /// When the next heartbeat to it is due.
    next: Time,
}

impl Heartbeats {
    /// The heartbeats of a peer that has just been heard.
    pub(super) fn new(now: Time, interval: Duration) -> Self {
        Heartbeats {
            heard: now,
            next: now + interval,
        }
    }

    /// A message of the peer has arrived.
    #[inline]
    pub(super) fn heard(&mut self, now: Time) {
        self.heard = now;
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
    fn after_a_suspension_one_heartbeat_is_due() {
        let mut beats = Heartbeats::new(Time::ZERO, INTERVAL);
        assert!(!beats.take(Time::ZERO, INTERVAL));
        let late = Time::ZERO + 9 * INTERVAL;
        assert!(beats.take(late, INTERVAL) && !beats.take(late, INTERVAL));
        assert_eq!(beats.next(), late + INTERVAL);
    }
}
