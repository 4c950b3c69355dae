//! Limits of held bytes: what the broker keeps for a peer is charged in advance.

use super::net::texts::{claim, past, resume};
use super::net::*;
use crate::proto::broker::{BrokerEvent, Departure, HeldLimits};
use crate::proto::flow::WINDOW;
use crate::wire::omdp::{ClaimState, Past};

const HELLO: &str =
    r#"{"concurrency":1,"flow":1,"heartbeat":2500,"liveness":3,"omdp":1,"session":"s"}"#;

fn limited(held: HeldLimits) -> (Net, Id<BrokerActor>) {
    let mut net = Net::new();
    let b = net.broker_with(|config| config.held = held);
    (net, b)
}

/// The peer's messages are ignored for a second, and heard after it.
fn assert_banned_for_a_second(net: &mut Net, raw: Id<RawDealer>) {
    net.say(raw, &format!("C|1|{HELLO}"));
    net.run(ms(900));
    assert_eq!(net.take(raw), [""; 0]);
    net.run(ms(200));
    net.say(raw, &format!("C|1|{HELLO}"));
    net.run(ms(10));
    assert_eq!(net.take(raw).len(), 1);
}

fn held(net: &Net, b: Id<BrokerActor>) -> u64 {
    net[b].machine.stats(net.now()).held_bytes as u64
}

/// The scopes of the reported limits.
fn scopes(net: &Net, b: Id<BrokerActor>) -> Vec<&'static str> {
    let events = net[b].events.iter();
    let scopes = events.filter_map(|(_, event)| match event {
        BrokerEvent::LimitReached { scope, .. } => Some(*scope),
        _ => None,
    });
    scopes.collect()
}

#[test]
fn a_peer_makes_the_broker_keep_no_more_than_its_share() {
    let (mut net, b) = limited(HeldLimits {
        peer: 5_000,
        ..HeldLimits::default()
    });
    let (c, other) = (net.client(b), net.client(b));
    net.run(ms(10));
    let body = || json(&format!("\"{}\"", "x".repeat(998)));
    let requests: Vec<u64> = (0..10)
        .map(|_| net.request_with(c, "nobody", body(), None))
        .collect();
    net.run(ms(20));
    let ends = net.ends(c, &requests);
    assert_eq!(ends[..3], [None, None, None]);
    assert_eq!(ends[3..], vec![failed("B_QUEUE_FULL"); 7]);
    assert!(held(&net, b) < 5_000 + 2_000);
    assert_eq!(scopes(&net, b), ["peer"; 7]);
    let r = net.request_with(other, "nobody", body(), None);
    net.run(ms(20));
    assert_eq!(net.end(other, r), None);
    // A request at a worker is charged until it has ended.
    let w = net.worker(b, "nobody");
    net.serve(w, |_| Job::endless());
    net.run(ms(20));
    let more = net.request_with(c, "nobody", body(), None);
    net.run(ms(20));
    assert_eq!(net.end(c, more), failed("B_QUEUE_FULL"));
    net.kill(c);
    net.kill(other);
    net.kill(w);
    net.run(secs(10));
    assert_eq!(held(&net, b), 0);
}

#[test]
fn the_total_is_bounded_too() {
    let (mut net, b) = limited(HeldLimits {
        total: 6_000,
        ..HeldLimits::default()
    });
    let clients: Vec<_> = (0..20).map(|_| net.client(b)).collect();
    net.run(ms(50));
    assert!((5_000..=6_000 + 6_000 / 8).contains(&held(&net, b)));
    assert!(scopes(&net, b).iter().all(|scope| *scope == "total"));
    assert!(!scopes(&net, b).is_empty());
    for c in clients {
        net.kill(c);
    }
    net.run(secs(10));
    assert_eq!(held(&net, b), 0);
}

/// Over ipc strangers have no address, so that they can use up the total.
#[test]
fn strangers_that_use_up_the_total_take_nothing_from_a_peer_with_little() {
    let (mut net, b) = limited(HeldLimits {
        peer: 32_000_000,
        total: 64_000_000,
        ..HeldLimits::default()
    });
    let w = net.worker(b, "honest");
    net.serve(w, Job::echo);
    let client = net.client(b);
    let strangers: Vec<_> = (0..4).map(|_| net.client(b)).collect();
    net.run(ms(20));
    for n in 0..400 {
        let body = json(&format!("\"{}\"", "x".repeat(300_000)));
        net.request_with(strangers[n % 4], "nobody", body, None);
    }
    net.run(ms(20));
    assert!(scopes(&net, b).contains(&"total"));
    let calls: Vec<u64> = (0..50)
        .map(|n| net.request(client, "honest", &n.to_string()))
        .collect();
    net.run(ms(100));
    let ends = net.ends(client, &calls);
    assert!(
        ends.iter().all(|end| matches!(end, Some(End::Final(_)))),
        "{ends:?}"
    );
    assert!(held(&net, b) <= 64_000_000 + 8_000_000);
}

#[test]
fn a_peer_that_goes_on_is_sent_away_for_a_while() {
    let (mut net, b) = limited(HeldLimits {
        peer: 2_000,
        ..HeldLimits::default()
    });
    let raw = net.raw(b, b"R");
    net.run(secs(20));
    net.say(raw, &format!("C|1|{HELLO}"));
    net.run(ms(10));
    net.take(raw);
    for n in 0..150 {
        net.say(raw, &format!("C|2|nobody|r{n}|{}|{{}}", "1".repeat(1_000)));
    }
    net.run(ms(10));
    let heard = net.take(raw);
    let refused = heard
        .iter()
        .filter(|frames| frames.contains("B_QUEUE_FULL"));
    assert_eq!(refused.count(), 100);
    assert_eq!(heard.last().map(String::as_str), Some("C|5"));
    let gone = |(_, event): &(_, BrokerEvent)| {
        matches!(
            event,
            BrokerEvent::ClientGone {
                why: Departure::OverLimit,
                ..
            }
        )
    };
    assert!(net[b].events.iter().any(gone));
    assert_banned_for_a_second(&mut net, raw);
}

#[test]
fn resumed_and_claimed_requests_are_charged_as_new_ones() {
    let (mut net, b) = limited(HeldLimits {
        peer: 3_500,
        ..HeldLimits::default()
    });
    let (c, w) = (net.raw(b, b"C"), net.raw(b, b"W"));
    net.say(c, &format!("C|1|{HELLO}"));
    net.say(w, &format!("W|1|echo|{HELLO}"));
    net.run(ms(10));
    net.take(c);
    net.take(w);
    let past = Past {
        wait_ms: 0x7f00,
        ..past(0)
    };
    for n in 0..4 {
        let body = "1".repeat(1_000);
        net.say(c, &resume("echo", &format!("r{n}"), &body, past));
    }
    for n in 0..10 {
        net.say(w, &claim("C", &format!("q{n}"), ClaimState::Running, 0x101));
    }
    net.run(ms(10));
    let lost = net.take(c);
    assert_eq!(lost.len(), 2, "{lost:?}");
    assert!(lost.iter().all(|frames| frames.contains("B_LOST")));
    let disclaimed = net.take(w);
    assert!((4..=6).contains(&disclaimed.len()), "{disclaimed:?}");
    assert!(disclaimed.iter().all(|frames| frames.starts_with("W|12|")));
}

/// The worker loses the request; other requests of the client are not affected.
#[test]
fn a_worker_that_sends_beyond_its_window_loses_the_request_and_then_its_place() {
    let mut net = Net::new();
    let b = net.broker();
    let (c, w) = (net.client(b), net.raw(b, b"W"));
    net.worker(b, "other");
    net.act(c, |client, now| client.set_reading(now, false));
    net.say(w, &format!("W|1|echo|{HELLO}"));
    net.run(ms(10));
    for serial in 1..=3 {
        let r = net.request(c, "echo", "1");
        let held = net.request(c, "nobody", "1");
        net.run(ms(10));
        let heard = net.take(w);
        let token = heard.iter().find_map(|frames| {
            let ext = frames.strip_prefix("W|2|")?.rsplit('|').next()?;
            Some(ext.to_string())
        });
        let ext = token.expect("it was given the request");
        let part = format!("W|6|C|r|0|{}|{ext}", "1".repeat(WINDOW as usize));
        for _ in 0..6 {
            net.say(w, &part);
        }
        net.run(ms(10));
        assert_eq!(net.end(c, r), failed("W_BAD_REPLY"), "{serial}");
        assert_eq!(net.end(c, held), None);
        net.act(c, |client, _| client.cancel(held));
        net.act(c, |client, now| client.set_reading(now, true));
        assert_eq!(net.call(c, "other", "2"), End::Final(json("2")));
        net.act(c, |client, now| client.set_reading(now, false));
    }
    net.run(ms(10));
    assert_eq!(net.take(w).last().map(String::as_str), Some("W|5"));
}

/// A worker of another service that guesses the id of a request cannot block the claim.
#[test]
fn a_claim_of_another_service_is_no_obstacle() {
    let mut net = Net::new();
    let b = net.broker();
    let (w, thief, c) = (net.raw(b, b"W"), net.raw(b, b"T"), net.raw(b, b"C"));
    net.say(thief, &format!("W|1|other|{HELLO}"));
    net.say(thief, &claim("C", "r", ClaimState::Running, 0x101));
    net.say(w, &format!("W|1|echo|{HELLO}"));
    net.say(w, &claim("C", "r", ClaimState::Running, 0x201));
    net.run(ms(10));
    assert!(
        net.take(w)
            .iter()
            .all(|frames| !frames.starts_with("W|12|"))
    );
    let past = Past {
        wait_ms: 0x7f00,
        ..past(0)
    };
    net.say(c, &format!("C|1|{HELLO}"));
    net.say(c, &resume("echo", "r", "1", past));
    net.run(ms(10));
    assert!(net.take(w).iter().any(|frames| frames.starts_with("W|11|")));
}

#[test]
fn lists_of_mmi_come_in_pages_and_are_made_seldom() {
    let mut net = Net::new().unaudited();
    let b = net.broker();
    let c = net.client(b);
    for n in 0..600 {
        let raw = net.raw(b, format!("w{n}").as_bytes());
        net.say(raw, &format!("W|1|service {n:03}"));
    }
    net.run(ms(20));
    let mut ask = |page: &str| match net.call(c, "mmi.services", page) {
        End::Final(body) => serde_json::from_slice::<Vec<serde_json::Value>>(&body.bytes)
            .expect("a list")
            .len(),
        other => panic!("{other:?}"),
    };
    assert_eq!((ask("null"), ask("0")), (512, 512));
    assert_eq!(
        (ask("1"), ask("2"), ask("18446744073709551615")),
        (88, 0, 0)
    );
    let many: Vec<u64> = (0..10)
        .map(|page| net.request(c, "mmi.workers", &page.to_string()))
        .collect();
    net.run(ms(20));
    let refused = net.ends(c, &many);
    let refused = refused.iter().filter(|end| **end == failed("B_QUEUE_FULL"));
    assert!(refused.count() >= 4);
}

/// The end of many requests takes several turns, and messages are handled in between.
#[test]
fn the_requests_of_a_client_that_is_gone_end_by_and_by() {
    let mut net = Net::new();
    let b = net.broker();
    let c = net.raw(b, b"C");
    for n in 0..2_000 {
        net.say(c, &format!("C|2|nobody|r{n}|1|{{}}"));
    }
    net.say(c, "C|2|echo|last|1|{}");
    net.run(ms(20));
    let left = |net: &Net| net[b].machine.load()[0];
    assert_eq!(left(&net), 2_001);
    net.act(b, |broker, now| {
        let frames = &mut vec![b"C".to_vec(), b"1".to_vec(), HELLO.into()];
        broker.machine.handle_message(now, b"C", frames);
        let frames = &mut vec![b"C".to_vec(), b"5".to_vec()];
        broker.machine.handle_message(now, b"C", frames);
    });
    // Many clients may leave in one turn, so none of the requests ends in it. The name is free at once.
    assert_eq!(left(&net), 2_001);
    net.say(c, &format!("C|1|{HELLO}"));
    net.run(ms(10));
    assert_eq!(left(&net), 0);
    assert_eq!(net[b].machine.load(), [0, 0, 1, 0]);
    assert_eq!(net.take(c).len(), 2);
}

const KIB: usize = 1024;

/// Reports a peer's backlog to the broker. Returns whether it is permitted.
fn backlog(net: &mut Net, b: Id<BrokerActor>, peer: &str, bytes: usize) -> bool {
    let mut may = false;
    net.act(b, |broker, now| {
        may = broker
            .machine
            .handle_waiting_from(now, peer.as_bytes(), bytes);
    });
    may
}

#[test]
fn messages_that_wait_for_their_turn_are_charged_except_for_the_first() {
    let (mut net, b) = limited(HeldLimits {
        peer: 1024 * KIB,
        ..HeldLimits::default()
    });
    net.run(secs(20));
    for bytes in [256 * KIB, 300 * KIB, 600 * KIB, 0, 600 * KIB, 100 * KIB] {
        assert!(backlog(&mut net, b, "R", bytes));
        let charged = bytes.saturating_sub(256 * KIB);
        assert_eq!(held(&net, b), charged as u64);
    }
    let tables = |net: &Net| net[b].machine.stats(net.now()).tables.accounts;
    assert_eq!(tables(&net), 0);
}

#[test]
fn a_peer_with_too_much_that_waits_for_its_turn_is_sent_away() {
    let (mut net, b) = limited(HeldLimits {
        peer: 1024 * KIB,
        ..HeldLimits::default()
    });
    net.run(secs(20));
    let raw = net.raw(b, b"R");
    net.say(raw, &format!("C|1|{HELLO}"));
    net.run(ms(10));
    net.take(raw);
    assert!(backlog(&mut net, b, "R", 1024 * KIB));
    assert!(!backlog(&mut net, b, "R", 1281 * KIB));
    assert_eq!(scopes(&net, b), ["peer"]);
    net.run(ms(10));
    assert_eq!(net.take(raw), ["C|5"]);
    assert_eq!(held(&net, b), 0);
    // Messages of the peer are ignored during the ban.
    assert_banned_for_a_second(&mut net, raw);
}

/// Other peers have their turns in between.
#[test]
fn a_worker_that_takes_any_number_is_given_much_by_and_by() {
    let mut net = Net::new().unaudited();
    let b = net.broker();
    let c = net.raw(b, b"C");
    for n in 0..2_000 {
        net.say(c, &format!("C|2|echo|r{n}|1|{{}}"));
    }
    net.run(ms(20));
    let mut given = 0;
    net.act(b, |broker, now| {
        let hello = HELLO.replace(r#""concurrency":1"#, r#""concurrency":-1"#);
        let frames = [b"W".to_vec(), b"1".to_vec(), b"echo".to_vec(), hello.into()];
        broker
            .machine
            .handle_message(now, b"W", &mut frames.to_vec());
        let sent = broker.machine.drain_transmits();
        given = sent.filter(|transmit| *transmit.to == *b"W").count();
    });
    assert!((100..1_000).contains(&given), "{given}");
    net.run(ms(20));
    assert_eq!(net[b].machine.stats(net.now()).queued, 0);
}

/// A peer that takes its messages is not removed because other peers have filled a common limit.
#[test]
fn messages_that_a_peer_does_not_take_are_charged_to_it() {
    let (mut net, b) = limited(HeldLimits {
        peer: 2048 * KIB,
        total: 3072 * KIB,
        ..HeldLimits::default()
    });
    net.run(secs(20));
    let ready = |net: &mut Net, peer: &str, bytes: usize| {
        let mut may = false;
        net.act(b, |broker, now| {
            may = broker
                .machine
                .handle_waiting_to(now, peer.as_bytes(), bytes);
        });
        may
    };
    assert!(ready(&mut net, "A", 2048 * KIB));
    assert!(!ready(&mut net, "A", 2560 * KIB));
    assert_eq!(held(&net, b), 1792 * KIB as u64);
    assert!(ready(&mut net, "B", 1536 * KIB));
    assert!(ready(&mut net, "C", 1024 * KIB));
    assert!(!ready(&mut net, "C", 1025 * KIB));
    assert_eq!(scopes(&net, b), ["peer", "total", "total"]);
    for peer in ["A", "B", "C"] {
        assert!(ready(&mut net, peer, 0));
    }
    assert_eq!(held(&net, b), 0);
}

/// The accounts of their clients have them until they end.
#[test]
fn requests_that_wait_for_their_worker_do_not_send_it_away_at_a_limit_that_others_share() {
    let (mut net, b) = limited(HeldLimits {
        total: 4096 * KIB,
        ..HeldLimits::default()
    });
    let w = net.raw(b, b"W");
    net.say(
        w,
        &format!(
            "W|1|echo|{}",
            HELLO.replace(r#"concurrency":1"#, r#"concurrency":-1"#)
        ),
    );
    let c = net.client(b);
    net.run(ms(20));
    let body = || json(&format!("\"{}\"", "x".repeat(1500 * KIB)));
    for service in ["echo", "echo", "nobody"] {
        net.request_with(c, service, body(), None);
        net.run(ms(20));
    }
    assert_eq!(scopes(&net, b), ["total"]);
    let waits = |net: &mut Net, bytes: usize| {
        let mut may = false;
        net.act(b, |broker, now| {
            may = broker.machine.handle_waiting_to(now, b"W", bytes);
        });
        may
    };
    assert!(waits(&mut net, 3000 * KIB));
    assert_eq!(scopes(&net, b), ["total"]);
    // More is not theirs.
    assert!(!waits(&mut net, 3600 * KIB));
    assert_eq!(scopes(&net, b), ["total"; 2]);
}

/// In pieces, of which the client may send more meanwhile.
#[test]
fn a_client_that_cannot_be_disconnected_is_told_the_end_of_each_of_very_many_requests() {
    let mut net = Net::new();
    let b = net.broker();
    let raw = net.raw(b, b"R");
    net.run(ms(10));
    for n in 0..300 {
        net.say(raw, &format!("C|2|nobody|r{n}|1|{{\"timeout\":-1}}"));
    }
    net.run(ms(10));
    assert_eq!(net[b].machine.load(), [300, 0, 1, 1]);
    net.act(b, |broker, now| broker.machine.handle_overflow(now, b"R"));
    net.say(raw, "C|2|nobody|late|1|{\"timeout\":-1}");
    net.run(ms(10));
    let heard = net.take(raw);
    let ended = heard.iter().filter(|frames| frames.contains("C_SLOW"));
    assert_eq!(ended.count(), 300);
    assert_eq!(net[b].machine.load(), [1, 0, 1, 1]);
}

/// With security its connection cannot be stopped, so that what waits is charged.
#[test]
fn a_peer_of_which_little_waits_is_not_sent_away_because_strangers_use_up_the_total() {
    let (mut net, b) = limited(HeldLimits {
        total: 64 << 20,
        ..HeldLimits::default()
    });
    net.run(secs(20));
    let waits = |net: &mut Net, peer: &str, bytes: usize| {
        net.act(b, |broker, now| {
            broker.machine.note_connections(1000);
            (broker.machine).handle_waiting_from(now, peer.as_bytes(), bytes)
        })
    };
    for stranger in ["A", "B"] {
        assert!(waits(&mut net, stranger, 32 << 20));
    }
    assert!(!waits(&mut net, "C", 32 << 20));
    assert!(waits(&mut net, "honest", 256 * KIB));
    assert!(!waits(&mut net, "honest", 512 * KIB));
    for peer in ["A", "B", "C", "honest"] {
        waits(&mut net, peer, 0);
    }
    assert_eq!(held(&net, b), 0);
}
