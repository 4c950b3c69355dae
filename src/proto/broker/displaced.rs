//! Displaced peers: of two clients with one name, the later one keeps it. Of two workers the first one keeps it, see
//! [`detached`](super::detached), unless `reconnectGrace` is 0.
//!
//! The transport gives a name to the latest connection. Two peers with one name would therefore take it from each
//! other for ever, since each reconnects after it has lost its connection. The earlier peer is recognized here when
//! it reconnects, and is told to stay away.

use super::RoutingId;
use crate::wire::Hello;
use std::collections::VecDeque;

/// Maximum of remembered peers. A displaced peer reconnects after its interval, or after a
/// partition.
const MOST: usize = 1024;

/// The life in a session: the session without the count of connections. Empty if there is none.
pub(super) fn life(session: &str) -> &str {
    session
        .rsplit_once(['.', '-'])
        .map_or(session, |(life, _)| life)
}

/// Whether a session is that of an earlier connection than the other session of the same life.
pub(super) fn is_earlier(said: &str, held: &str) -> bool {
    let connection = |session: &str| {
        let (_, number) = session.rsplit_once(['.', '-'])?;
        number.parse::<u64>().ok()
    };
    let both = connection(said).zip(connection(held));
    life(said) == life(held) && both.is_some_and(|(said, held)| said < held)
}

/// Whether two hellos are of the same life on different connections.
pub(super) fn is_same_life(old: Option<&Hello>, new: &Hello) -> bool {
    old.is_some_and(|old| {
        let known = life(&old.session);
        !known.is_empty() && known == life(&new.session) && old.session != new.session
    })
}

#[derive(Debug, Default)]
pub(super) struct Displaced(VecDeque<(RoutingId, Box<str>)>);

impl Displaced {
    /// Records that the peer with this name and old session was displaced by the new session.
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
    fn the_connections_of_a_life_are_numbered() {
        assert!(is_earlier("a.9", "a.10"));
        assert!(is_earlier("c2.0-1", "c2.0-2"));
        for (said, held) in [
            ("a.10", "a.9"),
            ("a.1", "a.1"),
            ("a.1", "b.2"),
            ("a.x", "a.2"),
            ("a", "a.2"),
            ("", ""),
        ] {
            assert!(!is_earlier(said, held), "{said} {held}");
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
