//! Priorities, and ageing against starvation.

use crate::proto::tests::net::*;

fn priority(level: usize) -> String {
    format!(r#""priority":{level}"#)
}

#[test]
fn levels_are_strict_and_within_one_the_first_comes_first() {
    let mut net = Net::new();
    let b = net.broker();
    let c = net.client(b);
    let old = net.old_client(b);
    for n in 0..20 {
        match n % 5 {
            0 => net.request(c, "echo", &n.to_string()),
            1 => net.request(old, "echo", &n.to_string()),
            level => net.request_more(c, "echo", &n.to_string(), &priority(level)),
        };
        net.run(ms(5));
    }
    let w = net.worker(b, "echo");
    net.run(secs(1));
    let expected = [
        4, 9, 14, 19, 3, 8, 13, 18, 2, 7, 12, 17, 0, 1, 5, 6, 10, 11, 15, 16,
    ];
    assert_eq!(net.started(w), expected.map(|n| n.to_string()));
}

#[test]
fn a_level_counts_as_much_as_the_ageing_time() {
    let mut net = Net::new();
    let b = net.broker_with(|config| config.policies.ageing = secs(1));
    let c = net.client(b);
    net.request(c, "echo", "0");
    net.run(ms(1500));
    net.request_more(c, "echo", "1", &priority(1));
    net.request_more(c, "echo", "2", &priority(2));
    net.run(ms(100));
    let w = net.worker(b, "echo");
    net.run(secs(1));
    // Its waiting time outweighs one level of priority, but not two.
    assert_eq!(net.started(w), ["2", "0", "1"]);
}

/// A stream of urgent requests takes all of the worker's time.
#[test]
fn nothing_starves() {
    let mut net = Net::new();
    let b = net.broker_with(|config| config.policies.ageing = ms(200));
    let c = net.client(b);
    let w = net.worker_with(b, "echo", |config| config.prefetch = 0);
    net.serve(w, |body| Job::echo(body).every(ms(10)));
    net.run(ms(10));
    for _ in 0..5 {
        net.request_more(c, "echo", "9", &priority(9));
    }
    let patient = net.request(c, "echo", "0");
    for _ in 0..300 {
        net.request_more(c, "echo", "9", &priority(9));
        net.run(ms(10));
    }
    assert_eq!(net.end(c, patient), done("0"));
}

/// Urgent requests are parked too, and are asked for first.
#[test]
fn priorities_survive_the_death_of_the_broker() {
    let mut net = Net::new();
    let b = net.broker();
    let c = net.client(b);
    net.run(ms(10));
    let requests: Vec<u64> = (0..10)
        .map(|n| net.request_more(c, "echo", &n.to_string(), &priority(n)))
        .collect();
    net.run(secs(1));
    net.kill(b);
    net.run(secs(1));
    net.start(b);
    net.run(secs(10));
    let w = net.worker(b, "echo");
    net.run(secs(5));
    let ends: Vec<_> = (0..10).map(|n| done(&n.to_string())).collect();
    assert_eq!(net.ends(c, &requests), ends);
    let order: Vec<String> = (0..10).rev().map(|n| n.to_string()).collect();
    assert_eq!(net.started(w), order);
}
