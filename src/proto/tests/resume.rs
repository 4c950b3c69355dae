//! Requests outlive their broker: what runs is answered through the next one, what had not started
//! runs once, and of what nobody can know the end is `B_LOST`.

use super::net::*;
use crate::proto::Terms;
use crate::proto::code::Code;
use std::time::Duration;

/// A worker with one request that takes so long, and another that waits behind it.
struct Scene {
    net: Net,
    b: Id<BrokerActor>,
    w: Id<WorkerActor>,
    c: Id<ClientActor>,
    running: u64,
    queued: u64,
}

fn scene(takes: Duration) -> Scene {
    let mut net = Net::new();
    let b = net.broker();
    let w = net.worker(b, "echo");
    let c = net.client(b);
    net.serve(w, move |body| Job::echo(body).every(takes));
    let running = net.request(c, "echo", "1");
    let queued = net.request(c, "echo", "2");
    net.run(ms(500));
    assert_eq!(net.started(w), ["1"]);
    Scene {
        net,
        b,
        w,
        c,
        running,
        queued,
    }
}

/// The broker dies, and another is there after a while.
fn replace(net: &mut Net, b: Id<BrokerActor>, after: Duration) {
    net.kill(b);
    net.run(after);
    net.start(b);
}

#[test]
fn what_runs_is_answered_through_the_next_broker_and_what_waits_runs_once() {
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

#[test]
fn without_any_worker_it_waits_for_one_at_the_next_broker() {
    let mut net = Net::new();
    let b = net.broker();
    let c = net.client(b);
    let r = net.request(c, "echo", "1");
    net.run(ms(200));
    replace(&mut net, b, secs(9));
    net.run(secs(1));
    assert_eq!(net.end(c, r), None);
    let w = net.worker(b, "echo");
    net.run(ms(10));
    assert_eq!(net.end(c, r), done("1"));
    assert_eq!(net.started(w), ["1"]);
}

/// It was with the broker for too short a time to be parked, and no worker knows it.
#[test]
fn what_may_have_been_given_to_a_worker_ends_with_a_code() {
    let mut net = Net::new();
    let b = net.broker();
    let c = net.client(b);
    net.run(ms(10));
    let r = net.request(c, "echo", "1");
    net.run(ms(20));
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
fn what_was_given_ahead_of_need_and_had_not_started_runs_once() {
    let mut net = Net::new();
    let b = net.broker();
    let w = net.worker(b, "echo");
    let c = net.client(b);
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
    let requests: Vec<u64> = (50..53)
        .map(|n| net.request(c, "echo", &n.to_string()))
        .collect();
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
    // A part each 20 ms; one is on its way for 2 ms.
    for kill_at in 500..525 {
        let mut net = Net::new();
        let b = net.broker();
        let w = net.worker(b, "echo");
        let c = net.client(b);
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
fn a_client_that_gives_up_meanwhile_has_its_worker_told_in_the_end() {
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
    assert_eq!(net[w].cancelled, []);
    assert_eq!(net[c].machine.outstanding(), 0);
    net.run(secs(8));
    assert_eq!(net[w].cancelled[0].2, Code::Aborted);
    assert_eq!(net[w].machine.outstanding(), 0);
    net.serve(w, Job::echo);
    assert_eq!(net.call(c, "echo", "3"), End::Final(json("3")));
}

/// While nobody has asked for what it brought, it is given nothing that it could not run.
#[test]
fn a_worker_is_busy_with_what_it_claims() {
    let Scene {
        mut net, b, w, c, ..
    } = scene(secs(3));
    net.kill(c);
    net.kill(b);
    net.run(ms(10));
    net.start(b);
    let other = net.client(b);
    net.run(ms(300));
    let r = net.request(other, "echo", "9");
    net.run(secs(1));
    assert_eq!(net.started(w), ["1"]);
    assert_eq!(net[w].returns, 0);
    net.serve(w, Job::echo);
    net.run(secs(10));
    assert_eq!(net.end(other, r), done("9"));
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

/// The connection broke, not the broker: it has told the worker that nobody waits.
#[test]
fn the_same_broker_resumes_nothing_but_what_was_parked() {
    let Scene {
        mut net,
        b,
        c,
        w,
        running,
        queued,
    } = scene(secs(3));
    net.cut(c, &[Side::Dealer, Side::Broker]);
    net.run(ms(300));
    assert_eq!(net.end(c, running), failed("B_LOST"));
    assert_eq!(net[w].cancelled[0].2, Code::Aborted);
    net.run(secs(4));
    assert_eq!(net.end(c, queued), done("2"));
    net.serve(w, |_| Job::endless());
    let lost = net.request(c, "echo", "3");
    net.run(ms(100));
    net.cut(w, &[Side::Dealer, Side::Broker]);
    net.run(ms(300));
    assert_eq!(net.end(c, lost), failed("W_LOST"));
    assert_eq!(net[w].cancelled[1].2, Code::BrokerLost);
    assert_eq!(net[b].machine.load(), [0, 1, 1, 1]);
}

#[test]
fn requests_are_parked_and_let_go_in_their_order() {
    let mut net = Net::new();
    let b = net.broker();
    let c = net.client(b);
    let requests: Vec<u64> = (0..500)
        .map(|n| net.request(c, "echo", &n.to_string()))
        .collect();
    net.run(secs(1));
    let late = net.request(c, "echo", "500");
    net.run(ms(10));
    let w = net.worker(b, "echo");
    net.run(secs(20));
    for (r, n) in requests.into_iter().chain([late]).zip(0..) {
        assert_eq!(net.end(c, r), done(&n.to_string()));
    }
    let order: Vec<String> = (0..501).map(|n: u32| n.to_string()).collect();
    assert_eq!(net.started(w), order);
}

#[test]
fn a_client_that_lets_nothing_go_keeps_nobody_waiting_for_long() {
    let mut net = Net::new();
    let b = net.broker();
    let mute = net.raw(b, b"mute");
    net.say(
        mute,
        r#"C|1|{"heartbeat":2500,"liveness":3,"omdp":1,"parks":true,"session":"m"}"#,
    );
    for n in 0..200 {
        net.say(mute, &format!("C|2|echo|r{n}|1|{{}}|\0\0\0\u{7f}\0"));
    }
    let c = net.client(b);
    net.run(ms(10));
    let r = net.request(c, "echo", "2");
    net.run(ms(500));
    let w = net.worker(b, "echo");
    net.run(ms(200));
    assert_eq!(net.end(c, r), done("2"));
    assert_eq!(net.started(w), ["2"]);
    // It may say so at last.
    net.say(mute, "C|12|\0\u{2}r7");
    net.run(ms(10));
    assert_eq!(net.started(w), ["2", "1"]);
    net.say(mute, "C|5");
    net.run(ms(10));
    assert_eq!(net[b].machine.load(), [0, 1, 1, 1]);
}

#[test]
fn who_has_not_said_so_is_not_parked_with() {
    let mut net = Net::new();
    let b = net.broker();
    let raw = net.raw(b, b"raw");
    net.say(
        raw,
        r#"C|1|{"heartbeat":2500,"liveness":3,"omdp":1,"session":"m"}"#,
    );
    net.say(raw, "C|2|echo|r1|1|{}|\0\0\0\u{7f}\0");
    net.run(secs(2));
    let heard = net.act(raw, |raw, _| raw.take());
    let others = heard
        .iter()
        .filter(|text| !text.starts_with("C|1|") && *text != "C|4");
    assert_eq!(others.count(), 0, "{heard:?}");
}

#[test]
fn a_broker_of_0_0_92_in_its_place_is_asked_for_nothing() {
    let mut net = Net::new();
    let b = net.raw_broker();
    let w = net.worker(b, "echo");
    let c = net.client(b);
    net.run(ms(10));
    let hello = r#"{"heartbeat":2500,"liveness":3,"omdp":1,"session":"b1"}"#;
    net.tell(b, "W1", &format!("W|1|{hello}"));
    net.tell(b, "C2", &format!("C|1|{hello}"));
    net.serve(w, |_| Job::endless());
    net.run(ms(10));
    net.tell(b, "W1", "W|2|C2|r|1|{}|\0\0\0\0\0\0\0\0\u{1}");
    let r = net.request(c, "echo", "1");
    net.run(ms(10));
    assert_eq!(net.started(w), ["1"]);
    net.restart(b);
    net.run(ms(500));
    net.act(b, |broker, _| broker.take());
    net.tell(b, "W1", "W|4");
    net.run(secs(8));
    let heard = net.act(b, |broker, _| broker.take());
    assert!(!heard.iter().any(|text| text.contains("|11|")), "{heard:?}");
    assert_eq!(net.end(c, r), failed("B_LOST"));
    assert_eq!(net[w].cancelled[0].2, Code::BrokerLost);
}

/// A claim is believed for its own service, once.
#[test]
fn a_claim_that_does_not_fit_is_refused() {
    let Scene {
        mut net,
        b,
        w,
        c,
        running,
        ..
    } = scene(secs(3));
    net.kill(b);
    net.power_off(w);
    net.run(ms(10));
    net.start(b);
    let thief = net.raw_beating(b, b"thief", secs(1));
    net.say(
        thief,
        r#"W|1|other|{"concurrency":1,"heartbeat":2500,"liveness":3,"omdp":1,"session":"t"}"#,
    );
    net.run(ms(300));
    let rid = "c2.0-0";
    net.say(thief, &format!("W|11|C2|{rid}|\0\0\0\0\0\0\0\0\u{1}"));
    net.say(thief, &format!("W|11|C2|{rid}|\0\0\0\0\0\0\0\0\u{2}"));
    net.run(ms(10));
    let heard = net.act(thief, |raw, _| raw.take());
    assert!(
        heard.contains(&"W|12|\0\0\0\0\0\0\0\u{2}".to_string()),
        "{heard:?}"
    );
    net.run(secs(20));
    assert_eq!(net.end(c, running), failed("B_LOST"));
}

/// Its client allowed it, and has seen no part of the reply.
#[test]
fn what_may_run_again_does_where_nobody_knows() {
    let mut net = Net::new();
    let b = net.broker();
    let c = net.client(b);
    net.run(ms(10));
    let terms = Terms {
        timeout: Some(secs(60)),
        retry: 1,
        fail_fast: false,
    };
    let r = net.request_on(c, "echo", json("1"), terms);
    net.run(ms(20));
    replace(&mut net, b, ms(300));
    let w = net.worker(b, "echo");
    net.run(secs(16));
    assert_eq!(net.end(c, r), done("1"));
    assert_eq!(net.started(w), ["1"]);
}

/// The worker's goodbye crosses the news that its claim was found.
#[test]
fn what_was_claimed_by_a_worker_that_leaves_does_not_run_again() {
    for after in 0..12 {
        let Scene {
            mut net,
            b,
            w,
            c,
            running,
            ..
        } = scene(secs(60));
        replace(&mut net, b, ms(300));
        net.run_until(secs(1), |net| {
            net[w].news.last().map(|news| news.1) == Some(LinkNews::Connected)
        });
        net.run(Duration::from_micros(500) * after);
        net.act(w, |worker, now| worker.machine.stop(now, Some(now)));
        let other = net.worker(b, "echo");
        net.run(secs(20));
        let end = net.end(c, running);
        assert!(
            [failed("W_LOST"), failed("B_LOST")].contains(&end),
            "{end:?}"
        );
        assert_eq!(net.started(w), ["1"]);
        assert_eq!(net.started(other), ["2"]);
    }
}
