//! The brokers, their peers, and the connections between them.

use super::peers::{Asker, Peer, Servant, machine};
use crate::proto::broker::BrokerConfig;
use crate::proto::link::Action;
use crate::proto::machine::{DynamicBrokers, Machine};
use crate::proto::tests::net::{Frames, HEARTBEAT, Rng, ms};
use crate::proto::{Broker, Time};
use crate::wire::packed::pack;
use std::collections::{BTreeMap, HashSet, VecDeque};
use std::time::Duration;

#[derive(Default)]
struct Conn {
    up: bool,
    to_broker: VecDeque<Frames>,
    to_peer: VecDeque<Frames>,
}

pub struct World {
    pub now: Time,
    pub rng: Rng,
    /// `None` while it is dead.
    pub brokers: Vec<Option<Broker<Vec<u8>>>>,
    /// How long brokers wait for workers whose connection broke.
    grace: Duration,
    /// Number of broker processes so far.
    lives: usize,
    pub peers: Vec<Peer>,
    /// By peer and broker.
    conns: BTreeMap<(usize, usize), Conn>,
}

fn broker(life: usize, grace: Duration) -> Broker<Vec<u8>> {
    Broker::new(BrokerConfig {
        heartbeat: HEARTBEAT,
        expiry: None,
        reconnect_grace: grace,
        search: Duration::ZERO,
        seed: 1,
        session: format!("b{life}"),
        ..BrokerConfig::default()
    })
}

impl World {
    pub fn new(seed: u64, brokers: usize, peers: Vec<Peer>) -> Self {
        let grace = match seed % 2 {
            0 => ms(1000),
            _ => Duration::ZERO,
        };
        World {
            now: Time::ZERO,
            rng: Rng::new(seed),
            grace,
            brokers: (0..brokers).map(|life| Some(broker(life, grace))).collect(),
            lives: brokers,
            peers,
            conns: BTreeMap::new(),
        }
    }

    fn identity(peer: usize) -> Vec<u8> {
        format!("peer-{peer}").into_bytes()
    }

    pub fn break_off(&mut self, peer: usize, line: usize) {
        let Some(conn) = self.conns.get_mut(&(peer, line)) else {
            return;
        };
        conn.to_broker.clear();
        conn.to_peer.clear();
        if std::mem::take(&mut conn.up) {
            if let Some(broker) = &mut self.brokers[line] {
                broker.handle_gone(self.now, &Self::identity(peer));
            }
            machine!(&mut self.peers[peer], m => m.handle_down(line, self.now));
        }
    }

    pub fn kill(&mut self, line: usize) {
        self.brokers[line] = None;
        for peer in 0..self.peers.len() {
            self.break_off(peer, line);
        }
    }

    /// Starts another process in place of a dead broker.
    pub fn revive(&mut self, line: usize) {
        if self.brokers[line].is_none() {
            self.lives += 1;
            self.brokers[line] = Some(broker(self.lives, self.grace));
        }
    }

    pub fn step(&mut self, micros: u64) {
        self.now = self.now + Duration::from_micros(micros);
        let now = self.now;
        for line in 0..self.brokers.len() {
            for peer in 0..self.peers.len() {
                self.carry(peer, line);
            }
            let Some(broker) = &mut self.brokers[line] else {
                continue;
            };
            if broker.next_deadline().is_some_and(|at| at <= now) {
                broker.handle_timeout(now);
            }
            for transmit in broker.drain_transmits() {
                let mut frames = Vec::new();
                let to = std::str::from_utf8(&transmit.to).unwrap().to_owned();
                let peer = to.strip_prefix("peer-").unwrap().parse().unwrap();
                let packed = transmit.packed;
                transmit.encode(&mut frames);
                if packed {
                    pack(&mut frames, 0);
                }
                if let Some(conn) = self.conns.get_mut(&(peer, line)).filter(|conn| conn.up) {
                    conn.to_peer.push_back(frames);
                }
            }
            broker.drain_events(now);
            broker.audit();
        }
        for peer in 0..self.peers.len() {
            let peer = &mut self.peers[peer];
            machine!(peer, m => {
                if m.next_deadline().is_some_and(|at| at <= now) {
                    m.handle_timeout(now);
                }
            });
            match peer {
                Peer::Worker(worker) => worker.act(now, &mut self.rng),
                Peer::Client(client) => client.act(),
            }
            machine!(peer, m => m.audit());
        }
        for peer in 0..self.peers.len() {
            for line in 0..self.brokers.len() {
                self.flush(peer, line);
            }
            self.see_off(peer);
        }
    }

    /// Delivers most of the messages that are under way.
    fn carry(&mut self, peer: usize, line: usize) {
        let (now, late) = (self.now, self.rng.percent(20));
        let Some(conn) = self.conns.get_mut(&(peer, line)) else {
            return;
        };
        let Some(broker) = self.brokers[line].as_mut().filter(|_| !late) else {
            return;
        };
        if !conn.up {
            conn.up = true;
            machine!(&mut self.peers[peer], m => m.handle_up(line, now));
        }
        for mut frames in conn.to_broker.drain(..) {
            broker.handle_message(now, &Self::identity(peer), &mut frames);
        }
        for mut frames in conn.to_peer.drain(..) {
            machine!(&mut self.peers[peer], m => m.handle_message(line, now, &mut frames));
        }
    }

    /// Adds this broker to the worker or client.
    pub fn join(&mut self, peer: usize, line: usize) {
        match &mut self.peers[peer] {
            Peer::Worker(worker) => worker.join(self.now, line),
            Peer::Client(client) => client.join(self.now, line),
        }
    }

    /// Removes this broker from it.
    pub fn leave(&mut self, peer: usize, line: usize) {
        match &mut self.peers[peer] {
            Peer::Worker(worker) => worker.joining.remove(&line),
            Peer::Client(client) => client.joining.remove(&line),
        };
        machine!(&mut self.peers[peer], m => m.leave(self.now, line));
    }

    /// Removed brokers may be added again.
    fn see_off(&mut self, peer: usize) {
        while let Some(line) = machine!(&mut self.peers[peer], m => m.poll_gone()) {
            assert!(
                !self.conns.contains_key(&(peer, line)),
                "its connection is closed"
            );
            let joins = match &self.peers[peer] {
                Peer::Worker(worker) => worker.joining.contains(&line),
                Peer::Client(client) => client.joining.contains(&line),
            };
            if joins {
                self.join(peer, line);
            }
        }
    }

    fn flush(&mut self, peer: usize, line: usize) {
        loop {
            let conn = self.conns.get_mut(&(peer, line)).filter(|conn| conn.up);
            let mut sent = Vec::new();
            machine!(&mut self.peers[peer], m => m.drain_transmits(line, |frames, _| {
                sent.push(std::mem::take(frames));
            }));
            if let Some(conn) = conn {
                conn.to_broker.extend(sent);
            }
            match machine!(&mut self.peers[peer], m => m.poll_action(line)) {
                None => return,
                Some(Action::Open) => {
                    self.conns.insert((peer, line), Conn::default());
                }
                Some(Action::Close | Action::Abandon) => {
                    // Messages that were sent before still arrive.
                    if let Some(mut conn) = self.conns.remove(&(peer, line)).filter(|c| c.up)
                        && let Some(broker) = &mut self.brokers[line]
                    {
                        for mut frames in conn.to_broker.drain(..) {
                            broker.handle_message(self.now, &Self::identity(peer), &mut frames);
                        }
                        broker.handle_gone(self.now, &Self::identity(peer));
                    }
                }
            }
        }
    }

    pub fn client(&mut self) -> &mut Asker {
        let found = self.peers.iter_mut().find_map(|peer| match peer {
            Peer::Client(client) => Some(client),
            Peer::Worker(_) => None,
        });
        found.expect("there is one")
    }

    pub fn ask(&mut self) {
        let now = self.now;
        self.client().ask(now);
    }

    /// Steps until the client has no open request.
    pub fn settle(&mut self) {
        for round in 0..20_000 {
            if self.client().is_over() {
                return;
            }
            self.step(if round < 5_000 { 200 } else { 20_000 });
        }
        panic!("{:?}: requests never end", self.client().machine.stats(0));
    }

    /// No request runs twice, whichever worker and broker had it.
    pub fn check_starts(&self) {
        let mut seen = HashSet::new();
        for peer in &self.peers {
            if let Peer::Worker(worker) = peer {
                for body in &worker.started {
                    assert!(
                        seen.insert(body),
                        "{} ran twice",
                        String::from_utf8_lossy(body)
                    );
                }
            }
        }
    }

    pub fn done(&mut self) -> usize {
        let ends = self.client().ends.values();
        ends.filter(|ends| **ends == ["done"]).count()
    }

    pub fn worker(&mut self) -> &mut Servant {
        match &mut self.peers[1] {
            Peer::Worker(worker) => worker,
            Peer::Client(_) => panic!("the client comes first"),
        }
    }

    pub fn ends(&mut self) -> BTreeMap<String, usize> {
        let mut counts = BTreeMap::new();
        for ends in self.client().ends.values() {
            assert_eq!(ends.len(), 1, "{ends:?}");
            *counts.entry(ends[0].clone()).or_default() += 1;
        }
        counts
    }
}
