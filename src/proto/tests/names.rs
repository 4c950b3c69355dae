//! Names in hellos: who asks for a name that another peer has, hears whether that one lives.

use super::net::*;
use crate::proto::broker::{Departure, NameDecision};
use crate::proto::link::Loss;
use crate::wire::Hello;

const HELLO: &str = r#"C|1|{"heartbeat":2500,"liveness":3,"omdp":1,"session":"b"}"#;

fn decide(net: &mut Net, b: Id<BrokerActor>, name: &str) -> NameDecision {
    decide_as(net, b, name, "other.1")
}

fn decide_as(net: &mut Net, b: Id<BrokerActor>, name: &str, session: &str) -> NameDecision {
    let mut hello = Hello::new(2500, 3);
    hello.session = session.into();
    net.act(b, |broker, now| {
        broker
            .machine
            .decide_name(now, name.as_bytes(), &hello, None)
    })
}

#[test]
fn a_name_whose_holder_lives_is_refused_after_its_answer() {
    let (mut net, b, _, _) = trio();
    net.run(ms(10));
    for name in ["W1", "C2"] {
        assert_eq!(decide(&mut net, b, name), NameDecision::Asked);
        assert_eq!(decide(&mut net, b, name), NameDecision::Asked);
        net.run(ms(3));
        assert_eq!(decide(&mut net, b, name), NameDecision::Refused);
        // The answer counts for a while.
        net.run(ms(900));
        assert_eq!(decide(&mut net, b, name), NameDecision::Refused);
        net.run(ms(200));
        assert_eq!(decide(&mut net, b, name), NameDecision::Asked);
    }
    assert_eq!(net[b].machine.load()[1..3], [1, 1]);
}

/// What a connection carried last may be read after the hello of the next one.
#[test]
fn a_hello_of_an_earlier_connection_takes_the_name_from_no_later_one() {
    let (mut net, b, w, c) = trio();
    net.run(ms(10));
    net.cut(w, &[Side::Dealer]);
    net.cut(c, &[Side::Dealer]);
    net.run(ms(300));
    for (name, first, third) in [("W1", "w1.0.1", "w1.0.3"), ("C2", "c2.0-1", "c2.0-3")] {
        assert_eq!(decide_as(&mut net, b, name, first), NameDecision::Earlier);
        assert_eq!(decide_as(&mut net, b, name, third), NameDecision::Moved);
    }
}

/// The goodbye and the hello of the next holder are on different connections.
#[test]
fn a_name_is_free_when_the_goodbye_arrives_after_the_hello_of_the_next() {
    let (mut net, b, w, c) = trio();
    net.run(ms(10));
    assert_eq!(decide(&mut net, b, "W1"), NameDecision::Asked);
    assert_eq!(decide(&mut net, b, "C2"), NameDecision::Asked);
    net.act(w, |worker, now| worker.machine.stop(now, None));
    net.act(c, |client, _| client.machine.stop());
    net.run(ms(3));
    assert_eq!(decide(&mut net, b, "W1"), NameDecision::Granted);
    assert_eq!(decide(&mut net, b, "C2"), NameDecision::Granted);
}

#[test]
fn a_holder_that_died_without_a_report_has_its_name_for_a_second() {
    let (mut net, b, w, c) = trio();
    net.run(ms(10));
    net.power_off(w);
    net.power_off(c);
    for name in ["W1", "C2"] {
        assert_eq!(decide(&mut net, b, name), NameDecision::Asked);
    }
    net.run(ms(990));
    for name in ["W1", "C2"] {
        assert_eq!(decide(&mut net, b, name), NameDecision::Asked);
    }
    net.run(ms(20));
    for name in ["W1", "C2"] {
        assert_eq!(decide(&mut net, b, name), NameDecision::Granted);
    }
    net.run(secs(60));
    assert_eq!(net[b].machine.load(), [0; 4]);
}

/// It may be busy with a body that takes long, and the answer waits behind it.
#[test]
fn a_holder_with_requests_is_given_the_time_of_a_heartbeat_more() {
    let (mut net, b, w, c) = trio();
    net.serve(w, |_| Job::endless());
    net.request(c, "echo", "1");
    net.run(ms(10));
    net.power_off(w);
    assert_eq!(decide(&mut net, b, "W1"), NameDecision::Asked);
    net.run(ms(3400));
    assert_eq!(decide(&mut net, b, "W1"), NameDecision::Asked);
    net.run(ms(200));
    assert_eq!(decide(&mut net, b, "W1"), NameDecision::Granted);
    net.run(secs(60));
    let gone = net[b].departures();
    assert_eq!(gone.len(), 1);
    assert_eq!((gone[0].1, gone[0].2), (Departure::Silence, 1));
}

/// The next worker of its name has registered meanwhile.
#[test]
fn a_worker_that_leaves_is_recognized_under_its_other_name() {
    let mut net = Net::new();
    let b = net.broker_with(|config| config.reconnect_grace = secs(1));
    let w = net.worker_with(b, "echo", |config| config.link.name = "W1".into());
    let c = net.client(b);
    net.serve(w, |_| Job::endless());
    net.request(c, "echo", "1");
    net.run(ms(10));
    net.act(w, |worker, now| worker.machine.stop(now, None));
    net.run(ms(10));
    assert_eq!(decide(&mut net, b, "W1"), NameDecision::Ceded);
    net.cut(w, &[Side::Dealer, Side::Broker]);
    net.run(ms(10));
    assert_eq!(decide(&mut net, b, "W1"), NameDecision::Ceded);
    let other = net.act(b, |broker, _| broker.machine.rename_worker(b"W1"));
    let other = other.expect("a name");
    assert_eq!(*other, *b"W1~1");
    assert_eq!(decide(&mut net, b, "W1"), NameDecision::Granted);
    let mut again = Hello::new(2500, 3);
    again.session = "w1.0.2".into();
    again.leaves = true;
    let ask = |net: &mut Net, hello: &Hello| {
        net.act(b, |broker, now| {
            broker.machine.decide_name(now, b"W1", hello, None)
        })
    };
    assert_eq!(ask(&mut net, &again), NameDecision::Renamed(other));
    again.session = "x1.0.2".into();
    assert_eq!(ask(&mut net, &again), NameDecision::Granted);
}

/// A broker without an answer of the holder, in the place of the test.
fn refused(asked: bool) -> (Net, Id<RawBroker>, Id<ClientActor>, u64) {
    let mut net = Net::new();
    let b = net.raw_broker();
    let c = net.client_with(b, |config| config.link.name = "n".into());
    let r = net.request(c, "echo", "1");
    net.run(ms(10));
    let heard = net.take(b);
    assert_eq!(heard.len(), 1);
    let last = if asked { "|A" } else { "" };
    net.tell(b, "C1", &format!("C|5|c1.0-1{last}"));
    net.run(ms(10));
    (net, b, c, r)
}

#[test]
fn a_client_whose_name_is_asked_for_soon_tries_again_and_ends_nothing() {
    let (mut net, b, c, r) = refused(true);
    net.run(ms(150));
    assert_eq!(net.end(c, r), None);
    assert_eq!(net[c].news, []);
    assert!(net.take(b)[0].starts_with("C|1|"));
    net.tell(b, "C1", HELLO);
    net.run(ms(10));
    assert_eq!(net[c].news.len(), 1);
    assert!(net.take(b)[0].starts_with("C|2|echo|"));
}

#[test]
fn a_client_is_connected_when_it_has_its_name() {
    let (mut net, b, c, r) = refused(false);
    assert_eq!(net.end(c, r), failed("C_NAME_TAKEN"));
    assert_eq!(net[c].news.len(), 1);
    assert_eq!(net[c].news[0].1, LinkNews::Lost(Loss::NameTaken));
    // The next hello is not answered at once.
    net.run(ms(1500));
    assert_eq!(net[c].news.len(), 1);
    net.tell(b, "C1", HELLO);
    net.run(ms(10));
    assert_eq!(net[c].news[1].1, LinkNews::Connected);
}

/// The refusal was that of an earlier hello, and the name may be free by now.
#[test]
fn a_request_after_a_refusal_asks_for_the_name_again() {
    let (mut net, b, c, _) = refused(false);
    let r = net.request(c, "echo", "2");
    net.run(ms(100));
    assert_eq!(net.end(c, r), None);
    assert!(net.take(b)[0].starts_with("C|1|"));
    net.tell(b, "C1", "C|5|c1.0-2");
    net.run(ms(10));
    assert_eq!(net.end(c, r), failed("C_NAME_TAKEN"));
    assert_eq!(net[c].news.len(), 1, "it was told");
    let r = net.request(c, "echo", "3");
    net.run(ms(200));
    net.take(b);
    net.tell(b, "C1", HELLO);
    net.run(ms(10));
    assert!(net.take(b)[0].starts_with("C|2|echo|"));
    assert_eq!(net.end(c, r), None);
}

#[test]
fn a_worker_is_connected_when_it_has_its_name() {
    let mut net = Net::new();
    let b = net.raw_broker();
    let w = net.worker_with(b, "echo", |config| config.link.name = "n".into());
    net.run(ms(10));
    net.take(b);
    net.tell(b, "W1", "W|5|w1.0.1|A");
    net.run(ms(150));
    assert_eq!(net[w].news, []);
    assert!(net.take(b)[0].starts_with("W|1|echo|"));
    for life in [2, 3] {
        net.tell(b, "W1", &format!("W|5|w1.0.{life}"));
        net.run(ms(2500));
        assert_eq!(net[w].news.len(), 1);
        assert_eq!(net[w].news[0].1, LinkNews::Lost(Loss::NameTaken));
    }
    net.tell(b, "W1", r#"W|1|{"heartbeat":2500,"liveness":3,"omdp":1}"#);
    net.run(ms(10));
    assert_eq!(net[w].news[1].1, LinkNews::Connected);
}
