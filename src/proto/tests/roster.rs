//! Requests that no worker claims after the death of a broker run if all its workers deny them, and none runs twice.

use super::net::*;
use super::resume::replace;
use crate::proto::Terms;
use crate::proto::machine::Machine;
use std::collections::HashMap;
use std::time::Duration;

fn micros(n: u64) -> Duration {
    Duration::from_micros(n)
}

/// Two workers, and a client that has heard of them.
fn known() -> (Net, Id<BrokerActor>, [Id<WorkerActor>; 2], Id<ClientActor>) {
    let (mut net, b, w, c) = trio();
    let v = net.worker(b, "echo");
    net.run(secs(1));
    (net, b, [w, v], c)
}

#[test]
fn requests_under_way_run_once_whenever_the_broker_dies() {
    for at in (100..4500).step_by(200) {
        let (mut net, b, workers, c) = known();
        let requests = net.requests(c, 0..4);
        net.run(micros(at));
        replace(&mut net, b, ms(300));
        net.run(secs(2));
        for (n, r) in requests.into_iter().enumerate() {
            assert_eq!(net.end(c, r), done(&n.to_string()), "{at}");
        }
        let started = workers.map(|w| net.started(w).len());
        assert_eq!(started.iter().sum::<usize>(), 4, "{at}");
        assert_eq!(net[b].machine.load(), [0, 2, 1, 1]);
    }
}

/// The broker says that a worker may have it.
#[test]
fn requests_under_way_to_a_worker_whose_connection_broke_run_once_whenever_the_broker_stops() {
    for at in (100..4500).step_by(200) {
        let (mut net, b, workers, c) = known();
        let requests = net.requests(c, 0..4);
        net.run(micros(at));
        for w in workers {
            net.cut(w, &[Side::Dealer]);
        }
        net.act(b, |broker, now| broker.machine.stop(now));
        net.run(ms(1));
        net.restart(b);
        net.run(secs(2));
        for (n, r) in requests.into_iter().enumerate() {
            assert_eq!(net.end(c, r), done(&n.to_string()), "{at}");
        }
        let started = workers.map(|w| net.started(w).len());
        assert_eq!(started.iter().sum::<usize>(), 4, "{at}");
        assert_eq!(net[b].machine.load(), [0, 2, 1, 1]);
    }
}

/// A request that a worker returns while the broker stops is with nobody.
#[test]
fn returned_requests_run_once_whenever_the_broker_stops() {
    for at in (100..4500).step_by(200) {
        let (mut net, b, workers, c) = known();
        let requests = net.requests(c, 0..4);
        net.run(micros(500));
        for w in workers {
            net.act(w, |worker, _| worker.machine.pause());
        }
        net.run(micros(at));
        net.act(b, |broker, now| broker.machine.stop(now));
        net.run(ms(5));
        replace(&mut net, b, ms(300));
        for w in workers {
            net.act(w, |worker, now| worker.machine.unpause(now));
        }
        net.run(secs(2));
        for (n, r) in requests.into_iter().enumerate() {
            assert_eq!(net.end(c, r), done(&n.to_string()), "{at}");
        }
        let started = workers.map(|w| net.started(w).len());
        assert_eq!(started.iter().sum::<usize>(), 4, "{at}");
    }
}

/// Through a proxy, handshakes fail while there is no broker. The next broker still says its hello first.
#[test]
fn requests_after_failed_handshakes_run_once_whenever_the_broker_dies() {
    for at in (90_000..130_000).step_by(500) {
        let (mut net, b, workers, c) = known();
        net.kill(b);
        net.run(ms(1));
        net.act(c, |client, now| client.machine.handle_refused(0, now));
        let r = net.request(c, "echo", "1");
        net.start(b);
        net.run(micros(at));
        replace(&mut net, b, ms(300));
        net.run(secs(20));
        assert_eq!(net.end(c, r), done("1"), "{at}");
        let started = workers.map(|w| net.started(w).len());
        assert_eq!(started.iter().sum::<usize>(), 1, "{at}");
    }
}

#[test]
fn a_worker_that_dies_with_the_broker_leaves_it_unknown() {
    let (mut net, b, [w, v], c) = known();
    let r = net.request(c, "echo", "1");
    net.run(micros(500));
    net.kill(v);
    replace(&mut net, b, ms(300));
    net.start(v);
    net.run(secs(7));
    assert_eq!(net.end(c, r), None);
    net.run(secs(9));
    assert_eq!(net.end(c, r), failed("B_LOST"));
    assert_eq!((net.started(w), net.started(v)), (vec![], vec![]));
}

#[test]
fn workers_of_other_services_need_not_come_back() {
    let (mut net, b, _, c) = known();
    let other = net.worker(b, "other");
    net.run(ms(10));
    let r = net.request(c, "echo", "1");
    let s = net.request(c, "other", "2");
    net.run(micros(500));
    net.kill(other);
    replace(&mut net, b, ms(300));
    net.run(secs(17));
    assert_eq!(net.end(c, r), done("1"));
    assert_eq!(net.end(c, s), failed("B_LOST"));
}

#[test]
fn a_worker_that_serves_other_names_may_have_had_it() {
    let (mut net, b, _, c) = known();
    let wild = net.worker_with(b, "ec*", |config| config.serving.pattern = true);
    net.run(ms(10));
    let r = net.request(c, "echo", "1");
    net.run(micros(500));
    net.kill(wild);
    replace(&mut net, b, ms(300));
    net.run(secs(17));
    assert_eq!(net.end(c, r), failed("B_LOST"));
}

#[test]
fn a_worker_that_can_not_say_what_it_had_leaves_it_unknown() {
    let (mut net, b, _, c) = known();
    let _ = net.old_worker(b, "echo");
    net.run(ms(10));
    let r = net.request(c, "echo", "1");
    net.run(micros(500));
    replace(&mut net, b, ms(300));
    net.run(secs(17));
    assert_eq!(net.end(c, r), failed("B_LOST"));
}

#[test]
fn a_worker_that_has_left_before_is_not_missed() {
    let (mut net, b, [_, v], c) = known();
    net.act(v, |worker, now| worker.machine.stop(now, None));
    net.run(ms(10));
    let r = net.request(c, "echo", "1");
    net.run(micros(500));
    replace(&mut net, b, ms(300));
    net.run(secs(1));
    assert_eq!(net.end(c, r), done("1"));
}

#[test]
fn a_request_without_a_worker_starts_at_the_first_worker_of_the_next_broker() {
    let mut net = Net::new();
    let b = net.broker();
    let c = net.client(b);
    net.run(ms(10));
    let r = net.request(c, "echo", "1");
    net.run(micros(500));
    replace(&mut net, b, ms(300));
    net.run(secs(1));
    let w = net.worker(b, "echo");
    net.run(ms(20));
    assert_eq!(net.end(c, r), done("1"));
    assert_eq!(net.started(w), ["1"]);
}

/// A paused client does not hear of the worker, and delays the others only for a moment.
#[test]
fn a_new_worker_gets_nothing_of_a_client_that_has_not_heard_of_it() {
    let (mut net, b, [w, v], c) = known();
    let other = net.client(b);
    net.serve(w, |_| Job::endless());
    net.serve(v, |_| Job::endless());
    for client in [c, c, other] {
        net.request(client, "echo", "0");
    }
    net.run(ms(10));
    let kept = net.request(other, "echo", "1");
    net.run(ms(2));
    net.pause(other);
    let fresh = net.worker(b, "echo");
    net.run(ms(10));
    let r = net.request(c, "echo", "2");
    net.run(ms(30));
    assert_eq!(net.started(fresh), [""; 0]);
    net.run(ms(100));
    assert_eq!(net.started(fresh), ["2"]);
    assert_eq!(net.end(c, r), done("2"));
    let next = net.worker(b, "echo");
    net.run(ms(10));
    assert_eq!(net.call(c, "echo", "3"), End::Final(json("3")));
    net.run(ms(500));
    assert_eq!(net.started(next), [""; 0]);
    net.resume(other);
    net.run(ms(10));
    assert_eq!(net.end(other, kept), done("1"));
}

/// Brokers die, and sometimes workers and clients, often at the same moments; others start, are cut off, and are
/// suspended.
#[test]
fn nothing_runs_twice_and_nothing_is_lost_with_brokers_alone() {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse().ok());
    if let Some(seed) = number("OMDP_SEED") {
        return storm(seed);
    }
    for seed in 0..number("OMDP_SEEDS").unwrap_or(100) {
        let run = std::panic::catch_unwind(|| storm(seed));
        assert!(run.is_ok(), "OMDP_SEED={seed}");
    }
}

/// There is no broker behind a proxy for a while, and the pauses between the attempts grow.
fn fail_handshakes(net: &mut Net, workers: &[Id<WorkerActor>], clients: &[Id<ClientActor>]) {
    let end = net.now() + ms(net.rng.between(500, 8000));
    while net.now() < end {
        for &w in workers {
            if net.is_alive(w) && !net.is_paused(w) {
                net.act(w, |worker, now| worker.machine.handle_refused(0, now));
            }
        }
        for &c in clients {
            if net.is_alive(c) && !net.is_paused(c) {
                net.act(c, |client, now| client.machine.handle_refused(0, now));
            }
        }
        net.run(ms(100));
    }
}

fn storm(seed: u64) {
    let mut net = Net::seeded(seed).unaudited();
    let (least, most) = *net.rng.pick(&[(50, 300), (900, 1100), (50, 5000)]);
    net.set_latency(least, most);
    let grace = ms(*net.rng.pick(&[0, 1000]));
    let b = net.broker_with(|config| config.reconnect_grace = grace);
    let only_brokers = net.rng.percent(40);
    let mut workers = Vec::new();
    for _ in 0..net.rng.between(1, 4) {
        let concurrency = *net.rng.pick(&[Some(1), Some(2), None]);
        let w = net.worker_with(b, "echo", |config| {
            config.concurrency = concurrency;
            config.link.away = secs(60);
        });
        let takes = ms(net.rng.between(0, 20));
        net.serve(w, move |body| Job::echo(body).every(takes));
        workers.push(w);
    }
    let clients: Vec<_> = (0..net.rng.between(1, 3))
        .map(|_| net.client_with(b, |config| config.link.away = secs(60)))
        .collect();
    net.run(ms(200));
    let mut asked = 0;
    let mut terms = Vec::new();
    let mut starts = 0;
    let mut down: Vec<Id<()>> = Vec::new();
    for _ in 0..600 {
        for _ in 0..net.rng.below(4) {
            let c = *net.rng.pick(&clients);
            let retry = u8::from(net.rng.percent(20));
            if net.is_alive(c) && !net.is_paused(c) {
                let options = Terms {
                    timeout: None,
                    retry,
                    ..Terms::default()
                };
                net.request_on(c, "echo", json(&asked.to_string()), options);
                terms.push(retry);
                asked += 1;
            }
        }
        net.run(micros(net.rng.clone().between(0, 6000)));
        net.rng.next();
        if !net.rng.percent(3) {
            continue;
        }
        if !only_brokers {
            for _ in 0..net.rng.below(3) {
                let everybody = workers.iter().map(|w| w.any());
                let everybody: Vec<_> = everybody.chain(clients.iter().map(|c| c.any())).collect();
                let victim = *net.rng.pick(&everybody);
                if !net.is_alive(victim) {
                    net.start(victim);
                    continue;
                }
                match net.rng.below(6) {
                    0 | 1 if workers.iter().any(|w| w.any() == victim) => net.kill(victim),
                    2 => net.cut(victim, &[Side::Dealer]),
                    3 => net.cut(victim, &[Side::Dealer, Side::Broker]),
                    4 => net.pause(victim),
                    _ => net.restart(victim),
                }
                down.push(victim);
                net.run(micros(net.rng.clone().between(0, 3000)));
            }
        }
        net.kill(b);
        starts += 1;
        match net.rng.percent(5) {
            true => fail_handshakes(&mut net, &workers, &clients),
            false => net.run(ms(*net.rng.clone().pick(&[0, 1, 50, 300]))),
        }
        net.start(b);
        for victim in std::mem::take(&mut down) {
            match net.is_alive(victim) {
                true if net.is_paused(victim) => net.resume(victim),
                true => {}
                false => net.start(victim),
            }
        }
        net.run(ms(net.rng.clone().between(0, 1500)));
    }
    net.run(secs(40));
    let mut started: HashMap<String, usize> = HashMap::new();
    for &w in &workers {
        for body in net.started(w) {
            *started.entry(body).or_default() += 1;
        }
    }
    for (body, count) in started {
        let retry = usize::from(terms[body.parse::<usize>().expect("a number")]);
        assert!(
            count <= 1 + retry * (starts + 1),
            "{body} ran {count} times"
        );
    }
    for &c in &clients {
        for seen in &net[c].seen {
            assert!(!seen.is_open(), "{seen:?}");
            let is_done = matches!(seen.end, Some(End::Final(_)));
            assert!(is_done || seen.dropped || !only_brokers, "{seen:?}");
        }
    }
}
