//! Rate limits of a service, over all its workers.

use crate::proto::Time;
use crate::proto::broker::Policy;
use crate::proto::tests::net::*;
use crate::wire::Rate;

const RATE: Rate = Rate {
    max: 5,
    interval_ms: 1000,
};

/// The end of each request, in ms after the first.
fn ends(net: &mut Net, c: Id<ClientActor>, requests: &[u64]) -> Vec<u64> {
    let times: Vec<Time> = requests.iter().map(|&r| net.seen(c, r).at).collect();
    let first = times[0];
    times
        .iter()
        .map(|at| at.since(first).as_millis() as u64)
        .collect()
}

#[test]
fn requests_beyond_the_rate_wait() {
    let mut net = Net::near();
    let b = net.broker_with(|config| {
        let policy = Policy {
            balance: None,
            rate: Some(RATE),
        };
        config.policies.services.push(("echo".into(), policy));
    });
    let c = net.client(b);
    for _ in 0..3 {
        net.worker(b, "echo");
        net.worker(b, "other");
    }
    net.run(ms(10));
    let requests = net.requests(c, 0..17);
    let free: Vec<u64> = (0..20)
        .map(|n| net.request(c, "other", &n.to_string()))
        .collect();
    net.run(ms(100));
    assert!(net.ends(c, &free).iter().all(|end| end.is_some()));
    assert_eq!(net.ends(c, &requests).iter().flatten().count(), 5);
    net.run(secs(10));
    let ends = ends(&mut net, c, &requests);
    for (n, &at) in ends.iter().enumerate() {
        let expected = n as u64 / 5 * 1000;
        assert!((expected..expected + 100).contains(&at), "{ends:?}");
    }
    assert_eq!(net[b].machine.load()[0], 0);
}

/// The limit holds in every interval, wherever it begins.
#[test]
fn there_is_no_interval_with_more() {
    let mut net = Net::near();
    let b = net.broker();
    let c = net.client(b);
    net.worker_with(b, "echo", |config| config.serving.rate = Some(RATE));
    net.run(ms(10));
    let mut requests = Vec::new();
    for n in 0..60 {
        let count = n % 4;
        requests.extend((0..count).map(|_| net.request_with(c, "echo", json("1"), None)));
        net.run(ms(170));
    }
    net.run(secs(30));
    let mut ends = ends(&mut net, c, &requests);
    ends.sort_unstable();
    assert_eq!(ends.len(), requests.len());
    for window in ends.windows(6) {
        assert!(window[5] - window[0] >= 990, "{ends:?}");
    }
}

/// The count survives the restart of a worker.
#[test]
fn a_restart_of_the_only_worker_does_not_reset_the_rate() {
    let mut net = Net::near();
    let b = net.broker();
    let c = net.client(b);
    let w = net.worker_with(b, "echo", |config| config.serving.rate = Some(RATE));
    net.run(ms(10));
    let first = net.requests(c, 0..5);
    net.run(ms(100));
    assert!(net.ends(c, &first).iter().all(|end| end.is_some()));
    net.restart(w);
    net.run(ms(200));
    let second = net.requests(c, 5..10);
    net.run(ms(200));
    assert!(net.ends(c, &second).iter().all(|end| end.is_none()));
    net.run(secs(2));
    assert!(net.ends(c, &second).iter().all(|end| end.is_some()));
}
