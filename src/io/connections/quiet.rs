//! The connections without a message.

use crate::proto::Time;
use std::collections::{BTreeSet, HashMap};
use std::ops::Bound;
use std::time::Duration;

/// The initial limit of silence for a peer whose name may be held by another connection.
const UNHEARD: Duration = Duration::from_secs(1);

/// The maximum number of addresses with a count of unheard connections.
const MAX_UNHEARD: usize = 4096;

/// The silent connections by age. They are checked in turn.
#[derive(Debug, Default)]
pub(in crate::io) struct Quiet<K> {
    by_age: BTreeSet<(Time, K)>,
    /// The last connection that was checked.
    cursor: (Time, K),
}

impl<K: Copy + Default + Ord> Quiet<K> {
    pub(in crate::io) fn add(&mut self, since: Time, connection: K) {
        self.by_age.insert((since, connection));
    }

    pub(in crate::io) fn remove(&mut self, since: Time, connection: K) {
        self.by_age.remove(&(since, connection));
    }

    pub(in crate::io) fn is_empty(&self) -> bool {
        self.by_age.is_empty()
    }

    /// The oldest connection, if it is at least this old.
    pub(in crate::io) fn oldest(&self, now: Time, age: Duration) -> Option<K> {
        let (since, connection) = self.by_age.first()?;
        (now.since(*since) >= age).then_some(*connection)
    }

    /// The next connections to check, at most so many, each with the time of its beginning.
    pub(in crate::io) fn next(&mut self, most: usize) -> Vec<(Time, K)> {
        let behind = (Bound::Excluded(self.cursor), Bound::Unbounded);
        let next: Vec<(Time, K)> = self.by_age.range(behind).take(most).copied().collect();
        self.cursor = match next.last() {
            Some(&last) if next.len() == most => last,
            _ => (Time::ZERO, K::default()),
        };
        next
    }
}

/// The limit of silence.
///
/// With security, libzmq discards messages of a peer whose name another connection holds, and does not report it. Ending
/// such a connection makes the peer reconnect. A peer that is silent by itself reconnects as well, so the limit grows with
/// each end.
#[derive(Debug)]
pub(in crate::io) struct Patience {
    silence: Option<Duration>,
    names_are_held: bool,
    /// How many consecutive connections of an address were ended because no message was heard.
    unheard: HashMap<Box<str>, u32>,
}

impl Patience {
    pub(in crate::io) fn new(silence: Option<Duration>, names_are_held: bool) -> Self {
        Patience {
            silence,
            names_are_held,
            unheard: HashMap::new(),
        }
    }

    /// How long a connection from this address may be silent; `None` is without limit.
    pub(in crate::io) fn of(&self, address: &str) -> Option<Duration> {
        let most = self.silence?;
        if !self.names_are_held {
            return Some(most);
        }
        let times = self.unheard.get(address).copied().unwrap_or(0);
        let grown = UNHEARD.saturating_mul(1 << times.min(16));
        Some(grown.min(most))
    }

    /// A connection from this address was silent for too long.
    pub(in crate::io) fn was_exceeded(&mut self, address: &str) {
        if self.names_are_held && self.unheard.len() < MAX_UNHEARD {
            *self.unheard.entry(address.into()).or_default() += 1;
        }
    }

    /// A message has come over a connection from this address.
    pub(in crate::io) fn heard(&mut self, address: &str) {
        if !self.unheard.is_empty() {
            self.unheard.remove(address);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: u64) -> Time {
        Time::ZERO + Duration::from_millis(ms)
    }

    #[test]
    fn all_are_checked_in_turn_and_then_again() {
        let mut quiet = Quiet::default();
        for fd in 1..=5 {
            quiet.add(at(fd as u64), fd);
        }
        let mut next = |most| -> Vec<i64> { quiet.next(most).iter().map(|(_, fd)| *fd).collect() };
        assert_eq!(next(2), [1, 2]);
        assert_eq!(next(2), [3, 4]);
        assert_eq!(next(2), [5]);
        assert_eq!(next(9), [1, 2, 3, 4, 5]);
        quiet.remove(at(1), 1);
        assert_eq!(quiet.oldest(at(12), Duration::from_millis(10)), Some(2));
        assert_eq!(quiet.oldest(at(11), Duration::from_millis(10)), None);
    }

    #[test]
    fn where_names_are_held_the_limit_grows_with_each_silent_connection() {
        let most = Duration::from_secs(10);
        let mut patience = Patience::new(Some(most), true);
        for expected in [1, 2, 4, 8, 10, 10] {
            assert_eq!(patience.of("a"), Some(Duration::from_secs(expected)));
            patience.was_exceeded("a");
        }
        assert_eq!(patience.of("b"), Some(UNHEARD));
        patience.heard("a");
        assert_eq!(patience.of("a"), Some(UNHEARD));
    }

    #[test]
    fn otherwise_the_limit_is_that_of_the_options() {
        let mut patience = Patience::new(Some(Duration::from_secs(10)), false);
        patience.was_exceeded("a");
        assert_eq!(patience.of("a"), Some(Duration::from_secs(10)));
        assert_eq!(Patience::new(None, true).of("a"), None);
    }

    #[test]
    fn addresses_made_up_cost_a_bounded_amount() {
        let mut patience = Patience::new(Some(Duration::from_secs(10)), true);
        for n in 0..2 * MAX_UNHEARD {
            patience.was_exceeded(&n.to_string());
        }
        assert_eq!(patience.unheard.len(), MAX_UNHEARD);
    }
}
