//! The state of a detached peer, and of one that has returned; see [`detached`](super::detached).

use super::Departure;
use super::keys::RequestKey;
use crate::proto::Time;
use std::collections::HashSet;
use std::time::Duration;

/// Requests that a returned worker has not claimed yet.
#[derive(Debug, Default)]
pub(super) struct Unclaimed {
    pub(super) requests: HashSet<RequestKey>,
    /// Requests that it has claimed as not started.
    pub(super) not_started: HashSet<RequestKey>,
    /// The deadline of the worker's claims. Silence extends it, because the new connection may be dead as well.
    pub(super) until: Time,
    /// When to look whether the time has ended.
    pub(super) next: Time,
}

impl Unclaimed {
    /// Whether the time for claims is over, given for how long the worker has been silent. If not, the next look is
    /// after this span.
    pub(super) fn is_over(&mut self, now: Time, silence: Duration, span: Duration) -> bool {
        if self.next > now {
            return false;
        }
        let is_heard = silence <= now.since(self.until);
        if !is_heard {
            self.next = now + span;
        }
        is_heard
    }
}

/// State of a detached peer.
#[derive(Debug, Clone, Copy)]
pub(super) struct Absence {
    pub(super) since: Time,
    /// When it is given up.
    pub(super) until: Time,
    /// The reason that is then reported.
    pub(super) why: Departure,
    /// For a worker: when its requests with `retry` go to another worker, if there is one.
    pub(super) retries_at: Option<Time>,
    /// For a worker: whether it is kept longer, because all clients that wait for it are absent as well.
    pub(super) prolonged: bool,
}

/// How long a worker's name is kept after another connection has taken it: the time of one or two reconnects. The
/// other peer tries again later.
const KEPT: Duration = Duration::from_millis(800);

/// Maximum of an extended absence: as long as a peer waits for its broker by default.
pub(super) const LINGER: Duration = Duration::from_secs(60);

impl Absence {
    /// Extends the absence of a client whose requests go on at the end of its grace time to this span. Returns false if
    /// it is over.
    pub(super) fn linger(&mut self, now: Time, span: Duration) -> bool {
        let until = self.since + span;
        self.until = self.until.max(until);
        now < until
    }

    /// Extends the absence of a worker for which no connected client waits. Returns false if the absence is over.
    pub(super) fn prolong(&mut self, now: Time, span: Duration) -> bool {
        self.prolonged = now < self.since + LINGER;
        if self.prolonged {
            self.until = now + span;
        }
        self.prolonged
    }

    /// Whether the absence began with an undeliverable message, before the transport reported the reason.
    pub(super) fn knew_less(&self, why: Departure) -> bool {
        (self.why, why) == (Departure::Connection, Departure::Broken)
    }

    /// Whether another connection has its name, so that messages over that connection are not its own.
    pub(super) fn is_displaced(&self) -> bool {
        self.why == Departure::Replaced
    }

    pub(super) fn may_come_back(&self, now: Time) -> bool {
        self.is_displaced() && now.since(self.since) < KEPT
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn absence(why: Departure) -> Absence {
        Absence {
            since: Time::ZERO,
            until: Time::ZERO + Duration::from_secs(9),
            why,
            retries_at: None,
            prolonged: false,
        }
    }

    #[test]
    fn an_absence_is_extended_until_its_span_is_over() {
        let mut silent = absence(Departure::Silence);
        let end = silent.until;
        assert!(silent.linger(end, LINGER) && silent.until == Time::ZERO + LINGER);
        assert!(!silent.linger(silent.until, LINGER));
    }

    #[test]
    fn a_prolonged_absence_ends_at_last() {
        let mut lost = absence(Departure::Connection);
        assert!(
            lost.prolong(lost.until, KEPT)
                && lost.until == Time::ZERO + Duration::from_secs(9) + KEPT
        );
        assert!(!lost.prolong(Time::ZERO + LINGER, KEPT) && !lost.prolonged);
    }

    #[test]
    fn a_name_is_kept_for_a_while_for_the_peer_that_lost_it_to_another_connection() {
        let displaced = absence(Departure::Replaced);
        let at = |ms| Time::ZERO + Duration::from_millis(ms);
        assert!(displaced.is_displaced() && displaced.may_come_back(at(0)));
        assert!(displaced.may_come_back(Time::ZERO + KEPT - Duration::from_micros(1)));
        assert!(!displaced.may_come_back(Time::ZERO + KEPT));
        let lost = absence(Departure::Connection);
        assert!(!lost.is_displaced() && !lost.may_come_back(at(0)));
    }
}
