//! A worker stops in order: nothing is lost, and nothing runs twice.

use super::net::*;
use crate::proto::Terms;
use crate::proto::broker::Departure;
use crate::proto::code::Code;
use crate::proto::machine::Machine;
use std::time::Duration;

pub fn stop(net: &mut Net, worker: Id<WorkerActor>, patience: Option<Duration>) {
    net.act(worker, |worker, now| {
        worker
            .machine
            .stop(now, patience.map(|patience| now + patience));
    });
}

pub fn goodbyes(net: &Net, broker: Id<BrokerActor>) -> usize {
    let departures = net[broker].departures();
    let goodbyes = departures
        .iter()
        .filter(|(_, why, lost)| (*why, *lost) == (Departure::Goodbye, 0));
    goodbyes.count()
}

#[test]
fn a_worker_that_never_had_a_broker_leaves_at_once() {
    let mut net = Net::new();
    let b = net.broker();
    net.kill(b);
    let w = net.worker(b, "echo");
    net.run(secs(1));
    stop(&mut net, w, None);
    assert_eq!(net[w].drained, Some(at(1000)));
    assert_eq!(net[w].machine.next_deadline(), None);
}

/// 0.0.92 opened its socket again.
#[test]
fn a_worker_that_waits_to_reconnect_stays_stopped() {
    let mut net = Net::new();
    let b = net.broker();
    let w = net.worker(b, "echo");
    net.run(secs(1));
    net.cut(w, &[Side::Dealer, Side::Broker]);
    net.run(ms(50));
    stop(&mut net, w, None);
    assert_eq!(net[w].drained, Some(at(1050)));
    net.run(secs(10));
    assert_eq!(net[b].machine.load(), [0; 4]);
    assert_eq!(net[w].news.len(), 2);
}

#[test]
fn running_requests_end_before_the_drain() {
    let mut net = Net::new();
    let b = net.broker();
    let w = net.worker_with(b, "echo", |config| config.concurrency = Some(3));
    let c = net.client(b);
    net.serve(w, |body| Job::echo(body).parts(10).every(ms(100)));
    let requests = [net.request(c, "echo", "1"), net.request(c, "echo", "2")];
    net.run(ms(500));
    stop(&mut net, w, Some(secs(60)));
    net.run(secs(10));
    for (r, text) in requests.into_iter().zip(["1", "2"]) {
        assert_eq!(net.end(c, r), done(text));
        assert_eq!(net.seen(c, r).partials.len(), 10);
    }
    assert_eq!(
        net[w].drained,
        Some(at(1107)),
        "a round trip after the last of them"
    );
    assert_eq!(goodbyes(&net, b), 1);
    assert_eq!(net[b].machine.load(), [0, 0, 1, 0]);
}

#[test]
fn at_the_deadline_what_runs_is_given_up_and_its_client_told() {
    let (mut net, _, w, c) = trio();
    net.serve(w, |_| Job::endless());
    let r = net.request(c, "echo", "1");
    net.run(ms(500));
    stop(&mut net, w, Some(secs(2)));
    net.run(secs(10));
    assert_eq!(net[w].drained, Some(at(2502)));
    assert_eq!(net[w].cancelled, [(at(2500), 1, Code::WorkerLost)]);
    assert_eq!(
        (net.seen(c, r).at, net.end(c, r)),
        (at(2502), failed("W_LOST"))
    );
    assert_eq!(net[w].machine.outstanding(), 0);
    assert_eq!(net[w].machine.next_deadline(), None);
}

/// The application of a process that ends will not end anything any more.
#[test]
fn at_the_end_of_its_process_a_worker_leaves_at_once_after_what_it_has_said() {
    let mut net = Net::new();
    let b = net.broker();
    let w = net.worker_with(b, "echo", |config| config.concurrency = Some(2));
    let c = net.client(b);
    net.serve(w, |body| match &body.bytes[..] {
        b"1" => Job::echo(body).every(ms(100)),
        _ => Job::endless(),
    });
    let said = net.request(c, "echo", "1");
    let running = net.request(c, "echo", "2");
    let again = net.act(c, |client, now| {
        let terms = Terms {
            retry: 1,
            ..Terms::default()
        };
        client.ask(now, "echo", json("3"), terms)
    });
    net.run(ms(110));
    let other = net.worker(b, "echo");
    net.serve(other, Job::echo);
    net.run(ms(1));
    net.act(w, |worker, now| worker.machine.exit(now));
    net.run(ms(20));
    assert_eq!(net.end(c, said), done("1"));
    assert_eq!(net.end(c, running), failed("W_LOST"));
    assert_eq!(net.end(c, again), done("3"));
    assert!(net[w].drained.is_some(), "the broker has answered");
    assert_eq!(goodbyes(&net, b), 1);
    net.act(w, |worker, now| worker.machine.exit(now));
    assert_eq!(net[w].machine.next_deadline(), None);
}

#[test]
fn requests_that_wait_for_a_broker_are_not_flushed() {
    let (mut net, b, w, c) = trio();
    net.serve(w, |body| Job::echo(body).every(ms(100)));
    net.request(c, "echo", "1");
    net.run(ms(50));
    assert_eq!(net[c].machine.unflushed(), 0);
    net.kill(b);
    net.run(ms(20));
    net.request(c, "echo", "2");
    assert_eq!(
        Machine::unflushed(&net[w].machine),
        0,
        "its handler goes on"
    );
    net.run(ms(100));
    assert_eq!(Machine::unflushed(&net[w].machine), 1);
    assert_eq!(net[c].machine.unflushed(), 2);
    net.start(b);
    net.run(secs(5));
    assert_eq!(Machine::unflushed(&net[w].machine), 0);
    assert_eq!(net[c].machine.unflushed(), 0);
}

#[test]
fn a_cancel_ends_the_drain() {
    let (mut net, _, w, c) = trio();
    net.serve(w, |_| Job::endless());
    let r = net.request(c, "echo", "1");
    net.run(ms(100));
    stop(&mut net, w, None);
    net.act(c, |client, _| client.cancel(r));
    net.run(ms(10));
    assert_eq!(net[w].drained, Some(at(104)));
}

#[test]
fn a_broker_that_dies_and_stays_away_ends_the_drain() {
    let (mut net, b, w, c) = trio();
    net.serve(w, |_| Job::endless());
    net.request(c, "echo", "1");
    net.run(ms(100));
    stop(&mut net, w, None);
    net.kill(b);
    net.run(secs(10));
    assert_eq!(net[w].drained, Some(at(7601)));
    assert_eq!(net[w].machine.next_deadline(), None);
}

#[test]
fn through_an_old_broker_what_runs_ends_first_too() {
    let mut net = Net::new();
    let b = net.old_broker();
    let w = net.worker(b, "echo");
    let c = net.client(b);
    net.serve(w, |body| Job::echo(body).every(secs(1)));
    let r = net.request(c, "echo", "1");
    net.run(ms(600));
    stop(&mut net, w, Some(secs(5)));
    net.run(secs(3));
    assert_eq!(net.end(c, r), done("1"));
    assert_eq!(net[b].workers(), 0);
}

#[test]
fn after_the_drain_it_can_be_started_again() {
    let (mut net, _, w, c) = trio();
    for n in 0..20 {
        assert_eq!(
            net.call(c, "echo", &n.to_string()),
            End::Final(json(&n.to_string()))
        );
        stop(&mut net, w, None);
        let waiting = net.request(c, "echo", "\"waits\"");
        net.run(ms(10));
        assert!(net[w].drained.is_some());
        net.start(w);
        net.run(ms(10));
        assert_eq!(net.end(c, waiting), done("\"waits\""));
    }
}
