use super::segment::{COPIED, MAX_BYTES};
use super::*;
use crate::wire::omdp::ReplyKind;

const END: Ended<'static> = Ended {
    client: b"C",
    rid: b"r",
    user: None,
    token: 7,
    sent: 1,
    kind: ReplyKind::Final,
};

#[test]
fn a_broker_that_acknowledges_nothing_is_told_that_something_is_missing() {
    let mut log: Log<Vec<u8>> = Log::new();
    let body = Body::json(b"1".to_vec());
    let most = MAX_ALL_ENTRIES;
    for number in 0..(most + MAX_DROPPED + 2 * MAX_ENTRIES) as u64 {
        log.end(Time::ZERO, number, END, &body);
    }
    assert!((most - MAX_ENTRIES..=most + MAX_ENTRIES).contains(&log.len()));
    let Unacknowledged {
        finished, complete, ..
    } = log.take(Time::ZERO);
    assert!(!complete);
    assert!(finished.len() <= most + MAX_DROPPED + MAX_ENTRIES);
    assert_eq!(log.len(), 0);
}

#[test]
fn a_reply_that_is_taken_out_leaves_its_places_and_no_bytes() {
    let mut log: Log<Vec<u8>> = Log::new();
    let [short, long] = [2, 2 * COPIED].map(|len| Body::json(vec![b'1'; len]));
    for number in 0..3 {
        log.part(Time::ZERO, number, &short);
        log.part(Time::ZERO, number, &long);
        let token = 7 + number;
        let ended = Ended {
            token,
            sent: 2,
            ..END
        };
        log.end(Time::ZERO, number, ended, &long);
    }
    assert_eq!(log.number_of(8), Some(1));
    let (parts, finished) = log.take_reply(1);
    let (token, mut reply) = finished.expect("it has ended");
    assert!(parts.is_empty() && token == 8);
    assert_eq!(reply.take_missing(0), Some(vec![short, long.clone()]));
    assert_eq!(reply.end, Some((ReplyKind::Final, long)));
    assert_eq!(log.number_of(8), None);
    assert_eq!(log.youngest.shared, 2 * 2 * 2 * COPIED);
    assert_eq!(log.len(), 9);
    log.acknowledge(3);
    let rest = log.take(Time::ZERO + 2 * KEEP).finished;
    assert_eq!(
        rest.iter().map(|(number, _)| *number).collect::<Vec<_>>(),
        [2]
    );
}

#[test]
fn a_rejection_that_the_broker_must_have_is_not_claimed() {
    let take = |heard| {
        let mut log: Log<Vec<u8>> = Log::new();
        for kind in [ReplyKind::Final, ReplyKind::Rejected] {
            let body = Body::json(b"1".to_vec());
            log.end(Time::ZERO, 1, Ended { kind, ..END }, &body);
        }
        log.take(heard).finished.len()
    };
    assert_eq!(take(Time::ZERO + KEEP), 2);
    assert_eq!(take(Time::ZERO + KEEP * 5), 1);
}

#[test]
fn a_large_reply_that_was_dropped_is_known_to_have_ended_until_it_is_acknowledged() {
    let mut log: Log<Vec<u8>> = Log::with(Most {
        acknowledged: MAX_BYTES,
        unacknowledged: 4 * MAX_BYTES,
    });
    let body = Body::json(vec![b'1'; MAX_BYTES]);
    let count = 2 + 4 + 1;
    for number in 0..count {
        log.part(Time::ZERO, number, &Body::json(b"1".to_vec()));
        log.end(Time::ZERO, number, END, &body);
    }
    log.acknowledge(2);
    let Unacknowledged {
        finished, complete, ..
    } = log.take(Time::ZERO);
    assert!(complete);
    let dropped = finished.iter().filter(|(_, (_, reply))| reply.is_lost());
    let dropped: Vec<u64> = dropped.map(|(number, _)| *number).collect();
    assert_eq!(dropped, [1, 2]);
    let (_, (token, reply)) = &finished[0];
    assert_eq!(
        (*token, &*reply.client, &*reply.rid),
        (7, &b"C"[..], &b"r"[..])
    );
}

#[test]
fn of_large_replies_those_are_dropped_that_the_broker_has() {
    let mut log: Log<Vec<u8>> = Log::with(Most {
        acknowledged: 2 * MAX_BYTES + MAX_BYTES / 2,
        unacknowledged: 8 * MAX_BYTES,
    });
    let body = Body::json(vec![b'1'; MAX_BYTES]);
    for number in 0..6 {
        log.end(Time::ZERO, number, END, &body);
    }
    assert_eq!(log.len(), 6, "none is acknowledged");
    log.acknowledge(5);
    log.end(Time::ZERO, 6, END, &body);
    assert_eq!(log.len(), 3);
    let Unacknowledged {
        finished, complete, ..
    } = log.take(Time::ZERO);
    assert!(complete);
    let kept: Vec<_> = finished
        .iter()
        .map(|(n, (_, r))| (*n, r.is_lost()))
        .collect();
    assert_eq!(kept, [(4, false), (5, false), (6, false)]);
}

#[test]
fn what_is_acknowledged_and_old_is_forgotten() {
    let mut log: Log<Vec<u8>> = Log::new();
    let body = Body::json(vec![b'1'; 2000]);
    let later = Time::ZERO + KEEP;
    log.part(Time::ZERO, 1, &body);
    log.part(Time::ZERO, 1, &body);
    log.acknowledge(1);
    log.heard(later);
    assert_eq!(log.len(), 2, "the second is not");
    log.part(later, 2, &body);
    log.acknowledge(1);
    log.heard(later + KEEP);
    assert_eq!(log.len(), 1);
    let said = log.take(later + KEEP * 2);
    assert!(said.complete);
    assert_eq!(said.parts[&2], [body]);
}
