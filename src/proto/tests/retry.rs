//! Further attempts of a request, and the cases without one.

mod many;
mod others;

use super::net::*;
use crate::proto::Terms;
use crate::proto::broker::Departure;
use crate::wire::omdp::Place;

fn terms(retry: u8) -> Terms {
    Terms {
        timeout: Some(secs(60)),
        retry,
        ..Terms::default()
    }
}

fn ask(net: &mut Net, client: Id<ClientActor>, text: &str, retry: u8) -> u64 {
    net.request_on(client, "echo", json(text), terms(retry))
}

/// Whether the client has heard which worker had the request.
fn told_of_a_worker(net: &mut Net, client: Id<ClientActor>, request: u64) -> bool {
    let place = &net.seen(client, request).place;
    matches!(place, Some(Place::Worker(name)) if !name.is_empty())
}

/// All ways in which a worker can be lost.
const DEATHS: [&str; 5] = ["killed", "cut", "silent", "stopped", "restarted"];

fn kill(net: &mut Net, worker: Id<WorkerActor>, how: &str) {
    match how {
        "killed" => net.kill(worker),
        "cut" => net.cut(worker, &[Side::Broker, Side::Dealer]),
        "silent" => net.power_off(worker),
        "stopped" => net.act(worker, |worker, now| worker.machine.stop(now, Some(now))),
        "restarted" => net.restart(worker),
        _ => unreachable!(),
    }
}

/// A worker dies with a request, and another one is registered.
struct Death {
    net: Net,
    b: Id<BrokerActor>,
    c: Id<ClientActor>,
    first: Id<WorkerActor>,
    second: Id<WorkerActor>,
    r: u64,
}

fn death(how: &str, retry: u8) -> Death {
    let (mut net, b, first, c) = trio();
    net.serve(first, |_| Job::endless());
    let r = ask(&mut net, c, "1", retry);
    net.run(secs(1));
    let second = net.worker(b, "echo");
    net.run(secs(1));
    kill(&mut net, first, how);
    net.run(secs(20));
    Death {
        net,
        b,
        c,
        first,
        second,
        r,
    }
}

#[test]
fn another_worker_gets_what_the_dead_one_had() {
    for how in DEATHS {
        let mut t = death(how, 1);
        assert_eq!(t.net.end(t.c, t.r), done("1"), "{how}");
        assert_eq!(t.net.started(t.first), ["1"], "{how}");
        assert_eq!(t.net.started(t.second), ["1"], "{how}");
        assert_eq!(t.net[t.second].retried, [1], "{how}");
        assert_eq!(t.net[t.b].machine.load()[0], 0, "{how}");
    }
}

#[test]
fn without_retry_nothing_runs_twice() {
    for how in DEATHS {
        let mut t = death(how, 0);
        assert_eq!(t.net.end(t.c, t.r), failed("W_LOST"), "{how}");
        assert_eq!(t.net.started(t.second), [""; 0], "{how}");
        assert_eq!(t.net.seen(t.c, t.r).earlier, 0, "{how}");
        assert!(told_of_a_worker(&mut t.net, t.c, t.r), "{how}");
    }
}

#[test]
fn it_starts_once_more_for_each_retry_and_then_is_lost() {
    for retry in [1, 2, 255] {
        let (mut net, _, w, c) = trio();
        net.serve(w, |_| Job::endless());
        let request = Terms {
            timeout: None,
            retry,
            ..Terms::default()
        };
        let r = net.request_on(c, "echo", json("1"), request);
        for _ in 0..usize::from(retry) + 1 {
            assert_eq!(net.end(c, r), None);
            net.run(ms(500));
            net.restart(w);
        }
        net.run(secs(1));
        assert_eq!(net.end(c, r), failed("W_LOST"));
        let attempts: Vec<u8> = (0..=retry).collect();
        assert_eq!(net[w].retried, attempts);
        assert_eq!(net.seen(c, r).earlier, retry);
        assert!(told_of_a_worker(&mut net, c, r));
    }
}

#[test]
fn after_a_partial_it_is_lost() {
    let (mut net, b, w, c) = trio();
    net.serve(w, |_| Job::endless().parts(1));
    let r = ask(&mut net, c, "1", 9);
    net.run(ms(500));
    net.kill(w);
    net.worker(b, "echo");
    net.run(secs(1));
    assert_eq!(net.end(c, r), failed("W_LOST"));
    assert_eq!(net.seen(c, r).partials.len(), 1);
}

/// A request that has not started is returned as often as necessary.
#[test]
fn a_returned_request_is_no_attempt() {
    let (mut net, _, w, c) = trio();
    net.act(w, |worker, _| worker.busy = true);
    let r = ask(&mut net, c, "1", 1);
    for _ in 0..5 {
        net.run(ms(100));
        // The application has taken nothing, so a goodbye returns it.
        net.act(w, |worker, now| worker.machine.stop(now, None));
        net.run(ms(100));
        net.start(w);
    }
    net.run(ms(100));
    net.act(w, |worker, _| worker.busy = false);
    net.run(ms(100));
    assert_eq!(net.end(c, r), done("1"));
    assert_eq!(net[w].retried, [0]);
}

#[test]
fn while_it_waits_again_it_keeps_its_deadline_and_can_be_cancelled() {
    for cancel in [false, true] {
        let (mut net, b, w, c) = trio();
        net.serve(w, |_| Job::endless());
        net.run(at(1000) - net.now());
        let request = Terms {
            timeout: Some(ms(800)),
            retry: 3,
            ..Terms::default()
        };
        let r = net.request_on(c, "echo", json("1"), request);
        net.run(ms(500));
        net.kill(w);
        net.run(ms(100));
        assert_eq!((net.end(c, r), net[b].machine.load()), (None, [1, 0, 1, 1]));
        if cancel {
            net.act(c, |client, _| client.cancel(r));
            net.run(ms(10));
        } else {
            net.run(secs(1));
            assert_eq!(net.end(c, r), failed("C_TIMEOUT"));
            assert_eq!(net.seen(c, r).at, at(1800));
        }
        assert_eq!(net[b].machine.load(), [0, 0, 1, 0]);
        let w = net.worker(b, "echo");
        net.run(secs(1));
        assert_eq!(net.started(w), [""; 0]);
    }
}

#[test]
fn the_order_is_kept_and_the_lost_ones_end() {
    let mut net = Net::new();
    let b = net.broker();
    let c = net.client(b);
    let first = net.worker_with(b, "echo", |config| config.concurrency = Some(6));
    net.serve(first, |_| Job::endless());
    let requests: Vec<u64> = (0..6)
        .map(|n| ask(&mut net, c, &n.to_string(), n % 2))
        .collect();
    let waiting = ask(&mut net, c, "6", 0);
    net.run(secs(1));
    net.kill(first);
    let second = net.worker(b, "echo");
    net.run(secs(1));
    assert_eq!(net.started(second), ["1", "3", "5", "6"]);
    assert_eq!(net.end(c, waiting), done("6"));
    for (n, request) in requests.into_iter().enumerate() {
        let expected = match n % 2 {
            0 => failed("W_LOST"),
            _ => done(&n.to_string()),
        };
        assert_eq!(net.end(c, request), expected);
    }
    let (_, why, lost) = net[b].departures()[0];
    assert_eq!((why, lost), (Departure::Connection, 6));
}

#[test]
fn a_broker_that_stops_gives_nothing_to_another() {
    let (mut net, b, w, c) = trio();
    net.serve(w, |_| Job::endless());
    let r = ask(&mut net, c, "1", 3);
    net.worker(b, "echo");
    net.run(secs(1));
    net.act(b, |broker, now| broker.machine.discard(now));
    net.run(ms(50));
    assert_eq!(net.end(c, r), failed("B_LOST"));
}
