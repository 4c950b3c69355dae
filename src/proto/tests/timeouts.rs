//! The idle timeout of a request: exact to the millisecond, reported once, restarted by every
//! partial.

use super::net::*;
use crate::proto::broker::BrokerEvent;
use crate::proto::code::Code;
use crate::wire::omdp::Place;

/// A request at this time with a timeout of half a second.
fn ask_at<T>(net: &mut Net, client: Id<T>, when: u64) -> u64 {
    net.run(at(when) - net.now());
    net.request_with(client, "echo", json("1"), Some(500))
}

fn expired(net: &Net, broker: Id<BrokerActor>) -> Vec<bool> {
    let events = net[broker].events.iter();
    let expired = events.filter_map(|(_, event)| match event {
        BrokerEvent::RequestExpired { running, .. } => Some(*running),
        _ => None,
    });
    expired.collect()
}

#[test]
fn while_it_runs() {
    let (mut net, b, w, c) = trio();
    net.serve(w, |_| Job::endless());
    let r = ask_at(&mut net, c, 1000);
    net.run(secs(9));
    assert_eq!(net.end(c, r), failed("C_TIMEOUT"));
    assert_eq!(net.seen(c, r).at, at(1500));
    // The client's cancellation arrives before the broker's own deadline.
    assert_eq!(net[w].cancelled, [(at(1502), 1, Code::Aborted)]);
    assert_eq!(net[b].machine.load(), [0, 1, 1, 1]);
    assert_eq!(expired(&net, b), [true]);
    let at_worker = net.seen(c, r).place.clone();
    assert!(matches!(at_worker, Some(Place::Worker(name)) if !name.is_empty()));
}

#[test]
fn while_it_waits_in_the_queue() {
    let mut net = Net::new();
    let b = net.broker();
    let c = net.client(b);
    let r = ask_at(&mut net, c, 1000);
    net.run(ms(499));
    assert_eq!(net.end(c, r), None);
    net.run(ms(1));
    assert_eq!(net.end(c, r), failed("C_TIMEOUT"));
    net.run(ms(1));
    assert_eq!(net[b].machine.load(), [0, 0, 1, 0]);
    assert_eq!(expired(&net, b), [false]);
    assert_eq!(net.seen(c, r).place, Some(Place::NoWorker));
    let w = net.worker(b, "echo");
    net.run(secs(1));
    assert_eq!(net.started(w), [""; 0], "what expired never starts");
}

#[test]
fn while_there_is_no_broker() {
    let mut net = Net::new();
    let b = net.broker();
    let c = net.client(b);
    net.kill(b);
    let away = ask_at(&mut net, c, 5000);
    net.run(secs(1));
    assert_eq!(net.end(c, away), failed("C_TIMEOUT"));
    assert_eq!(net.seen(c, away).at, at(5500));
    let w = net.worker(b, "echo");
    net.start(b);
    net.run(secs(1));
    assert_eq!(net.started(w), [""; 0]);
}

#[test]
fn every_partial_restarts_it() {
    let (mut net, _, w, c) = trio();
    net.serve(w, |body| Job::echo(body).parts(50).every(ms(490)));
    let r = ask_at(&mut net, c, 1000);
    net.run(secs(60));
    assert_eq!(net.end(c, r), done("1"));
    assert_eq!(net.seen(c, r).partials.len(), 50);
}

#[test]
fn after_the_last_partial_it_runs_on() {
    for old_broker in [false, true] {
        let mut net = Net::new();
        let b = match old_broker {
            true => net.old_broker().any(),
            false => net.broker().any(),
        };
        let w = net.worker(b, "echo");
        let c = net.client(b);
        net.serve(w, |_| Job::endless().parts(3).every(ms(400)));
        let r = ask_at(&mut net, c, 1000);
        net.run(secs(60));
        assert_eq!(net.end(c, r), failed("C_TIMEOUT"));
        // The third part is sent at 2202 and arrives at 2204.
        assert_eq!(net.seen(c, r).at, at(2704), "old broker: {old_broker}");
    }
}

#[test]
fn none_is_none() {
    let mut net = Net::new();
    let b = net.broker();
    let c = net.client(b);
    let old = net.old_client(b);
    let requests = [
        net.request_with(c, "echo", json("1"), None),
        net.request_with(old, "echo", json("2"), None),
    ];
    net.run(secs(24 * 3600));
    assert_eq!(net[b].machine.load(), [2, 0, 2, 1]);
    net.worker(b, "echo");
    net.run(secs(1));
    assert_eq!(net.end(c, requests[0]), done("1"));
    assert_eq!(net.end(old, requests[1]), done("2"));
}

#[test]
fn many_at_once_are_each_on_time() {
    let mut net = Net::new();
    let b = net.broker();
    let c = net.client(b);
    net.run(secs(1));
    let timeouts: Vec<u64> = (0..500).map(|n| 1 + n * 7919 % 5000).collect();
    let requests: Vec<u64> = timeouts
        .iter()
        .map(|&timeout| net.request_with(c, "echo", json("1"), Some(timeout)))
        .collect();
    net.run(secs(6));
    for (request, timeout) in requests.into_iter().zip(timeouts) {
        assert_eq!(net.end(c, request), failed("C_TIMEOUT"));
        assert_eq!(net.seen(c, request).at, at(1000 + timeout));
    }
    assert_eq!(net[b].machine.load(), [0, 0, 1, 0]);
}

/// In 0.0.92 the request vanished when it expired in the queue, and its client crashed at its own
/// timeout.
#[test]
fn an_old_client_is_told_by_the_broker() {
    let mut net = Net::new();
    let b = net.broker();
    let c = net.old_client(b);
    let waiting = ask_at(&mut net, c, 1000);
    net.run(secs(1));
    assert_eq!(net.end(c, waiting), error("\"C_TIMEOUT\""));
    assert_eq!(net.seen(c, waiting).at, at(1502));
    let w = net.worker(b, "echo");
    net.serve(w, |_| Job::endless());
    let running = ask_at(&mut net, c, 3000);
    net.run(secs(1));
    assert_eq!(net.seen(c, running).at, at(3502));
    assert_eq!(net[w].cancelled, [(at(3502), 1, Code::Aborted)]);
    assert_eq!(expired(&net, b), [false, true]);
    assert_eq!(net[b].machine.load(), [0, 1, 0, 1]);
}

#[test]
fn a_late_reply_does_nothing_and_frees_an_old_worker() {
    let mut net = Net::new();
    let b = net.broker();
    let w = net.old_worker(b, "echo");
    let c = net.client(b);
    net.serve(w, |body| Job::echo(body).parts(1).every(secs(1)));
    let late = ask_at(&mut net, c, 1000);
    let next = net.request(c, "echo", "2");
    net.run(ms(1900));
    assert_eq!(net.end(c, late), failed("C_TIMEOUT"));
    assert_eq!(net.started(w), ["1"], "it is busy, for nobody");
    net.run(ms(200));
    assert_eq!(net.started(w), ["1", "2"]);
    net.run(secs(3));
    assert_eq!(net.end(c, next), done("2"));
    assert!(net.seen(c, late).partials.is_empty());
}

#[test]
fn a_worker_of_ours_is_free_at_once() {
    let (mut net, _, w, c) = trio();
    net.serve(w, |_| Job::endless());
    let late = ask_at(&mut net, c, 1000);
    let next = net.request(c, "echo", "2");
    net.run(ms(100));
    net.serve(w, Job::echo);
    net.run(secs(1));
    assert_eq!(net.end(c, late), failed("C_TIMEOUT"));
    assert_eq!(net.end(c, next), done("2"));
    // The request was parked, so its client has to release it first.
    assert_eq!(net.seen(c, next).at, at(1506));
    // A reply of the application after the end is ignored.
    net.act(w, |worker, now| {
        worker.end(now, 1, Outcome::Final(json("1")))
    });
    net.run(secs(1));
}

/// A reply that arrives exactly at the deadline is in time.
#[test]
fn a_reply_does_not_lose_against_its_own_timeout() {
    let (mut net, _, w, c) = trio();
    net.serve(w, |body| Job::echo(body).every(ms(496)));
    let r = ask_at(&mut net, c, 1000);
    net.run(secs(1));
    assert_eq!((net.seen(c, r).at, net.end(c, r)), (at(1500), done("1")));
}
