//! Peers that are away for longer than the grace time although their processes live: suspended, or cut off. Nothing is
//! lost as long as nobody who is connected waits for the peer.

use super::net::*;
use crate::proto::Terms;
use crate::proto::broker::BrokerEvent;
use crate::proto::broker::Departure;
use std::fmt::Debug;
use std::time::Duration;

const AWAY: Duration = Duration::from_secs(60);
const GRACE: Duration = Duration::from_secs(1);

fn cast(concurrency: Option<usize>) -> (Net, Id<BrokerActor>, Id<WorkerActor>, Id<ClientActor>) {
    let mut net = Net::new();
    let b = net.broker_with(|config| config.reconnect_grace = GRACE);
    let w = net.worker_with(b, "echo", |config| {
        config.concurrency = concurrency;
        config.link.away = AWAY;
    });
    let c = net.client_with(b, |config| config.link.away = AWAY);
    net.run(secs(1));
    (net, b, w, c)
}

fn ask(net: &mut Net, c: Id<ClientActor>, text: &str) -> u64 {
    net.request_on(c, "echo", json(text), Terms::from(None))
}

/// All requests ended with their data.
#[track_caller]
fn all_done(net: &mut Net, c: Id<ClientActor>, requests: Vec<u64>, case: impl Debug) {
    for (n, request) in requests.into_iter().enumerate() {
        assert_eq!(net.end(c, request), done(&n.to_string()), "{case:?}");
    }
}

#[test]
fn running_requests_of_a_suspended_client_continue_and_waiting_ones_do_not_start() {
    for pause in [20, 50] {
        let (mut net, b, w, c) = cast(Some(1));
        net.serve(w, |body| Job::echo(body).parts(40).every(ms(300)));
        let running = ask(&mut net, c, "1");
        let waiting = net.requests(c, 2..5);
        net.run(ms(500));
        net.pause(c);
        net.run(secs(pause));
        assert_eq!(net.started(w), ["1"], "{pause}");
        assert_eq!(net[b].machine.load()[0], 1, "{pause}");
        net.serve(w, Job::echo);
        net.resume(c);
        net.run(secs(20));
        assert_eq!(net.end(c, running), done("1"), "{pause}");
        assert_eq!(net.seen(c, running).partials.len(), 40, "{pause}");
        for (n, request) in (2..5).zip(waiting) {
            assert_eq!(net.end(c, request), done(&n.to_string()), "{pause}");
        }
        assert_eq!(net.started(w).len(), 4, "{pause}");
        assert_eq!(net[b].machine.load(), [0, 1, 1, 1], "{pause}");
    }
}

#[test]
fn very_many_waiting_requests_of_a_suspended_client_are_withdrawn_in_pieces() {
    let (mut net, b, w, c) = cast(Some(1));
    net.serve(w, |body| Job::echo(body).every(secs(25)));
    let all = net.requests(c, 0..400);
    net.run(ms(500));
    net.pause(c);
    net.run(secs(20));
    assert_eq!(net[b].machine.load()[0], 1);
    net.serve(w, Job::echo);
    net.resume(c);
    net.run(secs(60));
    all_done(&mut net, c, all, ());
    assert_eq!(net.started(w).len(), 400);
}

#[test]
fn very_many_requests_are_looked_at_in_pieces_at_the_end_of_the_grace_time() {
    for returns in [false, true] {
        let (mut net, b, w, c) = cast(Some(1));
        net.serve(w, |body| Job::echo(body).every(secs(25)));
        let all = net.requests(c, 0..700);
        net.run(ms(500));
        net.pause(c);
        net.run_until(secs(20), |net| {
            net[b].machine.stats(net.now()).tables.leaving > 0
        });
        assert_eq!(net[b].machine.load()[0], 700);
        if !returns {
            net.run(secs(1));
            assert_eq!(net[b].machine.load()[0], 1);
        }
        net.serve(w, Job::echo);
        net.resume(c);
        net.run(secs(60));
        all_done(&mut net, c, all, returns);
        assert_eq!(net.started(w).len(), 700);
    }
}

#[test]
fn a_client_whose_machine_has_vanished_is_given_up_at_last() {
    let (mut net, b, w, c) = cast(Some(1));
    net.serve(w, |_| Job::endless());
    ask(&mut net, c, "1");
    net.run(secs(1));
    net.power_off(c);
    net.run(secs(60));
    assert_eq!(net[w].cancelled.len(), 0);
    net.run(secs(10));
    assert_eq!(net[w].cancelled.len(), 1);
    assert_eq!(net[b].machine.load(), [0, 1, 0, 1]);
}

/// A connection that swallows everything, and whose end is reported in the end: the peer cannot return at once.
#[test]
fn a_peer_that_was_silent_before_its_connection_ended_counts_as_silent() {
    for victim in 0..2 {
        let (mut net, b, w, c) = cast(Some(1));
        net.serve(w, |body| Job::echo(body).every(secs(15)));
        let r = ask(&mut net, c, "1");
        net.run(secs(1));
        let victim = [w.any(), c.any()][victim];
        net.cut(victim, &[]);
        net.partition(victim);
        net.run(secs(5));
        net.find_dead_connections();
        net.run(secs(3));
        net.heal(victim);
        net.run(secs(15));
        assert_eq!(net.end(c, r), done("1"), "{}", net.name(victim));
        assert_eq!(net.started(w), ["1"]);
        assert_eq!(net[b].machine.load(), [0, 1, 1, 1]);
    }
}

#[test]
fn a_process_that_ends_is_lost_after_the_grace_time_as_before() {
    for idle in [1, 5] {
        let (mut net, b, w, c) = cast(Some(1));
        net.serve(w, |_| Job::endless());
        let r = ask(&mut net, c, "1");
        net.run(secs(idle));
        net.kill(w);
        net.run(ms(1010));
        assert_eq!(net.end(c, r), failed("W_LOST"), "{idle}");
        net.start(w);
        net.run(secs(1));
        ask(&mut net, c, "2");
        net.run(secs(idle));
        net.kill(c);
        net.run(ms(1010));
        assert_eq!(net[b].machine.load(), [0, 1, 0, 1], "{idle}");
    }
}

#[test]
fn while_everybody_is_cut_off_nobody_is_given_up() {
    for span in [12, 20, 40] {
        let (mut net, b, w, c) = cast(None);
        net.serve(w, |body| Job::echo(body).every(secs(3)));
        let all = net.requests(c, 0..10);
        net.run(secs(1));
        net.cut(b, &[]);
        net.partition(b);
        net.run(secs(span));
        net.heal(b);
        net.run(secs(10));
        all_done(&mut net, c, all, span);
        assert_eq!(net.started(w).len(), 10);
        assert_eq!(net[b].machine.load(), [0, 1, 1, 1]);
    }
}

#[test]
fn a_client_that_is_back_waits_no_longer_than_the_grace_time_for_its_worker() {
    let (mut net, b, w, c) = cast(Some(1));
    net.serve(w, |_| Job::endless());
    let r = ask(&mut net, c, "1");
    net.run(secs(1));
    net.cut(b, &[]);
    net.partition(b);
    net.run(secs(20));
    assert_eq!(net[b].machine.load()[1], 1, "it is kept");
    net.power_off(w);
    net.heal(b);
    net.run(ms(700));
    assert!(matches!(net[c].news.last(), Some((_, LinkNews::Connected))));
    net.run(GRACE);
    assert_eq!(net.end(c, r), failed("W_LOST"));
    let events = net.act(b, |broker, _| std::mem::take(&mut broker.events));
    assert!(
        format!("{events:?}").contains(&format!("{:?}", Departure::Silence)),
        "{events:?}"
    );
}

/// A client does not know that its connection has ended at the broker's side. It was given up when it returns.
#[test]
fn replies_that_had_ended_when_a_client_was_given_up_arrive_when_it_returns() {
    let (mut net, b, w, c) = cast(None);
    net.serve(w, |body| Job::echo(body).parts(3).every(ms(100)));
    let all = net.requests(c, 0..5);
    net.run(ms(200));
    net.cut(c, &[Side::Broker]);
    net.partition(c);
    net.run(secs(9));
    assert_eq!(net[b].machine.load(), [0, 1, 0, 1], "it was given up");
    net.heal(c);
    net.run(secs(10));
    for (n, request) in all.into_iter().enumerate() {
        assert_eq!(net.end(c, request), done(&n.to_string()));
        assert_eq!(net.seen(c, request).partials.len(), 3);
    }
    assert_eq!(net.started(w).len(), 5);
}

#[test]
fn they_are_dropped_if_it_does_not_return_in_time() {
    let (mut net, b, w, c) = cast(None);
    net.serve(w, |body| Job::echo(body).every(ms(100)));
    let r = ask(&mut net, c, "1");
    net.run(ms(50));
    net.cut(c, &[Side::Broker]);
    net.partition(c);
    net.run(secs(30));
    assert_eq!(net[b].machine.kept_for_forgotten(), 0);
    net.heal(c);
    net.run(secs(10));
    assert_eq!(net.end(c, r), failed("B_LOST"));
}

/// Neither of them knows that its connection has ended at the broker's side.
#[test]
fn a_request_goes_on_if_its_worker_and_its_client_are_both_away() {
    for (first, gap) in [(0, 0), (0, 500), (1, 500)] {
        let (mut net, b, w, c) = cast(None);
        net.serve(w, |body| Job::echo(body).parts(3).every(ms(3000)));
        let all = net.requests(c, 0..5);
        net.run(ms(200));
        let mut victims = [w.any(), c.any()];
        victims.rotate_left(first);
        net.cut(victims[0], &[Side::Broker]);
        net.run(ms(gap));
        net.cut(victims[1], &[Side::Broker]);
        net.run(secs(25));
        all_done(&mut net, c, all, (first, gap));
        assert_eq!(net.started(w).len(), 5);
        assert_eq!(net[b].machine.load(), [0, 1, 1, 1]);
    }
}

#[test]
fn of_a_client_that_has_died_only_requests_at_absent_workers_go_on() {
    let mut net = Net::new();
    let b = net.broker_with(|config| config.reconnect_grace = GRACE);
    let all = [0, 1].map(|_| {
        let w = net.worker_with(b, "echo", |config| config.link.away = AWAY);
        net.serve(w, |_| Job::endless());
        w
    });
    let c = net.client(b);
    net.run(secs(1));
    net.requests(c, 0..3);
    net.run(secs(1));
    net.kill(all[0]);
    net.kill(c);
    net.run(ms(1010));
    assert_eq!(net[all[1]].cancelled.len(), 1, "as fast as before");
    assert_eq!(net[b].machine.load()[0], 1);
    net.run(secs(15));
    assert_eq!(net[b].machine.load(), [0, 1, 0, 1]);
}

/// A connection that was reset at the broker's end, for instance by a middlebox that discards what the peer sends: the
/// peer hears nothing until its patience is over.
#[test]
fn a_reset_that_only_the_broker_hears_of_ends_nothing() {
    for (victim, heartbeat) in [(0, 2500), (1, 2500), (0, 4000), (1, 4000)] {
        let mut net = Net::new();
        let b = net.broker_with(|config| config.reconnect_grace = GRACE);
        let w = net.worker_with(b, "echo", |config| {
            config.concurrency = Some(1);
            config.link.away = AWAY;
            config.link.heartbeat = ms(heartbeat);
        });
        let c = net.client_with(b, |config| {
            config.link.away = AWAY;
            config.link.heartbeat = ms(heartbeat);
        });
        net.serve(w, |body| Job::echo(body).parts(20).every(ms(200)));
        let [first, second] = [0, 1].map(|_| ask(&mut net, c, "1"));
        net.run(secs(1));
        let victim = [w.any(), c.any()][victim];
        net.cut(victim, &[Side::Broker]);
        net.run(secs(30));
        let case = (net.name(victim), heartbeat);
        for request in [first, second] {
            assert_eq!(net.end(c, request), done("1"), "{case:?}");
            assert_eq!(net.seen(c, request).partials.len(), 20, "{case:?}");
        }
        assert_eq!(net.started(w).len(), 2, "{case:?}");
        assert_eq!(net[b].machine.load(), [0, 1, 1, 1], "{case:?}");
    }
}

/// The process may have ended: what waits is withdrawn after the grace time, what runs is kept for as long as a living
/// peer may need.
#[test]
fn a_peer_whose_connection_was_reset_is_given_up_when_it_would_have_noticed() {
    let (mut net, b, w, c) = cast(Some(1));
    net.serve(w, |_| Job::endless());
    let r = ask(&mut net, c, "1");
    net.run(secs(1));
    net.power_off(w);
    net.find_dead_connections();
    net.run(ms(8400));
    assert_eq!(net.seen(c, r).end, None);
    net.run(ms(200));
    assert_eq!(net.end(c, r), failed("W_LOST"));
    net.start(w);
    net.run(secs(1));
    for text in ["2", "3"] {
        ask(&mut net, c, text);
    }
    net.run(secs(1));
    assert_eq!(net[b].machine.load()[0], 2);
    net.power_off(c);
    net.find_dead_connections();
    net.run(ms(1100));
    assert_eq!(net[b].machine.load()[0], 1, "one had not started");
    assert_eq!(net[w].cancelled.len(), 0);
    net.run(ms(7300));
    assert_eq!(net[w].cancelled.len(), 0);
    net.run(ms(200));
    assert_eq!(net[w].cancelled.len(), 1);
    assert_eq!(net[b].machine.load(), [0, 1, 0, 1]);
}

/// Its hello arrives a few round trips after the beginning of a connection, which may break again before.
#[test]
fn a_distant_peer_has_more_time_to_return() {
    let (mut net, b, w, c) = cast(Some(1));
    net.serve(w, |_| Job::endless());
    net.act(b, |broker, _| {
        broker.machine.note_arrival(b"W1", None, b"C2");
        broker.machine.note_arrival(b"C2", Some(ms(300)), b"");
        broker.machine.note_arrival(b"W1", None, b"C2");
        broker.machine.note_arrival(b"C2", Some(ms(200)), b"");
    });
    let r = ask(&mut net, c, "1");
    net.run(secs(1));
    net.power_off(w);
    net.act(b, |broker, now| broker.machine.handle_gone(now, b"W1"));
    // 16 times what exceeds 50 ms.
    net.run(ms(4900));
    assert_eq!(net.seen(c, r).end, None);
    net.run(ms(200));
    assert_eq!(net.end(c, r), failed("W_LOST"));
    ask(&mut net, c, "2");
    net.run(secs(1));
    net.power_off(c);
    net.act(b, |broker, now| broker.machine.handle_gone(now, b"C2"));
    net.run(ms(3300));
    assert_eq!(net[b].machine.load()[0], 1);
    net.run(ms(200));
    assert_eq!(net[b].machine.load()[0], 0);
}

/// It is given up by steps: what runs goes on for longer than the first one, which the distance has extended already.
#[test]
fn the_requests_of_a_distant_client_go_on_for_longer_as_well() {
    let (mut net, b, w, c) = cast(Some(1));
    net.serve(w, |_| Job::endless());
    net.act(b, |broker, _| {
        broker.machine.note_arrival(b"C2", Some(secs(1)), b"")
    });
    ask(&mut net, c, "1");
    net.run(secs(1));
    net.power_off(c);
    net.find_dead_connections();
    // The grace time, and 10 seconds for the distance.
    net.run(secs(12));
    assert_eq!(net[b].machine.load()[0], 1);
    // And as long as the client may not notice the reset.
    net.run(ms(6400));
    assert_eq!(net[b].machine.load()[0], 1);
    net.run(ms(200));
    assert_eq!(net[b].machine.load()[0], 0);
}

#[test]
fn a_distant_worker_may_return_later_than_the_client_that_was_away_as_well() {
    let (mut net, b, w, c) = cast(Some(1));
    net.serve(w, |body| Job::echo(body).every(secs(3)));
    net.act(b, |broker, _| {
        broker.machine.note_arrival(b"W1", Some(secs(1)), b"")
    });
    let r = ask(&mut net, c, "1");
    net.run(secs(1));
    net.pause(w);
    net.pause(c);
    net.run(secs(35));
    net.resume(c);
    net.run(secs(8));
    net.resume(w);
    net.run(secs(10));
    assert_eq!(net.end(c, r), done("1"));
    assert_eq!(net.started(w), ["1"]);
}

/// As the end of such a connection by a close.
#[test]
fn a_client_without_requests_whose_connection_was_reset_is_not_reported() {
    let (mut net, b, _, c) = cast(Some(1));
    net.run(secs(1));
    net.power_off(c);
    net.find_dead_connections();
    net.run(secs(20));
    assert_eq!(net[b].machine.stats(net.now()).clients, 0);
    let is_gone = |event: &BrokerEvent| matches!(event, BrokerEvent::ClientGone { .. });
    assert!(!net[b].events.iter().any(|(_, event)| is_gone(event)));
}

/// Its connection is silent twice, one after the other.
#[test]
fn a_worker_that_returns_into_a_second_hole_is_awaited() {
    // The second hole begins before its next connection, or during its claims.
    for later in [0, 7600, 8000] {
        let (mut net, b, w, c) = cast(Some(2));
        net.serve(w, |body| Job::echo(body).every(secs(15)));
        let r = ask(&mut net, c, "1");
        net.run(secs(1));
        net.cut(w, &[]);
        net.partition(w);
        net.run(secs(5));
        net.heal(w);
        net.run(ms(later));
        net.cut(w, &[]);
        net.partition(w);
        net.run(secs(9));
        net.heal(w);
        net.run(secs(20));
        assert_eq!(net.end(c, r), done("1"), "{later}");
        assert_eq!(net.started(w), ["1"], "{later}");
        assert_eq!(net[b].machine.load(), [0, 1, 1, 1], "{later}");
    }
}

/// Only some of its claims have arrived when its connection goes silent again.
#[test]
fn claims_are_awaited_while_the_worker_is_not_heard() {
    for at in 0..40 {
        let (mut net, b, w, c) = cast(Some(2));
        net.set_latency(10_000, 10_000);
        net.serve(w, |body| Job::echo(body).every(secs(15)));
        let r = ask(&mut net, c, "1");
        net.run(secs(1));
        net.cut(w, &[Side::Dealer, Side::Broker]);
        net.run(ms(at * 5));
        net.cut(w, &[]);
        net.run(secs(30));
        assert_eq!(net.end(c, r), done("1"), "{at}");
        assert_eq!(net.started(w), ["1"], "{at}");
        assert_eq!(net[b].machine.load(), [0, 1, 1, 1], "{at}");
    }
}
