use super::allowance::STEP;
use super::*;
use crate::proto::broker::accounts::HeldLimits;

const CLIENT: ClientKey = ClientKey(2);

fn entry(rid: &str, part: u32, bytes: usize) -> Entry<Vec<u8>> {
    Entry {
        rid: rid.as_bytes().to_vec(),
        part,
        kind: ReplyKind::Partial,
        body: Body::json(vec![b'1'; bytes]),
    }
}

fn parts(entries: &[Entry<Vec<u8>>]) -> Vec<u32> {
    entries.iter().map(|entry| entry.part).collect()
}

#[test]
fn a_reply_continues_if_no_part_of_it_is_missing() {
    let entries = |parts: &[u32], last| {
        let mut entries: Vec<_> = parts.iter().map(|&part| entry("a", part, 1)).collect();
        entries.extend(last);
        entries
    };
    let end = |kind, part| Entry {
        kind,
        ..entry("a", part, 1)
    };
    assert_eq!(continued::<Vec<u8>>(&[], 3), Some(3));
    assert_eq!(continued(&entries(&[1, 2, 3], None), 2), Some(4));
    assert_eq!(continued(&entries(&[1, 3], None), 1), None);
    assert_eq!(continued(&entries(&[4], None), 3), None);
    assert_eq!(
        continued(&entries(&[1, 2], Some(end(ReplyKind::Final, 3))), 2),
        Some(3)
    );
    assert_eq!(
        continued(&entries(&[], Some(end(ReplyKind::Final, 3))), 2),
        None
    );
    assert_eq!(
        continued(&entries(&[], Some(end(ReplyKind::OwnError, 3))), 2),
        Some(2)
    );
}

#[test]
fn acknowledgements_of_dropped_messages_acknowledge_no_later_ones() {
    let mut logs = ReplyLogs::new();
    for part in 0..3 {
        logs.sent(CLIENT, entry("a", part, 1));
    }
    logs.acknowledge(CLIENT, 1);
    logs.sent(CLIENT, entry("b", 0, FREE));
    assert_eq!(logs.drop_oldest(CLIENT).len(), 2);
    for part in 3..5 {
        logs.sent(CLIENT, entry("a", part, 1));
    }
    logs.acknowledge(CLIENT, 2);
    logs.acknowledge(CLIENT, 2);
    logs.lose(CLIENT);
    assert_eq!(parts(&logs.take(CLIENT, b"a")), [4]);
    logs.audit(CLIENT);
}

#[test]
fn what_was_not_acknowledged_before_the_loss_is_kept_in_order() {
    let mut logs = ReplyLogs::new();
    for part in 0..4 {
        assert!(logs.sent(CLIENT, entry("a", part, 1)));
    }
    logs.acknowledge(CLIENT, 2);
    logs.lose(CLIENT);
    logs.keep(CLIENT, entry("a", 4, 1));
    logs.keep(CLIENT, entry("b", 0, 1));
    logs.audit(CLIENT);
    assert_eq!(parts(&logs.take(CLIENT, b"a")), [2, 3, 4]);
    assert!(logs.take(CLIENT, b"a").is_empty());
    assert_eq!(logs.rids(CLIENT).collect::<Vec<_>>(), [b"b"]);
    logs.forget_lost(CLIENT);
    logs.audit(CLIENT);
    assert_eq!(logs.rids(CLIENT).count(), 0);
}

#[test]
fn a_log_grows_by_what_is_allowed_and_gives_back_what_it_does_not_need() {
    let mut logs = ReplyLogs::new();
    assert!(logs.sent(CLIENT, entry("a", 0, FREE - OVERHEAD)));
    assert!(!logs.sent(CLIENT, entry("a", 1, 1)));
    assert_eq!(logs.lacks(CLIENT), STEP);
    logs.allow(CLIENT, STEP);
    assert!(logs.sent(CLIENT, entry("a", 2, 1)));
    assert_eq!(logs.take_back(CLIENT), STEP - 2 * (1 + OVERHEAD));
    logs.acknowledge(CLIENT, 9);
    logs.audit(CLIENT);
    assert_eq!(logs.take_back(CLIENT), 2 * (1 + OVERHEAD));
    assert_eq!(logs.take_back(CLIENT), 0);
}

#[test]
fn the_more_peers_the_less_is_free_of_a_new_log() {
    let mut accounts = Accounts::new(HeldLimits {
        total: 1000 * FREE,
        ..HeldLimits::NONE
    });
    let mut logs = ReplyLogs::new();
    assert!(logs.sent(ClientKey(0), entry("a", 0, FREE - OVERHEAD)));
    accounts.note_connections(500);
    logs.note_free(&accounts);
    assert!(logs.sent(CLIENT, entry("b", 0, FREE / 4 - OVERHEAD)));
    assert!(!logs.sent(CLIENT, entry("b", 1, 1)));
    assert_eq!(logs.lacks(CLIENT), STEP / 4);
    logs.allow(CLIENT, STEP / 4);
    logs.acknowledge(CLIENT, 2);
    assert_eq!(logs.take_back(CLIENT), STEP / 4);
    assert_eq!(logs.take_back(ClientKey(0)), 0);
}

#[test]
fn a_full_log_drops_its_oldest_messages() {
    let mut logs = ReplyLogs::new();
    for rid in ["a", "b", "c", "d"] {
        logs.sent(CLIENT, entry(rid, 0, FREE / 4 - OVERHEAD));
    }
    logs.sent(CLIENT, entry("e", 0, 1));
    let dropped = logs.drop_oldest(CLIENT);
    assert_eq!(dropped.len(), 3);
    assert!(!dropped.contains(&b"d"[..]) && !dropped.contains(&b"e"[..]));
    logs.audit(CLIENT);
    logs.acknowledge(CLIENT, 4);
    assert_eq!(logs.rids(CLIENT).collect::<Vec<_>>(), [b"e"]);
    logs.audit(CLIENT);
}

#[test]
fn the_last_message_of_a_kept_reply_can_be_dropped() {
    let mut logs = ReplyLogs::new();
    logs.keep(CLIENT, entry("a", 0, 1));
    logs.keep(CLIENT, entry("a", 1, 1));
    logs.drop_last(CLIENT, b"a");
    logs.audit(CLIENT);
    assert_eq!(parts(&logs.take(CLIENT, b"a")), [0]);
    logs.keep(CLIENT, entry("b", 0, 1));
    logs.drop_last(CLIENT, b"b");
    logs.audit(CLIENT);
    assert_eq!(logs.rids(CLIENT).count(), 0);
}
