//! The broker among MDP peers, simulated by literal frames of each dialect.

mod faults;
mod liveness;
mod mmi;
mod service;

use super::net::*;
use crate::proto::broker::Departure;
use crate::wire::{Dialect, Dialects};

/// The frames of one dialect, as texts.
struct Words {
    name: &'static str,
    client: &'static str,
    worker: &'static str,
    /// The frames before the body of a PARTIAL and a FINAL to a client.
    to_client: [&'static str; 2],
    partial: Option<&'static str>,
    last: &'static str,
    beat: &'static str,
    goodbye: &'static str,
}

const V01: Words = Words {
    name: "mdp/0.1",
    client: "∅|MDPC01",
    worker: "∅|MDPW01",
    to_client: ["", "∅|MDPC01|echo"],
    partial: None,
    last: "∅|MDPW01|\u{3}",
    beat: "∅|MDPW01|\u{4}",
    goodbye: "∅|MDPW01|\u{5}",
};

const V02: Words = Words {
    name: "mdp/0.2",
    client: "MDPC02|\u{1}",
    worker: "MDPW02",
    to_client: ["MDPC02|\u{2}|echo", "MDPC02|\u{3}|echo"],
    partial: Some("MDPW02|\u{3}"),
    last: "MDPW02|\u{4}",
    beat: "MDPW02|\u{5}",
    goodbye: "MDPW02|\u{6}",
};

const MAJORTOMO: Words = Words {
    name: "mdp/0.2-majortomo",
    client: "∅|MDPC02|\u{2}",
    worker: "∅|MDPW02",
    to_client: ["∅|MDPC02|\u{3}", "∅|MDPC02|\u{4}"],
    partial: Some("∅|MDPW02|\u{3}"),
    last: "∅|MDPW02|\u{4}",
    beat: "∅|MDPW02|\u{5}",
    goodbye: "∅|MDPW02|\u{6}",
};

const ALL: [Words; 3] = [V01, V02, MAJORTOMO];

impl Words {
    fn request(&self, body: &str) -> String {
        format!("{}|echo|{body}", self.client)
    }

    fn ready(&self) -> String {
        format!("{}|\u{1}|echo", self.worker)
    }

    fn work(&self, client: &str, body: &str) -> String {
        format!("{}|\u{2}|{client}|∅|{body}", self.worker)
    }

    fn answer(&self, client: &str, body: &str) -> String {
        format!("{}|{client}|∅|{body}", self.last)
    }

    fn reply(&self, body: &str) -> String {
        format!("{}|{body}", self.to_client[1])
    }
}

/// A broker and two raw sockets, for a client and a worker.
fn pair() -> (Net, Id<BrokerActor>, Id<RawDealer>, Id<RawDealer>) {
    let mut net = Net::new();
    let b = net.broker();
    let (c, w) = (net.raw(b, b"C"), net.raw(b, b"W"));
    (net, b, c, w)
}

fn faults(net: &Net, broker: Id<BrokerActor>) -> Vec<&'static str> {
    let bad = net[broker].bad_messages();
    bad.into_iter().map(|(_, why)| why).collect()
}

fn departures(net: &Net, broker: Id<BrokerActor>) -> Vec<Departure> {
    let gone = net[broker].departures();
    gone.into_iter().map(|(_, why, _)| why).collect()
}
