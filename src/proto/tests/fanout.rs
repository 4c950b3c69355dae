//! Requests to all workers of a service.

use super::net::*;
use crate::proto::Terms;
use crate::proto::broker::Policy;
use crate::wire::Rate;

/// The contents of each part: flags, worker and value.
fn parts(net: &mut Net, client: Id<ClientActor>, request: u64) -> Vec<(u8, String, String)> {
    let partials = net.seen(client, request).partials.clone();
    let mut parts: Vec<_> = partials
        .into_iter()
        .map(|body| {
            let end = 2 + usize::from(body.bytes[1]);
            let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
            (
                body.bytes[0],
                text(&body.bytes[2..end]),
                text(&body.bytes[end..]),
            )
        })
        .collect();
    parts.sort();
    parts
}

fn part(flags: u8, worker: &str, value: &str) -> (u8, String, String) {
    (flags, worker.into(), value.into())
}

fn cast(workers: usize) -> (Net, Id<BrokerActor>, Id<ClientActor>, Vec<Id<WorkerActor>>) {
    cast_with(workers, ms(0))
}

fn cast_with(
    workers: usize,
    grace: std::time::Duration,
) -> (Net, Id<BrokerActor>, Id<ClientActor>, Vec<Id<WorkerActor>>) {
    let mut net = Net::new();
    let b = net.broker_with(|config| config.reconnect_grace = grace);
    let c = net.client(b);
    let workers = (0..workers).map(|_| net.worker(b, "echo")).collect();
    net.run(ms(50));
    (net, b, c, workers)
}

#[test]
fn each_worker_answers_once_and_then_it_is_over() {
    let (mut net, b, c, workers) = cast(3);
    net.worker(b, "other");
    net.serve(workers[1], |_| Job::error("7"));
    net.serve(workers[2], |body| Job::echo(body).parts(3).every(ms(10)));
    let r = net.request(c, "mmi.all:echo", "1");
    net.run(secs(1));
    assert_eq!(net.end(c, r), done("null"));
    let expected = [part(0, "W2", "1"), part(0, "W4", "1"), part(4, "W3", "7")];
    assert_eq!(parts(&mut net, c, r), expected);
    assert_eq!(net[b].machine.load(), [0, 4, 1, 2]);
    let nobody = net.request(c, "mmi.all:nobody", "1");
    net.run(ms(10));
    assert_eq!(net.end(c, nobody), done("null"));
    assert_eq!(net.seen(c, nobody).partials.len(), 0);
}

#[test]
fn a_busy_worker_is_waited_for_and_others_pass() {
    let (mut net, _, c, workers) = cast(2);
    net.serve(workers[0], |body| Job::echo(body).parts(1).every(secs(1)));
    let busy = net.request(c, "echo", "0");
    net.run(ms(10));
    let r = net.request(c, "mmi.all:echo", "1");
    net.run(ms(100));
    assert_eq!(net.seen(c, r).partials.len(), 1);
    assert_eq!(net.call(c, "echo", "2"), End::Final(json("2")));
    net.run(secs(5));
    assert_eq!(net.end(c, busy), done("0"));
    assert_eq!(net.end(c, r), done("null"));
    assert_eq!(net.started(workers[0]), ["0", "1"]);
    assert_eq!(net.started(workers[1]), ["1", "2"]);
}

#[test]
fn a_lost_worker_is_an_error_whether_it_had_begun_or_not() {
    let (mut net, _, c, workers) = cast(2);
    net.serve(workers[0], |_| Job::endless());
    net.serve(workers[1], |_| Job::endless());
    net.request(c, "echo", "0");
    net.run(ms(10));
    let r = net.request(c, "mmi.all:echo", "1");
    net.run(ms(10));
    net.kill(workers[0]);
    net.kill(workers[1]);
    net.run(secs(20));
    let lost = r#""W_LOST""#;
    assert_eq!(
        parts(&mut net, c, r),
        [part(12, "W2", lost), part(12, "W3", lost)]
    );
    assert_eq!(net.end(c, r), done("null"));
}

#[test]
fn a_cancelled_one_ends_everywhere() {
    let (mut net, b, c, workers) = cast(3);
    for &worker in &workers {
        net.serve(worker, |_| Job::endless());
    }
    net.request(c, "echo", "0");
    net.run(ms(10));
    let r = net.request(c, "mmi.all:echo", "1");
    net.run(ms(10));
    net.act(c, |client, _| client.cancel(r));
    net.run(ms(10));
    assert_eq!(net[b].machine.load()[0], 1);
    let cancelled: usize = workers.iter().map(|&w| net[w].cancelled.len()).sum();
    assert_eq!(cancelled, 2, "the third had not begun");
    let terms = Terms::from(Some(ms(500)));
    let late = net.request_on(c, "mmi.all:echo", json("2"), terms);
    net.run(secs(2));
    assert_eq!(net.end(c, late), failed("C_TIMEOUT"));
    assert_eq!(net[b].machine.load()[0], 1);
}

/// The copies are made and cancelled in pieces.
#[test]
fn very_many_workers_answer_once_each_or_are_cancelled() {
    let (mut net, b, c, workers) = cast(200);
    let r = net.request(c, "mmi.all:echo", "1");
    net.run(secs(1));
    assert_eq!(net.end(c, r), done("null"));
    assert_eq!(parts(&mut net, c, r).len(), 200);
    for &worker in &workers {
        net.serve(worker, |_| Job::endless());
    }
    let r = net.request(c, "mmi.all:echo", "2");
    net.run(secs(1));
    net.kill(workers[7]);
    net.run(secs(1));
    assert_eq!(net[b].machine.load()[0], 200);
    net.act(c, |client, _| client.cancel(r));
    net.run(secs(1));
    assert_eq!(net[b].machine.load(), [0, 199, 1, 1]);
    let cancelled: usize = workers.iter().map(|&w| net[w].cancelled.len()).sum();
    assert_eq!(cancelled, 199);
}

#[test]
fn a_client_that_goes_with_a_fan_out_to_very_many_leaves_nothing() {
    let (mut net, b, c, workers) = cast(200);
    for &worker in &workers {
        net.serve(worker, |_| Job::endless());
    }
    for n in 0..3 {
        net.request(c, "mmi.all:echo", &n.to_string());
    }
    net.run(secs(1));
    assert_eq!(net[b].machine.load()[0], 603);
    net.kill(c);
    net.run(secs(1));
    assert_eq!(net[b].machine.load(), [0, 200, 0, 1]);
    net.kill(workers[0]);
    net.run(secs(1));
    assert_eq!(net[b].machine.load(), [0, 199, 0, 1]);
}

#[test]
fn a_worker_that_pauses_or_stops_leaves_its_copy_to_nobody() {
    let (mut net, _, c, workers) = cast(2);
    for &worker in &workers {
        net.act(worker, |worker, _| worker.pause());
    }
    net.run(ms(10));
    let r = net.request(c, "mmi.all:echo", "1");
    net.run(secs(1));
    assert_eq!(net.seen(c, r).partials.len(), 0);
    net.act(workers[0], WorkerActor::unpause);
    net.act(workers[1], |worker, now| worker.machine.stop(now, None));
    net.run(secs(1));
    let lost = r#""W_LOST""#;
    assert_eq!(
        parts(&mut net, c, r),
        [part(0, "W2", "1"), part(12, "W3", lost)]
    );
    assert_eq!(net.end(c, r), done("null"));
    assert!(net.started(workers[1]).is_empty());
}

/// The next broker cannot know which workers have answered.
#[test]
fn it_ends_with_its_broker_and_runs_nowhere_again() {
    let (mut net, b, c, workers) = cast(3);
    for &worker in &workers {
        net.serve(worker, |body| Job::echo(body).parts(1).every(secs(1)));
    }
    let r = net.request(c, "mmi.all:echo", "1");
    net.run(ms(100));
    net.act(b, |broker, now| broker.machine.stop(now));
    net.run(secs(30));
    assert_eq!(net.end(c, r), failed("B_LOST"));
    for worker in workers {
        assert_eq!(net.started(worker), ["1"]);
    }
    assert_eq!(net[b].machine.load()[0], 0);
}

#[test]
fn it_outlives_the_connections_of_its_client_and_of_its_workers() {
    for cut_all in [false, true] {
        let (mut net, b, c, workers) = cast_with(3, secs(1));
        for (n, &worker) in workers.iter().enumerate() {
            let takes = ms(300 * (n as u64 + 1));
            net.serve(worker, move |body| Job::echo(body).parts(1).every(takes));
        }
        let busy = net.request(c, "echo", "0");
        net.run(ms(5));
        let r = net.request(c, "mmi.all:echo", "1");
        for _ in 0..12 {
            match cut_all {
                true => net.cut(b, &[Side::Dealer, Side::Broker]),
                false => net.cut(c, &[Side::Dealer, Side::Broker]),
            }
            net.run(ms(170));
        }
        net.run(secs(10));
        assert_eq!(net.end(c, busy), done("0"));
        let expected = ["W2", "W3", "W4"].map(|worker| part(0, worker, "1"));
        assert_eq!(parts(&mut net, c, r), expected, "{cut_all}");
        assert_eq!(net.end(c, r), done("null"));
        let mut started: Vec<_> = workers.iter().flat_map(|&w| net.started(w)).collect();
        started.sort();
        assert_eq!(started, ["0", "1", "1", "1"]);
        assert_eq!(net[b].machine.load()[0], 0);
    }
}

#[test]
fn each_copy_is_on_the_account_of_its_client() {
    let mut net = Net::new();
    let b = net.broker_with(|config| config.held.peer = 4000);
    let c = net.client(b);
    for _ in 0..3 {
        net.worker(b, "echo");
    }
    net.run(ms(50));
    let large = format!("\"{}\"", "x".repeat(1000));
    let r = net.request(c, "mmi.all:echo", &large);
    net.run(ms(50));
    assert_eq!(net.end(c, r), failed("B_QUEUE_FULL"));
    let small = net.request(c, "mmi.all:echo", "1");
    net.run(ms(50));
    assert_eq!(net.end(c, small), done("null"));
}

/// The copies end in pieces.
#[test]
fn a_worker_that_leaves_with_very_many_copies_delays_none_of_the_others() {
    let mut net = Net::new();
    let b = net.broker();
    let c = net.client(b);
    let [leaves, stays] = [0, 1].map(|_| net.worker(b, "echo"));
    for worker in [leaves, stays] {
        net.serve(worker, |_| Job::endless());
    }
    net.run(ms(50));
    let requests: Vec<u64> = (0..200)
        .map(|_| net.request(c, "mmi.all:echo", "1"))
        .collect();
    net.run(ms(20));
    net.kill(leaves);
    net.run_until(secs(5), |net| {
        net[b].machine.stats(net.now()).tables.leaving > 0
    });
    net.run(secs(5));
    // The other worker has its copies still: one runs, the others wait.
    assert_eq!(net[b].machine.load(), [400, 1, 1, 1]);
    assert_eq!(net.ends(c, &requests).iter().flatten().count(), 0);
    net.kill(stays);
    net.run(secs(5));
    assert_eq!(net.ends(c, &requests), vec![done("null"); 200]);
    assert_eq!(net[b].machine.load()[0], 0);
}

/// Workers that register, pause, stop and die, and clients that cancel and lose their connections.
#[test]
fn accidents_leave_nothing_behind_and_every_request_ends_once() {
    let seeds = std::env::var("OMDP_SEEDS").map_or(60, |text| text.parse().expect("a number"));
    for seed in 0..seeds {
        let mut net = Net::seeded(seed);
        let b = net.broker_with(|config| config.reconnect_grace = secs(seed % 2));
        let clients = [net.client(b), net.client(b)];
        let mut workers: Vec<Id<WorkerActor>> = Vec::new();
        let mut asked = Vec::new();
        for _ in 0..150 {
            let client = *net.rng.pick(&clients);
            match net.rng.below(20) {
                0 | 1 if workers.len() < 6 => {
                    let concurrency = *net.rng.pick(&[Some(1), Some(3), None]);
                    let worker =
                        net.worker_with(b, "echo", |config| config.concurrency = concurrency);
                    let pace = *net.rng.pick(&[0, 2, 40]);
                    net.serve(worker, move |body| Job::echo(body).parts(1).every(ms(pace)));
                    workers.push(worker);
                }
                2 if !workers.is_empty() => {
                    let at = net.rng.below(workers.len());
                    let worker = workers.swap_remove(at);
                    match net.rng.percent(50) {
                        true => net.kill(worker),
                        false => net.act(worker, |worker, now| {
                            worker.machine.stop(now, Some(now + ms(20)));
                        }),
                    }
                }
                3 | 4 if !workers.is_empty() => {
                    let worker = *net.rng.pick(&workers);
                    match net.rng.percent(50) {
                        true => net.act(worker, |worker, _| worker.pause()),
                        false => net.act(worker, WorkerActor::unpause),
                    }
                }
                5 if !workers.is_empty() => {
                    let worker = *net.rng.pick(&workers);
                    net.cut(worker, &[Side::Dealer, Side::Broker]);
                }
                6 => net.cut(client, &[Side::Dealer, Side::Broker]),
                7 | 8 if !asked.is_empty() => {
                    let (client, request): (Id<ClientActor>, u64) = *net.rng.pick(&asked);
                    net.act(client, |client, _| client.cancel(request));
                }
                9..=13 => {
                    asked.push((client, net.request(client, "mmi.all:echo", "1")));
                }
                _ => asked.push((client, net.request(client, "echo", "2"))),
            }
            let micros = net.rng.between(0, 15_000);
            net.run(std::time::Duration::from_micros(micros));
        }
        for worker in workers {
            net.act(worker, WorkerActor::unpause);
        }
        net.run(secs(200));
        let [requests, ..] = net[b].machine.load();
        assert_eq!(requests, 0, "seed {seed}");
        for (client, request) in asked {
            assert!(!net.seen(client, request).is_open(), "seed {seed}");
        }
    }
}

#[test]
fn copies_count_towards_the_rate_of_their_service() {
    let mut net = Net::near();
    let b = net.broker_with(|config| {
        let rate = Some(Rate {
            max: 2,
            interval_ms: 1000,
        });
        let policy = Policy {
            balance: None,
            rate,
        };
        config.policies.services.push(("echo".into(), policy));
    });
    let c = net.client(b);
    for _ in 0..5 {
        net.worker(b, "echo");
    }
    net.run(ms(50));
    let r = net.request(c, "mmi.all:echo", "1");
    for expected in [2, 4, 5] {
        net.run(ms(100));
        assert_eq!(net.seen(c, r).partials.len(), expected);
        net.run(ms(900));
    }
    assert_eq!(net.end(c, r), done("null"));
    assert_eq!(net.call(c, "echo", "2"), End::Final(json("2")));
    assert_eq!(net[b].machine.load()[0], 0);
}

#[test]
fn all_versions_that_share_the_requests_for_a_range_get_copies() {
    let mut net = Net::new();
    let b = net.broker_with(|config| config.policies.spreads = true);
    let c = net.client(b);
    let workers = ["1.0.0", "1.1.0", "1.1.0", "1.2.0-rc.1", "2.0.0"]
        .map(|version| net.worker(b, &format!("echo@{version}")));
    net.run(ms(50));
    for (name, expected) in [
        ("echo@^1", [1, 1, 1, 0, 0]),
        ("echo@1.0.0", [2, 1, 1, 0, 0]),
        ("echo", [2, 1, 1, 0, 1]),
    ] {
        let r = net.request(c, &format!("mmi.all:{name}"), "1");
        net.run(ms(100));
        assert_eq!(net.end(c, r), done("null"));
        assert_eq!(workers.map(|w| net.started(w).len()), expected, "{name}");
    }
}

#[test]
fn a_broker_that_stops_ends_it_at_once() {
    let (mut net, b, c, workers) = cast(2);
    net.serve(workers[0], |_| Job::endless());
    let r = net.request(c, "mmi.all:echo", "1");
    net.run(ms(50));
    net.act(b, |broker, now| broker.machine.stop(now));
    net.run(ms(50));
    assert_eq!(net.end(c, r), failed("B_LOST"));
    assert_eq!(parts(&mut net, c, r).len(), 1);
}

#[test]
fn a_fan_out_does_not_wait_in_its_queue_and_its_answers_are_parts_of_its_service() {
    let mut net = Net::new();
    let b = net.broker_with(|config| config.log_requests = true);
    let c = net.client(b);
    let w = net.worker(b, "echo");
    net.serve(w, |body| Job::echo(body).parts(1).every(ms(150)));
    net.run(ms(50));
    net.call(c, "mmi.all:echo", "1");
    let stats = net[b].machine.stats(crate::proto::Time::ZERO);
    let stats = serde_json::to_value(stats).expect("JSON");
    let service = &stats["services"][0];
    let [queue, work] = ["queue", "work"].map(|times| &service["latency"][times]);
    assert_eq!(
        (queue["count"].as_u64(), work["count"].as_u64()),
        (Some(2), Some(2))
    );
    assert!(queue["max"].as_f64() < Some(100.0), "{queue}");
    assert!(work["max"].as_f64() >= Some(150.0), "{work}");
    assert_eq!(
        service["counters"]["partials"],
        stats["counters"]["partials"]
    );
    let ended = net[b].ended_requests();
    let rids: Vec<_> = ended.iter().map(|ended| &ended.rid).collect();
    assert_eq!(rids.len(), 2);
    assert_eq!(rids[0], rids[1]);
}

#[test]
fn a_request_that_no_worker_had_has_no_attempt() {
    let mut net = Net::new();
    let b = net.broker_with(|config| config.log_requests = true);
    let c = net.client(b);
    let r = net.request(c, "nobody", "1");
    net.run(ms(10));
    net.act(c, |client, _| client.cancel(r));
    net.run(ms(10));
    let attempts: Vec<_> = (net[b].ended_requests().iter())
        .map(|ended| ended.attempt)
        .collect();
    assert_eq!(attempts, [0]);
}
