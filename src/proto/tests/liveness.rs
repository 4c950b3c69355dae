//! Each side detects the death of the other: at once if the transport reports it, otherwise after
//! heartbeat × liveness of silence, to the millisecond.

use super::net::texts::{REQUEST, request_with};
use super::net::*;
use crate::proto::broker::Departure;
use crate::proto::code::Code;
use crate::proto::link::Loss;
use crate::proto::machine::Machine;
use crate::wire::ext::RequestExt;
use std::time::Duration;

/// The time at which the peer falls silent. It sends its third and last heartbeat shortly after 7.5
/// s.
const SILENCE: Duration = Duration::from_secs(10);

/// A client may be silent as long as it waits; the end of its connection shows that it is gone.
#[test]
fn a_client_without_a_hello_is_forgotten_with_its_connection() {
    let ext = RequestExt {
        timeout_ms: 0x7f7f_7f7f,
        ..REQUEST
    };
    for request in [
        &request_with("nobody", "r", "1", ext),
        "C|2|nobody|r|1|{\"timeout\":-1}",
    ] {
        let mut net = Net::new();
        let b = net.broker();
        let raw = net.raw(b, b"C");
        net.say(raw, request);
        net.run(secs(3600));
        assert_eq!(net[b].machine.load(), [1, 0, 1, 1]);
        net.power_off(raw);
        net.run(secs(3600));
        net.find_dead_connections();
        net.run(secs(11));
        assert_eq!(net[b].machine.load(), [0; 4], "{request}");
    }
}

#[test]
fn a_silent_broker_is_noticed_by_worker_and_client() {
    let (mut net, b, w, c) = trio();
    net.serve(w, |_| Job::endless());
    net.run(ms(100));
    let r = net.request(c, "echo", "1");
    net.run(SILENCE - ms(100));
    net.power_off(b);
    net.run(secs(20));
    // It registered both at 2 ms; its third heartbeats were sent at 7502 and arrived at 7503.
    assert_eq!(net[w].news[1], (at(15_003), LinkNews::Lost(Loss::Silence)));
    assert_eq!(net[c].news[1], (at(15_003), LinkNews::Lost(Loss::Silence)));
    assert_eq!(net.end(c, r), failed("B_LOST"));
    // They wait for another broker for as long again.
    assert_eq!(net.seen(c, r).at, at(22_503));
    assert_eq!(net[w].cancelled, [(at(22_503), 1, Code::BrokerLost)]);
}

/// Heartbeats wait behind a large message.
#[test]
fn parts_of_a_message_count_as_signs_of_life_of_its_sender() {
    let (mut net, b, w, c) = trio();
    net.run(SILENCE);
    net.partition(b);
    for _ in 0..10 {
        net.run(secs(5));
        net.act(w, |worker, now| worker.machine.handle_bytes(0, now));
        net.act(c, |client, now| client.machine.handle_bytes(0, now));
        net.act(b, |broker, now| {
            for peer in [b"W1", b"C2"] {
                broker.machine.handle_heard(now, peer);
            }
        });
    }
    assert_eq!((net[w].news.len(), net[c].news.len()), (1, 1));
    assert_eq!(net[b].machine.load()[1..3], [1, 1]);
    net.heal(b);
    assert_eq!(net.call(c, "echo", "1"), End::Final(json("1")));
    net.partition(b);
    net.run(secs(8));
    assert_eq!((net[w].news.len(), net[c].news.len()), (2, 2));
}

#[test]
fn a_broker_that_stops_for_a_while_is_lost_and_found() {
    let (mut net, b, w, c) = trio();
    net.run(SILENCE);
    net.pause(b);
    net.run(secs(30));
    assert_eq!(net[w].news.len(), 2);
    net.resume(b);
    net.run(secs(1));
    assert_eq!(net[w].news.last().unwrap().1, LinkNews::Connected);
    assert_eq!(net[c].news.last().unwrap().1, LinkNews::Connected);
    assert_eq!(net.call(c, "echo", "1"), End::Final(json("1")));
}

#[test]
fn a_stop_that_is_shorter_than_the_liveness_is_not_noticed() {
    for victim in 0..3 {
        let (mut net, b, w, c) = trio();
        net.serve(w, |body| Job::echo(body).every(secs(9)));
        let who = [b.any(), w.any(), c.any()][victim];
        net.run(SILENCE);
        let r = net.request(c, "echo", "1");
        net.run(ms(500));
        net.pause(who);
        net.run(secs(4));
        net.resume(who);
        net.run(secs(10));
        assert_eq!(net.end(c, r), done("1"), "{victim}");
        assert_eq!((net[w].news.len(), net[c].news.len()), (1, 1), "{victim}");
    }
}

/// Messages that arrived in time count, however late the broker handles them.
#[test]
fn a_broker_that_slept_loses_nobody_who_spoke_meanwhile() {
    let mut net = Net::new();
    let b = net.broker();
    let w = net.worker_with(b, "echo", |config| config.link.liveness = 100);
    let c = net.client_with(b, |config| config.link.liveness = 100);
    net.run(SILENCE);
    net.pause(b);
    net.run(ms(7_400));
    net.resume(b);
    net.run(secs(60));
    assert_eq!(net[b].departures(), []);
    assert_eq!((net[w].news.len(), net[c].news.len()), (1, 1));
}

#[test]
fn a_silent_worker_is_noticed_by_the_broker() {
    let (mut net, b, w, c) = trio();
    net.serve(w, |_| Job::endless());
    let r = net.request(c, "echo", "1");
    net.run(SILENCE);
    net.power_off(w);
    net.run(secs(10));
    // It was up at 1 ms; its third heartbeat was sent at 7501 and arrived at 7502.
    assert_eq!(net[b].departures(), [(at(15_002), Departure::Silence, 1)]);
    assert_eq!(net.end(c, r), failed("W_LOST"));
    assert_eq!(net.seen(c, r).at, at(15_003));
}

#[test]
fn an_old_worker_is_given_four_intervals() {
    let mut net = Net::new();
    let b = net.broker();
    let w = net.old_worker(b, "echo");
    net.run(SILENCE);
    net.power_off(w);
    net.run(secs(20));
    // Its heartbeats are counted from its start, not from the connection.
    assert_eq!(net[b].departures(), [(at(17_501), Departure::Silence, 0)]);
}

#[test]
fn a_silent_client_is_noticed_by_the_broker() {
    let (mut net, b, w, c) = trio();
    net.serve(w, |_| Job::endless());
    net.request_with(c, "echo", json("1"), None);
    net.run(SILENCE);
    net.power_off(c);
    net.run(ms(5_001));
    assert_eq!(net[b].machine.load(), [1, 1, 1, 1]);
    net.run(ms(1));
    assert_eq!(net[b].machine.load(), [0, 1, 0, 1]);
    net.run(ms(1));
    assert_eq!(net[w].cancelled, [(at(15_003), 1, Code::Aborted)]);
}

#[test]
fn the_slower_heart_sets_the_pace() {
    let mut net = Net::new();
    let b = net.broker_with(|config| config.heartbeat = ms(100));
    let w = net.worker_with(b, "echo", |config| config.link.heartbeat = ms(1000));
    net.run(ms(10_500));
    net.power_off(w);
    net.run(secs(10));
    assert_eq!(net[b].departures(), [(at(13_002), Departure::Silence, 0)]);
}

#[test]
fn a_killed_process_is_noticed_at_once() {
    let mut net = Net::new();
    let b = net.broker();
    let w = net.worker(b, "echo");
    let old = net.old_worker(b, "echo");
    let c = net.client(b);
    for worker in [w.any(), old.any()] {
        net.serve(worker, |_| Job::endless());
    }
    let requests = [net.request(c, "echo", "1"), net.request(c, "echo", "2")];
    net.run(SILENCE);
    net.kill(w);
    net.kill(old);
    net.run(ms(2));
    for r in requests {
        assert_eq!(net.end(c, r), failed("W_LOST"));
        assert_eq!(net.seen(c, r).at, at(10_002));
    }
    net.kill(c);
    net.run(ms(1));
    assert_eq!(net[b].machine.load(), [0; 4]);
}

#[test]
fn a_peer_whose_messages_wait_for_its_turn_is_not_silent() {
    let mut net = Net::new();
    let b = net.broker();
    let (worker, client) = (net.raw(b, b"W"), net.raw(b, b"C"));
    net.say(worker, "W|1|echo");
    net.say(
        client,
        r#"C|1|{"omdp":1,"heartbeat":2500,"liveness":3,"session":"a"}"#,
    );
    net.run(secs(1));
    assert_eq!(net[b].machine.load()[1..3], [1, 1]);
    for _ in 0..30 {
        net.run(secs(1));
        net.act(b, |broker, now| {
            for peer in [&b"W"[..], b"C"] {
                broker.machine.handle_heard(now, peer);
            }
        });
    }
    assert_eq!(net[b].machine.load()[1..3], [1, 1]);
    net.run(secs(20));
    assert_eq!(net[b].machine.load()[1..3], [0, 0]);
}
