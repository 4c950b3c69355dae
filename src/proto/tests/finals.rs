//! Replies in the last moments of a broker reach the client through the next one, once.

use super::net::*;
use crate::proto::worker::KEEP;
use crate::wire::Body;
use std::time::Duration;

/// The broker dies `after` the arrival of a request that takes 10 ms, and starts again.
fn killed_after(after: Duration, job: impl Fn(&Body<Vec<u8>>) -> Job + 'static) -> (Trio, u64) {
    let (mut net, b, w, c) = trio();
    net.run(ms(10));
    net.serve(w, job);
    let r = net.request(c, "echo", "1");
    net.run(after);
    net.kill(b);
    net.run(ms(300));
    net.start(b);
    (Trio { net, b, w, c }, r)
}

struct Trio {
    net: Net,
    b: Id<BrokerActor>,
    w: Id<WorkerActor>,
    c: Id<ClientActor>,
}

impl Trio {
    fn is_idle(&mut self) {
        let Trio { net, b, w, .. } = self;
        net.run(secs(30));
        assert_eq!(net[*w].machine.kept(), 0);
        assert_eq!(net[*b].machine.load(), [0, 1, 1, 1]);
        assert_eq!(net[*w].cancelled, []);
    }
}

/// A message takes 1 ms: the final is sent after 11 ms and reaches the client after 13.
#[test]
fn a_final_that_was_on_its_way_arrives_through_the_next_broker() {
    for micros in (11_000..14_000).step_by(100) {
        let after = Duration::from_micros(micros);
        let (mut t, r) = killed_after(after, |body| Job::echo(body).every(ms(10)));
        t.net.run(ms(300));
        assert_eq!(t.net.end(t.c, r), done("1"), "{micros} µs");
        assert_eq!(t.net.started(t.w), ["1"]);
        t.is_idle();
    }
}

#[test]
fn so_does_an_error() {
    let (mut t, r) = killed_after(ms(12), |_| Job::error("\"bad\"").every(ms(10)));
    t.net.run(ms(300));
    assert_eq!(t.net.end(t.c, r), error("\"bad\""));
    t.is_idle();
}

#[test]
fn and_the_parts_before_it() {
    // Parts after 1, 2, 3, … ms, each 2 ms under way.
    for micros in (1_000..16_000).step_by(100) {
        let after = Duration::from_micros(micros);
        let (mut t, r) = killed_after(after, |body| Job::echo(body).parts(10).every(ms(1)));
        t.net.run(ms(500));
        if micros > 2_000 {
            let expected: Vec<_> = (0..10).map(|n| json(&n.to_string())).collect();
            assert_eq!(t.net.seen(t.c, r).partials, expected, "{micros} µs");
            assert_eq!(t.net.end(t.c, r), done("1"), "{micros} µs");
        }
        t.net.run(secs(20));
        t.is_idle();
    }
}

#[test]
fn one_broker_after_another_may_die() {
    let (mut t, r) = killed_after(ms(12), |body| Job::echo(body).every(ms(10)));
    for _ in 0..8 {
        // Each dies when the worker has claimed its reply, or is about to.
        t.net.run(ms(102));
        t.net.kill(t.b);
        t.net.run(ms(300));
        t.net.start(t.b);
    }
    t.net.run(secs(1));
    assert_eq!(t.net.end(t.c, r), done("1"));
    t.is_idle();
}

/// The machine of the broker is powered off, so no connection is closed.
#[test]
fn a_death_that_is_noticed_late_costs_no_final() {
    let (mut net, b, w, c) = trio();
    net.run(ms(10));
    net.serve(w, |body| Job::echo(body).every(secs(2)));
    let r = net.request(c, "echo", "1");
    net.run(secs(1));
    net.power_off(b);
    net.run(secs(3));
    net.start(b);
    net.run(secs(20));
    assert_eq!(net.end(c, r), done("1"));
    assert_eq!(net.started(w), ["1"]);
}

#[test]
fn replies_that_have_arrived_are_not_asked_for() {
    let (mut net, b, w, c) = trio();
    let requests = net.requests(c, 0..100);
    net.run(ms(150));
    assert!(net[w].machine.kept() > 0);
    net.restart(b);
    net.run(secs(1));
    for r in requests {
        assert!(net.end(c, r).is_some());
    }
    assert_eq!(net[w].machine.outstanding(), 0, "it has nothing to do");
    net.run(secs(30));
    assert_eq!(net[w].machine.kept(), 0);
}

#[test]
fn sent_replies_are_forgotten_when_the_broker_is_there_later() {
    let (mut net, _, w, c) = trio();
    net.run(ms(10));
    assert_eq!(net.call(c, "echo", "1"), End::Final(json("1")));
    assert_eq!(net[w].machine.kept(), 1);
    // The first heartbeat acknowledges it, the next one finds it old.
    net.run(KEEP + HEARTBEAT * 2);
    assert_eq!(net[w].machine.kept(), 0);
}

#[test]
fn acknowledged_replies_are_not_kept_for_long() {
    let (mut net, _, w, c) = trio();
    net.run(ms(10));
    for _ in 0..50 {
        net.requests(c, 0..100);
        net.run(ms(20));
    }
    net.run(ms(50));
    let kept = net[w].machine.kept();
    assert!((1000..=3000).contains(&kept), "{kept}");
}

/// The broker does not resume the reply, and has ended the worker's requests.
#[test]
fn the_same_broker_is_told_nothing() {
    let (mut net, b, w, c) = trio();
    net.run(ms(10));
    net.serve(w, |body| Job::echo(body).every(ms(10)));
    let r = net.request(c, "echo", "1");
    net.run(ms(12));
    net.cut(w, &[Side::Dealer, Side::Broker]);
    net.run(secs(1));
    assert_eq!(net.end(c, r), failed("W_LOST"));
    assert_eq!(net[b].departures().len(), 1);
    assert_eq!(net[w].machine.kept(), 0);
}

#[test]
fn a_drain_does_not_wait_for_who_may_ask() {
    let (mut net, b, w, c) = trio();
    net.requests(c, 0..10);
    net.run(ms(50));
    net.kill(b);
    net.run(ms(50));
    assert!(net[w].machine.kept() > 0);
    let now = net.now();
    net.act(w, |worker, now| worker.machine.stop(now, None));
    assert_eq!(net[w].drained, Some(now), "no broker is there");
    assert_eq!(net[w].machine.kept(), 0);
}

#[test]
fn a_drain_with_a_broker_ends_as_soon() {
    let (mut net, b, w, c) = trio();
    net.requests(c, 0..10);
    net.run(ms(50));
    net.kill(c);
    net.restart(b);
    net.run(ms(210));
    assert!(net[w].machine.kept() > 0, "claimed, and nobody asks");
    net.act(w, |worker, now| worker.machine.stop(now, None));
    net.run(ms(10));
    assert!(net[w].drained.is_some());
}

/// No reply is lost while its worker and client live, however often the broker dies.
#[test]
fn no_reply_is_lost_with_a_broker() {
    for seed in 0..20 {
        let mut net = Net::seeded(seed).unaudited();
        net.set_latency(50, 3000);
        let b = net.broker();
        let w = net.worker_with(b, "echo", |config| config.concurrency = None);
        let c = net.client(b);
        net.serve(w, |body| {
            let n: usize = String::from_utf8_lossy(&body.bytes)
                .parse()
                .expect("a number");
            Job::echo(body).parts(n % 4).every(ms(n as u64 % 5))
        });
        net.run(ms(20));
        let mut requests = Vec::new();
        for n in 0..2000 {
            requests.push(net.request(c, "echo", &n.to_string()));
            let pause = net.rng.between(0, 2);
            net.run(ms(pause));
            if net.rng.percent(1) {
                net.kill(b);
                let away = net.rng.between(0, 400);
                net.run(ms(away));
                net.start(b);
            }
        }
        net.run(secs(40));
        let started: Vec<String> = net.started(w);
        for (n, r) in requests.into_iter().enumerate() {
            let n = n.to_string();
            assert_eq!(net.end(c, r), done(&n), "seed {seed}");
        }
        assert_eq!(started.len(), 2000, "seed {seed}: each runs once");
    }
}
