//! A broker of 0.0.92 sends nothing to clients, and neither does a connection that died before the hello. After one
//! hello, every later broker is expected to send one: a connection without a hello is replaced, as often as
//! necessary.

use super::net::*;
use crate::proto::link::Loss;
use std::time::Duration;

/// Heartbeat × liveness.
const PATIENCE: Duration = Duration::from_millis(7500);

const HELLO: &str = r#"C|1|{"heartbeat":2500,"liveness":3,"omdp":1}"#;

fn silences(net: &Net, client: Id<ClientActor>) -> Vec<u64> {
    let news = net[client].news.iter();
    let lost = news.filter(|(_, what)| *what == LinkNews::Lost(Loss::Silence));
    lost.map(|(when, _)| when.since(at(0)).as_millis() as u64)
        .collect()
}

/// A client that has received this hello and lost its connection: the next one is up at 1101 ms. It is used half a second later,
/// because there is no second hello.
fn reconnected(hello: &str) -> (Net, Id<RawBroker>, Id<ClientActor>) {
    let mut net = Net::new();
    let b = net.raw_broker();
    let c = net.client(b);
    net.run(ms(500));
    net.tell(b, "C1", hello);
    net.run(ms(499));
    net.cut(c, &[Side::Dealer, Side::Broker]);
    net.run(secs(1));
    net.take(b);
    let lost = (at(1_000), LinkNews::Lost(Loss::Transport));
    assert_eq!(net[c].news[1..], [lost, (at(1_601), LinkNews::Connected)]);
    (net, b, c)
}

#[test]
fn a_line_that_dies_before_the_second_hello_is_noticed() {
    let (mut net, _, c) = reconnected(HELLO);
    let r = net.request(c, "echo", "1");
    net.cut(c, &[]);
    net.run(PATIENCE + secs(1));
    assert_eq!(silences(&net, c), [1_101 + 7_500]);
    assert_eq!(net.end(c, r), failed("B_LOST"));
    assert_eq!(net.seen(c, r).at, at(1_101 + 7_500));
}

#[test]
fn a_broker_of_0_0_92_in_its_place_is_given_up_until_it_answers() {
    let (mut net, b, c) = reconnected(HELLO);
    net.run(secs(9));
    assert_eq!(silences(&net, c), [1_101 + 7_500]);
    net.take(b);
    net.request(c, "echo", "1");
    net.run(ms(10));
    let heard = net.take(b);
    let rid = heard[0].split('|').nth(3).unwrap();
    net.tell(b, "C1", &format!("C|6|{rid}|0|1"));
    net.run(secs(50));
    assert_eq!(silences(&net, c).len(), 1);
}

/// A client that no broker was ever heard by, with a request that was sent without a hello on a connection that was
/// reset, and that request's id.
fn reset_before_any_hello() -> (Net, Id<RawBroker>, Id<ClientActor>, u64, String) {
    let mut net = Net::new();
    let b = net.raw_broker();
    let c = net.client_with(b, |config| config.link.away = secs(60));
    let r = net.request(c, "echo", "1");
    net.run(ms(600));
    let heard = net.take(b);
    let rid = heard.last().and_then(|text| text.split('|').nth(3));
    let rid = rid.expect("a request").to_string();
    net.cut(c, &[Side::Dealer, Side::Broker]);
    net.run(ms(300));
    assert_eq!(net.end(c, r), None);
    net.take(b);
    (net, b, c, r, rid)
}

#[test]
fn a_request_outlives_a_connection_that_was_reset_before_any_hello() {
    let (mut net, b, c, r, rid) = reset_before_any_hello();
    let hello = r#"C|1|{"heartbeat":2500,"liveness":3,"omdp":1,"session":"b1"}"#;
    net.tell(b, "C1", hello);
    let heard = net.heard(b);
    assert!(heard[0].starts_with("C|11|echo|"), "{heard:?}");
    net.tell(b, "C1", &format!("C|3|{rid}|0|1"));
    net.run(ms(10));
    assert_eq!(net.end(c, r), done("1"));
}

/// It may have been of 0.0.92.
#[test]
fn a_broker_that_is_never_heard_is_not_awaited_for_longer_than_one_may_be_silent() {
    let (mut net, _, c, r, _) = reset_before_any_hello();
    net.run(secs(7));
    assert_eq!(net.end(c, r), None);
    net.run(secs(1));
    assert_eq!(net.end(c, r), failed("B_LOST"));
}

/// It does not know RESUME.
#[test]
fn a_broker_of_0_0_92_behind_such_a_connection_ends_the_wait() {
    let (mut net, b, c, r, _) = reset_before_any_hello();
    let other = net.request(c, "echo", "2");
    net.run(ms(600));
    let heard = net.take(b);
    let rid = heard.last().and_then(|text| text.split('|').nth(3));
    let rid = rid.expect("a request").to_string();
    net.tell(b, "C1", &format!("C|3|{rid}|0|2"));
    net.run(ms(10));
    assert_eq!(net.end(c, other), done("2"));
    assert_eq!(net.end(c, r), failed("B_LOST"));
}

/// The first reply distinguishes it from a dead connection.
#[test]
fn a_broker_of_0_0_92_that_answers_is_not_asked_for_a_hello() {
    for reply in ["C|6|{rid}|0|1", "C|3|{rid}|0|1", "C|3|{rid}|1"] {
        let (mut net, b, c) = reconnected(HELLO);
        net.request(c, "echo", "1");
        net.run(ms(10));
        let heard = net.take(b);
        let rid = heard[0].split('|').nth(3).unwrap();
        net.tell(b, "C1", &reply.replace("{rid}", rid));
        let r = net.request(c, "nobody", "1");
        net.run(secs(50));
        assert_eq!(
            (silences(&net, c), net.end(c, r)),
            (Vec::<u64>::new(), None)
        );
    }
}

/// A reply to a request of an earlier connection does not.
#[test]
fn an_answer_to_what_nobody_asked_leaves_the_hello_expected() {
    let (mut net, b, c) = reconnected(HELLO);
    net.tell(b, "C1", "C|3|c1-999|0|1");
    net.run(secs(9));
    assert_eq!(silences(&net, c).len(), 1);
}

/// The pauses between the attempts grow up to half a minute.
#[test]
fn as_often_as_it_takes() {
    let (mut net, _, c) = reconnected(HELLO);
    net.run(secs(3600));
    let count = silences(&net, c).len();
    assert!((90..120).contains(&count), "{count}");
}

#[test]
fn the_second_hello_makes_it_as_before() {
    let (mut net, b, c) = reconnected(HELLO);
    net.run(PATIENCE - secs(1));
    net.tell(b, "C1", HELLO);
    net.run(ms(500));
    assert!(silences(&net, c).is_empty());
    // From now on this is the silence of a known broker.
    net.run(PATIENCE);
    assert_eq!(silences(&net, c).len(), 1);
    // The next broker is expected to send a hello again.
    net.run(PATIENCE + secs(1));
    assert_eq!(silences(&net, c).len(), 2);
}

/// A connection that breaks says nothing about the broker behind it.
#[test]
fn a_connection_that_breaks_before_the_hello_leaves_it_expected() {
    let (mut net, _, c) = reconnected(HELLO);
    net.run(secs(1));
    net.cut(c, &[Side::Dealer, Side::Broker]);
    net.run(secs(9));
    assert_eq!(silences(&net, c).len(), 1);
}

#[test]
fn the_hello_is_waited_for_as_long_as_the_last_brokers_heart_allows() {
    let (mut net, _, c) = reconnected(r#"C|1|{"heartbeat":10000,"liveness":3,"omdp":1}"#);
    net.run(secs(40));
    assert_eq!(silences(&net, c), [1_101 + 30_000]);
}

/// A broker ends a connection before it has handled anything of it, for lack of descriptors for example.
#[test]
fn nothing_is_lost_with_a_connection_that_ends_before_the_hello() {
    let mut net = Net::new();
    let b = net.raw_broker();
    let c = net.client(b);
    let r = net.request(c, "echo", "1");
    for _ in 0..5 {
        net.run(ms(50));
        let heard = net.take(b);
        assert!(heard.iter().all(|text| text.starts_with("C|1|")));
        net.cut(c, &[Side::Dealer, Side::Broker]);
        net.run(ms(150));
    }
    net.run(ms(50));
    net.tell(b, "C1", HELLO);
    net.run(ms(10));
    let heard = net.take(b);
    let requests = heard.iter().filter(|text| text.starts_with("C|2|echo|"));
    assert_eq!((requests.count(), net.end(c, r)), (1, None));
    assert_eq!(net[c].news.len(), 1);
}

#[test]
fn no_broker_is_asked_for_a_hello_before_the_first() {
    let mut net = Net::new();
    let b = net.raw_broker();
    let c = net.client(b);
    let r = net.request(c, "echo", "1");
    net.run(secs(5));
    net.cut(c, &[Side::Dealer, Side::Broker]);
    net.run(secs(3600));
    assert!(silences(&net, c).is_empty());
    assert_eq!(net.end(c, r), failed("B_LOST"));
}

/// An inproc connection cannot break, and may be up long before there is a broker.
#[test]
fn a_client_that_awaits_the_hello_anyway_awaits_it_for_ever() {
    let mut net = Net::new();
    let b = net.raw_broker();
    let c = net.client_with(b, |config| config.await_hello = true);
    net.run(secs(1));
    net.tell(b, "C1", HELLO);
    net.run(ms(10));
    net.cut(c, &[Side::Dealer, Side::Broker]);
    net.run(secs(1));
    let r = net.request(c, "echo", "1");
    net.take(b);
    net.run(secs(50));
    assert_eq!(
        (silences(&net, c), net.end(c, r)),
        (Vec::<u64>::new(), None)
    );
    let heard = net.take(b);
    assert!(heard.iter().all(|text| text == "C|4"), "{heard:?}");
}
