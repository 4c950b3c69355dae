//! The memory that a broker keeps for peers that send messages of any size: hellos and READYs,
//! requests, RESUMEs and CLAIMs. All of it must be on accounts, and no account may exceed its
//! limit.

use super::input::Input;
use super::models::{self, Known, message};
use super::play::{Scene, play};
use crate::proto::broker::{BrokerConfig, HeldLimits, Outgoing, RoutingId};
use crate::proto::{Broker, Time};
use crate::wire::omdp::ToWorker;
use std::collections::HashMap;
use std::time::Duration;

const PEERS: [&[u8]; 4] = [b"w0", b"w1", b"c0", b"c1"];

/// Peers with the same number are connected from the same address.
const ADDRESSES: [&str; 2] = ["10.0.0.1:1000", "10.0.0.2:1000"];

const HELD: HeldLimits = HeldLimits {
    peer: 20_000,
    user: usize::MAX,
    address: 30_000,
    total: 45_000,
};

struct Live {
    broker: Broker<Vec<u8>>,
    now: Time,
    known: HashMap<RoutingId, Known>,
}

pub(super) fn run(data: &[u8]) {
    let scene = Live {
        broker: Broker::new(BrokerConfig {
            search: Duration::ZERO,
            held: HELD,
            seed: 1,
            session: "b0".into(),
            ..BrokerConfig::default()
        }),
        now: Time::ZERO,
        known: HashMap::new(),
    };
    play(scene, Input::new(data));
}

impl Scene for Live {
    fn step(&mut self, input: &mut Input) {
        let from = PEERS[input.below(PEERS.len())];
        match input.below(9) {
            0 => self.gone(from),
            2 => self.keep(from, input),
            1 => self.advance(Duration::from_millis(u64::from(input.byte()) * 40)),
            _ => {
                let id: RoutingId = from.into();
                let known = self.known.entry(id.clone()).or_default();
                let mut frames = message(&models::HELD, input, known);
                swell(&mut frames, input);
                let address = ADDRESSES[usize::from(from[1] - b'0')];
                self.broker.handle_address(&id, Some(address));
                self.broker
                    .handle_message_of(self.now, from, None, &mut frames);
            }
        }
    }

    fn settle(&mut self) {
        for transmit in self.broker.drain_transmits() {
            if let Outgoing::Worker(ToWorker::Request {
                client, rid, extra, ..
            }) = &transmit.message
            {
                let token = extra.as_ref().map_or(0, |extra| extra.token);
                let known = self.known.entry(transmit.to.clone()).or_default();
                known.remember(client, rid, token);
            }
        }
        self.broker.drain_events(self.now).for_each(drop);
        self.broker.audit();
        assert!(self.broker.held() <= HELD.total);
    }

    fn end(mut self) {
        PEERS.iter().for_each(|peer| self.gone(peer));
        self.settle();
        // Requests of silent peers go on for a minute, and replies that have ended are kept for another one at most.
        let end = self.now + Duration::from_secs(130);
        while let Some(at) = self.broker.next_deadline().filter(|at| *at <= end) {
            self.advance(at - self.now);
            self.settle();
        }
        assert_eq!((self.broker.load(), self.broker.held()), ([0; 4], 0));
    }
}

impl Live {
    fn gone(&mut self, peer: &[u8]) {
        self.broker.handle_waiting_from(self.now, peer, 0);
        self.broker.handle_waiting_to(self.now, peer, 0);
        self.broker.handle_unfinished(self.now, peer, 0, &[]);
        self.broker.handle_gone(self.now, peer);
        self.broker.handle_address(&peer.into(), None);
        self.known.remove(peer);
    }

    /// The driver keeps bytes of this peer, or for it.
    fn keep(&mut self, peer: &[u8], input: &mut Input) {
        let bytes = (256 << 10) - 1 + (1 << input.below(16));
        let bytes = [0, bytes][input.below(2)];
        match input.below(4) {
            3 => {
                self.broker
                    .handle_unfinished(self.now, peer, bytes, &[peer.into()]);
            }
            0 => {
                self.broker.handle_waiting_from(self.now, peer, bytes);
            }
            1 => {
                self.broker.handle_waiting_to(self.now, peer, bytes);
            }
            _ => self.broker.handle_new_connection(self.now, peer),
        }
    }

    fn advance(&mut self, by: Duration) {
        self.now = self.now + by;
        self.broker.handle_timeout(self.now);
    }
}

/// Extends one of the frames to up to 128 KiB.
fn swell(frames: &mut [Vec<u8>], input: &mut Input) {
    let size = input.below(18);
    if size > 0 && !frames.is_empty() {
        let at = input.below(frames.len());
        let fill = frames[at].last().copied().unwrap_or(b'x');
        frames[at].resize(1 << size, fill);
    }
}
