//! A worker and a client of several brokers, each with its application.

use crate::proto::client::{ClientCommand, ClientConfig, ClientNotice};
use crate::proto::link::LinkConfig;
use crate::proto::machine::{DynamicBrokers, Machine};
use crate::proto::several::{ClientOfSeveral, Several, WorkerOfSeveral};
use crate::proto::tests::net::{HEARTBEAT, Rng, json, ms};
use crate::proto::worker::{Worked, WorkerCommand, WorkerConfig, WorkerNotice};
use crate::proto::{Client, Time, Worker};
use crate::wire::Dialect;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

/// A peer and its application.
#[expect(clippy::large_enum_variant, reason = "a test has a few")]
pub enum Peer {
    Worker(Servant),
    Client(Asker),
}

/// Makes the same call to either machine.
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
pub(super) use machine;

pub struct Servant {
    pub machine: WorkerOfSeveral<Vec<u8>>,
    pub concurrency: usize,
    prefetch: u32,
    /// Brokers to add as soon as they are gone.
    pub joining: BTreeSet<usize>,
    lives: usize,
    /// Offers that were not taken, and whether they may be taken back.
    pub offers: VecDeque<(u64, bool)>,
    /// Deliveries that were taken, and when they end.
    pub running: BTreeMap<u64, Time>,
    /// The body of each delivery, and the bodies of those that were taken.
    pub bodies: BTreeMap<u64, Vec<u8>>,
    pub started: Vec<Vec<u8>>,
    pub drained: bool,
}

pub struct Asker {
    pub machine: ClientOfSeveral<Vec<u8>>,
    pub joining: BTreeSet<usize>,
    lives: usize,
    /// The ends of each request; empty until it has ended.
    pub ends: BTreeMap<u64, Vec<String>>,
}

fn link() -> LinkConfig {
    LinkConfig {
        heartbeat: HEARTBEAT,
        liveness: 3,
        soon: ms(100),
        reconnect: ms(100),
        reconnect_max: Duration::from_secs(30),
        away: Duration::ZERO,
        seed: 0,
        expect_hello: false,
        expect_beats: true,
        name: String::new(),
        max_message: None,
    }
}

impl Servant {
    pub fn new(brokers: usize, concurrency: usize, prefetch: u32) -> Self {
        let mut machine = WorkerOfSeveral::new(Some(concurrency));
        for line in 0..brokers {
            machine.join(Time::ZERO, line, Self::config(line, concurrency, prefetch));
        }
        Servant {
            machine,
            prefetch,
            joining: BTreeSet::new(),
            lives: brokers,
            concurrency,
            offers: VecDeque::new(),
            running: BTreeMap::new(),
            bodies: BTreeMap::new(),
            started: Vec::new(),
            drained: false,
        }
    }

    fn config(life: usize, concurrency: usize, prefetch: u32) -> WorkerConfig {
        WorkerConfig {
            link: link(),
            dialect: Dialect::Omdp,
            service: "echo".into(),
            serving: crate::wire::Serving::default(),
            concurrency: Some(concurrency),
            most: None,
            about: None,
            prefetch,
            max_blocked: None,
            session: format!("w{life}"),
        }
    }

    /// A worker that started with one broker.
    pub fn of_one(concurrency: usize, prefetch: u32) -> Self {
        let mut worker = Worker::new(Self::config(0, concurrency, prefetch));
        worker.start();
        Servant {
            machine: WorkerOfSeveral::of_one(0, worker),
            ..Servant::new(0, concurrency, prefetch)
        }
    }

    pub fn join(&mut self, now: Time, line: usize) {
        self.lives += 1;
        let config = Self::config(self.lives, self.concurrency, self.prefetch);
        match self.machine.join(now, line, config) {
            Some(_) => self.joining.insert(line),
            None => self.joining.remove(&line),
        };
    }

    pub fn stop(&mut self, now: Time) {
        let _ = self.machine.handle_command(now, WorkerCommand::Stop(None));
    }

    fn report(&mut self, now: Time) {
        let Servant {
            machine,
            offers,
            running,
            bodies,
            ..
        } = self;
        let mut left_running = Vec::new();
        let end = machine.drain_notices(|_, notice| match notice {
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
            machine.handle_left_running(now, delivery);
        }
        self.drained = end.is_break();
    }

    pub fn act(&mut self, now: Time, rng: &mut Rng) {
        self.report(now);
        while let Some(retract) = self.machine.poll_retract() {
            self.report(now);
            let mut back = Vec::new();
            let count = retract.outstanding.saturating_sub(retract.limit);
            for at in (0..self.offers.len()).rev() {
                let (delivery, returnable) = self.offers[at];
                let machine = &self.machine;
                if back.len() < count
                    && returnable
                    && retract.broker.is_none_or(|it| machine.is_of(it, delivery))
                {
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
            let done = vec![WorkerCommand::Final(delivery, json("1"))];
            let _ = self
                .machine
                .handle_command(now, WorkerCommand::Batch(worked, done));
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
        self.report(now);
    }

    pub fn take(&mut self, delivery: u64, until: Time) {
        assert!(self.running.insert(delivery, until).is_none());
        self.started.extend(self.bodies.remove(&delivery));
    }
}

impl Asker {
    pub fn new(brokers: usize) -> Self {
        let mut machine = ClientOfSeveral::new(Self::config(0));
        for line in 0..brokers {
            machine.join(Time::ZERO, line, Self::config(line));
        }
        Asker {
            machine,
            joining: BTreeSet::new(),
            lives: brokers,
            ends: BTreeMap::new(),
        }
    }

    /// A client that started with one broker, and has made a request.
    pub fn of_one() -> Self {
        let mut client = Client::new(Self::config(0));
        client.start();
        let (service, opts) = (b"echo".to_vec(), b"{}".to_vec());
        client.request(Time::ZERO, 1, service, json("1"), opts, Some(ms(60_000)));
        Asker {
            machine: ClientOfSeveral::of_one(0, client),
            ends: BTreeMap::from([(1, Vec::new())]),
            ..Asker::new(0)
        }
    }

    fn config(life: usize) -> ClientConfig {
        ClientConfig {
            link: link(),
            dialect: Dialect::Omdp,
            session: format!("c{life}-"),
            await_hello: false,
        }
    }

    pub fn join(&mut self, now: Time, line: usize) {
        self.lives += 1;
        let config = Self::config(self.lives);
        match self.machine.join(now, line, config) {
            Some(_) => self.joining.insert(line),
            None => self.joining.remove(&line),
        };
    }

    pub fn ask(&mut self, now: Time) {
        let id = self.ends.len() as u64 + 1;
        self.ends.insert(id, Vec::new());
        let (service, opts) = (b"echo".to_vec(), b"{}".to_vec());
        let request = ClientCommand::Request {
            id,
            service,
            data: json(&id.to_string()),
            opts,
            terms: Some(ms(60_000)).into(),
        };
        let _ = self.machine.handle_command(now, request);
    }

    pub fn act(&mut self) {
        let ends = &mut self.ends;
        let _ = self.machine.drain_notices(|_, notice| match notice {
            ClientNotice::Reply { id, .. } => ends.entry(id).or_default().push("done".into()),
            ClientNotice::Failed { id, code } => ends.entry(id).or_default().push(code),
            ClientNotice::Fault(why) => panic!("{why:?}"),
            _ => {}
        });
    }

    pub fn is_over(&self) -> bool {
        self.ends.values().all(|ends| !ends.is_empty())
    }
}
