//! The broker machine with peers that send anything, connect and disconnect, under changing rules.

use super::input::Input;
use super::models::{BROKER, Known, message};
use super::play::{Scene, noise, play};
use crate::proto::broker::{
    Access, BrokerConfig, BrokerEvent, Credentials, Grant, HeldLimits, Limits, Outgoing, Pattern,
    Principal,
};
use crate::proto::{Broker, Time};
use crate::wire::omdp::{ToClient, ToWorker};
use crate::wire::packed::pack;
use crate::wire::{Dialect, Dialects, mdp, pigato};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

pub(super) const PEERS: [&[u8]; 6] = [b"w0", b"w1", b"c0", b"c1", b"m0", b"m1"];

struct Live {
    broker: Broker<Vec<u8>>,
    now: Time,
    known: HashMap<Vec<u8>, Known>,
    questions: Vec<u64>,
    messages: usize,
    bad: usize,
}

pub(super) fn run(data: &[u8]) {
    let mut input = Input::new(data);
    let dialects = match input.below(8) {
        0 => [Dialect::Omdp].into_iter().collect(),
        _ => Dialects::ALL,
    };
    let scene = Live {
        broker: Broker::new(BrokerConfig {
            dialects,
            expiry: (input.below(4) > 0).then_some(Duration::from_secs(60)),
            search: Duration::ZERO,
            limits: match input.below(4) {
                0 => Limits {
                    queue: 2,
                    queue_bytes: 8,
                    total: 3,
                    total_bytes: 10,
                },
                _ => Limits::default(),
            },
            held: match input.below(4) {
                0 => HeldLimits {
                    peer: 2_000,
                    user: 3_000,
                    address: 4_000,
                    total: 5_000,
                },
                _ => HeldLimits::default(),
            },
            // Room for two replies.
            hold_from: 1,
            unacknowledged_bytes: 300,
            max_message: (input.below(4) == 0).then_some(64),
            seed: 1,
            session: "b0".into(),
            ..BrokerConfig::default()
        }),
        now: Time::ZERO,
        known: HashMap::new(),
        questions: Vec::new(),
        messages: 0,
        bad: 0,
    };
    play(scene, input);
}

impl Scene for Live {
    fn step(&mut self, input: &mut Input) {
        match input.below(16) {
            0..=8 => {
                let from = *input.pick(&PEERS);
                let known = self.known.entry(from.to_vec()).or_default();
                let frames = message(&BROKER, input, known);
                self.say(from, frames, input.byte());
            }
            9 => {
                let from = *input.pick(&PEERS);
                let frames = noise(input);
                self.say(from, frames, 0);
            }
            10 => self.gone(PEERS[input.below(PEERS.len())]),
            11 => self.advance(Duration::from_micros(input.u16().into())),
            12 => self.advance(Duration::from_millis(u64::from(input.byte()) * 40)),
            13 => {
                if let Some(at) = self.broker.next_deadline() {
                    self.advance(at - self.now);
                }
            }
            14 => {
                if let Some(id) = self.questions.pop() {
                    self.broker
                        .authorize(self.now, id, input.byte().is_multiple_of(2));
                }
            }
            _ => self.rules(input),
        }
    }

    fn settle(&mut self) {
        let transmits: Vec<_> = self.broker.drain_transmits().collect();
        for transmit in transmits {
            let to = transmit.to.to_vec();
            match &transmit.message {
                Outgoing::Worker(ToWorker::Request {
                    client, rid, extra, ..
                }) => {
                    let token = extra.as_ref().map_or(0, |extra| extra.token);
                    let known = self.known.entry(to).or_default();
                    known.remember(client, rid, token);
                }
                Outgoing::Worker(ToWorker::Resume(ext)) => {
                    let known = self.known.entry(to).or_default();
                    known.remember(b"c0", b"1", ext.token);
                }
                Outgoing::MdpWorker(_, mdp::ToWorker::Request { client, .. }) => {
                    self.known.entry(to).or_default().remember(client, b"1", 0);
                }
                _ => {}
            }
            understood(transmit);
        }
        for told in self.broker.drain_events(self.now) {
            match told.event {
                BrokerEvent::Authorize { id, .. } => self.questions.push(id),
                BrokerEvent::BadMessage { .. } => self.bad += 1,
                _ => {}
            }
        }
        assert!(self.bad <= self.messages, "counted once");
        self.broker.audit();
        let [requests, workers, clients, services] = self.broker.load();
        assert!(requests <= self.messages && workers <= PEERS.len() && clients <= PEERS.len());
        assert!(services <= requests + workers);
    }

    /// Nothing remains of peers that are gone, nor of a broker that was stopped.
    fn end(mut self) {
        let stops = self.messages.is_multiple_of(2);
        if stops {
            match self.messages % 4 {
                0 => self.broker.stop(self.now),
                _ => self.broker.discard(self.now),
            }
        } else {
            PEERS.iter().for_each(|peer| self.gone(peer));
            self.settle();
            // A client of 0.0.92 may return and continue to wait, for four heartbeats. The requests of a silent extended
            // client go on for a minute, and replies that have ended are kept for another one at most.
            let end = self.now + Duration::from_secs(130);
            while let Some(at) = self.broker.next_deadline().filter(|at| *at <= end) {
                self.advance(at - self.now);
                self.settle();
            }
        }
        assert_eq!(self.broker.next_deadline(), None);
        self.settle_stopped();
        assert_eq!(self.broker.load(), [0; 4]);
    }
}

impl Live {
    /// Peers with the same number share a user.
    fn say(&mut self, from: &[u8], mut frames: Vec<Vec<u8>>, who: u8) {
        self.messages += 1;
        let principal = Principal {
            credential: format!("key{}", who % 3),
            user: format!("user{}", from[1]),
            metadata: String::new(),
        };
        let text = (who % 16 != 15).then(|| principal.to_text());
        self.broker
            .handle_message_of(self.now, from, text.as_deref(), &mut frames);
        assert!(frames.is_empty(), "the frames are reused");
    }

    fn gone(&mut self, peer: &[u8]) {
        // Both reports may come, in this order.
        if !self.messages.is_multiple_of(4) {
            self.broker.handle_gone(self.now, peer);
        }
        if self.messages.is_multiple_of(2) {
            self.broker.handle_broken(self.now, peer);
        }
        self.known.remove(peer);
    }

    fn advance(&mut self, by: Duration) {
        self.now = self.now + by;
        self.broker.handle_timeout(self.now);
        let next = self.broker.next_deadline();
        assert!(next.is_none_or(|at| at > self.now), "no timer stays behind");
    }

    fn rules(&mut self, input: &mut Input) {
        let what = input.byte();
        let grant = |bit: u8| match what >> bit & 3 {
            0 => Vec::new(),
            1 => vec![Pattern::new("echo")],
            _ => vec![Pattern::new("*")],
        };
        let mut credentials = Credentials::default();
        let count = 1 + what % 3;
        credentials
            .listed
            .extend((0..count).map(|n| format!("key{n}").into()));
        let listed = Grant {
            serve: grant(2),
            call: grant(4),
        };
        let access = Access {
            credentials,
            users: HashMap::from([("user48".into(), listed)]),
            others: Grant::all(),
            ask: (what & 128 != 0).then_some(Duration::from_secs(1)),
        };
        self.broker.set_access(self.now, Arc::new(access));
    }

    fn settle_stopped(&mut self) {
        self.broker.drain_transmits().for_each(understood);
        self.broker.drain_events(self.now).for_each(drop);
        self.broker.audit();
    }
}

/// The receiver must be able to decode the message.
fn understood(transmit: crate::proto::broker::Transmit<Vec<u8>>) {
    enum Reader {
        Client,
        Worker,
        MdpClient(mdp::Dialect),
        MdpWorker(mdp::Dialect),
        PigatoClient,
        PigatoWorker,
        EitherWorker,
    }
    let reader = match transmit.message {
        Outgoing::Client(_) => Reader::Client,
        Outgoing::Worker(_) => Reader::Worker,
        Outgoing::MdpClient(dialect, _) => Reader::MdpClient(dialect),
        Outgoing::MdpWorker(dialect, _) => Reader::MdpWorker(dialect),
        Outgoing::PigatoClient(_) => Reader::PigatoClient,
        Outgoing::PigatoWorker(pigato::ToWorker::EitherRequest { .. }) => Reader::EitherWorker,
        Outgoing::PigatoWorker(_) => Reader::PigatoWorker,
    };
    let mut frames = Vec::new();
    let packed = transmit.packed;
    transmit.encode(&mut frames);
    if packed {
        pack(&mut frames, 0);
    }
    let shown = frames.clone();
    let result = match reader {
        Reader::Client => ToClient::decode(&mut frames).map(drop),
        Reader::Worker => ToWorker::decode(&mut frames).map(drop),
        Reader::MdpClient(dialect) => mdp::ClientReply::decode(dialect, &mut frames).map(drop),
        Reader::MdpWorker(dialect) => mdp::ToWorker::decode(dialect, &mut frames).map(drop),
        Reader::PigatoClient => pigato::ToClient::decode(&mut frames).map(drop),
        Reader::PigatoWorker => pigato::ToWorker::decode(&mut frames).map(drop),
        Reader::EitherWorker => {
            assert_eq!(frames.len(), 8);
            pigato::ToWorker::decode(&mut frames.clone()).expect("a worker of PIGATO can read it");
            frames.truncate(5);
            ToWorker::decode(&mut frames).map(drop)
        }
    };
    assert_eq!(result, Ok(()), "{shown:?}");
}
