//! Very many waiting requests change their places, in pieces, when a worker of a pattern or a version comes or goes.

use crate::proto::tests::net::texts::{REQUEST, request_with};
use crate::proto::tests::net::*;
use crate::wire::ext::RequestExt;

/// More than is done at once.
const MANY: usize = 400;

fn pattern(net: &mut Net, broker: Id<BrokerActor>, pattern: &str) -> Id<WorkerActor> {
    net.worker_with(broker, pattern, |config| config.serving.pattern = true)
}

/// Requests with the numbers from 0 on, each under the name that belongs to its number.
fn ask(net: &mut Net, b: Id<BrokerActor>, name: impl Fn(usize) -> String) -> Id<RawDealer> {
    let raw = net.raw(b, b"R");
    net.run(ms(1));
    for n in 0..MANY {
        net.say(raw, &format!("C|2|{}|r{n}|{n}|{{}}", name(n)));
    }
    net.run(ms(5));
    raw
}

/// Runs until the broker does something in pieces, which must be soon.
fn begin(net: &mut Net, b: Id<BrokerActor>) {
    net.run_until(ms(100), |net| {
        net[b].machine.stats(net.now()).tables.leaving > 0
    });
    assert_eq!(net[b].machine.stats(net.now()).tables.leaving, 1);
}

fn numbers(from: usize, to: usize) -> Vec<String> {
    (from..to).map(|n| n.to_string()).collect()
}

#[test]
fn a_pattern_gets_what_waits_under_very_many_names_in_order_of_arrival() {
    let mut net = Net::new();
    let b = net.broker();
    let raw = ask(&mut net, b, |n| format!("q{n}"));
    let w = pattern(&mut net, b, "q*");
    begin(&mut net, b);
    // Those that arrive meanwhile are behind the others.
    net.say(raw, &format!("C|2|q7|late|{MANY}|{{}}"));
    net.run(secs(5));
    assert_eq!(net.started(w), numbers(0, MANY + 1));
    assert_eq!(net[b].machine.load()[0], 0);
}

#[test]
fn the_requests_of_a_pattern_that_leaves_wait_under_their_names_in_order() {
    let mut net = Net::new();
    let b = net.broker();
    let w = pattern(&mut net, b, "q*");
    net.serve(w, |_| Job::endless());
    net.run(ms(50));
    ask(&mut net, b, |n| format!("q{}", n % 2));
    net.kill(w);
    begin(&mut net, b);
    net.run(secs(1));
    // It ran the first one.
    assert_eq!(net[b].machine.load(), [MANY - 1, 0, 1, 2]);
    let [zero, one] = ["q0", "q1"].map(|name| net.worker(b, name));
    net.run(secs(10));
    let expected = numbers(1, MANY).into_iter();
    let (even, odd): (Vec<_>, Vec<_>) =
        expected.partition(|n| n.parse::<usize>().is_ok_and(|n| n % 2 == 0));
    assert_eq!((net.started(zero), net.started(one)), (even, odd));
}

#[test]
fn a_pattern_that_comes_and_goes_meanwhile_changes_nothing() {
    let mut net = Net::new();
    let b = net.broker();
    ask(&mut net, b, |n| format!("q{}", n % 300));
    for _ in 0..3 {
        let w = pattern(&mut net, b, "q*");
        begin(&mut net, b);
        net.act(w, |worker, now| worker.machine.stop(now, None));
        net.run(ms(1));
    }
    let w = pattern(&mut net, b, "q*");
    net.run(secs(5));
    assert_eq!(net.started(w), numbers(0, MANY));
    assert_eq!(net[b].machine.load()[0], 0);
}

#[test]
fn a_range_moves_to_a_higher_version_and_back() {
    let mut net = Net::new();
    let b = net.broker();
    let low = net.worker(b, "lib@1.0.0");
    net.serve(low, |_| Job::endless());
    net.run(ms(50));
    ask(&mut net, b, |n| format!("lib@^1.0.{}", n % 2));
    let high = net.worker(b, "lib@1.5.0");
    net.serve(high, |body| match *body.bytes {
        [b'9'] => Job::endless(),
        _ => Job::echo(body),
    });
    begin(&mut net, b);
    net.run(secs(1));
    // The first one went to the low version; the high one has the next ones, until it is busy.
    assert_eq!(net.started(high), numbers(1, 10));
    net.kill(high);
    begin(&mut net, b);
    net.run(secs(1));
    // Those that the low version may serve wait for it, and the others under their name.
    assert_eq!(net[b].machine.load(), [MANY - 9, 1, 1, 2]);
}

/// The requests of an affinity key start in their order, whichever worker they are for.
#[test]
fn requests_with_keys_go_to_the_workers_of_their_keys() {
    let mut net = Net::new();
    let b = net.broker();
    let raw = net.raw(b, b"R");
    net.run(ms(1));
    for n in 0..MANY {
        let key = n % 10;
        let text = format!("C|2|keyed|r{n}|{n}|{{\"key\":\"k{key}\"}}");
        net.say(raw, &text);
    }
    net.run(ms(5));
    let workers = [0, 1, 2].map(|_| net.worker(b, "keyed"));
    net.run(secs(5));
    let started: Vec<Vec<String>> = workers.iter().map(|&w| net.started(w)).collect();
    assert_eq!(started.iter().map(Vec::len).sum::<usize>(), MANY);
    for started in &started {
        let mut numbers: Vec<usize> = started.iter().filter_map(|n| n.parse().ok()).collect();
        let in_order = numbers.clone();
        numbers.sort_unstable();
        assert_eq!(numbers, in_order);
    }
}

#[test]
fn very_many_requests_with_fail_fast_end_when_the_last_worker_leaves() {
    let mut net = Net::new();
    let b = net.broker();
    let w = net.worker(b, "echo");
    net.serve(w, |_| Job::endless());
    net.run(ms(50));
    let raw = net.raw(b, b"R");
    net.run(ms(1));
    let ext = RequestExt {
        fail_fast: true,
        ..REQUEST
    };
    for n in 0..MANY {
        net.say(
            raw,
            &request_with("echo", &format!("r{n}"), &n.to_string(), ext),
        );
    }
    net.run(ms(5));
    net.take(raw);
    net.kill(w);
    begin(&mut net, b);
    net.run(secs(1));
    let ends = net.take(raw);
    let none = ends.iter().filter(|frames| frames.contains("W_NONE"));
    assert_eq!(none.count(), MANY - 1);
    assert_eq!(net[b].machine.load()[0], 0);
}

/// Many requests with other keys and priorities wait for workers that are busy. A request that a free worker may have is
/// found without a look at each of them.
#[test]
fn a_request_beside_very_many_lanes_is_no_more_work() {
    let mut net = Net::new();
    let b = net.broker();
    for _ in 0..20 {
        let worker = net.worker(b, "keyed");
        net.serve(worker, |_| Job::endless());
    }
    net.run(ms(50));
    let raw = net.raw(b, b"R");
    net.run(ms(1));
    for n in 0..MANY {
        let (key, priority) = (n / 10, n % 10);
        let opts = format!("{{\"key\":\"k{key}\",\"priority\":{priority}}}");
        net.say(raw, &format!("C|2|keyed|r{n}|{n}|{opts}"));
    }
    net.run(ms(5));
    let free = net.worker(b, "keyed");
    net.serve(free, |_| Job::endless());
    net.run(secs(1));
    let (work, sent) = net.act(b, |broker, now| {
        let frames = ["C", "2", "keyed", "last", "1", "{}"];
        let mut frames = frames.map(|text| text.as_bytes().to_vec()).to_vec();
        broker.machine.take_work();
        broker.machine.handle_message(now, b"R", &mut frames);
        let work = broker.machine.take_work();
        (work, broker.machine.load()[0])
    });
    assert_eq!(sent, MANY + 1);
    assert!(work < 5, "{work}");
}

/// The last worker of a pattern is lost with very many requests, which go back in pieces.
#[test]
fn requests_that_a_lost_worker_of_a_pattern_had_find_one_of_their_own_name() {
    let mut net = Net::new();
    let b = net.broker();
    let w = net.worker_with(b, "q*", |config| {
        config.serving.pattern = true;
        config.concurrency = None;
    });
    net.serve(w, |_| Job::endless());
    let c = net.client(b);
    net.run(ms(50));
    let terms = crate::proto::Terms {
        retry: 1,
        ..crate::proto::Terms::default()
    };
    for n in 0..MANY {
        net.request_on(c, "q1", json(&n.to_string()), terms);
    }
    net.run(secs(1));
    assert_eq!(net.started(w).len(), MANY);
    net.kill(w);
    net.run(secs(1));
    let own = net.worker(b, "q1");
    net.run(secs(10));
    assert_eq!(net.started(own), numbers(0, MANY));
}
