//! As long as the process that has a request lives, the request ends with its reply, whatever happens to the
//! connections: once, with all parts in order, and started once.

mod away;
mod grace;
mod handover;
mod pieces;

use super::net::*;
use crate::proto::Terms;
use crate::proto::code::Code;
use crate::wire::Body;

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

/// A request that may be given to so many further workers and whose handler does not end, on its way to one.
fn endless(retry: u8) -> (Net, Id<BrokerActor>, Id<WorkerActor>, Id<ClientActor>, u64) {
    let (mut net, b) = net_of(1);
    let w = net.worker(b, "echo");
    net.serve(w, |_| Job::endless());
    let c = net.client(b);
    net.run(secs(1));
    let terms = Terms { retry, ..FOREVER };
    let r = net.request_on(c, "echo", json("1"), terms);
    (net, b, w, c, r)
}

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
