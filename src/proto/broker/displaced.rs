//! Who lost its name to another: of two peers with one name the one that began later keeps it.
//!
//! The transport gives a name to whoever connects last. So two peers with one name would take it
//! from each other for ever, each coming back when it has lost its connection. The earlier of them
//! is known here when it comes back, and is told to stay away.

use super::RoutingId;
use std::collections::VecDeque;

/// How many are remembered. One comes back within its reconnect interval, or after a partition.
const MOST: usize = 1024;

/// What a session says of the peer's life: all but the count of its connections. Empty if it says
/// nothing.
pub(super) fn life(session: &str) -> &str {
    session
        .rsplit_once(['.', '-'])
        .map_or(session, |(life, _)| life)
}

#[derive(Debug, Default)]
pub(super) struct Displaced(VecDeque<(RoutingId, Box<str>)>);

impl Displaced {
    /// The peer of this name and session gives way to another session.
    pub(super) fn note(&mut self, name: &[u8], old: &str, new: &str) {
        let (old, new) = (life(old), life(new));
        if old.is_empty() || new.is_empty() || old == new || self.contains(name, old) {
            return;
        }
        if self.0.len() == MOST {
            self.0.pop_front();
        }
        self.0.push_back((name.into(), old.into()));
    }

    /// Whether the peer of this name and session gave way to another before.
    pub(super) fn contains(&self, name: &[u8], session: &str) -> bool {
        let life = life(session);
        self.0
            .iter()
            .any(|(known, old)| **known == *name && **old == *life)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_life_is_a_session_without_its_number() {
        for (session, expected) in [
            ("5f0c.1", "5f0c"),
            ("c2.0-17", "c2.0"),
            ("s", "s"),
            ("", ""),
        ] {
            assert_eq!(life(session), expected);
        }
    }

    #[test]
    fn who_comes_back_was_not_displaced_by_itself() {
        let mut displaced = Displaced::default();
        displaced.note(b"n", "a.1", "a.2");
        displaced.note(b"n", "", "a.2");
        displaced.note(b"n", "a.2", "");
        assert!(!displaced.contains(b"n", "a.3"));
        displaced.note(b"n", "a.2", "b.1");
        assert!(displaced.contains(b"n", "a.3"));
        assert!(!displaced.contains(b"n", "b.2"));
        assert!(!displaced.contains(b"m", "a.3"));
    }

    #[test]
    fn the_earliest_are_forgotten() {
        let mut displaced = Displaced::default();
        for n in 0..=MOST {
            displaced.note(b"n", &format!("{n}.1"), "x.1");
            displaced.note(b"n", &format!("{n}.2"), "x.1");
        }
        assert!(!displaced.contains(b"n", "0.1"));
        assert!(displaced.contains(b"n", "1.1"));
        assert_eq!(displaced.0.len(), MOST);
    }
}
