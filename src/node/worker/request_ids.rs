//! The clients' ids of requests, for subscribers of the handling's channel.

use crate::io::Message;
use std::collections::BTreeMap;

/// An offer that is taken back leaves its id here. More entries than one drain and its nested ones have.
const MAX_IDS: usize = 8192;

/// Empty while nobody subscribes: a record has no field for an id that hardly anybody reads.
#[derive(Default)]
pub(super) struct RequestIds {
    kept: bool,
    ids: BTreeMap<u64, Message>,
}

impl RequestIds {
    pub(super) fn keep(&mut self, keep: bool) {
        self.kept = keep;
        if !keep {
            self.ids.clear();
        }
    }

    #[inline]
    pub(super) fn add(&mut self, delivery: u64, rid: &Message) {
        if self.kept {
            self.insert(delivery, rid);
        }
    }

    #[cold]
    fn insert(&mut self, delivery: u64, rid: &Message) {
        if self.ids.len() >= MAX_IDS {
            self.ids.pop_first();
        }
        self.ids.insert(delivery, rid.clone());
    }

    pub(super) fn take(&mut self, delivery: u64) -> Option<String> {
        let rid = self.ids.remove(&delivery)?;
        (!rid.is_empty()).then(|| own(&String::from_utf8_lossy(&rid)).to_owned())
    }
}

/// The id as the client has it. On the wire, 1.x clients put a hexadecimal number and `-` in front of it, and `.`
/// and the number of the attempt behind it; a broker puts NUL and a number behind it for a request to all workers.
fn own(rid: &str) -> &str {
    let rid = rid.split('\0').next().unwrap_or(rid);
    let Some((session, rest)) = rid.split_once('-') else {
        return rid;
    };
    let id = rest.split_once('.').map_or(rest, |(id, _)| id);
    let digits =
        |text: &str, is: fn(&char) -> bool| !text.is_empty() && text.chars().all(|c| is(&c));
    match digits(session, char::is_ascii_hexdigit) && digits(id, char::is_ascii_digit) {
        true => id,
        false => rid,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_that_of_the_client() {
        assert_eq!(own("9f3c01-17"), "17");
        assert_eq!(own("9f3c01-17.2"), "17");
        assert_eq!(own("9f3c01-17\0\u{3}"), "17");
        assert_eq!(
            own("6a1f0c1e-5e2b-4c3e-8a55-0123456789ab"),
            "6a1f0c1e-5e2b-4c3e-8a55-0123456789ab"
        );
        for rid in ["", "17", "-17", "9f-", "x-1", "é-1"] {
            assert_eq!(own(rid), rid);
        }
    }

    #[test]
    fn ids_are_kept_while_asked_for_and_given_once() {
        let mut ids = RequestIds::default();
        ids.add(1, &Message::from(&b"a-1"[..]));
        assert_eq!(ids.take(1), None);
        ids.keep(true);
        for delivery in 0..=MAX_IDS as u64 {
            ids.add(delivery, &Message::from(&b"a-1"[..]));
        }
        assert_eq!(ids.ids.len(), MAX_IDS);
        assert_eq!(ids.take(0), None);
        assert_eq!(ids.take(1).as_deref(), Some("1"));
        assert_eq!(ids.take(1), None);
        ids.keep(false);
        assert_eq!(ids.take(2), None);
    }
}
