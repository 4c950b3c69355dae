//! An idle link stays up as long as both ends live.

use super::net::*;
use crate::proto::broker::BrokerEvent;
use std::time::Duration;

const HOURS: Duration = Duration::from_secs(3 * 3600);

/// Whether no peer registered or left after the first second.
fn no_peer_has_left(net: &Net, broker: Id<BrokerActor>) -> bool {
    let ready = |event: &BrokerEvent| matches!(event, BrokerEvent::WorkerReady { .. });
    let events = &net[broker].events;
    events
        .iter()
        .all(|(when, event)| ready(event) && *when < at(1000))
}

#[test]
fn idle_links_stay_up_for_hours() {
    let (mut net, b, w, c) = trio();
    net.run(HOURS);
    assert_eq!(net[w].news, [(at(3), LinkNews::Connected)]);
    assert_eq!(net[c].news, [(at(3), LinkNews::Connected)]);
    assert!(no_peer_has_left(&net, b));
    assert_eq!(net.call(c, "echo", "1"), End::Final(json("1")));
}

#[test]
fn idle_links_stay_up_whatever_the_way_of_a_message() {
    let mut net = Net::seeded(7);
    let b = net.broker();
    let w = net.worker(b, "echo");
    let c = net.client(b);
    let old = net.old_worker(b, "echo");
    net.run(HOURS);
    assert_eq!(
        (net[w].news.len(), net[c].news.len(), net[old].reconnects),
        (1, 1, 0)
    );
    assert!(no_peer_has_left(&net, b));
}

#[test]
fn idle_links_stay_up_toward_old_peers() {
    let mut net = Net::new();
    let b = net.broker();
    let old_worker = net.old_worker(b, "echo");
    let old_client = net.old_client(b);
    let old_broker = net.old_broker();
    let w = net.worker(old_broker, "echo");
    let c = net.client(old_broker);
    net.run(HOURS);
    assert_eq!(net[old_worker].reconnects, 0);
    assert!(no_peer_has_left(&net, b));
    assert_eq!(net[old_broker].workers(), 1);
    // The first message of a 0.0.92 broker is its first heartbeat.
    assert_eq!(net[w].news, [(at(2501), LinkNews::Connected)]);
    // Nor does it send a hello.
    assert_eq!(net[c].news, [(at(501), LinkNews::Connected)]);
    assert_eq!(net.call(old_client, "echo", "1"), End::Final(json("1")));
    assert_eq!(net.call(c, "echo", "2"), End::Final(json("2")));
}

#[test]
fn hearts_of_different_pace_do_not_flap() {
    for (ours, theirs) in [(100, 2500), (2500, 100), (60_000, 50), (50, 60_000)] {
        let mut net = Net::new();
        let b = net.broker_with(|config| config.heartbeat = ms(theirs));
        let w = net.worker_with(b, "echo", |config| config.link.heartbeat = ms(ours));
        let c = net.client_with(b, |config| config.link.heartbeat = ms(ours));
        net.run(Duration::from_secs(1800));
        assert_eq!(
            (net[w].news.len(), net[c].news.len()),
            (1, 1),
            "{ours} and {theirs}"
        );
        assert!(no_peer_has_left(&net, b), "{ours} and {theirs}");
    }
}

#[test]
fn an_old_worker_hears_of_us_at_its_own_pace() {
    for (theirs, ours) in [(100, 2500), (2500, 1000)] {
        let mut net = Net::new();
        let b = net.broker_with(|config| config.heartbeat = ms(ours));
        let w = net.old_worker_beating(b, "echo", ms(theirs));
        net.run(Duration::from_secs(1800));
        assert_eq!(net[w].reconnects, 0, "{theirs} and {ours}");
        assert!(no_peer_has_left(&net, b), "{theirs} and {ours}");
    }
}

#[test]
fn one_heartbeat_an_interval_and_no_more() {
    let mut net = Net::new();
    let b = net.raw_broker();
    net.worker(b, "echo");
    net.run(secs(1));
    net[b]
        .heard
        .iter()
        .for_each(|(_, frames)| assert_eq!(frames[1], b"1"));
    for _ in 0..4 {
        net.take(b);
        net.run(HEARTBEAT);
        assert_eq!(net.take(b), ["W|4"]);
        net.tell(b, "W1", "W|4");
    }
}

#[test]
fn after_a_long_sleep_one_heartbeat_is_enough() {
    let mut net = Net::new();
    let b = net.raw_broker();
    let w = net.worker_with(b, "echo", |config| config.link.liveness = 1000);
    net.run(ms(100));
    net.pause(w);
    net.run(secs(600));
    net.take(b);
    net.resume(w);
    net.run(secs(1));
    assert_eq!(net.take(b), ["W|4"]);
}

#[test]
fn heartbeats_out_of_turn_do_no_harm() {
    let (mut net, b, w, c) = trio();
    net.serve(w, |_| Job::endless());
    let r = net.request(c, "echo", "1");
    for _ in 0..100 {
        net.run(ms(10));
        net.act(w, |worker, _| worker.machine.heartbeat());
        net.act(c, |client, _| client.machine.heartbeat(None));
        net.act(c, |client, _| client.machine.heartbeat(Some(r)));
        net.act(c, |client, _| client.machine.heartbeat(Some(999)));
    }
    assert_eq!(net.end(c, r), None);
    assert!(net[w].faults.is_empty() && net[c].faults.is_empty());
    assert!(no_peer_has_left(&net, b));
}

/// In 0.0.92 `reply.active()` became false after three ticks, unless the client's application sent
/// heartbeats.
#[test]
fn an_old_worker_knows_for_hours_that_its_request_is_wanted() {
    let by_our_broker = |net: &mut Net| net.broker().any();
    let by_our_client = |net: &mut Net| net.old_broker().any();
    for broker in [by_our_broker, by_our_client] {
        for heartbeat in [HEARTBEAT, ms(700)] {
            let mut net = Net::new();
            let b = broker(&mut net);
            let w = net.old_worker_beating(b, "echo", heartbeat.max(ms(2500)));
            let c = net.client_with(b, |config| config.link.heartbeat = heartbeat);
            net.serve(w, |_| Job::endless());
            net.request_with(c, "echo", json("1"), None);
            net.run(ms(510));
            let mut ever_inactive = false;
            net.run_checked(HOURS, |net| ever_inactive |= !net[w].active());
            assert!(!ever_inactive);
        }
    }
}

#[test]
fn the_heartbeat_that_a_user_of_an_old_client_sends_reaches_the_worker() {
    let mut net = Net::new();
    let b = net.broker();
    let raw = net.raw(b, b"W");
    let c = net.old_client(b);
    net.say(raw, "W|1|echo");
    let r = net.request(c, "echo", "1");
    net.run(ms(10));
    net.act(c, |client, _| client.heartbeat(r));
    net.run(ms(10));
    let heard = net.take(raw);
    let request = r#"W|2|C2|c2-0|1|c2-0|1|{"timeout":60000}"#;
    assert_eq!(heard, [request, "W|4|C2|c2-0"]);
}

#[test]
fn an_old_worker_learns_that_nobody_waits_any_more() {
    let mut net = Net::new();
    let b = net.broker();
    let w = net.old_worker(b, "echo");
    let c = net.client(b);
    net.serve(w, |_| Job::endless());
    let r = net.request_with(c, "echo", json("1"), None);
    net.run(secs(60));
    assert!(net[w].active());
    net.act(c, |client, _| client.cancel(r));
    net.run(4 * HEARTBEAT);
    assert!(!net[w].active());
}
