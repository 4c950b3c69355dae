//! Balancing policies.

use crate::proto::broker::Policy;
use crate::proto::tests::net::*;
use crate::wire::Balance;
use std::time::Duration;

/// One request after the other, and the number that each worker got.
fn one_at_a_time(
    net: &mut Net,
    c: Id<ClientActor>,
    workers: &[Id<WorkerActor>],
    count: usize,
) -> Vec<usize> {
    let before: Vec<usize> = workers.iter().map(|&w| net.started(w).len()).collect();
    for n in 0..count {
        let text = n.to_string();
        assert_eq!(net.call(c, "echo", &text), End::Final(json(&text)));
    }
    let counts = workers.iter().zip(before);
    counts
        .map(|(&w, before)| net.started(w).len() - before)
        .collect()
}

fn worker(net: &mut Net, b: Id<BrokerActor>, takes: Duration, weight: u32) -> Id<WorkerActor> {
    let w = net.worker_with(b, "echo", |config| {
        config.serving.weight = Some(weight);
    });
    net.serve(w, move |body| Job::echo(body).every(takes));
    net.run(ms(10));
    w
}

fn broker(net: &mut Net, balance: Balance) -> Id<BrokerActor> {
    net.broker_with(|config| {
        let policy = Policy {
            balance: Some(balance),
            rate: None,
        };
        config.policies.services.push(("e*o".into(), policy));
    })
}

#[test]
fn a_worker_slow_by_ten_gets_a_tenth_of_the_work() {
    let mut net = Net::near();
    let b = broker(&mut net, Balance::LeastLoaded);
    let c = net.client(b);
    let workers = [ms(100), ms(1000)].map(|takes| worker(&mut net, b, takes, 1));
    let counts = one_at_a_time(&mut net, c, &workers, 220);
    assert!((15..=26).contains(&counts[1]), "{counts:?}");
    // A later worker does not catch up with the others.
    let mut workers = workers.to_vec();
    workers.push(worker(&mut net, b, ms(100), 1));
    let counts = one_at_a_time(&mut net, c, &workers, 210);
    assert!((85..=115).contains(&counts[2]), "{counts:?}");
    assert!((85..=115).contains(&counts[0]), "{counts:?}");
}

/// The way to a worker and back is longer than the quick handler takes, and is no work.
#[test]
fn only_the_work_counts_and_not_the_way_to_it() {
    for prefetch in [1024, 0] {
        let mut net = Net::new();
        let b = broker(&mut net, Balance::LeastLoaded);
        let c = net.client(b);
        let workers = [ms(1), ms(10)].map(|takes| {
            let w = net.worker_with(b, "echo", |config| config.prefetch = prefetch);
            net.serve(w, move |body| Job::echo(body).every(takes));
            net.run(ms(10));
            w
        });
        let counts = one_at_a_time(&mut net, c, &workers, 220);
        assert!((15..=26).contains(&counts[1]), "{counts:?}");
    }
}

#[test]
fn the_least_loaded_has_the_fewest_requests() {
    let mut net = Net::near();
    let b = broker(&mut net, Balance::LeastLoaded);
    let c = net.client(b);
    let workers = [0; 2].map(|_| {
        let w = net.worker_with(b, "echo", |config| config.concurrency = None);
        net.serve(w, |_| Job::endless());
        net.run(ms(10));
        w
    });
    net.requests(c, 0..101);
    net.run(secs(1));
    let mut counts = workers.map(|w| net.started(w).len());
    counts.sort_unstable();
    assert_eq!(counts, [50, 51]);
}

/// After one very slow request, a worker is tried again before the others have worked for as long.
#[test]
fn one_slow_request_is_not_held_against_a_worker_for_ever() {
    let mut net = Net::near();
    let b = broker(&mut net, Balance::LeastLoaded);
    let c = net.client(b);
    let w = net.worker(b, "echo");
    net.serve(w, |body| match *body.bytes {
        [b'1'] => Job::echo(body).every(secs(9)),
        _ => Job::echo(body).every(ms(1)),
    });
    let other = worker(&mut net, b, ms(1), 1);
    let counts = one_at_a_time(&mut net, c, &[w, other], 600);
    assert!(counts.iter().all(|&count| count > 100), "{counts:?}");
}

#[test]
fn weights_are_shares() {
    let mut net = Net::near();
    let b = broker(&mut net, Balance::Weighted);
    let c = net.client(b);
    let workers = [1, 3, 6].map(|weight| worker(&mut net, b, ms(1), weight));
    assert_eq!(one_at_a_time(&mut net, c, &workers, 100), [10, 30, 60]);
}

#[test]
fn at_random_everybody_gets_some_and_not_in_turn() {
    let mut net = Net::near();
    let b = broker(&mut net, Balance::Random);
    let c = net.client(b);
    let workers = [0; 4].map(|_| worker(&mut net, b, ms(1), 1));
    let counts = one_at_a_time(&mut net, c, &workers, 400);
    assert!(
        counts.iter().all(|count| (60..=140).contains(count)),
        "{counts:?}"
    );
    assert_ne!(counts, [100; 4]);
}

/// The policy is taken from the worker's hello, unless the broker configures it.
#[test]
fn a_worker_may_say_the_policy() {
    for (said, expected) in [(None, [25, 75]), (Some(Balance::LongestIdle), [50, 50])] {
        let mut net = Net::near();
        let b = net.broker_with(|config| {
            let policy = Policy {
                balance: said,
                rate: None,
            };
            config.policies.services.push(("echo".into(), policy));
        });
        let c = net.client(b);
        let workers = [1, 3].map(|weight| {
            let w = net.worker_with(b, "echo", |config| {
                config.serving.weight = Some(weight);
                config.serving.balance = Some(Balance::Weighted);
            });
            net.run(ms(10));
            w
        });
        assert_eq!(one_at_a_time(&mut net, c, &workers, 100), expected);
    }
}
