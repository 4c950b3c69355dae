//! Requests outlive their broker: running ones are answered through the next broker, those that had
//! not started run once, and those in an unknown state end with `B_LOST`.

use super::net::*;
use crate::proto::Terms;
use crate::proto::code::Code;
use std::time::Duration;

pub fn scene(takes: Duration) -> Scene {
    Scene::new(move |body| Job::echo(body).every(takes), ms(500))
}

/// The broker dies, and another one starts after a while.
pub fn replace(net: &mut Net, b: Id<BrokerActor>, after: Duration) {
    net.kill(b);
    net.run(after);
    net.start(b);
}

#[test]
fn running_requests_are_answered_through_the_next_broker_and_waiting_ones_run_once() {
    for away in [0, 50, 400, 3000, 7000] {
        let Scene {
            mut net,
            b,
            w,
            c,
            running,
            queued,
        } = scene(secs(10));
        replace(&mut net, b, ms(away));
        net.run(secs(30));
        assert_eq!(net.end(c, running), done("1"), "{away}");
        assert_eq!(net.end(c, queued), done("2"), "{away}");
        assert_eq!(net.started(w), ["1", "2"], "{away}");
        assert_eq!(net[w].cancelled, [], "its user has noticed nothing");
        assert_eq!(net[b].machine.load(), [0, 1, 1, 1]);
    }
}

/// Their worker has died with the broker, and they may start again.
#[test]
fn requests_whose_searches_end_start_in_their_order() {
    let mut net = Net::new();
    let b = net.broker();
    let w = net.worker_with(b, "echo", |config| config.concurrency = None);
    let c = net.client_with(b, |config| config.link.away = secs(60));
    net.serve(w, |_| Job::endless());
    net.run(ms(100));
    let terms = Terms {
        timeout: None,
        retry: 1,
        ..Terms::default()
    };
    let numbers: Vec<String> = (0..8).map(|n| n.to_string()).collect();
    for text in &numbers {
        net.request_on(c, "echo", json(text), terms);
    }
    net.run(ms(100));
    assert_eq!(net.started(w), numbers);
    net.kill(w);
    replace(&mut net, b, ms(100));
    net.run(secs(20));
    let other = net.worker(b, "echo");
    net.run(secs(20));
    assert_eq!(net.started(other), numbers);
}

#[test]
fn a_reply_that_is_ready_while_the_broker_is_away_is_kept() {
    let Scene {
        mut net,
        b,
        c,
        w,
        running,
        queued,
    } = scene(secs(1));
    replace(&mut net, b, secs(3));
    net.run(ms(210));
    assert_eq!(net.end(c, running), done("1"));
    net.run(secs(2));
    assert_eq!(net.end(c, queued), done("2"));
    assert_eq!(net.started(w), ["1", "2"]);
}

#[test]
fn a_broker_that_dies_again_and_again_costs_nothing() {
    let Scene {
        mut net,
        b,
        c,
        w,
        running,
        queued,
    } = scene(secs(20));
    for _ in 0..10 {
        replace(&mut net, b, ms(300));
        net.run(ms(1700));
    }
    net.run(secs(30));
    assert_eq!(net.end(c, running), done("1"));
    assert_eq!(net.end(c, queued), done("2"));
    assert_eq!(net.started(w), ["1", "2"]);
}

/// The request was under way to the broker, and one worker never comes back.
#[test]
fn a_request_that_a_worker_may_have_had_ends_with_a_code() {
    let mut net = Net::new();
    let b = net.broker();
    let c = net.client(b);
    let gone = net.worker(b, "echo");
    net.run(ms(10));
    let r = net.request(c, "echo", "1");
    net.run(Duration::from_micros(500));
    net.kill(gone);
    replace(&mut net, b, ms(300));
    let w = net.worker(b, "echo");
    net.run(secs(7));
    assert_eq!(net.end(c, r), None);
    net.run(secs(9));
    assert_eq!(net.end(c, r), failed("B_LOST"));
    assert_eq!(net.started(w), [""; 0]);
    assert_eq!(net[b].machine.load(), [0, 1, 1, 1]);
}

#[test]
fn prefetched_requests_that_had_not_started_run_once() {
    let (mut net, b, w, c) = trio();
    // Fast, so that it is given requests ahead of need.
    for n in 0..50 {
        assert_eq!(
            net.call(c, "echo", &n.to_string()),
            End::Final(json(&n.to_string()))
        );
    }
    net.act(w, |worker, now| worker.set_concurrency(now, Some(3)));
    net.run(ms(10));
    net.act(w, |worker, _| worker.busy = true);
    let requests = net.requests(c, 50..53);
    net.run(ms(3));
    assert_eq!(net[w].machine.outstanding(), 3, "offered, and not taken");
    replace(&mut net, b, ms(300));
    net.act(w, |worker, _| worker.busy = false);
    net.run(secs(1));
    for (r, n) in requests.into_iter().zip(50..) {
        assert_eq!(net.end(c, r), done(&n.to_string()));
    }
    assert_eq!(net.started(w).len(), 53);
}

#[test]
fn a_stream_goes_on_in_order_or_ends() {
    // A part every 20 ms, each 2 ms under way.
    for kill_at in 500..525 {
        let (mut net, b, w, c) = trio();
        net.run(ms(10));
        net.serve(w, |body| Job::echo(body).parts(100).every(ms(20)));
        let r = net.request(c, "echo", "1");
        net.run(ms(kill_at) + Duration::from_micros(500));
        replace(&mut net, b, ms(300));
        net.run(secs(5));
        let parts: Vec<_> = net.seen(c, r).partials.clone();
        let expected: Vec<_> = (0..parts.len()).map(|n| json(&n.to_string())).collect();
        assert_eq!(parts, expected, "{kill_at}");
        if net.end(c, r) == failed("B_LOST") {
            assert!(parts.len() < 100);
            assert_eq!(net[w].cancelled.len(), 1);
        } else {
            assert_eq!((net.end(c, r), parts.len()), (done("1"), 100), "{kill_at}");
        }
    }
}

#[test]
fn a_client_that_gives_up_meanwhile_has_its_worker_told_at_once() {
    let Scene {
        mut net,
        b,
        c,
        w,
        running,
        queued,
    } = scene(secs(60));
    net.kill(b);
    net.run(secs(1));
    net.act(c, |client, _| {
        client.cancel(running);
        client.cancel(queued);
    });
    net.start(b);
    net.run(secs(1));
    assert_eq!(net[c].machine.outstanding(), 0);
    assert_eq!(net[w].cancelled[0].2, Code::Aborted);
    assert_eq!(net[w].machine.outstanding(), 0);
    net.serve(w, Job::echo);
    assert_eq!(net.call(c, "echo", "3"), End::Final(json("3")));
}

#[test]
fn cancelling_and_timing_out_work_as_before_after_the_restart() {
    let Scene {
        mut net,
        b,
        c,
        w,
        running,
        queued,
    } = scene(secs(60));
    replace(&mut net, b, ms(300));
    net.run(secs(1));
    net.act(c, |client, _| client.cancel(running));
    net.run(ms(2));
    assert_eq!(net[w].cancelled[0].2, Code::Aborted);
    net.run(secs(65));
    assert_eq!(net.end(c, queued), failed("C_TIMEOUT"));
}

/// The client permits it, and has seen no part of the reply.
#[test]
fn a_request_with_retry_runs_again_if_it_may_have_started() {
    let mut net = Net::new();
    let b = net.broker();
    let c = net.client(b);
    let gone = net.worker(b, "echo");
    net.run(ms(10));
    let terms = Terms {
        timeout: Some(secs(60)),
        retry: 1,
        fail_fast: false,
        routed: false,
        stream: false,
        deadline: None,
    };
    let r = net.request_on(c, "echo", json("1"), terms);
    net.run(Duration::from_micros(500));
    net.kill(gone);
    replace(&mut net, b, ms(300));
    let w = net.worker(b, "echo");
    net.run(secs(16));
    assert_eq!(net.end(c, r), done("1"));
    assert_eq!(net.started(w), ["1"]);
}

/// Its requests end in pieces, and a worker may have room before the last one.
#[test]
fn waiting_requests_do_not_start_while_their_client_is_removed() {
    for waiting in [100, 300, 1000] {
        let mut net = Net::new();
        let b = net.broker();
        let w = net.raw(b, b"W");
        let [other, c] = [net.client(b), net.client(b)];
        net.say(w, "W|1|echo");
        net.request(other, "echo", "first");
        net.run(ms(10));
        assert_eq!(net.take(w).len(), 1);
        for n in 0..waiting {
            net.request(c, "echo", &n.to_string());
        }
        net.run(ms(10));
        net.request(other, "echo", "last");
        net.run(ms(10));
        net.act(b, |broker, now| {
            broker.machine.handle_gone(now, b"C3");
            let reply = [&b"W"[..], b"3", b"C2", b"c2.0-0", b"0", b"1"].map(Vec::from);
            broker
                .machine
                .handle_message(now, b"W", &mut reply.to_vec());
        });
        net.run(ms(10));
        let got = net.take(w);
        assert_eq!(got.len(), 1, "{waiting}: {got:?}");
        assert!(got[0].contains("last"), "{waiting}: {got:?}");
        assert_eq!(net[b].machine.load()[0], 1, "{waiting}");
    }
}
