//! The choice of the worker, and the number of requests it gets at a time.

use super::net::*;

/// Requests `0`, `1`, … without a pause.
fn ask<T>(net: &mut Net, client: Id<T>, count: usize) -> Vec<u64> {
    net.requests(client, 0..count)
}

fn all_done<T>(net: &mut Net, client: Id<T>, requests: &[u64]) {
    for (n, &r) in requests.iter().enumerate() {
        assert_eq!(net.end(client, r), done(&n.to_string()));
    }
}

#[test]
fn requests_are_served_in_the_order_in_which_they_came() {
    for old in [false, true] {
        let mut net = Net::new();
        let b = net.broker();
        let c = net.client(b);
        let requests = ask(&mut net, c, 100);
        net.run(secs(1));
        let w = match old {
            true => net.old_worker(b, "echo").any(),
            false => net.worker(b, "echo").any(),
        };
        net.run(secs(1));
        let order: Vec<String> = (0..100).map(|n| n.to_string()).collect();
        assert_eq!(net.started(w), order);
        all_done(&mut net, c, &requests);
    }
}

#[test]
fn the_worker_that_idled_longest_is_next() {
    let mut net = Net::new();
    let b = net.broker();
    let workers: Vec<Id<()>> = (0..6)
        .map(|n| {
            let id = match n % 2 {
                0 => net.worker(b, "echo").any(),
                _ => net.old_worker(b, "echo").any(),
            };
            net.run(ms(10));
            id
        })
        .collect();
    let c = net.client(b);
    for n in 0..24 {
        assert_eq!(
            net.call(c, "echo", &n.to_string()),
            End::Final(json(&n.to_string()))
        );
    }
    for (first, worker) in workers.into_iter().enumerate() {
        let turns: Vec<String> = (0..4).map(|turn| (first + 6 * turn).to_string()).collect();
        assert_eq!(net.started(worker), turns);
    }
}

#[test]
fn a_worker_that_ends_early_is_used_more_often() {
    let mut net = Net::new();
    let b = net.broker();
    let slow = net.worker(b, "echo");
    let fast = net.worker(b, "echo");
    let c = net.client(b);
    net.serve(slow, |body| Job::echo(body).every(ms(100)));
    net.serve(fast, |body| Job::echo(body).every(ms(10)));
    let requests = ask(&mut net, c, 60);
    net.run(secs(10));
    all_done(&mut net, c, &requests);
    assert!(net.started(fast).len() >= 45, "{}", net.started(fast).len());
}

#[test]
fn concurrency_is_never_exceeded_and_always_used() {
    for (limit, expected) in [(Some(1), 1), (Some(3), 3), (None, 50)] {
        let mut net = Net::new();
        let b = net.broker();
        let w = net.worker_with(b, "echo", |config| config.concurrency = limit);
        let c = net.client(b);
        net.serve(w, |body| Job::echo(body).every(ms(20)));
        let requests = ask(&mut net, c, 50);
        net.run(secs(10));
        all_done(&mut net, c, &requests);
        assert_eq!(net[w].most_running, expected);
    }
}

#[test]
fn an_old_worker_has_one_request_at_a_time() {
    let mut net = Net::new();
    let b = net.broker();
    let w = net.raw_beating(b, b"W", HEARTBEAT);
    net.say(w, "W|1|echo");
    let c = net.client(b);
    ask(&mut net, c, 3);
    for n in 0..3 {
        net.run(secs(10));
        let heard = net.take(w);
        let mut request = format!("W|2|C2|c2.0-{n}|{n}");
        if n == 0 {
            // Before its first heartbeat it may be a PIGATO worker.
            request += &format!("|c2.0-{n}|{n}|{{\"timeout\":60000}}");
        }
        let requests: Vec<_> = heard
            .iter()
            .filter(|text| text.starts_with("W|2"))
            .collect();
        assert_eq!(requests, [&request]);
        net.say(w, &format!("W|3|C2|c2.0-{n}|0|{n}"));
    }
}

#[test]
fn concurrency_may_change_while_it_works() {
    let (mut net, _, w, c) = trio();
    net.serve(w, |body| Job::echo(body).every(ms(100)));
    let requests = ask(&mut net, c, 40);
    net.run(ms(150));
    assert_eq!(net[w].most_running, 1);
    net.act(w, |worker, now| worker.set_concurrency(now, Some(4)));
    net.run(ms(300));
    assert_eq!(net[w].most_running, 4);
    net.act(w, |worker, now| worker.set_concurrency(now, Some(2)));
    net.run(ms(100));
    net.act(w, |worker, _| worker.most_running = 0);
    net.run(secs(10));
    assert_eq!(net[w].most_running, 2);
    all_done(&mut net, c, &requests);
}

/// A READY with the old number is under way.
#[test]
fn concurrency_that_changes_before_the_welcome_counts() {
    let mut net = Net::new();
    let b = net.broker();
    let w = net.worker(b, "echo");
    net.run(ms(1));
    net.act(w, |worker, now| worker.set_concurrency(now, Some(3)));
    let c = net.client(b);
    net.serve(w, |_| Job::endless());
    ask(&mut net, c, 5);
    net.run(ms(100));
    assert_eq!(net.started(w).len(), 3);
}

#[test]
fn services_do_not_mix() {
    let mut net = Net::new();
    let b = net.broker();
    let names = [
        "echo",
        "ech",
        "echo2",
        "__proto__",
        "constructor",
        "toString",
        "\u{0}",
        "*",
        " ",
    ];
    let workers = names.map(|name| net.worker(b, name));
    let c = net.client(b);
    let old = net.old_client(b);
    net.run(ms(10));
    for name in names {
        assert_eq!(net.call(c, name, "1"), End::Final(json("1")), "{name}");
        assert_eq!(net.call(old, name, "2"), End::Final(json("2")), "{name}");
    }
    for worker in workers {
        assert_eq!(net.started(worker), ["1", "2"]);
    }
}

#[test]
fn a_service_that_is_asked_for_and_never_served_is_forgotten() {
    let mut net = Net::new();
    let b = net.broker();
    let c = net.client(b);
    for n in 0..500 {
        net.request_with(c, &format!("made-up-{n}"), json("1"), Some(1000));
    }
    net.run(ms(500));
    assert_eq!(net[b].machine.load(), [500, 0, 1, 500]);
    net.run(ms(600));
    assert_eq!(net[b].machine.load(), [0, 0, 1, 0]);
}

#[test]
fn a_service_whose_workers_left_waits_for_the_next() {
    let mut net = Net::new();
    let b = net.broker();
    let c = net.client(b);
    let w = net.worker(b, "echo");
    net.run(ms(10));
    net.kill(w);
    net.run(ms(10));
    assert_eq!(net[b].machine.load(), [0, 0, 1, 0]);
    let requests = ask(&mut net, c, 5);
    net.run(secs(1));
    net.worker(b, "echo");
    net.run(secs(1));
    all_done(&mut net, c, &requests);
}

#[test]
fn five_hundred_partials_arrive_in_order_and_before_the_end() {
    let mut net = Net::seeded(3);
    let b = net.broker();
    let w = net.worker(b, "echo");
    let c = net.client(b);
    net.serve(w, |body| Job::echo(body).parts(500));
    let r = net.request(c, "echo", "\"end\"");
    net.run(secs(5));
    assert_eq!(net.end(c, r), done("\"end\""));
    let expected: Vec<_> = (0..500).map(|n| json(&n.to_string())).collect();
    assert_eq!(net.seen(c, r).partials, expected);
}

#[test]
fn very_many_requests_start_in_pieces_when_many_workers_may_begin() {
    let mut net = Net::new();
    let b = net.broker();
    let c = net.client(b);
    net.run(ms(100));
    let requests = ask(&mut net, c, 700);
    net.run(secs(1));
    let workers: Vec<Id<WorkerActor>> = (0..4)
        .map(|_| net.worker_with(b, "echo", |config| config.concurrency = None))
        .collect();
    net.run_until(secs(1), |net| {
        let stats = net[b].machine.stats(net.now());
        stats.tables.leaving > 0 && (1..400).contains(&stats.queued)
    });
    let stats = net[b].machine.stats(net.now());
    assert_eq!(stats.tables.leaving, 1, "{}", stats.queued);
    net.run(secs(2));
    all_done(&mut net, c, &requests);
    let started: usize = workers.iter().map(|&w| net.started(w).len()).sum();
    assert_eq!(started, 700);
}
