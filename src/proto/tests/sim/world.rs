//! Who takes part in a run, and what happens to them.

use super::check::Ledger;
use crate::proto::Time;
use crate::proto::tests::net::*;
use crate::wire::Body;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

pub struct World {
    pub net: Net,
    pub brokers: Vec<Id<BrokerActor>>,
    pub workers: Vec<Id<WorkerActor>>,
    pub old_workers: Vec<Id<OldWorker>>,
    pub clients: Vec<Id<ClientActor>>,
    pub old_clients: Vec<Id<OldClient>>,
    /// Clients that their users have stopped.
    pub stopped: Vec<Id<ClientActor>>,
    /// Clients of a broker whose `echo` has workers of 0.0.92 alone. One whose final is lost with a
    /// connection that is mended behind everybody's back is busy for ever, as ever.
    unsure: Vec<Id<()>>,
    /// When whom is helped again, whatever happened to it.
    pub remedies: BTreeMap<(Time, u64), Id<()>>,
    /// How often in a hundred acts somebody is hurt.
    pub storm: usize,
    pub asked: u64,
    log: Rc<RefCell<Vec<String>>>,
}

const SERVICES: [&str; 3] = ["echo", "other", "nobody"];

/// What a request has its worker do; its body says so, and no two bodies are the same.
#[derive(Debug, Clone, Copy)]
pub struct Plan {
    pub parts: usize,
    every: u64,
    pub end: Ending,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    Final,
    Error,
    Never,
}

impl Plan {
    pub fn draw(rng: &mut Rng) -> Self {
        let end = match rng.below(100) {
            0..2 => Ending::Never,
            2..15 => Ending::Error,
            _ => Ending::Final,
        };
        Plan {
            parts: *rng.pick(&[0, 0, 0, 0, 1, 5, 20]),
            every: *rng.pick(&[0, 0, 0, 1, 1, 10, 10, 30, 100, 400]),
            end,
        }
    }

    pub fn body(self, number: u64) -> Body<Vec<u8>> {
        let Plan { parts, every, end } = self;
        json(&format!("[{number},{parts},{every},{}]", end as u8))
    }

    pub fn of(body: &Body<Vec<u8>>) -> Self {
        let numbers: Vec<u64> = serde_json::from_slice(&body.bytes).expect("a plan");
        Plan {
            parts: numbers[1] as usize,
            every: numbers[2],
            end: [Ending::Final, Ending::Error, Ending::Never][numbers[3] as usize],
        }
    }

    fn job(self, body: &Body<Vec<u8>>) -> Job {
        let job = match self.end {
            Ending::Final => Job::echo(body),
            Ending::Error => Job::error("\"bad\""),
            Ending::Never => Job::endless(),
        };
        job.parts(self.parts).every(ms(self.every))
    }
}

impl World {
    pub fn new(seed: u64, log: Rc<RefCell<Vec<String>>>) -> Self {
        let mut world = World {
            net: Net::seeded(seed),
            brokers: Vec::new(),
            workers: Vec::new(),
            old_workers: Vec::new(),
            clients: Vec::new(),
            old_clients: Vec::new(),
            stopped: Vec::new(),
            unsure: Vec::new(),
            remedies: BTreeMap::new(),
            storm: 0,
            asked: 0,
            log,
        };
        world.storm = *world.net.rng.pick(&[0, 1, 4, 12, 30]);
        let (least, most) =
            *world
                .net
                .rng
                .pick(&[(50, 20_000), (50, 20_000), (5, 200), (900, 1100)]);
        world.net.set_latency(least, most);
        for _ in 0..world.net.rng.between(1, 2) {
            world.add_broker();
        }
        world
    }

    /// A broker with those who speak to it.
    fn add_broker(&mut self) {
        let net = &mut self.net;
        let heartbeat = ms(*net.rng.pick(&[700, 2500]));
        let b = net.broker_with(|config| config.heartbeat = heartbeat);
        self.brokers.push(b);
        let mut sure = false;
        for n in 0..net.rng.between(1, 4) {
            let service = SERVICES[n as usize % 2];
            if net.rng.percent(30) {
                let w = net.old_worker(b, service);
                // One that never ended would never be used again.
                net.serve(w, |body| match Plan::of(body) {
                    Plan {
                        end: Ending::Never, ..
                    } => Job::echo(body).every(secs(5)),
                    plan => plan.job(body),
                });
                self.old_workers.push(w);
            } else {
                let heartbeat = ms(*net.rng.pick(&[100, 700, 2500]));
                let concurrency = *net.rng.pick(&[Some(1), Some(2), Some(5), None]);
                let prefetch = *net.rng.pick(&[0, 1024]);
                let w = net.worker_with(b, service, |config| {
                    config.link.heartbeat = heartbeat;
                    config.concurrency = concurrency;
                    config.prefetch = prefetch;
                });
                net.serve(w, |body| Plan::of(body).job(body));
                self.workers.push(w);
                sure |= service == "echo";
            }
        }
        for _ in 0..net.rng.between(1, 3) {
            let client = if net.rng.percent(30) {
                let c = net.old_client(b);
                self.old_clients.push(c);
                c.any()
            } else {
                let heartbeat = ms(*net.rng.pick(&[100, 700, 2500]));
                let await_hello = net.rng.percent(20);
                let c = net.client_with(b, |config| {
                    config.link.heartbeat = heartbeat;
                    config.await_hello = await_hello;
                });
                self.clients.push(c);
                c.any()
            };
            if !sure {
                self.unsure.push(client);
            }
        }
    }

    pub fn run(&mut self, span: Duration, ledger: &mut Ledger) {
        let (workers, old_workers) = (&self.workers, &self.old_workers);
        self.net
            .run_checked(span, |net| ledger.check_starts(net, workers, old_workers));
    }

    /// Everybody who can be hurt.
    pub fn everybody(&self) -> Vec<Id<()>> {
        let brokers = self.brokers.iter().map(|id| id.any());
        brokers
            .chain(self.workers.iter().map(|id| id.any()))
            .chain(self.old_workers.iter().map(|id| id.any()))
            .chain(self.clients.iter().map(|id| id.any()))
            .chain(self.old_clients.iter().map(|id| id.any()))
            .collect()
    }

    pub fn note(&self, what: String) {
        let at = self.net.now().as_micros();
        self.log.borrow_mut().push(format!("{:>9} µs  {what}", at));
    }

    pub fn works<T>(&self, id: Id<T>) -> bool {
        self.net.is_alive(id) && !self.net.is_paused(id)
    }

    /// The end of all faults.
    pub fn heal(&mut self) {
        self.note("all is well".into());
        for victim in self.everybody() {
            self.net.heal(victim);
            self.revive(victim);
        }
        self.net.find_dead_connections();
        for w in self.workers.clone() {
            self.net.act(w, |worker, _| worker.busy = false);
        }
        self.net.run(secs(10));
        for w in self.workers.clone() {
            if self.net[w].drained.is_some() {
                self.net.start(w);
            }
        }
        for c in std::mem::take(&mut self.stopped) {
            self.net.start(c);
        }
    }

    /// Whether something may hold the workers of this client's broker.
    pub fn may_be_blocked(&self, client: Id<()>) -> bool {
        self.unsure.contains(&client) || self.has_endless()
    }

    /// Whether a request runs that only its client's stop will end.
    fn has_endless(&self) -> bool {
        let seen = self.clients.iter().flat_map(|&c| &self.net[c].seen);
        let mut open = seen.filter(|seen| seen.is_open());
        open.any(|seen| Plan::of(&seen.body).end == Ending::Never)
    }

    pub fn stop_clients(&mut self) {
        for c in self.clients.clone() {
            self.net.act(c, |client, _| client.stop());
        }
        for c in self.old_clients.clone() {
            self.net.act(c, |client, _| client.stop());
        }
    }

    pub fn stop_workers(&mut self) {
        for w in self.workers.clone() {
            self.net
                .act(w, |worker, now| worker.machine.stop(now, None));
        }
        for w in self.old_workers.clone() {
            self.net.act(w, |worker, _| worker.stop());
        }
    }
}
