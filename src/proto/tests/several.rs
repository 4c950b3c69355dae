//! Workers and clients of several brokers, among brokers that die and connections that break. One
//! seed is one run.

use super::net::{Frames, HEARTBEAT, Rng, json, ms};
use crate::proto::broker::{BrokerConfig, Limits};
use crate::proto::client::{ClientConfig, ClientNotice};
use crate::proto::link::{Action, LinkConfig};
use crate::proto::several::{ClientOfSeveral, WorkerOfSeveral};
use crate::proto::worker::{Worked, WorkerConfig, WorkerNotice};
use crate::proto::{Broker, Time};
use crate::wire::{Dialect, Dialects};
use std::collections::{BTreeMap, HashSet, VecDeque};
use std::time::Duration;

fn link() -> LinkConfig {
    LinkConfig {
        heartbeat: HEARTBEAT,
        liveness: 3,
        reconnect: ms(100),
        expect_beats: true,
    }
}

/// A peer and its user.
enum Peer {
    Worker(Servant),
    Client(Asker),
}

struct Servant {
    machine: WorkerOfSeveral<Vec<u8>>,
    concurrency: usize,
    /// Not taken yet, with whether they may be taken back.
    offers: VecDeque<(u64, bool)>,
    /// Taken, and when they end.
    running: BTreeMap<u64, Time>,
    /// What was asked in each, and what of it was taken.
    bodies: BTreeMap<u64, Vec<u8>>,
    started: Vec<Vec<u8>>,
    drained: bool,
}

struct Asker {
    machine: ClientOfSeveral<Vec<u8>>,
    /// How each request ended; empty until it did.
    ends: BTreeMap<u64, Vec<String>>,
}

#[derive(Default)]
struct Conn {
    up: bool,
    to_broker: VecDeque<Frames>,
    to_peer: VecDeque<Frames>,
}

struct World {
    now: Time,
    rng: Rng,
    /// `None` while it is dead.
    brokers: Vec<Option<Broker<Vec<u8>>>>,
    /// How many brokers there have been.
    lives: usize,
    peers: Vec<Peer>,
    /// By peer and line.
    conns: BTreeMap<(usize, usize), Conn>,
}

fn broker(life: usize) -> Broker<Vec<u8>> {
    Broker::new(BrokerConfig {
        heartbeat: HEARTBEAT,
        liveness: 3,
        dialects: Dialects::ALL,
        expiry: None,
        busy_timeout: ms(900_000),
        limits: Limits::default(),
        seed: 1,
        session: format!("b{life}"),
    })
}

impl Servant {
    fn new(brokers: usize, concurrency: usize, prefetch: u32) -> Self {
        let config = |line| WorkerConfig {
            link: link(),
            dialect: Dialect::Omdp,
            service: "echo".into(),
            concurrency: Some(concurrency),
            prefetch,
            max_blocked: None,
            session: format!("w{line}"),
        };
        let mut machine = WorkerOfSeveral::new((0..brokers).map(config).collect());
        machine.start();
        Servant {
            machine,
            concurrency,
            offers: VecDeque::new(),
            running: BTreeMap::new(),
            bodies: BTreeMap::new(),
            started: Vec::new(),
            drained: false,
        }
    }

    fn report(&mut self) {
        let Servant {
            machine,
            offers,
            running,
            bodies,
            ..
        } = self;
        let mut left_running = Vec::new();
        machine.drain_notices(|_, notice| match notice {
            WorkerNotice::Request {
                delivery,
                body,
                returnable,
                ..
            } => {
                offers.push_back((delivery, returnable));
                bodies.insert(delivery, body.bytes);
            }
            WorkerNotice::Cancelled { delivery, .. } => {
                offers.retain(|(offer, _)| *offer != delivery);
                if running.contains_key(&delivery) {
                    left_running.push(delivery);
                }
            }
            WorkerNotice::Fault(why) => panic!("{why:?}"),
            _ => {}
        });
        for delivery in left_running {
            machine.handle_left_running(delivery);
        }
        self.drained = self.machine.is_drained();
    }

    fn act(&mut self, now: Time, rng: &mut Rng) {
        self.report();
        while let Some(retract) = self.machine.poll_retract() {
            self.report();
            let mut back = Vec::new();
            let count = retract.outstanding.saturating_sub(retract.limit);
            for at in (0..self.offers.len()).rev() {
                let (delivery, returnable) = self.offers[at];
                let line = self.machine.line_of(delivery);
                if back.len() < count && returnable && retract.line.is_none_or(|it| it == line) {
                    back.extend(self.offers.remove(at).map(|(delivery, _)| delivery));
                }
            }
            back.reverse();
            self.machine.handle_retracted(now, &back);
        }
        let over: Vec<u64> = self
            .running
            .iter()
            .filter_map(|(&delivery, &at)| (at <= now).then_some(delivery))
            .collect();
        for delivery in over {
            self.running.remove(&delivery);
            let worked = Worked {
                taken: Some((delivery, now)),
                at: now,
                ends: 1,
            };
            self.machine.handle_worked(worked, [delivery].into_iter());
            self.machine.finish(now, delivery, json("1"));
        }
        while self.running.len() < self.concurrency
            && let Some((delivery, _)) = self.offers.pop_front()
        {
            let micros = match rng.percent(10) {
                true => 30_000,
                false => rng.between(10, 500),
            };
            self.take(delivery, now + Duration::from_micros(micros));
        }
        self.report();
    }
}

impl Servant {
    fn take(&mut self, delivery: u64, until: Time) {
        assert!(self.running.insert(delivery, until).is_none());
        self.started.extend(self.bodies.remove(&delivery));
    }
}

impl Asker {
    fn new(brokers: usize) -> Self {
        let config = |line| ClientConfig {
            link: link(),
            dialect: Dialect::Omdp,
            session: format!("c{line}-"),
            await_hello: false,
        };
        let mut machine = ClientOfSeveral::new((0..brokers).map(config).collect());
        machine.start();
        Asker {
            machine,
            ends: BTreeMap::new(),
        }
    }

    fn ask(&mut self, now: Time) {
        let id = self.ends.len() as u64 + 1;
        self.ends.insert(id, Vec::new());
        let (service, opts) = (b"echo".to_vec(), b"{}".to_vec());
        self.machine.request(
            now,
            id,
            service,
            json(&id.to_string()),
            opts,
            Some(ms(60_000)).into(),
        );
    }

    fn act(&mut self) {
        let ends = &mut self.ends;
        self.machine.drain_notices(|_, notice| match notice {
            ClientNotice::Reply { id, .. } => ends.entry(id).or_default().push("done".into()),
            ClientNotice::Failed { id, code } => ends.entry(id).or_default().push(code),
            ClientNotice::Fault(why) => panic!("{why:?}"),
            _ => {}
        });
    }

    fn is_over(&self) -> bool {
        self.ends.values().all(|ends| !ends.is_empty())
    }
}

/// The same call to either machine.
macro_rules! machine {
    ($peer:expr, $machine:ident => $what:expr) => {
        match $peer {
            Peer::Worker(Servant {
                machine: $machine, ..
            }) => $what,
            Peer::Client(Asker {
                machine: $machine, ..
            }) => $what,
        }
    };
}

impl World {
    fn new(seed: u64, brokers: usize, peers: Vec<Peer>) -> Self {
        World {
            now: Time::ZERO,
            rng: Rng::new(seed),
            brokers: (0..brokers).map(|life| Some(broker(life))).collect(),
            lives: brokers,
            peers,
            conns: BTreeMap::new(),
        }
    }

    fn identity(peer: usize) -> Vec<u8> {
        format!("peer-{peer}").into_bytes()
    }

    fn break_off(&mut self, peer: usize, line: usize) {
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

    fn kill(&mut self, line: usize) {
        self.brokers[line] = None;
        for peer in 0..self.peers.len() {
            self.break_off(peer, line);
        }
    }

    /// Another process in its place.
    fn revive(&mut self, line: usize) {
        if self.brokers[line].is_none() {
            self.lives += 1;
            self.brokers[line] = Some(broker(self.lives));
        }
    }

    fn step(&mut self, micros: u64) {
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
                transmit.encode(&mut frames);
                if let Some(conn) = self.conns.get_mut(&(peer, line)).filter(|conn| conn.up) {
                    conn.to_peer.push_back(frames);
                }
            }
            broker.drain_events();
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
        }
    }

    /// What is on its way arrives, most of it.
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

    fn flush(&mut self, peer: usize, line: usize) {
        loop {
            let conn = self.conns.get_mut(&(peer, line)).filter(|conn| conn.up);
            let mut sent = Vec::new();
            machine!(&mut self.peers[peer], m => m.drain_transmits(line, |message| {
                let mut frames = Vec::new();
                message.encode(&mut frames);
                sent.push(frames);
            }));
            if let Some(conn) = conn {
                conn.to_broker.extend(sent);
            }
            match machine!(&mut self.peers[peer], m => m.poll_action(line)) {
                None => return,
                Some(Action::Open) => {
                    self.conns.insert((peer, line), Conn::default());
                }
                Some(Action::Close) => {
                    // What was sent still arrives.
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

    fn client(&mut self) -> &mut Asker {
        let found = self.peers.iter_mut().find_map(|peer| match peer {
            Peer::Client(client) => Some(client),
            Peer::Worker(_) => None,
        });
        found.expect("there is one")
    }

    fn ask(&mut self) {
        let now = self.now;
        self.client().ask(now);
    }

    /// Steps until the client has nothing to wait for.
    fn settle(&mut self) {
        for round in 0..20_000 {
            if self.client().is_over() {
                return;
            }
            self.step(if round < 5_000 { 200 } else { 20_000 });
        }
        panic!("{} requests never end", self.client().machine.outstanding());
    }

    /// Nothing runs twice, whichever worker and broker it was with.
    fn check_starts(&self) {
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

    fn done(&mut self) -> usize {
        let ends = self.client().ends.values();
        ends.filter(|ends| **ends == ["done"]).count()
    }

    fn worker(&mut self) -> &mut Servant {
        match &mut self.peers[1] {
            Peer::Worker(worker) => worker,
            Peer::Client(_) => panic!("the client comes first"),
        }
    }

    fn ends(&mut self) -> BTreeMap<String, usize> {
        let mut counts = BTreeMap::new();
        for ends in self.client().ends.values() {
            assert_eq!(ends.len(), 1, "{ends:?}");
            *counts.entry(ends[0].clone()).or_default() += 1;
        }
        counts
    }
}

fn cast(seed: u64, brokers: usize, workers: &[(usize, u32)]) -> World {
    let mut peers = vec![Peer::Client(Asker::new(brokers))];
    for &(concurrency, prefetch) in workers {
        peers.push(Peer::Worker(Servant::new(brokers, concurrency, prefetch)));
    }
    let mut world = World::new(seed, brokers, peers);
    for _ in 0..50 {
        world.step(100);
    }
    world
}

#[test]
fn every_request_ends_once_whatever_dies() {
    let seeds = std::env::var("OMDP_SEEDS").map_or(100, |text| text.parse().expect("a number"));
    for seed in 0..seeds {
        let mut world = cast(seed, 2 + seed as usize % 2, &[(1, 16), (3, 0)]);
        for _ in 0..400 {
            for _ in 0..world.rng.below(4) {
                world.ask();
            }
            let line = world.rng.below(world.brokers.len());
            if world.rng.percent(1) {
                world.kill(line);
            } else if world.rng.percent(3) {
                world.revive(line);
            } else if world.rng.percent(1) {
                let peer = world.rng.below(world.peers.len());
                world.break_off(peer, line);
            }
            let micros = world.rng.between(20, 2000);
            world.step(micros);
        }
        // Or one is dead for good.
        for line in usize::from(seed % 3 == 0)..world.brokers.len() {
            world.revive(line);
        }
        world.settle();
        let ends = world.ends();
        assert!(
            ends.keys()
                .all(|end| ["done", "B_LOST", "W_LOST"].contains(&&**end)),
            "seed {seed}: {ends:?}"
        );
        world.check_starts();
        // What handlers still do for nobody comes to its end, and what nobody asks for is let go.
        for _ in 0..400 {
            world.step(200);
        }
        for _ in 0..1000 {
            world.step(20_000);
        }
        for peer in &world.peers {
            machine!(peer, m => assert_eq!(m.outstanding(), 0, "seed {seed}"));
        }
    }
}

#[test]
fn without_accidents_nothing_is_lost_and_goodbyes_cost_nothing() {
    for seed in 0..20 {
        let mut world = cast(seed, 3, &[(1, 16), (2, 16), (1, 0)]);
        for round in 0..300 {
            world.ask();
            if round == 150 {
                let now = world.now;
                let Peer::Worker(worker) = &mut world.peers[1] else {
                    panic!("the client comes first");
                };
                worker.machine.stop(now, None);
            }
            world.step(100);
        }
        world.settle();
        assert_eq!(world.ends(), BTreeMap::from([("done".into(), 300)]));
        for _ in 0..2000 {
            world.step(200);
        }
        let Peer::Worker(worker) = &world.peers[1] else {
            panic!("the client comes first");
        };
        assert!(worker.drained, "seed {seed}");
    }
}

/// A broker whose request came back waits until there is room, and does not try again and again.
#[test]
fn what_came_back_is_not_given_again_before_there_is_room() {
    let mut world = cast(1, 2, &[(1, 16)]);
    let Peer::Worker(worker) = &mut world.peers[1] else {
        panic!("the client comes first");
    };
    // Busy for a second with the one, while the other wants something too.
    worker.concurrency = 0;
    world.ask();
    world.ask();
    for _ in 0..10 {
        world.step(100);
    }
    let now = world.now;
    let Peer::Worker(worker) = &mut world.peers[1] else {
        panic!("the client comes first");
    };
    assert_eq!(worker.offers.len(), 2);
    let (first, _) = worker.offers.pop_front().expect("there are two");
    worker.take(first, now + ms(1000));
    let mut seen = 0;
    for _ in 0..500 {
        world.step(1000);
        let Peer::Worker(worker) = &world.peers[1] else {
            panic!("the client comes first");
        };
        seen += worker.offers.len();
    }
    assert!(seen <= 10, "on offer in {seen} ms of 500");
    let Peer::Worker(worker) = &mut world.peers[1] else {
        panic!("the client comes first");
    };
    worker.concurrency = 1;
    world.settle();
    assert_eq!(world.ends(), BTreeMap::from([("done".into(), 2)]));
}

/// Four requests that take a second, two at each of two brokers, of which the first dies.
fn half_lost() -> World {
    let mut world = cast(1, 2, &[(6, 0)]);
    for _ in 0..4 {
        world.ask();
    }
    for _ in 0..20 {
        world.step(10);
    }
    let until = world.now + ms(1000);
    let worker = world.worker();
    assert_eq!(worker.running.len(), 4);
    worker.running.values_mut().for_each(|at| *at = until);
    world.kill(0);
    world
}

fn run(world: &mut World, time: Duration) {
    let end = world.now + time;
    while world.now < end {
        world.step(1000);
    }
}

#[test]
fn what_was_with_a_lost_broker_is_answered_by_its_next() {
    let mut world = half_lost();
    // Meanwhile the other one is asked alone.
    world.ask();
    run(&mut world, ms(300));
    assert_eq!(world.done(), 1);
    world.revive(0);
    run(&mut world, ms(1500));
    assert_eq!(world.ends(), BTreeMap::from([("done".into(), 5)]));
    world.check_starts();
    assert_eq!(world.worker().machine.outstanding(), 0);
}

#[test]
fn and_ends_after_a_window_if_there_is_none() {
    let mut world = half_lost();
    run(&mut world, ms(2000));
    assert_eq!(world.done(), 2);
    assert_eq!(world.worker().machine.outstanding(), 0, "held, and no room");
    world.ask();
    run(&mut world, ms(2000));
    assert_eq!(world.done(), 3);
    run(&mut world, HEARTBEAT * 3 - ms(4100));
    assert_eq!(world.client().machine.outstanding(), 2);
    run(&mut world, ms(200));
    let ends = [("B_LOST".into(), 2), ("done".into(), 3)];
    assert_eq!(world.ends(), BTreeMap::from(ends));
    world.check_starts();
}
