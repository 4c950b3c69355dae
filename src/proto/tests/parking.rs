//! Parked requests, which have certainly not run.

use super::net::texts::{request, rids};
use super::net::*;
use super::resume::{replace, scene};
use crate::proto::code::Code;

#[test]
fn requests_are_parked_and_let_go_in_their_order() {
    let mut net = Net::new();
    let b = net.broker();
    let c = net.client(b);
    let requests = net.requests(c, 0..500);
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

/// A client whose answers take longer than requests are waited for: they are set aside meanwhile.
#[test]
fn the_requests_of_a_distant_client_start_in_their_order_and_without_delay() {
    for (way, work) in [(20, 1), (30, 10), (60, 1), (100, 100), (200, 60)] {
        let mut net = Net::new();
        net.set_latency(way * 1000, way * 1000);
        let b = net.broker();
        let w = net.worker_with(b, "echo", |config| config.prefetch = 0);
        net.serve(w, move |body| Job::echo(body).every(ms(work)));
        let [c, other] = [(); 2].map(|()| net.client(b));
        net.run(secs(2));
        let mut requests = net.requests(c, 0..60);
        net.requests(other, 1000..1010);
        for n in 60..80 {
            net.run(ms(70));
            requests.push(net.request(c, "echo", &n.to_string()));
        }
        // The worker, too, is distant.
        let all = 90 * (2 * way + work);
        net.run(ms(all * 3 / 2));
        let started = net.started(w).into_iter().filter(|n| n.len() < 4);
        let order: Vec<String> = (0..80).map(|n: u32| n.to_string()).collect();
        assert_eq!(started.collect::<Vec<_>>(), order, "{way} ms, {work} ms");
        net.run(secs(5));
        assert_eq!(net.started(w).len(), 90);
        assert!(requests.into_iter().all(|r| net.end(c, r).is_some()));
    }
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
        net.say(mute, &request("echo", &format!("r{n}"), "1"));
    }
    let c = net.client(b);
    net.run(ms(10));
    let r = net.request(c, "echo", "2");
    net.run(ms(500));
    let w = net.worker(b, "echo");
    net.run(ms(200));
    assert_eq!(net.end(c, r), done("2"));
    assert_eq!(net.started(w), ["2"]);
    // The client answers at last.
    net.say(mute, &format!("C|12|{}", rids(&["r7"])));
    net.run(ms(10));
    assert_eq!(net.started(w), ["2", "1"]);
    net.say(mute, "C|5");
    net.run(ms(10));
    assert_eq!(net[b].machine.load(), [0, 1, 1, 1]);
}

/// Its requests are set aside in several turns, after which those in other lanes have theirs.
#[test]
fn a_client_that_lets_very_many_go_unanswered_delays_other_lanes_only_briefly() {
    let mut net = Net::new();
    let b = net.broker();
    let mute = net.raw(b, b"mute");
    let w = net.worker(b, "echo");
    net.serve(w, |_| Job::echo(&json("0")).parts(1).every(secs(1)));
    net.say(
        mute,
        r#"C|1|{"heartbeat":2500,"liveness":3,"omdp":1,"parks":true,"session":"m"}"#,
    );
    let ask = |net: &mut Net, service: &str, n: usize| {
        net.say(mute, &request(service, &format!("r{n}"), "1"));
    };
    // It is known not to answer.
    ask(&mut net, "other", 1000);
    net.run(ms(500));
    let other = net.worker(b, "other");
    net.run(ms(500));
    assert_eq!(net.started(other), [""; 0]);
    let c = net.client(b);
    net.run(ms(10));
    let first = net.request(c, "echo", "1");
    net.run(ms(10));
    for n in 0..300 {
        ask(&mut net, "echo", n);
    }
    net.run(ms(10));
    let r = net.request_more(c, "echo", "2", r#""key":"k""#);
    net.run(secs(6));
    assert_eq!(net.end(c, first), done("0"));
    assert_eq!(net.end(c, r), done("0"));
}

#[test]
fn a_client_that_does_not_announce_it_has_no_parked_requests() {
    let mut net = Net::new();
    let b = net.broker();
    let raw = net.raw(b, b"raw");
    net.say(
        raw,
        r#"C|1|{"heartbeat":2500,"liveness":3,"omdp":1,"session":"m"}"#,
    );
    net.say(raw, &request("echo", "r1", "1"));
    net.run(secs(2));
    let heard = net.take(raw);
    let others = heard
        .iter()
        .filter(|text| !text.starts_with("C|1|") && *text != "C|4");
    assert_eq!(others.count(), 0, "{heard:?}");
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

/// All requests of one turn are in one message, without a pause.
#[test]
fn requests_without_a_worker_are_parked_at_once() {
    let mut net = Net::new();
    let b = net.broker();
    let raw = net.raw(b, b"raw");
    net.say(
        raw,
        r#"C|1|{"heartbeat":2500,"liveness":3,"omdp":1,"parks":true,"session":"m"}"#,
    );
    net.run(ms(10));
    net.take(raw);
    for n in 0..3 {
        net.say(raw, &request("echo", &format!("r{n}"), "1"));
    }
    net.run(ms(2));
    assert_eq!(
        net.take(raw),
        [format!("C|12|{}", rids(&["r0", "r1", "r2"]))]
    );
}

#[test]
fn and_waits_for_a_worker_at_the_next_broker() {
    let mut net = Net::new();
    let b = net.broker();
    let c = net.client(b);
    net.run(ms(10));
    let requests = net.requests(c, 0..50);
    net.run(ms(3));
    replace(&mut net, b, ms(300));
    let w = net.worker(b, "echo");
    net.run(secs(1));
    for (r, n) in requests.into_iter().zip(0..) {
        assert_eq!(net.end(c, r), done(&n.to_string()));
    }
    assert_eq!(net.started(w).len(), 50);
}

/// The broker has no grace time, and has told the worker that its request is cancelled.
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
    assert_eq!(net[w].cancelled[1].2, Code::Aborted);
    assert_eq!(net[b].machine.load(), [0, 1, 1, 1]);
}

/// Only requests of the same priority wait for each other.
#[test]
fn an_urgent_request_of_a_distant_client_overtakes_those_that_are_set_aside() {
    let mut net = Net::new();
    net.set_latency(200_000, 200_000);
    let b = net.broker();
    let c = net.client(b);
    net.run(secs(2));
    let plain = net.requests(c, 0..5);
    net.run(secs(2));
    let w = net.worker_with(b, "echo", |config| config.prefetch = 0);
    net.serve(w, |body| Job::echo(body).every(secs(1)));
    // It arrives when the broker has asked for the others, but has no answer yet.
    net.run(ms(400));
    let urgent = net.request_more(c, "echo", "9", r#""priority":9"#);
    net.run(secs(20));
    assert_eq!(net.end(c, urgent), done("9"));
    assert!(plain.into_iter().all(|r| net.end(c, r).is_some()));
    assert_eq!(net.started(w), ["9", "0", "1", "2", "3", "4"]);
}
