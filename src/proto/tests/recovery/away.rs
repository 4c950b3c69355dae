//! The death of a broker while a client is away or receives slowly.

use super::*;

/// While a client is away, its replies are at the broker, and stay at their worker as well.
#[test]
fn a_broker_that_dies_while_a_client_is_away_takes_no_replies_with_it() {
    let (mut net, b) = net_of(0);
    let w = net.worker_with(b, "echo", |config| {
        config.concurrency = None;
        config.link.away = secs(60);
    });
    net.serve(w, job);
    let c = net.client_with(b, |config| config.link.away = secs(60));
    net.run(secs(1));
    let ask = |net: &mut Net, n: usize| {
        let body = json(&format!("[{n},2,{}]", 100 + 4 * n));
        net.request_on(c, "echo", body, FOREVER)
    };
    let requests: Vec<u64> = (0..100).map(|n| ask(&mut net, n)).collect();
    net.run(ms(50));
    net.pause(c);
    net.cut(c, &[Side::Broker]);
    // The last replies come, and are acknowledged, when the first are old.
    net.run(ms(950));
    net.restart(b);
    net.resume(c);
    net.run(secs(30));
    for (n, request) in requests.into_iter().enumerate() {
        let body = json(&format!("[{n},2,{}]", 100 + 4 * n));
        assert_eq!(net.seen(c, request).end, Some(End::Final(body)), "{n}");
        assert_eq!(net.seen(c, request).partials.len(), 2, "{n}");
    }
    assert_eq!(net[w].machine.kept(), 0);
}

/// So they do while a client receives a large one slowly.
#[test]
fn a_broker_that_dies_while_a_client_receives_a_large_reply_does_not_take_it_with_it() {
    let (mut net, b) = net_of(0);
    let w = net.worker_with(b, "echo", |config| config.link.away = secs(60));
    let large = json(&format!("\"{}\"", "x".repeat(3_000_000)));
    let reply = large.clone();
    net.serve(w, move |_| Job::echo(&reply).parts(1).every(ms(200)));
    let c = net.client_with(b, |config| config.link.away = secs(60));
    net.run(secs(1));
    let request = net.request_on(c, "echo", json("1"), FOREVER);
    net.run(ms(100));
    net.partition(c);
    net.run(ms(6000));
    assert_eq!(net.seen(c, request).end, None);
    net.restart(b);
    net.heal(c);
    net.run(secs(30));
    assert_eq!(net.seen(c, request).end, Some(End::Final(large)));
    assert_eq!(net[w].machine.kept(), 0);
}

/// What another client acknowledges does not end that.
#[test]
fn workers_keep_replies_for_a_client_that_is_away_while_others_acknowledge() {
    let (mut net, b) = net_of(0);
    let w = net.worker_with(b, "echo", |config| {
        config.concurrency = None;
        config.link.away = secs(60);
    });
    net.serve(w, job);
    let [away, other] = [0, 1].map(|_| net.client_with(b, |config| config.link.away = secs(60)));
    net.run(secs(1));
    let requests: Vec<u64> = (0..20)
        .map(|n| net.request_on(away, "echo", json(&format!("[{n},2,50]")), FOREVER))
        .collect();
    net.run(ms(20));
    net.pause(away);
    net.cut(away, &[Side::Broker]);
    net.run(ms(200));
    let large = json(&format!("[1,0,0{}]", " ".repeat(500_000)));
    // The small replies let the broker acknowledge what it may, and the worker hear of it later.
    for body in [large, json("[2,0,0]"), json("[3,0,0]"), json("[4,0,0]")] {
        net.request_on(other, "echo", body, FOREVER);
        net.run(ms(150));
    }
    net.restart(b);
    net.resume(away);
    net.run(secs(30));
    for (n, request) in requests.into_iter().enumerate() {
        let body = json(&format!("[{n},2,50]"));
        assert_eq!(net.seen(away, request).end, Some(End::Final(body)), "{n}");
    }
    assert_eq!(net[w].machine.kept(), 0);
}

/// Workers keep no longer than necessary: the client returns without the acknowledgement of a large reply.
#[test]
fn a_client_that_has_returned_and_is_idle_has_nothing_kept_for_it() {
    let (mut net, b) = net_of(0);
    let w = net.worker(b, "echo");
    let c = net.client(b);
    net.run(secs(1));
    let large = json(&format!("[1,0,0{}]", " ".repeat(500_000)));
    let request = net.request_on(c, "echo", large.clone(), FOREVER);
    net.run_until(secs(5), |net| net.seen(c, request).end.is_some());
    net.cut(c, &[Side::Broker, Side::Dealer]);
    net.run(secs(20));
    assert_eq!(net.seen(c, request).end, Some(End::Final(large)));
    assert_eq!(net[w].machine.kept(), 0);
}

/// A worker does not claim what it has rejected, while its replies are not acknowledged either.
#[test]
fn a_request_that_was_rejected_before_the_broker_died_starts_nowhere_again() {
    for seed in seeds() {
        let mut net = Net::seeded(seed);
        let b = net.broker_with(|config| config.reconnect_grace = secs(20));
        let [picky, other] = [0, 1].map(|_| {
            net.worker_with(b, "echo", |config| {
                config.concurrency = None;
                config.link.away = secs(60);
            })
        });
        net.serve(picky, |body| match body.bytes.starts_with(b"[1") {
            true => Job::reject(),
            false => job(body),
        });
        net.serve(other, job);
        let c = net.client_with(b, |config| config.link.away = secs(60));
        net.run(secs(1));
        let bodies: Vec<String> = (10..30).map(|n| format!("[{n},1,50]")).collect();
        let ask = |net: &mut Net, body: &String| net.request_on(c, "echo", json(body), FOREVER);
        let requests: Vec<u64> = bodies.iter().map(|body| ask(&mut net, body)).collect();
        net.run(ms(20));
        net.pause(c);
        net.cut(c, &[Side::Broker]);
        // Heartbeats of the broker arrive much later than the rejections were sent.
        net.run(HEARTBEAT * 2);
        net.restart(b);
        net.resume(c);
        net.run(secs(30));
        for (body, request) in bodies.iter().zip(requests) {
            assert_eq!(
                net.seen(c, request).end,
                Some(End::Final(json(body))),
                "{seed}"
            );
        }
        let started = net.started(other);
        for body in &bodies {
            let count = started.iter().filter(|each| *each == body).count();
            assert!(count <= 1, "seed {seed}: {body} started {count} times");
        }
    }
}
