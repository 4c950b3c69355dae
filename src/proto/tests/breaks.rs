//! Connections that break at one end, both ends or silently, and network partitions.

use super::net::*;
use std::time::Duration;

/// The time of the break. The third and last heartbeats before it are sent shortly after 7.5 s.
const BREAK: Duration = Duration::from_secs(10);

/// A half-open connection: only one end notices, and messages of the other end are lost.
#[test]
fn the_side_that_is_told_of_a_break_acts_and_the_other_side_follows() {
    for told in [Side::Dealer, Side::Broker] {
        for victim in 0..2 {
            let (mut net, b, w, c) = trio();
            net.serve(w, |_| Job::endless());
            let r = net.request_with(c, "echo", json("1"), None);
            net.run(BREAK);
            net.cut([w.any(), c.any()][victim], &[told]);
            net.run(secs(20));
            let code = ["W_LOST", "B_LOST"][victim];
            assert_eq!(net.end(c, r), failed(code), "{told:?} {victim}");
            assert_eq!(net[b].machine.load(), [0, 1, 1, 1], "{told:?} {victim}");
            assert_eq!(net[w].machine.outstanding(), 0, "{told:?} {victim}");
            net.serve(w, Job::echo);
            assert_eq!(net.call(c, "echo", "2"), End::Final(json("2")));
        }
    }
}

#[test]
fn a_partition_that_heals_in_time_delays_and_loses_nothing() {
    for victim in 0..3 {
        let (mut net, b, w, c) = trio();
        net.serve(w, |body| Job::echo(body).parts(100).every(ms(50)));
        let r = net.request(c, "echo", "1");
        net.run(secs(1));
        let who = [b.any(), w.any(), c.any()][victim];
        net.partition(who);
        net.run(secs(4));
        net.heal(who);
        net.run(secs(10));
        assert_eq!(net.seen(c, r).partials.len(), 100, "{victim}");
        assert_eq!(net.end(c, r), done("1"), "{victim}");
        assert_eq!((net[w].news.len(), net[c].news.len()), (1, 1), "{victim}");
    }
}

#[test]
fn a_partition_that_outlasts_the_liveness_ends_requests_once_and_heals() {
    for victim in 0..3 {
        let (mut net, b, w, c) = trio();
        net.serve(w, |body| Job::echo(body).every(secs(12)));
        net.run(BREAK);
        let r = net.request(c, "echo", "1");
        net.run(secs(1));
        let who = [b.any(), w.any(), c.any()][victim];
        net.partition(who);
        net.run(secs(20));
        let code = ["B_LOST", "W_LOST", "B_LOST"][victim];
        assert_eq!(net.end(c, r), failed(code), "{victim}");
        net.heal(who);
        net.serve(w, Job::echo);
        net.run(secs(1));
        assert_eq!(net.call(c, "echo", "2"), End::Final(json("2")));
        assert_eq!(net.started(w), ["1", "2"]);
        assert_eq!(net[b].machine.load(), [0, 1, 1, 1]);
    }
}

#[test]
fn an_old_client_that_reconnects_in_silence_waits_on() {
    let mut net = Net::new();
    let b = net.broker();
    let w = net.worker(b, "echo");
    let c = net.old_client(b);
    net.serve(w, |body| Job::echo(body).every(secs(40)));
    let r = net.request(c, "echo", "1");
    for _ in 0..3 {
        net.run(secs(9));
        net.cut(c, &[Side::Dealer, Side::Broker]);
    }
    net.run(secs(20));
    assert_eq!(net.end(c, r), done("1"));
}

/// A single message after its return suffices, whatever its heartbeat interval.
#[test]
fn an_old_client_of_slow_heart_that_came_back_waits_on() {
    let mut net = Net::new();
    let b = net.broker();
    let w = net.worker(b, "echo");
    let c = net.old_client_beating(b, b"C", secs(12));
    net.serve(w, |body| Job::echo(body).every(secs(40)));
    let r = net.request(c, "echo", "1");
    net.run(ms(11_500));
    net.cut(c, &[Side::Dealer, Side::Broker]);
    net.run(secs(35));
    assert_eq!(net.end(c, r), done("1"));
}

#[test]
fn an_old_client_that_does_not_come_back_is_given_four_intervals() {
    let mut net = Net::new();
    let b = net.broker();
    let w = net.worker(b, "echo");
    let c = net.old_client(b);
    net.serve(w, |_| Job::endless());
    net.request_with(c, "echo", json("1"), None);
    net.run(BREAK);
    net.kill(c);
    net.run(ms(10_000));
    assert_eq!(net[b].machine.load(), [1, 1, 1, 1]);
    net.run(ms(1));
    assert_eq!(net[b].machine.load(), [0, 1, 0, 1]);
}

#[test]
fn an_old_client_that_came_back_and_died_is_given_up_too() {
    let mut net = Net::new();
    let b = net.broker();
    let w = net.worker(b, "echo");
    let c = net.old_client(b);
    net.serve(w, |_| Job::endless());
    net.request_with(c, "echo", json("1"), None);
    net.run(BREAK);
    net.cut(c, &[Side::Dealer, Side::Broker]);
    net.run(secs(6));
    net.kill(c);
    net.run(secs(15));
    assert_eq!(net[b].machine.load(), [0, 1, 0, 1]);
    assert_eq!(net[w].machine.outstanding(), 0);
}

/// Undeliverable parts are no sign of life of their receiver.
#[test]
fn a_dead_old_client_is_given_up_although_its_stream_goes_on() {
    let mut net = Net::new();
    let b = net.broker();
    let w = net.worker(b, "echo");
    let c = net.old_client(b);
    net.serve(w, |body| Job::echo(body).parts(10_000).every(ms(100)));
    net.request(c, "echo", "1");
    net.run(BREAK);
    net.kill(c);
    net.run(secs(11));
    assert_eq!(net[b].machine.load(), [0, 1, 0, 1]);
    assert_eq!(net[w].machine.outstanding(), 0);
}
