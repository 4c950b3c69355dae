//! A paused worker stays registered, gets no requests, and returns its offers.

use super::net::*;
use std::time::Duration;

fn ask(net: &mut Net, client: Id<ClientActor>, count: usize) -> Vec<u64> {
    let texts = (0..count).map(|n| n.to_string());
    texts
        .map(|text| net.request(client, "echo", &text))
        .collect()
}

fn pause(net: &mut Net, worker: Id<WorkerActor>) {
    net.act(worker, |worker, _| worker.pause());
}

fn resume(net: &mut Net, worker: Id<WorkerActor>) {
    net.act(worker, WorkerActor::unpause);
}

#[test]
fn it_gets_nothing_and_stays_registered_until_it_resumes() {
    let (mut net, b, w, c) = trio();
    pause(&mut net, w);
    net.run(secs(1));
    let r = net.request(c, "echo", "1");
    net.run(secs(30));
    assert!(net.started(w).is_empty());
    assert_eq!(net[b].machine.load(), [1, 1, 1, 1]);
    resume(&mut net, w);
    net.run(secs(1));
    assert_eq!(net.end(c, r), done("1"));
}

#[test]
fn running_requests_continue_and_those_not_started_go_to_another_worker_once() {
    for seed in 0..20 {
        let mut net = Net::seeded(seed);
        let b = net.broker();
        let c = net.client(b);
        let first = net.worker(b, "echo");
        for _ in 0..50 {
            assert_eq!(net.call(c, "echo", "0"), End::Final(json("0")));
        }
        net.act(first, |worker, _| worker.started.clear());
        let second = net.worker(b, "echo");
        pause(&mut net, second);
        net.serve(first, |body| Job::echo(body).every(ms(1)));
        let requests = ask(&mut net, c, 100);
        net.run(Duration::from_micros(500 + seed * 700));
        pause(&mut net, first);
        resume(&mut net, second);
        net.run(secs(1));
        for (n, r) in requests.into_iter().enumerate() {
            assert_eq!(net.end(c, r), done(&n.to_string()), "seed {seed}");
        }
        let (one, other) = (net.started(first), net.started(second));
        assert!(!other.is_empty(), "seed {seed}");
        assert_eq!(one.len() + other.len(), 100, "seed {seed}: none twice");
        assert_eq!(net[first].machine.outstanding(), 0);
    }
}

#[test]
fn a_request_that_crosses_the_pause_goes_back() {
    let (mut net, b, w, c) = trio();
    let other = net.worker(b, "echo");
    pause(&mut net, other);
    net.run(secs(1));
    let r = net.request(c, "echo", "1");
    // The request is under way from the broker.
    net.run_until(secs(1), |net| net[b].machine.stats(net.now()).running == 1);
    pause(&mut net, w);
    resume(&mut net, other);
    net.run(secs(1));
    assert_eq!(net.end(c, r), done("1"));
    assert!(net.started(w).is_empty());
    assert_eq!(net.started(other), ["1"]);
}

#[test]
fn it_is_still_paused_on_the_next_connection() {
    let (mut net, _, w, c) = trio();
    pause(&mut net, w);
    net.cut(w, &[Side::Dealer, Side::Broker]);
    net.run(secs(5));
    let r = net.request(c, "echo", "1");
    net.run(secs(30));
    assert!(net.started(w).is_empty());
    resume(&mut net, w);
    net.run(secs(1));
    assert_eq!(net.end(c, r), done("1"));
}

/// The broker does not take requests back, so one request waits at the worker.
#[test]
fn a_broker_of_0_0_92_has_given_one_request_that_waits() {
    let mut net = Net::new();
    let b = net.old_broker();
    let w = net.worker(b, "echo");
    let c = net.client(b);
    net.run(secs(1));
    pause(&mut net, w);
    let requests = ask(&mut net, c, 2);
    net.run(secs(5));
    assert!(net.started(w).is_empty());
    assert_eq!(net[w].machine.outstanding(), 1);
    resume(&mut net, w);
    net.run(secs(1));
    for (n, r) in requests.into_iter().enumerate() {
        assert_eq!(net.end(c, r), done(&n.to_string()));
    }
}

#[test]
fn a_paused_worker_that_stops_leaves_at_once() {
    let (mut net, b, w, _) = trio();
    pause(&mut net, w);
    net.run(secs(1));
    net.act(w, |worker, now| worker.machine.stop(now, None));
    net.run(secs(1));
    assert!(net[w].drained.is_some());
    assert_eq!(net[b].machine.load()[1], 0);
}
