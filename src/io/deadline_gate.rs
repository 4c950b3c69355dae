//! Delays a machine's deadlines until all received messages have been read.
//!
//! A message that arrived in time counts, however late it is read. A deadline therefore waits while
//! the socket has more messages, for a limited time: a peer may send without end. After a
//! suspension of the process or the host, deadlines have passed while messages are still on their
//! way through the kernel and libzmq's thread. The deadlines wait for those messages, too.

use crate::proto::Time;
use std::time::Duration;

/// The maximum delay of a deadline by received messages. It is short compared to any heartbeat, and
/// enough for tens of thousands of messages.
const HOLD_UP: Duration = Duration::from_millis(100);

/// A process whose thread runs this much later than its deadline was suspended.
const SUSPENDED: Duration = Duration::from_millis(500);

/// The state of a machine's next deadline.
#[derive(Debug, Default)]
pub(super) struct DeadlineGate {
    /// When the deadline was first found due, and the end of its delay.
    since: Option<(Time, Time)>,
    /// When the machine last handled its deadlines. The machine handles a limited number per call. Deadlines that it left
    /// over are late, but not because of a suspension.
    handled: Option<Time>,
}

impl DeadlineGate {
    /// Whether the machine has to handle its deadlines now. `drained` means that no received
    /// message is unread.
    pub(super) fn is_due(&mut self, now: Time, deadline: Option<Time>, drained: bool) -> bool {
        let Some(at) = deadline.filter(|at| *at <= now) else {
            self.since = None;
            return false;
        };
        let (seen, until) = *self.since.get_or_insert((now, now + HOLD_UP));
        let is_left = self.handled.is_some_and(|handled| at <= handled);
        let suspended = seen.since(at) >= SUSPENDED && !is_left;
        let due = now >= until || (drained && !suspended);
        if due {
            self.since = None;
            self.handled = Some(now);
        }
        due
    }

    /// When to check again, at the latest.
    pub(super) fn next(&self, deadline: Option<Time>) -> Option<Time> {
        self.since.map(|(_, until)| until).or(deadline)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(n: u64) -> Time {
        Time::from_micros(n * 1000)
    }

    #[test]
    fn a_deadline_is_looked_at_when_it_has_come_and_nothing_is_unread() {
        let mut deadline_gate = DeadlineGate::default();
        assert!(!deadline_gate.is_due(ms(5), None, true));
        assert!(!deadline_gate.is_due(ms(5), Some(ms(6)), true));
        assert_eq!(deadline_gate.next(Some(ms(6))), Some(ms(6)));
        assert!(deadline_gate.is_due(ms(6), Some(ms(6)), true));
        assert_eq!(deadline_gate.next(None), None);
    }

    #[test]
    fn unread_messages_hold_it_up_for_a_while() {
        let mut deadline_gate = DeadlineGate::default();
        assert!(!deadline_gate.is_due(ms(10), Some(ms(6)), false));
        assert_eq!(deadline_gate.next(Some(ms(6))), Some(ms(110)));
        assert!(!deadline_gate.is_due(ms(109), Some(ms(6)), false));
        assert!(deadline_gate.is_due(ms(109), Some(ms(6)), true));

        assert!(!deadline_gate.is_due(ms(200), Some(ms(199)), false));
        assert!(deadline_gate.is_due(ms(300), Some(ms(199)), false));
    }

    /// A received message has moved the deadline; the new one has its own delay.
    #[test]
    fn a_deadline_that_was_moved_is_waited_for() {
        let mut deadline_gate = DeadlineGate::default();
        assert!(!deadline_gate.is_due(ms(10), Some(ms(6)), false));
        assert!(!deadline_gate.is_due(ms(11), Some(ms(900)), true));
        assert_eq!(deadline_gate.next(Some(ms(900))), Some(ms(900)));
        assert!(deadline_gate.is_due(ms(900), Some(ms(900)), true));
    }

    #[test]
    fn after_a_sleep_messages_on_their_way_are_awaited() {
        let mut deadline_gate = DeadlineGate::default();
        assert!(!deadline_gate.is_due(ms(9_000), Some(ms(6)), true));
        assert_eq!(deadline_gate.next(Some(ms(6))), Some(ms(9_100)));
        assert!(!deadline_gate.is_due(ms(9_050), Some(ms(6)), true));
        assert!(deadline_gate.is_due(ms(9_100), Some(ms(6)), true));
    }

    /// The machine handles some of very many deadlines at a time, so that the last ones are very late.
    #[test]
    fn deadlines_that_the_machine_left_over_are_not_held_up() {
        let mut deadline_gate = DeadlineGate::default();
        for at in 10..2_000 {
            assert!(deadline_gate.is_due(ms(at), Some(ms(10)), true));
        }
        assert!(!deadline_gate.is_due(ms(9_000), Some(ms(2_100)), true));
    }
}
