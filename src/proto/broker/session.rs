//! The ids of sessions: the id of a life, then `.` or `-` and the number of the connection.

use crate::wire::Hello;

/// The id of the life to which a session belongs: the session without the number of the connection. Empty if there is
/// none.
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
}
