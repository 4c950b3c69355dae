//! A virtual network and its clock. A seed determines a run: nothing here reads a clock or another source of
//! randomness, and time jumps from one wake-up to the next.
//!
//! Peers are actors: machines with their owners, scripted peers of 0.0.92, and raw sockets controlled by the test. At
//! each instant messages precede deadlines, as the contract of the machines demands.

mod actor;
mod build;
mod faults;
mod new;
mod old_broker;
mod old_client;
mod old_worker;
mod raw;
mod rng;
mod scene;
pub mod texts;
mod transport;
mod users;
mod work;

pub use crate::wire::omdp::testing::frames;
pub use actor::{Actor, Asks, Frames, Serves};
pub use build::HEARTBEAT;
pub use new::{BrokerActor, ClientActor, LinkNews, WorkerActor};
pub use old_broker::OldBroker;
pub use old_client::OldClient;
pub use old_worker::OldWorker;
pub use raw::{RawBroker, RawDealer};
pub use rng::Rng;
pub use scene::{Scene, trio, trio_in};
pub use transport::Side;
pub use users::{at, done, error, failed, json, ms, secs};
pub use work::{End, Job, Jobs, Outcome, Seen, Step};

use crate::proto::Time;
use crate::wire::Body;
use std::any::Any;
use std::collections::{BTreeMap, VecDeque};
use std::marker::PhantomData;
use std::ops::Index;
use std::time::Duration;
use transport::{Conn, Dial, Event, Socket};

/// The latency in a network without a seed.
pub const LATENCY: Duration = Duration::from_millis(1);

/// The latency within one computer.
pub const NEAR: Duration = Duration::from_micros(10);

pub struct Net {
    now: Time,
    pub rng: Rng,
    /// Minimum and maximum, in µs.
    latency: (u64, u64),
    peers: Vec<Peer>,
    sockets: Vec<Socket>,
    conns: Vec<Conn>,
    agenda: BTreeMap<(Time, u64), Event>,
    serial: u64,
    audited: bool,
    /// Whether a peer that loses its name to another connection is told, as over inproc, or keeps a dead connection,
    /// as over TCP.
    pub tells_displaced: bool,
}

struct Peer {
    kind: &'static str,
    actor: Box<dyn Actor>,
    dial: Option<Dial>,
    socket: Option<usize>,
    /// For brokers: the connection of each identity.
    routes: BTreeMap<Vec<u8>, usize>,
    /// For brokers: whether a second connection of an identity replaces the first.
    takes_over: bool,
    /// For clients: the prefix of their request ids.
    tag: Option<String>,
    alive: bool,
    paused: bool,
    cut_off: bool,
    /// Whether a relay takes its connections, and ends them when there is no broker.
    relayed: bool,
    /// Events that arrived during a pause.
    inbox: VecDeque<Event>,
}

/// The id of a peer in the network, with the type of its actor.
pub struct Id<T>(usize, PhantomData<fn() -> T>);

impl<T> Clone for Id<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Id<T> {}

impl<T> PartialEq for Id<T> {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}

impl<T> Id<T> {
    /// The id without the type, for tables of all peers.
    pub fn any(self) -> Id<()> {
        Id(self.0, PhantomData)
    }
}

impl<T: Actor> Index<Id<T>> for Net {
    type Output = T;

    fn index(&self, id: Id<T>) -> &T {
        let actor: &dyn Any = &*self.peers[id.0].actor;
        actor
            .downcast_ref()
            .expect("an id names what it was made for")
    }
}

impl Net {
    /// A network where every message takes [`LATENCY`].
    pub fn new() -> Self {
        let micros = LATENCY.as_micros() as u64;
        Net::with_latency(0, (micros, micros))
    }

    /// A network where every message takes [`NEAR`].
    pub fn near() -> Self {
        let micros = NEAR.as_micros() as u64;
        Net::with_latency(0, (micros, micros))
    }

    /// A network where each message takes a random time.
    pub fn seeded(seed: u64) -> Self {
        Net::with_latency(seed, (50, 20_000))
    }

    /// Sets the range of the latency, in µs.
    pub fn set_latency(&mut self, least: u64, most: u64) {
        self.latency = (least, most);
    }

    fn with_latency(seed: u64, latency: (u64, u64)) -> Self {
        Net {
            now: Time::ZERO,
            rng: Rng::new(seed),
            latency,
            peers: Vec::new(),
            sockets: Vec::new(),
            conns: Vec::new(),
            agenda: BTreeMap::new(),
            serial: 0,
            audited: true,
            tells_displaced: true,
        }
    }

    /// Disables the audit of all tables at each step, for runs with many messages.
    pub fn unaudited(mut self) -> Self {
        self.audited = false;
        self
    }

    /// A number that grows with every message.
    pub fn serial(&self) -> u64 {
        self.serial
    }

    pub fn now(&self) -> Time {
        self.now
    }

    fn way(&mut self) -> Duration {
        let (least, most) = self.latency;
        Duration::from_micros(self.rng.between(least, most))
    }

    fn schedule(&mut self, at: Time, event: Event) {
        self.serial += 1;
        self.agenda.insert((at, self.serial), event);
    }

    /// Acts as the application of a peer.
    pub fn act<T: Actor, R>(&mut self, id: Id<T>, what: impl FnOnce(&mut T, Time) -> R) -> R {
        let actor: &mut dyn Any = &mut *self.peers[id.0].actor;
        let actor = actor
            .downcast_mut()
            .expect("an id names what it was made for");
        let result = what(actor, self.now);
        self.settle(id.0);
        result
    }

    /// Drains the actor, and carries out the effects.
    fn settle(&mut self, peer: usize) {
        loop {
            let mut effects = Vec::new();
            self.peers[peer].actor.drain(self.now, &mut effects);
            if effects.is_empty() {
                break;
            }
            for effect in effects {
                self.carry_out(peer, effect);
            }
        }
        if self.audited {
            self.peers[peer].actor.audit();
        }
    }

    fn next_wake(&self) -> Option<Time> {
        let awake = self.peers.iter().filter(|peer| peer.alive && !peer.paused);
        let deadline = awake.filter_map(|peer| peer.actor.deadline()).min();
        let event = self.agenda.first_key_value().map(|((at, _), _)| *at);
        let next = [deadline, event].into_iter().flatten().min();
        next.map(|at| at.max(self.now))
    }

    /// Advances to the next instant with an event. Returns false if that is after `end`.
    fn step(&mut self, end: Time) -> bool {
        let Some(at) = self.next_wake().filter(|at| *at <= end) else {
            return false;
        };
        self.now = at;
        while let Some(entry) = self.agenda.first_entry().filter(|e| e.key().0 <= at) {
            let event = entry.remove();
            let target = self.target(&event);
            match &mut self.peers[target] {
                peer if !peer.alive => {}
                peer if peer.paused => peer.inbox.push_back(event),
                _ => self.happen(event),
            }
        }
        for peer in 0..self.peers.len() {
            self.tick(peer);
        }
        true
    }

    fn tick(&mut self, peer: usize) {
        let entry = &mut self.peers[peer];
        let due = entry.actor.deadline().is_some_and(|at| at <= self.now);
        if due && entry.alive && !entry.paused {
            entry.actor.timeout(self.now);
            self.settle(peer);
        }
    }

    pub fn run(&mut self, span: Duration) {
        self.run_checked(span, |_| {});
    }

    /// Runs, and calls `check` after each instant.
    pub fn run_checked(&mut self, span: Duration, mut check: impl FnMut(&mut Net)) {
        let end = self.now + span;
        while self.step(end) {
            check(self);
        }
        self.now = end;
    }

    /// Runs until a condition holds, which must happen within the span.
    #[track_caller]
    pub fn run_until(&mut self, span: Duration, mut done: impl FnMut(&mut Net) -> bool) {
        let end = self.now + span;
        while !done(self) {
            assert!(self.step(end), "not within {span:?}");
        }
    }

    pub fn name<T>(&self, id: Id<T>) -> String {
        format!("{}{}", self.peers[id.0].kind, id.0)
    }

    pub fn is_alive<T>(&self, id: Id<T>) -> bool {
        self.peers[id.0].alive
    }

    pub fn is_paused<T>(&self, id: Id<T>) -> bool {
        self.peers[id.0].paused
    }

    /// Disables the check of addressees for this client, because other peers forge its identity.
    pub fn impersonate<T>(&mut self, client: Id<T>) {
        self.peers[client.0].tag = None;
    }

    /// Checks that a reply reaches the client that made the request.
    fn check_addressee(&self, peer: usize, frames: &Frames) {
        if let (Some(tag), [head, command, rid, ..]) = (&self.peers[peer].tag, &frames[..])
            && head == b"C"
            && matches!(&**command, b"3" | b"6")
        {
            let own = rid.strip_prefix(tag.as_bytes());
            let own = own.is_some_and(|rest| matches!(rest.first(), Some(b'.' | b'-')));
            assert!(own, "{} came to {tag}", raw::render(frames));
        }
    }
}

/// Parses as `JSON.parse` of 0.0.92; everything else would crash the process.
fn old_json(bytes: &[u8]) -> Vec<u8> {
    let value: Result<serde_json::Value, _> = serde_json::from_slice(bytes);
    assert!(
        value.is_ok(),
        "kills a 0.0.92 peer: {}",
        String::from_utf8_lossy(bytes)
    );
    bytes.to_vec()
}
