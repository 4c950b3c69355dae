//! Limits of the queues.

use super::net::*;
use crate::proto::broker::{Broker, BrokerEvent, HeldLimits, Limits};
use crate::proto::{Terms, Time};
use crate::wire::omdp::testing::frames;

const NO_LIMITS: Limits = Limits {
    queue: usize::MAX,
    queue_bytes: usize::MAX,
    total: usize::MAX,
    total_bytes: usize::MAX,
};

/// A broker with these limits.
fn limited(limits: Limits) -> (Net, Id<BrokerActor>) {
    let mut net = Net::new();
    let b = net.broker_with(|config| config.limits = limits);
    (net, b)
}

fn ask(net: &mut Net, client: Id<ClientActor>, service: &str, count: usize) -> Vec<u64> {
    (0..count)
        .map(|_| net.request(client, service, "1"))
        .collect()
}

/// The reports of full queues: service, number of requests, and whether the limit is that of all
/// queues.
fn told(net: &Net, broker: Id<BrokerActor>) -> Vec<(String, usize, bool)> {
    let events = net[broker].events.iter();
    let full = events.filter_map(|(_, event)| match event {
        BrokerEvent::QueueFull {
            service,
            requests,
            total,
            ..
        } => {
            let service = String::from_utf8_lossy(service).into_owned();
            Some((service, *requests, *total))
        }
        _ => None,
    });
    full.collect()
}

#[test]
fn past_the_limit_of_a_service_requests_are_turned_away_at_once() {
    let (mut net, b) = limited(Limits {
        queue: 3,
        ..NO_LIMITS
    });
    let c = net.client(b);
    let full = ask(&mut net, c, "full", 5);
    let other = ask(&mut net, c, "other", 3);
    net.run(ms(2 + 4));
    let mut expected = vec![None; 3];
    expected.extend([failed("B_QUEUE_FULL"), failed("B_QUEUE_FULL")]);
    assert_eq!(net.ends(c, &full), expected);
    assert_eq!(net.ends(c, &other), vec![None; 3]);
    assert_eq!(told(&net, b), [("full".into(), 3, false)]);
    assert_eq!(
        net[b]
            .machine
            .stats(crate::proto::Time::ZERO)
            .counters
            .refused,
        2
    );
    // A worker empties the queue, and there is room.
    net.worker(b, "full");
    net.run(ms(20));
    assert_eq!(net.ends(c, &full[..3]), vec![done("1"); 3]);
    let more = ask(&mut net, c, "full", 1);
    net.run(ms(20));
    assert_eq!(net.ends(c, &more), [done("1")]);
}

#[test]
fn bytes_count_too() {
    let (mut net, b) = limited(Limits {
        queue_bytes: 1000,
        total_bytes: 1500,
        ..NO_LIMITS
    });
    let c = net.client(b);
    let body = |size: usize| json(&format!("\"{}\"", "x".repeat(size - 2)));
    let mut send = |service: &str, size: usize| {
        let r = net.request_with(c, service, body(size), None);
        net.run(ms(10));
        net.end(c, r)
    };
    // The options count too; {"timeout":-1} is 14 bytes.
    assert_eq!(send("a", 987), failed("B_QUEUE_FULL"));
    assert_eq!(send("a", 986), None);
    assert_eq!(send("a", 2), failed("B_QUEUE_FULL"));
    assert_eq!(send("b", 400), None);
    assert_eq!(send("c", 73), failed("B_QUEUE_FULL"));
    assert_eq!(send("c", 72), None);
    let stats = net[b].machine.stats(crate::proto::Time::ZERO);
    assert_eq!((stats.queued, stats.queued_bytes), (3, 1500));
    assert_eq!(
        told(&net, b),
        [
            ("a".into(), 0, false),
            ("a".into(), 1, false),
            ("c".into(), 2, true)
        ]
    );
}

#[test]
fn all_services_together_have_a_limit() {
    let (mut net, b) = limited(Limits {
        total: 10,
        ..NO_LIMITS
    });
    let c = net.client(b);
    let requests: Vec<u64> = (0..15)
        .map(|n| net.request(c, &format!("s{n}"), "1"))
        .collect();
    net.run(ms(10));
    let ends = net.ends(c, &requests);
    assert_eq!(ends[..10], vec![None; 10]);
    assert_eq!(ends[10..], vec![failed("B_QUEUE_FULL"); 5]);
    assert_eq!(
        net[b].machine.load(),
        [10, 0, 1, 10],
        "no service is left of those"
    );
    assert_eq!(told(&net, b), [("s10".into(), 10, true)]);
}

/// With a limit of zero, requests that a worker takes at once are admitted.
#[test]
fn requests_that_a_worker_takes_at_once_are_not_limited() {
    let (mut net, b) = limited(Limits {
        queue: 0,
        ..NO_LIMITS
    });
    let c = net.client(b);
    let w = net.worker_with(b, "echo", |config| {
        config.concurrency = Some(2);
        config.prefetch = 0;
    });
    net.serve(w, |body| Job::echo(body).every(secs(1)));
    net.run(ms(10));
    let requests = ask(&mut net, c, "echo", 3);
    net.run(secs(2));
    let expected = [done("1"), done("1"), failed("B_QUEUE_FULL")];
    assert_eq!(net.ends(c, &requests), expected);
}

#[test]
fn returned_requests_are_never_refused() {
    let (mut net, b) = limited(Limits {
        queue: 1,
        ..NO_LIMITS
    });
    let c = net.client(b);
    let w = net.worker_with(b, "echo", |config| config.concurrency = Some(4));
    net.serve(w, |_| Job::endless());
    net.run(ms(10));
    let request = Terms {
        timeout: Some(secs(60)),
        retry: 1,
        ..Terms::default()
    };
    let requests: Vec<u64> = (0..5)
        .map(|n| net.request_on(c, "echo", json(&n.to_string()), request))
        .collect();
    net.run(ms(100));
    net.kill(w);
    net.run(ms(100));
    assert_eq!(net.ends(c, &requests), vec![None; 5]);
    assert_eq!(net[b].machine.stats(crate::proto::Time::ZERO).queued, 5);
    let w = net.worker(b, "echo");
    net.run(ms(200));
    assert_eq!(net.started(w), ["0", "1", "2", "3", "4"]);
}

#[test]
fn old_and_mdp_clients_are_told_in_their_ways() {
    let (mut net, b) = limited(Limits {
        queue: 0,
        ..NO_LIMITS
    });
    let old = net.old_client(b);
    let r = net.request(old, "echo", "1");
    net.run(ms(10));
    assert_eq!(net.end(old, r), error("\"B_QUEUE_FULL\""));
    let mdp = net.raw(b, b"M");
    net.say(mdp, "MDPC02|\u{1}|echo|1");
    net.say(mdp, "∅|MDPC01|echo|1");
    net.run(ms(10));
    assert_eq!(
        net.take(mdp),
        [
            "MDPC02|\u{3}|echo|OMDP-CODE|B_QUEUE_FULL",
            "∅|MDPC01|echo|OMDP-CODE|B_QUEUE_FULL"
        ]
    );
    assert_eq!(net[b].machine.load(), [0, 0, 0, 0]);
}

#[test]
fn a_flood_is_told_once_and_again_when_there_was_room() {
    let (mut net, b) = limited(Limits {
        queue: 10,
        ..NO_LIMITS
    });
    let c = net.client(b);
    ask(&mut net, c, "echo", 100);
    net.run(secs(1));
    assert_eq!(told(&net, b).len(), 1);
    let w = net.worker_with(b, "echo", |config| config.prefetch = 0);
    net.serve(w, |body| Job::echo(body).every(ms(10)));
    // One leaves, one is admitted, the next is refused.
    for _ in 0..4 {
        net.run(ms(12));
        ask(&mut net, c, "echo", 2);
    }
    assert_eq!(told(&net, b).len(), 1);
    net.run(secs(1));
    ask(&mut net, c, "echo", 100);
    net.run(secs(2));
    assert_eq!(told(&net, b).len(), 2);
}

/// Invented names cost no memory, and the rate of events does not follow the flood.
#[test]
fn many_full_services_are_told_ten_times_a_second() {
    let (mut net, b) = limited(Limits {
        queue: 0,
        ..NO_LIMITS
    });
    let c = net.client(b);
    for n in 0..1000 {
        net.request(c, &format!("s{n}"), "1");
    }
    net.run(ms(500));
    assert_eq!(told(&net, b).len(), 10);
}

/// A million requests that no worker takes: each ends at its deadline, and messages are handled in
/// between.
#[test]
fn a_million_expire_in_turns() {
    const MANY: usize = 1_000_000;
    let mut net = Net::new();
    let b = net.broker_with(|config| {
        config.limits = NO_LIMITS;
        config.held = HeldLimits::NONE;
    });
    let config = net[b].config.clone();
    let mut broker: Broker<Vec<u8>> = Broker::new(config);
    let second = |n: u64| Time::ZERO + secs(n);
    for n in 0..MANY {
        let mut message = frames("C|2|echo|r|1|{}");
        message[3] = n.to_string().into_bytes();
        message.push(vec![0, 0, 0, 0x27, 0x10]);
        broker.handle_message(second(n as u64 / 500_000), b"C", &mut message);
    }
    assert_eq!(broker.stats(crate::proto::Time::ZERO).queued, MANY);
    broker.handle_timeout(Time::from_micros(9_999_999));
    assert_eq!(broker.stats(crate::proto::Time::ZERO).queued, MANY);
    let mut turns = 0;
    while broker.next_deadline().is_some_and(|at| at <= second(10)) {
        broker.handle_timeout(second(10));
        let told = broker.drain_transmits().count();
        assert!((1..=1024).contains(&told), "{told}");
        broker.drain_events(second(10));
        turns += 1;
    }
    assert!(turns > 400, "{turns}");
    assert_eq!(broker.stats(crate::proto::Time::ZERO).queued, MANY / 2);
    broker.handle_gone(second(10), b"C");
    while let Some(at) = broker.next_deadline() {
        assert!(at <= second(11));
        broker.handle_timeout(at);
    }
    assert_eq!(broker.load(), [0; 4]);
}

#[test]
fn requests_of_a_lost_worker_that_will_end_do_not_count_as_waiting() {
    for retry in [0, 1] {
        let mut net = Net::new();
        let b = net.broker();
        let [raw, asker] = [b"W", b"A"].map(|name| net.raw(b, name));
        net.run(ms(1));
        let hello = r#"{"omdp":1,"heartbeat":60000,"liveness":3,"session":"","concurrency":-1}"#;
        net.say(raw, &format!("W|1|s|{hello}"));
        net.run(ms(5));
        for n in 0..400 {
            net.say(asker, &format!("C|2|s|r{n}|1|{{\"retry\":{retry}}}"));
        }
        net.run(ms(5));
        net.kill(raw);
        net.run_until(secs(10), |net| {
            net[b].machine.stats(net.now()).tables.leaving > 0
        });
        let stats = net[b].machine.stats(net.now());
        assert_eq!((stats.requests, stats.queued), (400, 400 * retry));
        net.run(secs(1));
        let stats = net[b].machine.stats(net.now());
        assert_eq!((stats.requests, stats.queued), (400 * retry, 400 * retry));
    }
}
