//! READY, hello and DISCONNECT, in and out of turn.

use super::net::texts::{number, token};
use super::net::*;
use crate::proto::broker::Departure;
use crate::proto::code::Code;
use crate::proto::link::Loss;
use crate::proto::machine::Machine;

const HELLO: &str = r#"{"concurrency":1,"heartbeat":2500,"liveness":3,"omdp":1,"session":"s1"}"#;
const TWO: &str = r#"{"concurrency":2,"heartbeat":2500,"liveness":3,"omdp":1,"session":"s1"}"#;
const OTHER: &str = r#"{"concurrency":1,"heartbeat":2500,"liveness":3,"omdp":1,"session":"s2"}"#;

fn last_departure(net: &Net, broker: Id<BrokerActor>) -> Option<(Departure, usize)> {
    let departures = net[broker].departures();
    departures.last().map(|&(_, why, lost)| (why, lost))
}

#[test]
fn a_hello_is_answered_once_and_an_old_ready_not_at_all() {
    let mut net = Net::new();
    let b = net.broker();
    let raw = net.raw(b, b"W");
    net.say(raw, "W|1|echo");
    assert_eq!(net.heard(raw), [""; 0]);
    let raw = net.raw(b, b"V");
    net.say(raw, &format!("W|1|echo|{HELLO}"));
    assert_eq!(
        net.heard(raw),
        [
            r#"W|1|{"channels":255,"deadlines":true,"flow":1,"heartbeat":2500,"liveness":3,"omdp":1,"packed":true,"places":true,"roster":true,"session":"b0.1","streams":true}"#
        ]
    );
    let raw = net.raw(b, b"C");
    net.say(raw, &format!("C|1|{HELLO}"));
    assert_eq!(
        net.heard(raw),
        [
            r#"C|1|{"deadlines":true,"flow":1,"heartbeat":2500,"liveness":3,"omdp":1,"packed":true,"places":true,"roster":true,"session":"b0.1","streams":true}"#
        ]
    );
    assert_eq!(net[b].machine.load(), [0, 2, 1, 1]);
}

#[test]
fn a_second_ready_of_the_same_session_updates() {
    let mut net = Net::new();
    let b = net.broker();
    let raw = net.raw(b, b"W");
    let c = net.client(b);
    net.say(raw, &format!("W|1|echo|{HELLO}"));
    net.run(ms(10));
    let first = net.request(c, "echo", "1");
    net.request(c, "echo", "2");
    assert_eq!(net.heard(raw).len(), 2, "the welcome and one request");
    net.say(raw, &format!("W|1|echo|{TWO}"));
    let second = net.heard(raw);
    assert!(
        second.len() == 1 && second[0].starts_with("W|2|C2|"),
        "{second:?}"
    );
    assert_eq!(net.end(c, first), None, "what it runs is left alone");
    assert_eq!(last_departure(&net, b), None);
}

#[test]
fn a_ready_of_another_session_is_another_life() {
    let mut net = Net::new();
    let b = net.broker();
    let raw = net.raw(b, b"W");
    let c = net.client(b);
    net.say(raw, &format!("W|1|echo|{HELLO}"));
    let r = net.request(c, "echo", "1");
    net.run(ms(10));
    net.say(raw, &format!("W|1|other|{OTHER}"));
    net.run(ms(10));
    assert_eq!(net.end(c, r), failed("W_LOST"));
    assert_eq!(last_departure(&net, b), Some((Departure::Replaced, 1)));
    assert_eq!(net[b].machine.load(), [0, 1, 1, 1]);
}

#[test]
fn a_second_ready_of_0_0_92_is_a_protocol_error() {
    for first in ["W|1|echo".into(), format!("W|1|echo|{HELLO}")] {
        let mut net = Net::new();
        let b = net.broker();
        let raw = net.raw(b, b"W");
        let c = net.client(b);
        net.say(raw, &first);
        let r = net.request(c, "echo", "1");
        net.heard(raw);
        net.say(raw, "W|1|echo");
        assert_eq!(net.heard(raw), ["W|5"]);
        assert_eq!(net.end(c, r), failed("W_LOST"));
        assert_eq!(last_departure(&net, b), Some((Departure::Protocol, 1)));
        assert_eq!(net[b].machine.load(), [0, 0, 1, 0]);
        net.say(raw, "W|1|echo");
        assert_eq!(net.heard(raw), [""; 0]);
        assert_eq!(net[b].machine.load(), [0, 1, 1, 1]);
    }
}

#[test]
fn a_worker_that_sends_messages_before_ready_is_disconnected() {
    let mut net = Net::new();
    let b = net.broker();
    for (n, text) in [
        "W|4",
        "W|6|C|r|0|1",
        "W|3|C|r|0|1",
        "W|3|C|r|\"bad\"",
        &format!("W|3|C|r|0|1|{}", token(1)),
        &format!("W|9|{}", number(1)),
    ]
    .into_iter()
    .enumerate()
    {
        let raw = net.raw(b, &[n as u8 + 1]);
        net.say(raw, text);
        assert_eq!(net.heard(raw), ["W|5"], "{text}");
    }
    let raw = net.raw(b, b"W");
    net.say(raw, "W|5");
    assert_eq!(net.heard(raw), [""; 0], "a goodbye needs no answer");
    assert_eq!(net[b].machine.load(), [0; 4]);
}

#[test]
fn an_old_worker_that_the_broker_does_not_know_starts_over() {
    let mut net = Net::new();
    let b = net.broker();
    let w = net.old_worker(b, "echo");
    let c = net.client(b);
    net.run(secs(1));
    net.restart(b);
    net.run(secs(6));
    assert_eq!(net[b].machine.load(), [0, 1, 1, 1]);
    assert_eq!(net.call(c, "echo", "1"), End::Final(json("1")));
    assert_eq!(net[w].reconnects, 0);
}

#[test]
fn a_ready_with_a_broken_hello_registers_nobody() {
    let mut net = Net::new();
    let b = net.broker();
    let raw = net.raw(b, b"W");
    for text in [
        "W|1|echo|{}",
        "W|1|echo|nonsense",
        "W|1",
        "W|1|∅",
        "W|1|echo|{}|more",
    ] {
        net.say(raw, text);
        assert_eq!(net.heard(raw), [""; 0]);
    }
    assert_eq!(net[b].machine.load(), [0; 4]);
    assert_eq!(net[b].bad_messages().len(), 5);
}

#[test]
fn a_worker_that_is_disconnected_begins_a_new_session() {
    let mut net = Net::new();
    let b = net.raw_broker();
    let w = net.worker(b, "echo");
    net.serve(w, |_| Job::endless());
    net.run(ms(10));
    net.tell(b, "W1", "W|4");
    net.tell(b, "W1", "W|2|C|r|1");
    net.run(ms(10));
    let first = net.take(b);
    net.tell(b, "W1", "W|5");
    net.run(ms(100));
    assert_eq!(net[w].news[1], (at(21), LinkNews::Lost(Loss::Refused)));
    assert_eq!(net[w].cancelled, [(at(21), 1, Code::BrokerLost)]);
    assert!(
        net[b].heard.is_empty(),
        "it waits for its reconnect interval"
    );
    net.run(ms(5));
    let second = net.take(b);
    assert!(second[0].starts_with("W|1|echo|{"));
    assert_ne!(first[0], second[0], "sessions differ");
}

#[test]
fn a_client_that_is_disconnected_begins_a_new_session() {
    let mut net = Net::new();
    let b = net.raw_broker();
    let c = net.client(b);
    let r = net.request(c, "echo", "1");
    net.run(ms(600));
    let first = net.take(b);
    net.tell(b, "C1", "C|5");
    net.run(ms(50));
    assert_eq!(net.end(c, r), failed("B_LOST"));
    assert_eq!(net[c].news[1], (at(601), LinkNews::Lost(Loss::Refused)));
    let waiting = net.request(c, "echo", "2");
    net.run(ms(560));
    let second = net.take(b);
    assert!(second[0].starts_with("C|1|{") && second[1].starts_with("C|2|echo|"));
    assert_ne!(first[0], second[0], "sessions differ");
    assert_eq!(net.end(c, waiting), None);
}

#[test]
fn the_goodbye_of_an_old_worker_costs_what_it_ran() {
    let mut net = Net::new();
    let b = net.broker();
    let w = net.old_worker(b, "echo");
    let c = net.client(b);
    net.serve(w, |_| Job::endless());
    let running = net.request(c, "echo", "1");
    let queued = net.request(c, "echo", "2");
    net.run(ms(10));
    net.act(w, |worker, _| worker.stop());
    net.run(ms(10));
    assert_eq!(net.end(c, running), failed("W_LOST"));
    assert_eq!(net.end(c, queued), None);
    assert_eq!(last_departure(&net, b), Some((Departure::Goodbye, 1)));
}

#[test]
fn the_goodbye_of_a_client_ends_its_requests() {
    let (mut net, b, w, c) = trio();
    net.serve(w, |_| Job::endless());
    for _ in 0..3 {
        net.request(c, "echo", "1");
    }
    net.run(ms(10));
    net.act(c, |client, _| client.stop());
    net.run(ms(10));
    assert_eq!(net[b].machine.load(), [0, 1, 0, 1]);
    assert_eq!(net.started(w).len(), 1);
    assert_eq!(net[w].cancelled.len(), 1);
    assert_eq!(net[c].machine.next_deadline(), None);
    assert_eq!(net[c].news.last().unwrap().1, LinkNews::Lost(Loss::Stopped));
    net.start(c);
    net.serve(w, Job::echo);
    assert_eq!(net.call(c, "echo", "2"), End::Final(json("2")));
}

/// The hello of the broker is still under way.
#[test]
fn a_client_that_stops_before_the_welcome_says_goodbye_too() {
    let mut net = Net::new();
    let b = net.raw_broker();
    let c = net.client(b);
    net.run(ms(1));
    net.act(c, |client, _| client.stop());
    net.run(ms(1));
    let heard = net.take(b);
    assert!(heard.len() == 2 && heard[1] == "C|5", "{heard:?}");
}

/// The owner hands over received messages in batches, so some may follow the end.
#[test]
fn messages_behind_a_disconnect_are_not_taken() {
    let mut net = Net::new();
    let b = net.raw_broker();
    let w = net.worker(b, "echo");
    let c = net.client(b);
    net.run(ms(10));
    net.act(w, |worker, now| {
        for text in [
            &format!("W|1|{HELLO}"),
            "W|5",
            &format!("W|1|{HELLO}"),
            "W|2|C|r|1",
        ] {
            worker.machine.handle_message(0, now, &mut frames(text));
        }
    });
    net.act(c, |client, now| {
        for text in ["C|5", &format!("C|1|{HELLO}")] {
            client.machine.handle_message(0, now, &mut frames(text));
        }
    });
    net.run(secs(1));
    assert_eq!(net.started(w), [""; 0]);
    // The next broker sends no hello, and must not be mistaken for the last one.
    assert_eq!(net[c].news.last().unwrap().1, LinkNews::Connected);
    net.take(b);
    net.tell(b, "W1", "W|2|C|r|1");
    net.run(ms(10));
    assert_eq!(net.take(b), ["W|3|C|r|0|1"]);
}

/// The request was meant for the earlier life of this name, and its client has been told so.
#[test]
fn a_request_that_comes_before_the_welcome_is_not_ours() {
    let (mut net, _, w, c) = trio();
    net.run(ms(10));
    net.power_off(w);
    net.start(w);
    net.run(LATENCY / 2);
    // Arrives between the connection and READY.
    let r = net.request(c, "echo", "1");
    net.run(ms(100));
    assert_eq!(net.end(c, r), failed("W_LOST"));
    assert_eq!(net.started(w), [""; 0]);
    assert_eq!(net.call(c, "echo", "2"), End::Final(json("2")));
}
