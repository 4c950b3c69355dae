//! The second start of a request, and when there is none.

use super::net::*;
use crate::proto::Terms;
use crate::proto::broker::Departure;

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

/// Every way in which a worker may be lost.
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

/// A worker dies with a request, while another is there.
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

/// What has not started is given back as often as it takes.
#[test]
fn what_is_given_back_is_no_attempt() {
    let (mut net, _, w, c) = trio();
    net.act(w, |worker, _| worker.busy = true);
    let r = ask(&mut net, c, "1", 1);
    for _ in 0..5 {
        net.run(ms(100));
        // Its user has taken nothing, so a goodbye gives it back.
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

/// Whatever the worker is, and whatever becomes of it.
#[test]
fn old_workers_die_and_take_over() {
    let mut net = Net::new();
    let b = net.broker();
    let c = net.client(b);
    let first = net.old_worker(b, "echo");
    net.serve(first, |_| Job::endless());
    let r = ask(&mut net, c, "1", 2);
    net.run(secs(1));
    net.kill(first);
    let second = net.old_worker(b, "echo");
    net.serve(second, |_| Job::endless());
    net.run(secs(1));
    assert_eq!(net.started(second), ["1"]);
    net.kill(second);
    let third = net.worker(b, "echo");
    net.run(secs(1));
    assert_eq!(net.end(c, r), done("1"));
    assert_eq!(net[third].retried, [2]);
}

#[test]
fn an_mdp_worker_takes_over() {
    let mut net = Net::new();
    let b = net.broker();
    let c = net.client(b);
    let first = net.worker(b, "echo");
    net.serve(first, |_| Job::endless());
    let r = ask(&mut net, c, "1", 1);
    net.run(secs(1));
    net.kill(first);
    let second = net.raw(b, b"M");
    net.say(second, "MDPW02|\u{1}|echo");
    net.run(secs(1));
    let heard = net.take(second);
    let client = net.name(c).replace("ClientActor", "C");
    assert!(
        heard.contains(&format!("MDPW02|\u{2}|{client}|∅|1")),
        "{heard:?}"
    );
    net.say(second, &format!("MDPW02|\u{4}|{client}|∅|2"));
    net.run(secs(1));
    assert_eq!(net.end(c, r), done("2"));
}

/// It says that it abandons the request, and would be given it again before it has left.
#[test]
fn an_mdp_worker_of_ours_that_is_stopped_is_not_given_the_request_again() {
    let mut net = Net::new();
    let b = net.broker();
    let c = net.client(b);
    let w = net.raw(b, b"M");
    net.say(w, "MDPW02|\u{1}|echo");
    net.run(ms(10));
    let r = ask(&mut net, c, "1", 1);
    net.run(secs(1));
    let client = net.name(c).replace("ClientActor", "C");
    net.take(w);
    net.say(w, &format!("MDPW02|\u{4}|{client}|∅|OMDP-CODE|W_LOST"));
    net.run(secs(1));
    assert_eq!(net.take(w), ["MDPW02|\u{6}"]);
    let other = net.worker(b, "echo");
    net.run(secs(1));
    assert_eq!(
        (net.end(c, r), net[other].retried.clone()),
        (done("1"), vec![1])
    );
}

/// A reply of the first attempt that comes after the second began is nobody's.
#[test]
fn a_late_reply_of_an_earlier_attempt_does_nothing() {
    let mut net = Net::new();
    let b = net.broker();
    let c = net.client(b);
    let raw = net.raw(b, b"W9");
    net.say(
        raw,
        "W|1|echo|{\"omdp\":1,\"heartbeat\":2500,\"liveness\":3,\"session\":\"a\"}",
    );
    let r = ask(&mut net, c, "1", 2);
    net.run(secs(1));
    let token = |net: &mut Net| {
        let heard = net.act(raw, |raw, _| std::mem::take(&mut raw.heard));
        let request = heard.iter().rfind(|frames| frames[1] == b"2");
        request.map(|frames| frames[6].clone()).expect("a request")
    };
    let first = token(&mut net);
    assert_eq!(first.len(), 9);
    // It begins anew, and is given the request again.
    net.say(
        raw,
        "W|1|echo|{\"omdp\":1,\"heartbeat\":2500,\"liveness\":3,\"session\":\"b\"}",
    );
    net.run(secs(1));
    let second = token(&mut net);
    assert_eq!((second.len(), second[9]), (10, 1));
    assert_ne!(first[1..9], second[1..9]);
    let reply = |net: &mut Net, token: &[u8], data: &[u8]| {
        let ext = [&[0], &token[1..9]].concat();
        let frames = [b"W", &b"3"[..], b"C", b"r", b"0", data, &ext];
        let frames = frames.iter().map(|frame| frame.to_vec()).collect();
        net.act(raw, |raw, _| raw.say(frames));
        net.run(secs(1));
    };
    reply(&mut net, &first, b"1");
    assert_eq!(net.end(c, r), None);
    reply(&mut net, &second, b"2");
    assert_eq!(net.end(c, r), done("2"));
}

#[test]
fn an_old_broker_knows_no_retry() {
    let mut net = Net::new();
    let b = net.old_broker();
    let c = net.client(b);
    let w = net.worker(b, "echo");
    net.run(secs(1));
    let r = ask(&mut net, c, "1", 3);
    net.run(secs(1));
    assert_eq!(net.end(c, r), done("1"));
    assert_eq!(net[w].retried, [0]);
}

#[test]
fn a_broker_that_stops_gives_nothing_to_another() {
    let (mut net, b, w, c) = trio();
    net.serve(w, |_| Job::endless());
    let r = ask(&mut net, c, "1", 3);
    net.worker(b, "echo");
    net.run(secs(1));
    net.act(b, |broker, now| broker.machine.stop(now));
    net.run(ms(50));
    assert_eq!(net.end(c, r), failed("B_LOST"));
}
