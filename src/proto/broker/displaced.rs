//! Displaced peers: of two clients with one name, the later one keeps it. Of two workers the first one keeps it, see
//! [`detached`](super::detached), unless `reconnectGrace` is 0.
//!
//! The transport gives a name to the latest connection. Two peers with one name would therefore take it from each
//! other for ever, since each reconnects after it has lost its connection. The earlier peer is recognized here when
//! it reconnects, and is told to stay away.

use super::RoutingId;
use super::session::life;
use std::collections::VecDeque;

/// Maximum of remembered peers. A displaced peer reconnects after its interval, or after a
/// partition.
const MAX_REMEMBERED: usize = 1024;

#[derive(Debug, Default)]
pub(super) struct Displaced(VecDeque<(RoutingId, Box<str>)>);

impl Displaced {
    /// Records that the peer with this name and old session was displaced by the new session.
    pub(super) fn note(&mut self, name: &[u8], old: &str, new: &str) {
        let (old, new) = (life(old), life(new));
        if old.is_empty() || new.is_empty() || old == new || self.contains(name, old) {
            return;
        }
        if self.0.len() == MAX_REMEMBERED {
            self.0.pop_front();
        }
        self.0.push_back((name.into(), old.into()));
    }

    /// Whether a peer with this name and the life of this session was displaced before.
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
    fn a_peer_that_returns_was_not_displaced_by_itself() {
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
        for n in 0..=MAX_REMEMBERED {
            displaced.note(b"n", &format!("{n}.1"), "x.1");
            displaced.note(b"n", &format!("{n}.2"), "x.1");
        }
        assert!(!displaced.contains(b"n", "0.1"));
        assert!(displaced.contains(b"n", "1.1"));
        assert_eq!(displaced.0.len(), MAX_REMEMBERED);
    }
}
