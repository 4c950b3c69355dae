//! As long as the process that has a request lives, the request ends with its reply, whatever happens to the
//! connections: once, with all parts in order, and started once.

use super::net::texts::{number, past, resume, rids, text};
use super::net::*;
use crate::proto::Terms;
use crate::proto::code::Code;
use crate::wire::Body;
use crate::wire::omdp::{Past, Recall};

const GRACE: u64 = 1000;

fn net_of(seed: u64) -> (Net, Id<BrokerActor>) {
    let mut net = Net::seeded(seed);
    let b = net.broker_with(|config| config.reconnect_grace = ms(GRACE));
    (net, b)
}

/// The body contains a number, the number of parts and the time of each in ms: `[number, parts, ms]`.
fn job(body: &Body<Vec<u8>>) -> Job {
    let numbers: Vec<u64> = serde_json::from_slice(&body.bytes).expect("numbers");
    Job::echo(body)
        .parts(numbers[1] as usize)
        .every(ms(numbers[2]))
}

const FOREVER: Terms = Terms {
    timeout: None,
    retry: 0,
    fail_fast: false,
    routed: false,
    stream: false,
    deadline: None,
};

/// All peers work while faults happen now and then. At the end everything is in order.
fn storm(seed: u64, hurt: impl FnMut(&mut Net, Id<BrokerActor>, &[Id<()>])) {
    storm_with(seed, ms(0), hurt);
}

/// A storm in which a broker may be away for as long as this.
fn storm_with(
    seed: u64,
    away: std::time::Duration,
    mut hurt: impl FnMut(&mut Net, Id<BrokerActor>, &[Id<()>]),
) {
    let (mut net, b) = net_of(seed);
    let mut workers = Vec::new();
    for n in 0..3 {
        let w = net.worker_with(b, "echo", |config| {
            config.concurrency = [Some(1), Some(4), None][n];
            config.prefetch = [1024, 0, 1024][n];
            config.link.away = away;
        });
        net.serve(w, job);
        workers.push(w);
    }
    let clients = [0, 1].map(|_| net.client_with(b, |config| config.link.away = away));
    net.run(secs(1));
    let peers: Vec<Id<()>> = workers
        .iter()
        .map(|id| id.any())
        .chain(clients.iter().map(|id| id.any()))
        .collect();
    let mut asked = 0;
    for _ in 0..60 {
        for _ in 0..net.rng.below(8) {
            asked += 1;
            let parts = *net.rng.pick(&[0, 0, 0, 1, 3, 30]);
            let takes = *net.rng.pick(&[0, 0, 1, 10, 50, 300]);
            let takes = if parts > 3 { takes.min(50) } else { takes };
            let c = *net.rng.pick(&clients);
            let body = json(&format!("[{asked},{parts},{takes}]"));
            net.request_on(c, "echo", body, FOREVER);
        }
        if net.rng.percent(40) {
            hurt(&mut net, b, &peers);
        }
        let pause = net.rng.between(0, 300);
        net.run(ms(pause));
    }
    for peer in &peers {
        net.heal(*peer);
        if net.is_paused(*peer) {
            net.resume(*peer);
        }
    }
    net.run(secs(60));
    let mut ended = 0;
    for c in clients {
        for seen in &net[c].seen {
            let numbers: Vec<usize> = serde_json::from_slice(&seen.body.bytes).expect("numbers");
            assert_eq!(
                seen.end,
                Some(End::Final(seen.body.clone())),
                "seed {seed}: {seen:?}"
            );
            let parts: Vec<_> = (0..numbers[1]).map(|n| json(&n.to_string())).collect();
            assert_eq!(seen.partials, parts, "seed {seed}: {seen:?}");
            ended += 1;
        }
    }
    assert_eq!(ended, asked);
    let started: Vec<_> = workers
        .iter()
        .flat_map(|&w| net[w].started.clone())
        .collect();
    assert_eq!(started.len(), asked, "seed {seed}: each starts once");
    for w in workers {
        assert_eq!(net[w].cancelled, [], "seed {seed}");
        assert_eq!(net[w].machine.outstanding(), 0);
        assert_eq!(net[w].machine.kept(), 0, "seed {seed}");
    }
    assert_eq!(net[b].machine.load(), [0, 3, 2, 1], "seed {seed}");
    assert_eq!(net[b].bad_messages(), [], "seed {seed}");
}

/// `OMDP_SEEDS=1000` sets the number of runs of each storm.
fn seeds() -> std::ops::Range<u64> {
    let number = std::env::var("OMDP_SEEDS").ok();
    0..number.and_then(|text| text.parse().ok()).unwrap_or(8)
}

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
fn so_they_do_for_a_client_that_is_away_while_others_acknowledge() {
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

#[test]
fn cuts_of_connections_lose_nothing() {
    for seed in seeds() {
        storm(seed, |net, _, peers| {
            let victim = *net.rng.pick(peers);
            let told: &[Side] = match net.rng.below(3) {
                0 => &[Side::Dealer],
                _ => &[Side::Dealer, Side::Broker],
            };
            net.cut(victim, told);
        });
    }
}

/// A peer that is not told has to notice by itself.
#[test]
fn resets_of_either_end_lose_nothing() {
    for seed in seeds() {
        let mut next = secs(0);
        storm_with(seed, secs(60), move |net, _, peers| {
            let since = net.now().since(crate::proto::Time::ZERO);
            if since < next {
                return;
            }
            // A connection that is reset before it was of use is another case.
            next = since + secs(1);
            let victim = *net.rng.pick(peers);
            let told: &[Side] = match net.rng.below(3) {
                0 => &[Side::Dealer],
                1 => &[Side::Broker],
                _ => &[Side::Dealer, Side::Broker],
            };
            net.cut(victim, told);
        });
    }
}

#[test]
fn cuts_of_all_connections_at_once_lose_nothing() {
    for seed in seeds() {
        storm(seed, |net, b, _| {
            net.cut(b, &[Side::Dealer, Side::Broker]);
        });
    }
}

#[test]
fn frozen_peers_and_lines_that_swallow_everything_lose_nothing() {
    for seed in seeds() {
        storm(seed, |net, b, peers| {
            let victim = match net.rng.percent(20) {
                true => b.any(),
                false => *net.rng.pick(peers),
            };
            // A peer that freezes before it has returned from a cut is away for longer than the grace.
            let mut least = 1;
            match net.rng.below(3) {
                0 => net.partition(victim),
                1 => net.pause(victim),
                _ => {
                    net.cut(victim, &[Side::Dealer, Side::Broker]);
                    least = GRACE / 2;
                }
            }
            let pause = net.rng.between(least, 5000);
            net.run(ms(pause));
            net.heal(victim);
            if net.is_paused(victim) {
                net.resume(victim);
            }
        });
    }
}

/// Without reports, each end detects silence in its own time.
#[test]
fn connections_that_die_in_silence_lose_nothing() {
    for seed in seeds() {
        storm(seed, |net, _, peers| {
            if net.rng.percent(30) {
                let victim = *net.rng.pick(peers);
                net.cut(victim, &[]);
                net.run(secs(12));
            }
        });
    }
}

#[test]
fn a_client_that_does_not_come_back_lets_go_after_the_grace() {
    let (mut net, b) = net_of(1);
    let w = net.worker(b, "echo");
    net.serve(w, |_| Job::endless());
    let c = net.client(b);
    net.run(secs(1));
    net.request_on(c, "echo", json("1"), FOREVER);
    net.run(secs(1));
    net.kill(c);
    net.run(ms(GRACE / 2));
    assert_eq!(net[b].machine.load(), [1, 1, 1, 1]);
    net.run(ms(GRACE));
    assert_eq!(net[b].machine.load(), [0, 1, 0, 1]);
    assert_eq!(net[w].cancelled[0].2, Code::Aborted);
}

#[test]
fn the_death_of_a_worker_is_told_after_the_grace_and_at_once_if_another_life_begins() {
    for restarts in [false, true] {
        let (mut net, b) = net_of(1);
        let w = net.worker(b, "echo");
        net.serve(w, |_| Job::endless());
        let c = net.client(b);
        net.run(secs(1));
        let r = net.request_on(c, "echo", json("1"), FOREVER);
        net.run(secs(1));
        net.kill(w);
        if restarts {
            net.start(w);
            // The transport has not reported the end of the first life, which may return for a moment.
            net.run(ms(1_500));
            assert_eq!(net.end(c, r), failed("W_LOST"));
            continue;
        }
        net.run(ms(GRACE / 2));
        assert_eq!(net.end(c, r), None);
        net.run(ms(GRACE));
        assert_eq!(net.end(c, r), failed("W_LOST"));
    }
}

#[test]
fn what_may_start_again_does_so_before_the_end_of_the_grace_if_another_worker_is_there() {
    for is_other in [false, true] {
        let (mut net, b) = net_of(1);
        let w = net.worker(b, "echo");
        net.serve(w, |_| Job::endless());
        let c = net.client(b);
        net.run(secs(1));
        let terms = Terms {
            retry: 1,
            ..FOREVER
        };
        let r = net.request_on(c, "echo", json("1"), terms);
        net.run(ms(200));
        if is_other {
            let other = net.worker(b, "echo");
            net.serve(other, Job::echo);
            net.run(ms(200));
        }
        net.pause(w);
        net.cut(w, &[Side::Dealer, Side::Broker]);
        net.run(ms(GRACE / 2));
        assert_eq!(net.end(c, r), if is_other { done("1") } else { None });
        net.resume(w);
        net.run(secs(2));
        assert_eq!(net[w].cancelled.len(), usize::from(is_other));
        assert_eq!(net[w].started.len(), 1);
        assert_eq!(net[w].machine.outstanding(), usize::from(!is_other));
    }
}

#[test]
fn cancellations_made_meanwhile_arrive() {
    let (mut net, b) = net_of(1);
    let w = net.worker_with(b, "echo", |config| config.concurrency = None);
    net.serve(w, |_| Job::endless());
    let c = net.client(b);
    net.run(secs(1));
    let first = net.request_on(c, "echo", json("1"), FOREVER);
    let second = net.request_on(c, "echo", json("2"), FOREVER);
    net.run(secs(1));
    net.cut(c, &[Side::Dealer, Side::Broker]);
    net.run(ms(50));
    net.act(c, |client, _| client.cancel(first));
    net.run(secs(1));
    assert_eq!(net[w].cancelled.len(), 1);
    net.cut(w, &[Side::Dealer, Side::Broker]);
    net.run(ms(50));
    net.act(c, |client, _| client.cancel(second));
    net.run(secs(1));
    assert_eq!(net[w].cancelled.len(), 2);
    assert_eq!(net[w].machine.outstanding(), 0);
}

/// Suspended for longer than the broker waits: running requests were cancelled, and waiting ones had not started.
#[test]
fn a_client_that_was_given_up_has_what_had_not_started_run() {
    let (mut net, b) = net_of(1);
    let w = net.worker(b, "echo");
    net.serve(w, |body| Job::echo(body).every(secs(100)));
    let c = net.client(b);
    net.run(secs(1));
    let running = net.request_on(c, "echo", json("1"), FOREVER);
    net.run(ms(200));
    let queued: Vec<u64> = (2..20)
        .map(|n| net.request_on(c, "echo", json(&n.to_string()), FOREVER))
        .collect();
    net.run(ms(40));
    net.pause(c);
    net.run(secs(80));
    net.resume(c);
    net.serve(w, Job::echo);
    net.run(secs(20));
    assert_eq!(net.end(c, running), failed("B_LOST"));
    for (n, r) in (2..20).zip(queued) {
        assert_eq!(net.end(c, r), done(&n.to_string()));
    }
}

/// Stops a broker in order; the next one starts after at most `most` ms.
fn replace_in_order(net: &mut Net, b: Id<BrokerActor>, most: u64) {
    net.act(b, |broker, now| broker.machine.stop(now));
    net.run(ms(30));
    net.kill(b);
    let away = net.rng.between(0, most);
    net.run(ms(away));
    net.start(b);
}

/// Brokers that are stopped in order, one after the other, hand everything over.
#[test]
fn brokers_that_stop_in_order_lose_nothing() {
    for seed in seeds() {
        storm(seed, |net, b, _| {
            if net.rng.percent(20) {
                replace_in_order(net, b, 2000);
            }
        });
    }
}

/// Each broker dies a moment after its start, before everybody has returned.
#[test]
fn brokers_that_die_before_everybody_has_returned_lose_nothing() {
    for seed in seeds() {
        storm_with(seed, secs(60), |net, b, _| {
            for _ in 0..net.rng.between(1, 8) {
                net.kill(b);
                let away = net.rng.between(0, 400);
                net.run(ms(away));
                net.start(b);
                let lives = net.rng.between(50, 250);
                net.run(ms(lives));
            }
        });
    }
}

/// Running requests get some time to end first.
#[test]
fn brokers_that_retire_lose_nothing() {
    for seed in seeds() {
        storm(seed, |net, b, _| {
            if net.rng.percent(20) {
                net.act(b, |broker, _| broker.machine.retire());
                let patience = net.rng.between(0, 500);
                net.run(ms(patience));
                replace_in_order(net, b, 1500);
            }
        });
    }
}

#[test]
fn a_broker_that_retires_has_what_runs_end_and_gives_nothing_out() {
    let (mut net, b) = net_of(1);
    let w = net.worker(b, "echo");
    net.serve(w, |body| Job::echo(body).every(ms(500)));
    let [c, idle] = [net.client(b), net.client(b)];
    net.run(secs(1));
    let running = net.request_on(c, "echo", json("1"), FOREVER);
    net.run(ms(40));
    let queued = net.request_on(c, "echo", json("2"), FOREVER);
    net.run(ms(40));
    net.act(b, |broker, _| broker.machine.retire());
    net.run(ms(200));
    let late = net.request_on(idle, "echo", json("3"), FOREVER);
    assert!(net[b].machine.has_running());
    net.run(secs(1));
    assert_eq!(net.end(c, running), done("1"));
    assert!(!net[b].machine.has_running());
    assert_eq!(net.end(c, queued), None);
    net.act(b, |broker, now| broker.machine.stop(now));
    net.run(ms(30));
    net.restart(b);
    net.run(secs(5));
    assert_eq!(net.end(c, queued), done("2"));
    assert_eq!(net.end(idle, late), done("3"));
    assert_eq!(net[w].started.len(), 3);
}

/// A request that waits for its second attempt has started, whichever broker continues it.
#[test]
fn a_broker_that_stops_does_not_forget_that_a_request_has_started() {
    let (mut net, b) = net_of(1);
    let w = net.worker(b, "echo");
    net.serve(w, |_| Job::endless());
    let c = net.client(b);
    net.run(secs(1));
    let terms = Terms {
        retry: 1,
        ..FOREVER
    };
    let r = net.request_on(c, "echo", json("1"), terms);
    net.run(ms(100));
    net.kill(w);
    net.run(ms(2 * GRACE));
    net.act(b, |broker, now| broker.machine.stop(now));
    net.run(ms(30));
    net.restart(b);
    net.start(w);
    net.run(secs(20));
    assert_eq!(net[w].started.len(), 2);
    net.kill(w);
    net.run(ms(2 * GRACE));
    assert_eq!(net.end(c, r), failed("W_LOST"));
}

/// Nobody reports the end of a congestion whose connection has ended.
#[test]
fn a_worker_whose_congested_connection_broke_is_given_requests_again() {
    let (mut net, b) = net_of(1);
    let w = net.worker(b, "echo");
    net.serve(w, Job::echo);
    let c = net.client(b);
    net.run(secs(1));
    net.act(b, |broker, _| broker.machine.handle_congestion(b"W1", true));
    let r = net.request_on(c, "echo", json("1"), FOREVER);
    net.run(secs(1));
    assert_eq!(net.end(c, r), None);
    net.cut(w, &[Side::Dealer, Side::Broker]);
    net.run(secs(1));
    assert_eq!(net.end(c, r), done("1"));
}

/// Messages after the stop of a broker have no effect there, and their client knows it.
#[test]
fn a_client_that_comes_to_a_broker_that_has_stopped_goes_to_the_next() {
    let (mut net, b) = net_of(1);
    let w = net.worker(b, "echo");
    net.serve(w, Job::echo);
    let c = net.client(b);
    net.run(secs(1));
    net.restart(b);
    net.act(b, |broker, now| broker.machine.stop(now));
    // Until all peers have noticed, and none has reconnected.
    net.run(ms(50));
    let r = net.request_on(c, "echo", json("1"), FOREVER);
    net.run(ms(300));
    assert_eq!(net[b].machine.load(), [0; 4]);
    net.restart(b);
    net.run(secs(5));
    assert_eq!(net.end(c, r), done("1"));
    assert_eq!(net[w].started.len(), 1);
}

/// A relay takes connections although there is no broker, so each attempt is a handshake that is broken off.
#[test]
fn a_broker_that_lives_for_a_second_is_found_behind_a_relay() {
    let (mut net, b) = net_of(1);
    let (w, c) = (net.worker(b, "echo"), net.client(b));
    net.serve(w, |body| Job::echo(body).every(ms(3000)));
    net.relay(w);
    net.relay(c);
    net.run(secs(1));
    let mut asked = Vec::new();
    for n in 0..20 {
        asked.push(net.request_on(c, "echo", json(&n.to_string()), FOREVER));
        let away = net.rng.between(500, 5000);
        net.kill(b);
        net.run(ms(away));
        net.start(b);
        net.run(secs(1));
        assert_eq!(net[b].machine.load()[1..3], [1, 1], "after {away} ms");
    }
    net.run(secs(60));
    for (n, r) in asked.into_iter().enumerate() {
        assert_eq!(net.end(c, r), done(&n.to_string()));
    }
    assert_eq!(net[w].started.len(), 20);
}

/// A RESUME of a request of a lost broker that had two workers.
fn resume_of(rid: usize) -> String {
    let past = Past {
        wait_ms: 0x1f40,
        ..past(0)
    };
    let recall = Recall {
        session: "lost".into(),
        stamp: 1,
        sum: 5,
        last: 9,
    };
    let resume = resume("echo", &format!("r{rid}"), "1", past);
    format!("{resume}|{}", text(recall.to_frame()))
}

/// Both may be very many, and each question is some bytes.
#[test]
fn very_many_workers_are_asked_for_very_many_requests_in_pieces() {
    const REQUESTS: usize = 700;
    let mut net = Net::new();
    let b = net.broker();
    let hello = |session: &str| {
        format!(
            r#"{{"concurrency":1,"heartbeat":2500,"liveness":3,"omdp":1,"roster":true,"session":"{session}"}}"#
        )
    };
    let c = net.raw_beating(b, b"c", secs(1));
    net.say(c, &format!("C|1|{}", hello("c.1")));
    for n in 0..REQUESTS {
        net.say(c, &resume_of(n));
    }
    let workers: Vec<_> = (0..5)
        .map(|n| net.raw_beating(b, format!("w{n}").as_bytes(), secs(1)))
        .collect();
    for (n, &w) in workers.iter().enumerate() {
        let service = if n == 4 { "other" } else { "echo" };
        net.say(w, &format!("W|1|{service}|{}", hello(&format!("w{n}.1"))));
        net.run(ms(200));
        net.take(w);
        let lives = format!("\u{4}lost{}", number(1 + n as u64));
        net.say(w, &format!("W|15|{lives}"));
    }
    let asked = |net: &mut Net, w| -> (usize, usize) {
        let heard = net.take(w);
        let asks = heard
            .iter()
            .filter(|message| message.starts_with("W|20|lost|"));
        // After the stamp of the request.
        let of_c = number(1) + &rids(&["c"]);
        let questions = asks.clone().map(|message| message.matches(&of_c).count());
        (asks.count(), questions.sum())
    };
    net.run(ms(100));
    for (n, &w) in workers.iter().enumerate() {
        let (messages, questions) = asked(&mut net, w);
        // Its service is another one.
        let expected = if n == 4 { 0 } else { REQUESTS };
        assert_eq!(questions, expected);
        assert!(messages >= expected / 64, "{messages}");
    }
    // The client has resumed everything, twice: each worker is asked again, and not without an end.
    net.say(c, "C|15");
    net.say(c, "C|15");
    net.run(ms(100));
    let (messages, questions) = asked(&mut net, workers[0]);
    assert!(
        (REQUESTS..=2 * REQUESTS).contains(&questions),
        "{questions}"
    );
    assert!(messages >= REQUESTS / 64);
    net.run(secs(20));
    assert_eq!(net[b].machine.load()[0], 0);
}
