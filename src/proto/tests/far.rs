//! Workers behind slow links: full throughput, and short waits.

use super::net::*;
use crate::proto::worker::MAX_OFFER_WAIT;
use std::time::Duration;

const SERVICE: Duration = Duration::from_micros(20);

/// Requests that a handler of [`SERVICE`] can process per second.
const FULL: usize = 50_000;

/// A broker and a client in a network with this latency in ms.
fn network(way: u64) -> (Net, Id<BrokerActor>, Id<ClientActor>) {
    let mut net = Net::new().unaudited();
    net.set_latency(way * 1000, way * 1000);
    let b = net.broker();
    let c = net.client(b);
    (net, b, c)
}

fn worker(
    net: &mut Net,
    b: Id<BrokerActor>,
    handler: impl Fn(u64) -> Duration + 'static,
) -> Id<WorkerActor> {
    let w = net.worker_with(b, "echo", |config| config.prefetch = 65_535);
    net.serve(w, move |body| {
        let text = std::str::from_utf8(&body.bytes).expect("a number");
        Job::echo(body).every(handler(text.parse().expect("a number")))
    });
    w
}

/// Keeps `open` requests open, and checks everything after each instant.
fn load(
    net: &mut Net,
    c: Id<ClientActor>,
    open: usize,
    span: Duration,
    mut look: impl FnMut(&mut Net),
) {
    let refill = |net: &mut Net| {
        while net[c].machine.outstanding() < open {
            let number = net[c].seen.len().to_string();
            net.request(c, "echo", &number);
        }
    };
    refill(net);
    net.run_checked(span, |net| {
        refill(net);
        look(net);
    });
}

/// Requests that a worker with this handler ends in one second, after a second of warm-up.
fn throughput(way: u64, handler: impl Fn(u64) -> Duration + 'static) -> usize {
    let (mut net, b, c) = network(way);
    let w = worker(&mut net, b, handler);
    // The client's own round trip is as long, and each side of the broker has a reserve.
    let open = 500 + 6 * way as usize * FULL / 1000;
    net.run(ms(20 * way));
    load(&mut net, c, open, ms(600), |_| {});
    let before = net[w].started.len();
    load(&mut net, c, open, ms(500), |_| {});
    assert_eq!(net[w].most_running, 1);
    2 * (net[w].started.len() - before)
}

#[test]
fn a_fast_worker_is_fast_however_far_it_is() {
    for way in [1, 5, 20] {
        let done = throughput(way, |_| SERVICE);
        assert!(done >= FULL * 95 / 100, "{way} ms: {done} a second");
    }
}

#[test]
fn so_is_one_that_works_on_ten_requests_at_once() {
    let (mut net, b, c) = network(5);
    let w = worker(&mut net, b, |_| 10 * SERVICE);
    net.act(w, |worker, now| worker.set_concurrency(now, Some(10)));
    net.run(ms(100));
    load(&mut net, c, 2_000, ms(500), |_| {});
    let before = net[w].started.len();
    load(&mut net, c, 2_000, ms(500), |_| {});
    let done = 2 * (net[w].started.len() - before);
    assert_eq!(net[w].most_running, 10);
    assert!(done >= FULL * 95 / 100, "{done} a second");
}

#[test]
fn a_pause_now_and_then_costs_little_more_than_itself() {
    for way in [1, 5] {
        for (pause, least) in [(4, 85), (6, 70)] {
            let handler = move |n| match n % 5_000 {
                4_999 => ms(pause),
                _ => SERVICE,
            };
            let done = throughput(way, handler);
            assert!(done >= FULL * least / 100, "{way} ms: {done} a second");
        }
    }
}

#[test]
fn next_to_nothing_waits_for_a_slow_handler() {
    for (way, service) in [
        (1, 1_000),
        (1, 2_000),
        (5, 1_000),
        (5, 2_000),
        (5, 3_000),
        (5, 20_000),
    ] {
        let (mut net, b, c) = network(way);
        let w = worker(&mut net, b, move |_| Duration::from_micros(service));
        net.run(ms(20 * way));
        load(&mut net, c, 100, secs(1), |_| {});
        let mut most = 0;
        load(&mut net, c, 100, secs(1), |net| {
            most = most.max(net[w].machine.outstanding())
        });
        assert!(most <= 2, "{way} ms, {service} µs: {most}");
        assert_eq!(net[w].returns, 0);
    }
}

/// The maximum time from the arrival of a request at the broker to its reply.
#[test]
fn beside_a_fast_worker_nothing_waits_for_a_slow_one() {
    for way in [1, 5] {
        let (mut net, b, c) = network(way);
        worker(&mut net, b, |_| SERVICE);
        let slow = worker(&mut net, b, |_| 100 * SERVICE);
        net.run(ms(20 * way));
        let mut begun = Vec::new();
        load(&mut net, c, 300, secs(2), |net| {
            begun.resize(net[c].seen.len(), net.now())
        });
        let ended = net[c]
            .seen
            .iter()
            .zip(&begun)
            .skip(1_000)
            .filter(|(seen, _)| seen.end.is_some());
        let longest = ended
            .map(|(seen, begun)| seen.at.since(*begun))
            .max()
            .unwrap();
        // To the broker and back, to the worker and back, and the work that may lie ahead there.
        assert!(longest <= ms(4 * way) + ms(2 * way) + ms(4), "{longest:?}");
        assert!(net[slow].started.len() > 100);
    }
}

/// Each request ends before the worker would detect a stall.
#[test]
fn prefetched_requests_of_a_handler_that_turns_slow_do_not_stay_there() {
    let (mut net, b, c) = network(5);
    let w = worker(&mut net, b, |n| if n < 50_000 { SERVICE } else { ms(4) });
    net.run(ms(100));
    let turn = |net: &mut Net| net[w].started.len() > 50_000;
    while !turn(&mut net) {
        load(&mut net, c, 2_000, ms(1), |_| {});
    }
    let mut most = 0;
    net.run_checked(MAX_OFFER_WAIT, |net| {
        most = most.max(net[w].machine.outstanding())
    });
    // Requests that were under way have arrived; those with a long wait have been returned.
    let left = net[w].machine.outstanding();
    assert!(most > 200 && left < 35, "{most}, then {left}");
    let other = worker(&mut net, b, |_| SERVICE);
    // Parked requests must be released by their client first, more of them with each round trip.
    net.run(MAX_OFFER_WAIT + ms(200));
    assert!(net[w].machine.outstanding() <= 1);
    assert!(net[other].started.len() > 1_000);
    assert_eq!(net[c].machine.outstanding(), 0);
}

/// A link stops for a while, and then delivers everything at once.
#[test]
fn a_link_that_stood_still_is_as_fast_as_before() {
    let (mut net, b, c) = network(1);
    let w = worker(&mut net, b, |_| SERVICE);
    net.run(ms(20));
    load(&mut net, c, 1_000, secs(1), |_| {});
    for _ in 0..10 {
        net.partition(w);
        load(&mut net, c, 1_000, ms(20), |_| {});
        net.heal(w);
        load(&mut net, c, 1_000, ms(80), |_| {});
    }
    let before = net[w].started.len();
    load(&mut net, c, 1_000, ms(100), |_| {});
    let done = net[w].started.len() - before;
    assert!(done > FULL / 10 * 9 / 10, "{done}");
}
