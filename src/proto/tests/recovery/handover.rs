//! Brokers that follow each other.

use super::*;

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
    let (mut net, b, w, c, r) = endless(1);
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
