//! The broker among PIGATO peers, simulated by their frames, and among peers of other dialects.

use super::net::*;
use crate::proto::broker::Departure;
use crate::wire::{Dialect, Dialects};

const UUID: &str = "7c9e6679-7425-40de-944b-e07fc1f90ae7";
const NOTHING: [&str; 0] = [];

/// In the form of the Node.js client.
fn request(rid: &str, data: &str) -> String {
    format!(r#"C|2|echo|{rid}|{data}|{{"timeout":60000,"retry":0}}"#)
}

fn status(concurrency: i64) -> String {
    format!(r#"W|4|∅|{{"concurrency":{concurrency}}}"#)
}

fn given(rid: &str, data: &str) -> String {
    format!(r#"W|2|C|echo|∅|{rid}|{data}|{{"timeout":60000,"retry":0}}"#)
}

/// A broker with a client and a worker of known dialect.
fn cast(concurrency: i64) -> (Net, Id<BrokerActor>, Id<RawDealer>, Id<RawDealer>) {
    let mut net = Net::new();
    let b = net.broker();
    let (c, w) = (net.raw(b, b"C"), net.raw(b, b"W"));
    net.say(w, "W|1|echo");
    net.say(w, &status(concurrency));
    assert_eq!(net.heard(w), ["W|1", "W|4"]);
    (net, b, c, w)
}

#[test]
fn a_request_and_its_reply() {
    let (mut net, b, c, w) = cast(100);
    net.say(c, &request(UUID, "1"));
    assert_eq!(net.heard(w), [given(UUID, "1")]);
    net.say(w, &format!("W|6|C|∅|{UUID}|0|2|{{}}"));
    net.say(w, &format!(r#"W|3|C|∅|{UUID}|0|3|{{"more":1}}"#));
    let replies = [
        format!("C|6|∅|{UUID}|0|2|{{}}"),
        format!(r#"C|3|∅|{UUID}|0|3|{{"more":1}}"#),
    ];
    assert_eq!(net.heard(c), replies);
    assert_eq!(net[b].machine.load(), [0, 1, 0, 1]);
    assert_eq!(net[b].bad_messages().len(), 0);
}

#[test]
fn errors_have_their_code_and_are_true() {
    let (mut net, _, c, w) = cast(100);
    for (sent, told) in [("\"e\"", "\"e\""), ("null", "\"null\""), ("0", "\"0\"")] {
        net.say(c, &request(UUID, "1"));
        net.heard(w);
        // The replies of Ruby workers have no options.
        net.say(w, &format!("W|3|C|∅|{UUID}|-1|{sent}"));
        assert_eq!(net.heard(c), [format!("C|3|∅|{UUID}|-1|{told}|{{}}")]);
    }
}

#[test]
fn the_forms_of_ruby_and_go() {
    let (mut net, _, c, w) = cast(100);
    let go = "5f43a1c2d3e4f5061728394a";
    net.say(c, &format!("C|2|echo|{UUID}|1|{{}}"));
    net.say(c, &format!("C|2|echo|{go}|undefined|∅"));
    let first = format!("W|2|C|echo|∅|{UUID}|1|{{}}");
    let second = format!("W|2|C|echo|∅|{go}|null|{{}}");
    assert_eq!(net.heard(w), [first, second]);
    net.say(w, &format!("W|3|C|∅|{go}|0|undefined"));
    net.say(w, &format!("W|3|C|∅|{UUID}|0|1"));
    let replies = [
        format!("C|3|∅|{go}|0|null|{{}}"),
        format!("C|3|∅|{UUID}|0|1|{{}}"),
    ];
    assert_eq!(net.heard(c), replies);
}

#[test]
fn a_worker_is_undecided_until_it_shows_what_it_is() {
    let mut net = Net::new();
    let b = net.broker();
    let (c, w) = (net.raw(b, b"C"), net.raw(b, b"W"));
    net.say(w, "W|1|echo");
    net.say(c, "C|2|echo|r1|1|{}");
    net.say(c, "C|2|echo|r2|2|{}");
    // Only one request, in a form for both dialects.
    assert_eq!(net.heard(w), ["W|2|C|r1|1|r1|1|{}"]);
    net.say(w, "W|3|C|∅|r1|0|1|{}");
    assert_eq!(net.heard(c), ["C|3|r1|0|1"]);
    assert_eq!(net.heard(w), ["W|1", "W|2|C|echo|∅|r2|2|{}"]);
}

#[test]
fn a_worker_of_0_0_92_is_told_nothing_of_pigato() {
    for shows in ["W|4", "W|3|C|r1|0|1", "W|3|C|r1|\"e\""] {
        let mut net = Net::new();
        let b = net.broker();
        let (c, w) = (net.raw(b, b"C"), net.raw(b, b"W"));
        net.say(w, "W|1|echo");
        net.say(c, "C|2|echo|r1|1|{}");
        net.heard(w);
        net.say(w, shows);
        net.heard(w);
        net.say(w, "W|3|C|r1|0|1");
        net.say(c, &request(UUID, "2"));
        assert_eq!(net.heard(w), [format!("W|2|C|{UUID}|2")], "{shows}");
        net.say(w, &format!("W|3|C|{UUID}|0|2"));
        let heard = net.heard(c);
        assert_eq!(heard.last(), Some(&format!("C|3|∅|{UUID}|0|2|{{}}")));
    }
}

#[test]
fn it_has_as_many_requests_as_it_takes() {
    let (mut net, _, c, w) = cast(2);
    for rid in ["a", "b", "c", "d"] {
        net.say(c, &request(rid, "1"));
    }
    assert_eq!(net.heard(w), [given("a", "1"), given("b", "1")]);
    net.say(w, &status(3));
    let third = given("c", "1");
    assert_eq!(net.heard(w), ["W|4", "W|4|C|∅|a", "W|4|C|∅|b", &third]);
    net.say(w, "W|3|C|∅|b|0|1");
    assert_eq!(net.heard(w), [given("d", "1")]);
}

#[test]
fn without_a_limit_it_has_all() {
    let (mut net, _, c, w) = cast(-1);
    for n in 0..300 {
        net.say(c, &request(&format!("r{n}"), "1"));
    }
    assert_eq!(net.heard(w).len(), 300);
}

#[test]
fn an_abandoned_request_takes_one_place() {
    let (mut net, _, c, w) = cast(2);
    net.say(c, r#"C|2|echo|a|1|{"timeout":1000,"retry":0}"#);
    // Before the client's own timeout.
    net.run(ms(990));
    assert_eq!(net.take(c), [r#"C|3|∅|a|-1|"C_TIMEOUT"|{}"#]);
    net.take(w);
    net.say(c, &request("b", "1"));
    net.say(c, &request("c", "1"));
    assert_eq!(net.heard(w), [given("b", "1")]);
    net.say(w, "W|3|C|∅|a|0|1");
    assert_eq!(net.heard(w), [given("c", "1")]);
    assert_eq!(net.heard(c), NOTHING);
}

#[test]
fn a_client_has_its_heartbeats_answered() {
    let mut net = Net::new();
    let b = net.broker();
    let c = net.raw(b, b"C");
    net.say(c, "C|4");
    assert_eq!(net.heard(c), ["C|4"]);
    net.say(c, &request(UUID, "1"));
    net.say(c, "C|4");
    assert_eq!(net.heard(c), ["C|4"]);
    // Not to a client that sends a hello: it gets the broker's heartbeats.
    let ours = net.raw(b, b"ours");
    net.say(ours, r#"C|1|{"heartbeat":2500,"liveness":3,"omdp":1}"#);
    net.heard(ours);
    net.say(ours, "C|4");
    assert_eq!(net.heard(ours), NOTHING);
}

#[test]
fn heartbeats_for_requests_and_workers() {
    let (mut net, b, c, w) = cast(1);
    net.say(c, r#"C|2|echo|a|1|{"timeout":-1,"retry":0}"#);
    net.heard(w);
    net.say(c, "C|4|request|a");
    assert_eq!(net.heard(w), ["W|4|C|∅|a"]);
    for _ in 0..10 {
        net.run(ms(2500));
        net.say(c, "C|4|worker|W");
    }
    net.run(ms(10));
    assert_eq!(net[b].machine.load()[1], 1);
    net.run(secs(11));
    assert_eq!(net[b].machine.load()[1], 0);
    assert_eq!(net.heard(c), [r#"C|3|∅|a|-1|"W_LOST"|{}"#]);
}

#[test]
fn a_second_ready_changes_nothing_and_a_goodbye_is_answered() {
    let (mut net, b, c, w) = cast(100);
    net.say(c, &request(UUID, "1"));
    net.heard(w);
    net.say(w, "W|1|echo");
    assert_eq!(net.heard(w), NOTHING);
    net.say(w, &format!("W|3|C|∅|{UUID}|0|1|{{}}"));
    assert_eq!(net.heard(c).len(), 1);
    net.say(w, "W|5");
    assert_eq!(net.heard(w), ["W|5"]);
    assert_eq!(net[b].machine.load()[1], 0);
    net.say(w, &status(1));
    assert_eq!(net.heard(w), ["W|5"]);
}

#[test]
fn a_lost_worker_s_request_starts_again_if_it_says_retry() {
    for (opts, again) in [("0", false), ("1", true), ("true", true), ("\"\"", false)] {
        let (mut net, b, c, w) = cast(100);
        net.say(c, &format!("C|2|echo|{UUID}|1|{{\"retry\":{opts}}}"));
        net.heard(w);
        net.say(w, "W|5");
        net.run(ms(10));
        let lost = [format!("C|3|∅|{UUID}|-1|\"W_LOST\"|{{}}")];
        assert_eq!(net.take(c) == lost, !again, "{opts}");
        assert_eq!(net[b].machine.load()[0], usize::from(again));
    }
}

#[test]
fn our_peers_and_theirs() {
    let (mut net, b, c, w) = cast(100);
    let ours = net.client(b);
    let r = net.request(ours, "echo", "1");
    net.run(ms(10));
    let heard = net.take(w);
    let fields: Vec<&str> = heard[0].split('|').collect();
    assert_eq!((fields[3], fields[4], fields[6]), ("echo", "∅", "1"));
    net.say(w, &format!("W|3|{}|∅|{}|0|7|{{}}", fields[2], fields[5]));
    net.run(ms(10));
    assert_eq!(net.end(ours, r), done("7"));
    net.say(w, "W|5");
    net.heard(w);
    let worker = net.worker(b, "echo");
    net.run(ms(10));
    net.say(c, &request(UUID, "5"));
    net.run(ms(10));
    assert_eq!(net.take(c), [format!("C|3|∅|{UUID}|0|5|{{}}")]);
    assert_eq!(net[worker].started.len(), 1);
}

#[test]
fn a_peer_that_said_hello_is_none_of_pigato() {
    let mut net = Net::new();
    let b = net.broker();
    let ours = net.raw(b, b"ours");
    net.say(ours, r#"C|1|{"heartbeat":2500,"liveness":3,"omdp":1}"#);
    net.heard(ours);
    net.say(ours, &request(UUID, "1"));
    net.run(ms(10));
    assert_eq!(net[b].bad_messages().len(), 1);
    let w = net.raw(b, b"W");
    let hello = r#"W|1|echo|{"heartbeat":2500,"liveness":3,"omdp":1}"#;
    net.say(w, hello);
    net.heard(w);
    net.say(w, &status(1));
    assert_eq!(net.heard(w), ["W|5"]);
    assert_eq!(net[b].departures()[0].1, Departure::Protocol);
}

/// In PIGATO, the name of a service may be a pattern. 0.0.92 has none.
#[test]
fn a_service_that_ends_with_its_only_star_is_a_pattern() {
    let mut net = Net::new();
    let b = net.broker();
    let (c, w) = (net.raw(b, b"C"), net.raw(b, b"W"));
    // What waits already is served too.
    net.say(c, &request(UUID, "1"));
    let (old, odd) = (net.raw(b, b"O"), net.raw(b, b"S"));
    for (worker, service) in [(old, "ech*"), (odd, "e*h*"), (w, "ech*")] {
        net.say(worker, &format!("W|1|{service}"));
    }
    net.say(old, "W|4");
    net.say(odd, &status(1));
    assert_eq!(net.heard(odd), ["W|1", "W|4"]);
    net.say(w, &status(1));
    assert_eq!(net.heard(w), ["W|1".into(), "W|4".into(), given(UUID, "1")]);
    net.say(w, &format!("W|3|C|∅|{UUID}|0|2|{{}}"));
    assert_eq!(net.heard(c), [format!("C|3|∅|{UUID}|0|2|{{}}")]);
    // A worker of the exact name precedes.
    net.say(c, &request(UUID, "3").replace("echo", "ech*"));
    let heard = net.heard(old);
    assert!(heard.iter().any(|it| it.starts_with("W|2|")), "{heard:?}");
    net.say(old, &format!("W|3|C|{UUID}|0|4"));
    net.say(c, &request(UUID, "5").replace("echo", "ech"));
    net.say(w, &status(1));
    let own = given(UUID, "5").replace("|echo|", "|ech|");
    assert_eq!(net.heard(w), [own, "W|4".into(), format!("W|4|C|∅|{UUID}")]);
    assert_eq!(net[b].bad_messages().len(), 0);
}

/// A worker may show its dialect by a reply to a request that has ended.
#[test]
fn requests_for_a_pattern_start_however_its_worker_is_recognized() {
    let mut net = Net::new();
    let b = net.broker();
    let (c, w) = (net.raw(b, b"C"), net.raw(b, b"W"));
    net.say(c, &request(UUID, "1"));
    net.say(w, "W|1|ech*");
    net.say(w, "W|3|C|∅|other|0|2|{}");
    assert_eq!(net.heard(w), ["W|1".into(), given(UUID, "1")]);
}

#[test]
fn a_broker_may_serve_none_of_them() {
    let mut net = Net::new();
    let b = net.broker_with(|config| {
        config.dialects = [Dialect::Omdp].into_iter().collect::<Dialects>();
    });
    let (c, w) = (net.raw(b, b"C"), net.raw(b, b"W"));
    net.say(w, "W|1|echo");
    net.say(c, &request(UUID, "1"));
    net.run(ms(10));
    assert_eq!(net[b].bad_messages().len(), 1);
    net.say(c, "C|2|echo|r1|1|{}");
    assert_eq!(net.heard(w), ["W|2|C|r1|1"]);
}

/// Its broker knows no RESUME.
#[test]
fn a_request_of_a_client_of_ours_is_lost_with_the_connection() {
    let mut net = Net::new();
    let b = net.raw_broker();
    let c = net.client_with(b, |config| {
        config.dialect = Dialect::Pigato;
        config.link.away = secs(60);
    });
    net.run(ms(10));
    let r = net.request(c, "echo", "1");
    net.run(ms(10));
    net.cut(c, &[Side::Dealer, Side::Broker]);
    net.run(ms(200));
    assert_eq!(net.end(c, r), failed("B_LOST"));
}
