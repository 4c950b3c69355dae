//! When a machine may look at its deadlines: not before what had arrived was read.
//!
//! What a peer said in time counts, however late it is read. So a deadline waits while the socket has
//! more, though not for ever: somebody may send without end. And a process that was stopped, or a
//! machine that slept, finds its deadlines long past while what its peers said is still on the way
//! through the kernel and libzmq's thread: then the deadlines wait for that, too.

use crate::proto::Time;
use std::time::Duration;

/// For how long what has arrived may hold up a deadline. Short against any heartbeat, and enough
/// for tens of thousands of messages.
const HOLD_UP: Duration = Duration::from_millis(100);

/// Nobody comes so late to a deadline who was awake when it came.
const ASLEEP: Duration = Duration::from_millis(500);

/// A driver's eye on its machine's next deadline.
#[derive(Debug, Default)]
pub(super) struct DeadlineGate {
    /// When it was first seen that it has come, and until when it is held up at most.
    since: Option<(Time, Time)>,
}

impl DeadlineGate {
    /// Whether the machine is to look at its deadlines now; `drained` is whether nothing is left to
    /// be read.
    pub(super) fn is_due(&mut self, now: Time, deadline: Option<Time>, drained: bool) -> bool {
        let Some(at) = deadline.filter(|at| *at <= now) else {
            self.since = None;
            return false;
        };
        let (seen, until) = *self.since.get_or_insert((now, now + HOLD_UP));
        let asleep = seen.since(at) >= ASLEEP;
        let due = now >= until || (drained && !asleep);
        if due {
            self.since = None;
        }
        due
    }

    /// When to look again, at the latest.
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
    fn what_is_unread_holds_it_up_for_a_while() {
        let mut deadline_gate = DeadlineGate::default();
        assert!(!deadline_gate.is_due(ms(10), Some(ms(6)), false));
        assert_eq!(deadline_gate.next(Some(ms(6))), Some(ms(110)));
        assert!(!deadline_gate.is_due(ms(109), Some(ms(6)), false));
        assert!(deadline_gate.is_due(ms(109), Some(ms(6)), true));

        assert!(!deadline_gate.is_due(ms(200), Some(ms(199)), false));
        assert!(deadline_gate.is_due(ms(300), Some(ms(199)), false));
    }

    /// What was read has moved it; the next one has its own time.
    #[test]
    fn a_deadline_that_was_moved_is_waited_for() {
        let mut deadline_gate = DeadlineGate::default();
        assert!(!deadline_gate.is_due(ms(10), Some(ms(6)), false));
        assert!(!deadline_gate.is_due(ms(11), Some(ms(900)), true));
        assert_eq!(deadline_gate.next(Some(ms(900))), Some(ms(900)));
        assert!(deadline_gate.is_due(ms(900), Some(ms(900)), true));
    }

    #[test]
    fn after_a_sleep_what_is_on_its_way_is_waited_for() {
        let mut deadline_gate = DeadlineGate::default();
        assert!(!deadline_gate.is_due(ms(9_000), Some(ms(6)), true));
        assert_eq!(deadline_gate.next(Some(ms(6))), Some(ms(9_100)));
        assert!(!deadline_gate.is_due(ms(9_050), Some(ms(6)), true));
        assert!(deadline_gate.is_due(ms(9_100), Some(ms(6)), true));
    }
}
