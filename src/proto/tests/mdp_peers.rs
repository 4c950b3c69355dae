//! The worker and client machines as peers of an MDP broker.

use super::net::*;
use crate::proto::code::Code;
use crate::proto::link::Loss;
use crate::wire::Dialect;

const NAMES: [&str; 3] = ["mdp/0.1", "mdp/0.2", "mdp/0.2-majortomo"];

fn dialect(name: &str) -> Dialect {
    Dialect::from_name(name).unwrap()
}

fn worker(net: &mut Net, broker: Id<RawBroker>, name: &str) -> Id<WorkerActor> {
    net.worker_with(broker, "echo", |config| config.dialect = dialect(name))
}

fn client(net: &mut Net, broker: Id<RawBroker>, name: &str) -> Id<ClientActor> {
    net.client_with(broker, |config| config.dialect = dialect(name))
}

fn heard(net: &mut Net, broker: Id<RawBroker>) -> Vec<String> {
    net.run(ms(10));
    net.take(broker)
}

/// The texts of READY, REQUEST and FINAL.
fn worker_words(name: &str) -> [&'static str; 3] {
    match name {
        "mdp/0.1" => ["∅|MDPW01|\u{1}|echo", "∅|MDPW01|\u{2}", "∅|MDPW01|\u{3}"],
        "mdp/0.2" => ["MDPW02|\u{1}|echo", "MDPW02|\u{2}", "MDPW02|\u{4}"],
        _ => ["∅|MDPW02|\u{1}|echo", "∅|MDPW02|\u{2}", "∅|MDPW02|\u{4}"],
    }
}

/// The texts of REQUEST and FINAL.
fn client_words(name: &str) -> [&'static str; 2] {
    match name {
        "mdp/0.1" => ["∅|MDPC01|echo", "∅|MDPC01|echo"],
        "mdp/0.2" => ["MDPC02|\u{1}|echo", "MDPC02|\u{3}|echo"],
        _ => ["∅|MDPC02|\u{2}|echo", "∅|MDPC02|\u{4}"],
    }
}

#[test]
fn all_of_ours_among_themselves_in_every_dialect() {
    for theirs in NAMES {
        for ours in NAMES {
            let mut net = Net::new();
            let b = net.broker();
            let w = net.worker_with(b, "echo", |config| config.dialect = dialect(theirs));
            let c = net.client_with(b, |config| config.dialect = dialect(ours));
            for value in [
                "1",
                "\"5\"",
                "\"text\"",
                "[\"a\",\"b\"]",
                "null",
                "{\"a\":[]}",
            ] {
                assert_eq!(net.call(c, "echo", value), End::Final(json(value)));
            }
            net.serve(w, |_| Job::error("\"no\""));
            assert_eq!(net.call(c, "echo", "1"), End::Error(json("\"no\"")));
            net.kill(w);
            net.run(ms(10));
            assert_eq!(net[c].faults, []);
        }
    }
}

#[test]
fn a_worker_says_what_its_dialect_has() {
    for name in NAMES {
        let [ready, request, last] = worker_words(name);
        let mut net = Net::new();
        let b = net.raw_broker();
        let w = worker(&mut net, b, name);
        assert_eq!(heard(&mut net, b), [ready]);
        net.tell(b, "W1", &format!("{request}|Cx|∅|a|b"));
        assert_eq!(heard(&mut net, b), [format!("{last}|Cx|∅|a|b")]);
        assert_eq!(net.started(w), ["[\"a\",\"b\"]"]);
        net.serve(w, |_| Job::error("\"no\""));
        net.tell(b, "W1", &format!("{request}|Cx|∅|a"));
        assert_eq!(heard(&mut net, b), [format!("{last}|Cx|∅|OMDP-ERROR|no")]);
        net.serve(w, |body| Job::echo(body).parts(3));
        net.tell(b, "W1", &format!("{request}|Cx|∅|a"));
        net.run(secs(1));
        let parts = net.take(b);
        match name {
            "mdp/0.1" => assert_eq!(parts.len(), 1, "in one message: {parts:?}"),
            _ => assert_eq!(parts.len(), 4, "{parts:?}"),
        }
    }
}

#[test]
fn a_worker_without_partials_sends_no_message_of_too_many_frames() {
    let mut net = Net::new();
    let b = net.raw_broker();
    let w = worker(&mut net, b, "mdp/0.1");
    heard(&mut net, b);
    net.serve(w, |body| Job::echo(body).parts(17_000));
    net.tell(b, "W1", "∅|MDPW01|\u{2}|Cx|∅|a");
    net.run(ms(10));
    let expected = ["∅|MDPW01|\u{3}|Cx|∅|OMDP-CODE|W_TOO_LARGE"];
    assert_eq!(net.take(b), expected);
}

#[test]
fn a_disconnected_worker_begins_anew() {
    for name in NAMES {
        let [ready, request, _] = worker_words(name);
        let goodbye = match name {
            "mdp/0.1" => "∅|MDPW01|\u{5}",
            "mdp/0.2" => "MDPW02|\u{6}",
            _ => "∅|MDPW02|\u{6}",
        };
        let mut net = Net::new();
        let b = net.raw_broker();
        let w = worker(&mut net, b, name);
        net.serve(w, |_| Job::endless());
        heard(&mut net, b);
        net.tell(b, "W1", &format!("{request}|Cx|∅|a"));
        net.tell(b, "W1", goodbye);
        net.run(ms(120));
        assert_eq!(net.take(b), [ready]);
        assert_eq!(net[w].cancelled[0].2, Code::BrokerLost);
        // A broker that is silent for three intervals counts as dead.
        net.run(ms(7600));
        assert_eq!(
            net[w].news.last().map(|(_, news)| *news),
            Some(LinkNews::Lost(Loss::Refused))
        );
    }
}

#[test]
fn a_client_has_one_request_under_way() {
    for name in NAMES {
        let [request, last] = client_words(name);
        let mut net = Net::new();
        let b = net.raw_broker();
        let c = client(&mut net, b, name);
        let (first, second) = (net.request(c, "echo", "1"), net.request(c, "echo", "2"));
        assert_eq!(heard(&mut net, b), [format!("{request}|1")]);
        net.tell(b, "C1", &format!("{last}|one"));
        assert_eq!(heard(&mut net, b), [format!("{request}|2")]);
        assert_eq!(net.end(c, first), done("\"one\""));
        net.tell(b, "C1", &format!("{last}|OMDP-CODE|W_LOST"));
        net.run(ms(10));
        assert_eq!(net.end(c, second), failed("W_LOST"));
        net.tell(b, "C1", &format!("{last}|nobody asked"));
        net.run(secs(10));
        assert_eq!(heard(&mut net, b), [""; 0], "no heartbeats of clients");
    }
}

#[test]
fn a_request_that_is_given_up_costs_the_connection() {
    for name in NAMES {
        let [request, last] = client_words(name);
        let mut net = Net::new();
        let b = net.raw_broker();
        let c = client(&mut net, b, name);
        let late = net.request_with(c, "echo", json("1"), Some(100));
        let next = net.request(c, "echo", "2");
        net.run(ms(101));
        assert_eq!(net.end(c, late), failed("C_TIMEOUT"));
        assert_eq!(
            heard(&mut net, b),
            [format!("{request}|1"), format!("{request}|2")]
        );
        assert_eq!(net[c].news[1].1, LinkNews::Lost(Loss::Abandoned));
        net.tell(b, "C1", &format!("{last}|two"));
        net.run(ms(10));
        assert_eq!(net.end(c, next), done("\"two\""));
    }
}

#[test]
fn requests_under_way_are_lost_with_the_connection_and_waiting_ones_are_not() {
    for name in NAMES {
        let [request, _] = client_words(name);
        let mut net = Net::new();
        let b = net.raw_broker();
        let c = net.client_with(b, |config| {
            config.dialect = dialect(name);
            config.link.away = secs(60);
        });
        let (first, second) = (net.request(c, "echo", "1"), net.request(c, "echo", "2"));
        heard(&mut net, b);
        net.cut(c, &[Side::Dealer, Side::Broker]);
        net.run(ms(200));
        assert_eq!(net.end(c, first), failed("B_LOST"));
        assert_eq!(net.end(c, second), None);
        assert_eq!(heard(&mut net, b), [format!("{request}|2")]);
    }
}
