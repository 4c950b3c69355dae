//! Requests for one worker, by name or by affinity key.

use crate::proto::Terms;
use crate::proto::tests::net::*;
use std::collections::BTreeMap;

fn named(net: &mut Net, broker: Id<BrokerActor>, service: &str, name: &str) -> Id<WorkerActor> {
    let worker = net.named_worker(broker, service, name.as_bytes(), |_| {});
    net.run(ms(10));
    worker
}

#[test]
fn a_request_for_a_worker_waits_for_it_and_others_pass() {
    let mut net = Net::new();
    let b = net.broker();
    let c = net.client(b);
    let [one, two] = ["one", "two"].map(|name| named(&mut net, b, "echo", name));
    net.serve(one, |body| Job::echo(body).every(secs(1)));
    let first = net.request_more(c, "echo", "1", r#""worker":"one""#);
    net.run(ms(100));
    let second = net.request_more(c, "echo", "2", r#""worker":"one""#);
    let other = net.request(c, "echo", "3");
    net.run(ms(100));
    assert_eq!(
        net.ends(c, &[first, second, other]),
        [None, None, done("3")]
    );
    net.run(secs(3));
    assert_eq!(net.ends(c, &[first, second]), [done("1"), done("2")]);
    assert_eq!(net.started(one), ["1", "2"]);
    assert_eq!(net.started(two), ["3"]);
}

#[test]
fn a_worker_that_is_not_there_or_serves_something_else_is_none() {
    let mut net = Net::new();
    let b = net.broker();
    let c = net.client(b);
    named(&mut net, b, "other", "one");
    named(&mut net, b, "echo", "two");
    for name in ["one", "three"] {
        let r = net.request_more(c, "echo", "1", &format!(r#""worker":"{name}""#));
        net.run(ms(10));
        assert_eq!(net.end(c, r), failed("W_NONE"), "{name}");
    }
    assert_eq!(net[b].machine.load(), [0, 2, 1, 2]);
}

#[test]
fn requests_for_one_worker_end_with_it() {
    let mut net = Net::new();
    let b = net.broker();
    let c = net.client(b);
    let one = named(&mut net, b, "echo", "one");
    named(&mut net, b, "echo", "two");
    net.serve(one, |_| Job::endless());
    let terms = Terms {
        retry: 3,
        ..Terms::from(Some(secs(60)))
    };
    let running = net.request_on_more(c, "echo", json("1"), terms, r#""worker":"one""#);
    net.run(ms(10));
    let waiting = net.request_more(c, "echo", "2", r#""worker":"one""#);
    net.run(secs(1));
    net.kill(one);
    net.run(ms(10));
    assert_eq!(net.end(c, running), failed("W_LOST"));
    assert_eq!(net.end(c, waiting), failed("W_NONE"));
}

#[test]
fn a_worker_of_a_version_or_of_a_pattern_can_be_named() {
    let mut net = Net::new();
    let b = net.broker();
    let c = net.client(b);
    let old = named(&mut net, b, "api@1.0.0", "old");
    let new = named(&mut net, b, "api@2.0.0", "new");
    let all = net.named_worker(b, "wild.*", b"all", |config| config.serving.pattern = true);
    let own = named(&mut net, b, "wild.a", "own");
    for (service, name) in [("api", "old"), ("api@*", "old"), ("wild.a", "all")] {
        let r = net.request_more(c, service, "1", &format!(r#""worker":"{name}""#));
        net.run(ms(10));
        assert_eq!(net.end(c, r), done("1"), "{service} {name}");
    }
    let r = net.request_more(c, "api@^2", "1", r#""worker":"old""#);
    net.run(ms(10));
    assert_eq!(net.end(c, r), failed("W_NONE"));
    assert_eq!(
        [old, new, all, own].map(|w| net.started(w).len()),
        [2, 0, 1, 0]
    );
}

/// Requests with each of these keys, and the workers that got them.
fn places(
    net: &mut Net,
    c: Id<ClientActor>,
    workers: &[Id<WorkerActor>],
) -> BTreeMap<usize, usize> {
    let before: Vec<usize> = workers.iter().map(|&w| net.started(w).len()).collect();
    let requests: Vec<u64> = (0..200)
        .map(|n| {
            net.request_more(
                c,
                "echo",
                &n.to_string(),
                &format!(r#""key":"customer-{n}""#),
            )
        })
        .collect();
    net.run(secs(2));
    assert!(net.ends(c, &requests).iter().all(|end| end.is_some()));
    let mut places = BTreeMap::new();
    for (at, &w) in workers.iter().enumerate() {
        for text in &net.started(w)[before[at]..] {
            let former = places.insert(text.parse().expect("a number"), at);
            assert_eq!(former, None);
        }
    }
    places
}

#[test]
fn requests_of_a_key_go_to_one_worker_and_few_keys_move() {
    let mut net = Net::new();
    let b = net.broker();
    let c = net.client(b);
    let mut workers: Vec<_> = (0..4)
        .map(|n| named(&mut net, b, "echo", &format!("w{n}")))
        .collect();
    let first = places(&mut net, c, &workers);
    assert_eq!(places(&mut net, c, &workers), first);
    for at in 0..4 {
        let count = first.values().filter(|&&place| place == at).count();
        assert!((25..=80).contains(&count), "{at}: {count}");
    }
    workers.push(named(&mut net, b, "echo", "w4"));
    let second = places(&mut net, c, &workers);
    let moved: Vec<_> = (0..200).filter(|key| first[key] != second[key]).collect();
    assert!((15..=70).contains(&moved.len()), "{}", moved.len());
    assert!(
        moved.iter().all(|key| second[key] == 4),
        "to the new one alone"
    );
    net.kill(workers[4]);
    net.run(ms(10));
    assert_eq!(places(&mut net, c, &workers), first);
}

#[test]
fn requests_for_the_worker_of_a_key_move_with_the_workers() {
    let mut net = Net::new();
    let b = net.broker();
    let c = net.client(b);
    let waiting: Vec<u64> = (0..50)
        .map(|n| net.request_more(c, "echo", &n.to_string(), &format!(r#""key":"{n}""#)))
        .collect();
    net.run(secs(1));
    let one = net.named_worker(b, "echo", b"one", |_| {});
    net.serve(one, |_| Job::endless());
    net.run(secs(1));
    let two = named(&mut net, b, "echo", "two");
    net.run(secs(2));
    let ended = net.ends(c, &waiting).iter().flatten().count();
    assert!((10..=40).contains(&ended), "{ended}");
    assert_eq!(net.started(two).len(), ended);
    net.kill(one);
    net.run(secs(1));
    let lost = net
        .ends(c, &waiting)
        .iter()
        .filter(|end| **end == failed("W_LOST"))
        .count();
    assert_eq!(lost, 1);
    assert!(net.ends(c, &waiting).iter().all(|end| end.is_some()));
}

/// Although its versions share the other requests for the range.
#[test]
fn the_worker_of_a_key_is_one_of_the_highest_version() {
    let mut net = Net::new();
    let b = net.broker_with(|config| config.policies.spreads = true);
    let c = net.client(b);
    let workers: Vec<_> = [("1.0.0", "old"), ("1.1.0", "a"), ("1.1.0", "b")]
        .into_iter()
        .map(|(version, name)| named(&mut net, b, &format!("echo@{version}"), name))
        .collect();
    net.run(ms(10));
    for _ in 0..20 {
        let r = net.request_more(c, "echo@^1", "1", r#""key":"k""#);
        net.run(ms(100));
        assert_eq!(net.end(c, r), done("1"));
    }
    let counts: Vec<_> = workers.iter().map(|&w| net.started(w).len()).collect();
    assert!(counts == [0, 20, 0] || counts == [0, 0, 20], "{counts:?}");
}
