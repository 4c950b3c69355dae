//! One incomplete reply may exceed limits of held bytes that peers share: it frees what its request makes the broker
//! keep.

use super::net::*;
use crate::proto::broker::{BrokerEvent, HeldLimits, RoutingId};

const HELLO: &str =
    r#"{"concurrency":1,"flow":1,"heartbeat":2500,"liveness":3,"omdp":1,"session":"s"}"#;

const LARGE: usize = 1_000_000;

/// A broker whose limit such a message exceeds, with the workers W1, W2 and W3 of which the first have a request each.
fn exceeded(requests: usize) -> (Net, Id<BrokerActor>) {
    let mut net = Net::new();
    let b = net.broker_with(|config| {
        config.held = HeldLimits {
            total: 100_000,
            ..HeldLimits::default()
        }
    });
    let c = net.client(b);
    for name in [b"W1", b"W2", b"W3"] {
        let w = net.raw(b, name);
        net.say(w, &format!("W|1|echo|{HELLO}"));
    }
    net.run(ms(10));
    for _ in 0..requests {
        net.request(c, "echo", "1");
    }
    net.run(ms(10));
    (net, b)
}

/// A part of a message arrives over a connection with these peers, the first of which is charged.
fn shared(net: &mut Net, b: Id<BrokerActor>, peers: &[&[u8]], bytes: usize) -> bool {
    let peers: Vec<RoutingId> = peers.iter().map(|&peer| peer.into()).collect();
    net.act(b, |broker, now| {
        (broker.machine).handle_unfinished(now, &peers[0], bytes, &peers)
    })
}

fn arrives(net: &mut Net, b: Id<BrokerActor>, peer: &[u8], bytes: usize) -> bool {
    shared(net, b, &[peer], bytes)
}

/// The same after this number of seconds, in which parts of these messages were signs of life.
fn goes_on(net: &mut Net, b: Id<BrokerActor>, seconds: u64, peer: &[u8], bytes: usize) -> bool {
    for _ in 0..seconds {
        net.run(ms(1000));
        net.act(b, |broker, now| {
            for worker in [b"W1", b"W2", b"W3"] {
                broker.machine.handle_heard(now, worker);
            }
        });
    }
    arrives(net, b, peer, bytes)
}

fn over_limit(net: &Net, b: Id<BrokerActor>) -> (u64, usize) {
    let events = net[b].events.iter();
    let told = events.filter(|(_, event)| matches!(event, BrokerEvent::LimitReached { .. }));
    let stats = net[b].machine.stats(net.now());
    (stats.counters.over_limit, told.count())
}

#[test]
fn one_worker_at_a_time_has_it() {
    let (mut net, b) = exceeded(2);
    let mut arrives = |name: &[u8], bytes| arrives(&mut net, b, name, bytes);
    let busy = [b"W1", b"W2", b"W3"].map(|name| arrives(name, LARGE));
    assert_eq!(busy, [true, false, false], "the third has no request");
    assert!(arrives(b"W1", 2 * LARGE));
    assert!(!arrives(b"C2", LARGE) && !arrives(b"W2", LARGE));
    arrives(b"W1", 0);
    assert!(arrives(b"W2", LARGE));
    assert!(!arrives(b"W1", LARGE));
    arrives(b"W2", 0);
    assert!(arrives(b"W1", LARGE));
    arrives(b"W1", 0);
    assert!(net[b].machine.stats(net.now()).held_bytes < 10_000);
}

#[test]
fn any_worker_of_a_shared_connection_may_have_the_request() {
    let (mut net, b) = exceeded(1);
    assert!(shared(&mut net, b, &[b"W3", b"W1"], LARGE));
    assert!(!arrives(&mut net, b, b"W1", LARGE), "it is held by W3");
    assert!(shared(&mut net, b, &[b"W3", b"W1"], 0));
    assert!(!shared(&mut net, b, &[b"W3", b"W2"], LARGE));
    // The connection itself has no name.
    assert!(shared(&mut net, b, &[b"id", b"W2", b"W1"], LARGE));
    shared(&mut net, b, &[b"id"], 0);
}

fn displaced(net: &mut Net, b: Id<BrokerActor>) -> Option<RoutingId> {
    net.act(b, |broker, _| broker.machine.take_displaced_message())
}

#[test]
fn a_message_that_hardly_grows_loses_it_to_others() {
    let (mut net, b) = exceeded(2);
    assert!(arrives(&mut net, b, b"W1", LARGE));
    assert!(goes_on(&mut net, b, 12, b"W1", LARGE + 1), "nobody waits");
    assert_eq!(displaced(&mut net, b), None);
    // Nothing more of it arrives, but its worker is heard.
    assert!(arrives(&mut net, b, b"W2", LARGE));
    assert_eq!(displaced(&mut net, b), Some(b"W1"[..].into()));
    assert!(!arrives(&mut net, b, b"W1", LARGE + 2));
    arrives(&mut net, b, b"W1", 0);
    // One that grows keeps it.
    for n in 2..5 {
        assert!(!arrives(&mut net, b, b"W1", LARGE));
        assert!(goes_on(&mut net, b, 6, b"W2", n * 1_100_000));
    }
    // The next message follows without a pause.
    assert!(goes_on(&mut net, b, 6, b"W2", LARGE));
    assert!(goes_on(&mut net, b, 6, b"W2", LARGE + 1));
    assert!(!goes_on(&mut net, b, 6, b"W2", LARGE + 2));
    assert!(arrives(&mut net, b, b"W1", LARGE));
    assert_eq!(displaced(&mut net, b), None);
}

#[test]
fn it_is_over_when_the_message_is_charged() {
    let (mut net, b) = exceeded(2);
    assert!(arrives(&mut net, b, b"W1", LARGE));
    assert!(arrives(&mut net, b, b"W1", 80_000));
    assert!(arrives(&mut net, b, b"W2", LARGE));
    assert!(!arrives(&mut net, b, b"W1", LARGE));
}

#[test]
fn an_exempt_message_is_no_refusal() {
    let (mut net, b) = exceeded(2);
    for n in 1..5 {
        assert!(arrives(&mut net, b, b"W1", n * LARGE));
    }
    assert_eq!(over_limit(&net, b), (0, 0));
    assert!(!arrives(&mut net, b, b"W2", LARGE));
    assert_eq!(over_limit(&net, b), (1, 1));
}
