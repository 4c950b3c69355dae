//! The participants of a run, and the faults that happen to them.

use super::check::Ledger;
use crate::proto::broker::Limits;
use crate::proto::tests::net::*;
use crate::proto::{Terms, Time};
use crate::wire::Body;
use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};
use std::rc::Rc;
use std::time::Duration;

pub struct World {
    pub net: Net,
    pub brokers: Vec<Id<BrokerActor>>,
    pub old_brokers: Vec<Id<OldBroker>>,
    pub workers: Vec<Id<WorkerActor>>,
    pub old_workers: Vec<Id<OldWorker>>,
    pub clients: Vec<Id<ClientActor>>,
    pub old_clients: Vec<Id<OldClient>>,
    /// Clients that their applications have stopped.
    pub stopped: Vec<Id<ClientActor>>,
    /// Clients of a broker of 0.0.92, or of one whose `echo` has only workers of 0.0.92. Such a
    /// worker stays busy for ever when its final is lost with a silently replaced connection.
    unsure: Vec<Id<()>>,
    /// When each victim of a fault recovers.
    pub remedies: BTreeMap<(Time, u64), Id<()>>,
    /// Percentage of faults among all acts.
    pub storm: usize,
    /// Whether most faults are those of brokers.
    pub siege: bool,
    /// How long peers wait for a lost broker.
    away: Duration,
    pub asked: u64,
    /// The terms of each request of a 1.x client.
    pub terms: HashMap<Vec<u8>, Terms>,
    /// Whether some broker refuses requests.
    pub is_tight: bool,
    log: Rc<RefCell<Vec<String>>>,
}

const SERVICES: [&str; 3] = ["echo", "other", "nobody"];

/// The plan of a request for its worker, contained in the body; no two bodies are equal.
#[derive(Debug, Clone, Copy)]
pub struct Plan {
    pub parts: usize,
    pub every: u64,
    pub end: Ending,
    /// Number of chunks of its data, if they are a stream.
    pub upload: usize,
    /// Whether all workers of the service get it.
    pub to_all: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    Final,
    Error,
    Never,
    /// Some workers reject it.
    Picky,
}

impl Plan {
    pub fn draw(rng: &mut Rng) -> Self {
        let end = match rng.below(100) {
            0..2 => Ending::Never,
            2..15 => Ending::Error,
            15..22 => Ending::Picky,
            _ => Ending::Final,
        };
        let parts = *rng.pick(&[0, 0, 0, 0, 1, 5, 20, 60]);
        let parts = if end == Ending::Picky { 0 } else { parts };
        let every: u64 = *rng.pick(&[0, 0, 0, 1, 1, 10, 10, 30, 100, 400]);
        Plan {
            parts,
            // Requests behind a long stream must not wait for too long.
            every: if parts > 20 { every.min(30) } else { every },
            end,
            upload: 0,
            to_all: false,
        }
    }

    /// A request with a stream of chunks. Its worker answers with their number.
    pub fn of_stream(rng: &mut Rng) -> Self {
        Plan {
            parts: 0,
            every: 0,
            end: Ending::Final,
            upload: *rng.pick(&[1, 3, 20, 150]),
            to_all: false,
        }
    }

    /// A chunk of the request with this number. The latter chunks of a long stream have to wait for credit.
    pub fn chunk(number: u64, at: usize) -> Body<Vec<u8>> {
        let mut bytes = [number.to_be_bytes(), (at as u64).to_be_bytes()].concat();
        bytes.resize(1000, 0);
        Body::binary(bytes)
    }

    pub fn body(self, number: u64) -> Body<Vec<u8>> {
        let Plan {
            parts,
            every,
            end,
            upload,
            to_all,
        } = self;
        let (end, to_all) = (end as u8, u8::from(to_all));
        json(&format!(
            "[{number},{parts},{every},{end},{upload},{to_all}]"
        ))
    }

    pub fn of(body: &Body<Vec<u8>>) -> Self {
        let numbers = Self::numbers(body);
        let more = |at: usize| numbers.get(at).copied().unwrap_or(0);
        Plan {
            parts: numbers[1] as usize,
            every: numbers[2],
            end: [Ending::Final, Ending::Error, Ending::Never, Ending::Picky][numbers[3] as usize],
            upload: more(4) as usize,
            to_all: more(5) != 0,
        }
    }

    /// The number of the request first.
    pub fn numbers(body: &Body<Vec<u8>>) -> Vec<u64> {
        serde_json::from_slice(&body.bytes).expect("a plan")
    }

    fn job(self, body: &Body<Vec<u8>>) -> Job {
        if self.upload > 0 {
            // It ends with the stream.
            return Job::endless();
        }
        let job = match self.end {
            Ending::Final | Ending::Picky => Job::echo(body),
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
            old_brokers: Vec::new(),
            workers: Vec::new(),
            old_workers: Vec::new(),
            clients: Vec::new(),
            old_clients: Vec::new(),
            stopped: Vec::new(),
            unsure: Vec::new(),
            remedies: BTreeMap::new(),
            storm: 0,
            siege: false,
            away: ms(0),
            asked: 0,
            terms: HashMap::new(),
            is_tight: false,
            log,
        };
        world.storm = *world.net.rng.pick(&[0, 1, 4, 12, 30]);
        world.siege = world.net.rng.percent(40);
        let ways = [(50, 20_000), (50, 20_000), (5, 200), (900, 1100)];
        let (least, most) = *world.net.rng.pick(&ways);
        world.net.set_latency(least, most);
        for _ in 0..world.net.rng.between(1, 2) {
            world.add_site();
        }
        world
    }

    /// Adds a broker with its peers.
    fn add_site(&mut self) {
        let old = self.net.rng.percent(20);
        let b = if old {
            let b = self.net.old_broker();
            self.old_brokers.push(b);
            b.any()
        } else {
            let heartbeat = ms(*self.net.rng.pick(&[700, 2500]));
            let limits = match self.net.rng.percent(25) {
                true => Limits {
                    queue: *self.net.rng.pick(&[0, 1, 5]),
                    total: *self.net.rng.pick(&[3, 10]),
                    ..Limits::default()
                },
                false => Limits::default(),
            };
            self.is_tight |= limits.total <= 10;
            let grace = ms(*self.net.rng.pick(&[0, 1000, 1000, 1000]));
            self.away = secs(*self.net.rng.pick(&[0, 60]));
            let holds = self.net.rng.percent(40);
            let b = self.net.broker_with(|config| {
                if holds {
                    // Room for a few more replies than a client acknowledges at a time.
                    (config.hold_from, config.unacknowledged_bytes) = (1, 10_000);
                }
                config.reconnect_grace = grace;
                config.heartbeat = heartbeat;
                config.limits = limits;
            });
            self.brokers.push(b);
            b.any()
        };
        // All peers of a 0.0.92 broker need its interval.
        let paces: &[u64] = if old { &[2500] } else { &[100, 700, 2500] };
        let mut sure = false;
        for n in 0..self.net.rng.between(1, 4) as usize {
            let ours = self.add_worker(b, SERVICES[n % 2], paces);
            sure |= ours && !old && n % 2 == 0;
        }
        // Workers whose names differ from those that clients call.
        for name in ["api@1.0.0", "api@1.1.0", "wild.*", "wild.own"] {
            if self.net.rng.percent(40) {
                self.add_worker(b, name, paces);
            }
        }
        for _ in 0..self.net.rng.between(1, 3) {
            let client = self.add_client(b, paces);
            if !sure {
                self.unsure.push(client);
            }
        }
    }

    /// Adds a worker. Returns true if it is of 1.x.
    fn add_worker(&mut self, b: Id<()>, service: &str, paces: &[u64]) -> bool {
        let net = &mut self.net;
        // A request that never ends blocks a 0.0.92 worker, or a worker of a 0.0.92 broker, for
        // ever.
        let serve_patiently = |body: &Body<Vec<u8>>| match Plan::of(body) {
            Plan {
                end: Ending::Never, ..
            } => Job::echo(body).every(secs(5)),
            plan => plan.job(body),
        };
        if net.rng.percent(30) && !service.ends_with('*') {
            let w = net.old_worker(b, service);
            net.serve(w, serve_patiently);
            self.old_workers.push(w);
            return false;
        }
        let heartbeat = ms(*net.rng.pick(paces));
        let concurrency = *net.rng.pick(&[Some(1), Some(2), Some(5), None]);
        let prefetch = *net.rng.pick(&[0, 1024]);
        let max_blocked = *net.rng.pick(&[None, None, Some(ms(50)), Some(secs(1))]);
        let rejects = net.rng.percent(30);
        let away = self.away;
        let w = net.worker_with(b, service, |config| {
            config.serving.pattern = service.ends_with('*');
            config.link.heartbeat = heartbeat;
            config.link.away = away;
            config.concurrency = concurrency;
            config.prefetch = prefetch;
            config.max_blocked = max_blocked;
        });
        match self.old_brokers.iter().any(|old| old.any() == b) {
            true => net.serve(w, serve_patiently),
            false => net.serve(w, move |body| match Plan::of(body) {
                plan if rejects && plan.end == Ending::Picky => Job::reject(),
                plan => plan.job(body),
            }),
        }
        self.workers.push(w);
        true
    }

    fn add_client(&mut self, b: Id<()>, paces: &[u64]) -> Id<()> {
        let net = &mut self.net;
        if net.rng.percent(30) {
            let c = net.old_client(b);
            self.old_clients.push(c);
            return c.any();
        }
        let heartbeat = ms(*net.rng.pick(paces));
        // With a 0.0.92 broker it would wait for ever.
        let await_hello = paces.len() > 1 && net.rng.percent(20);
        let away = self.away;
        let c = net.client_with(b, |config| {
            config.link.heartbeat = heartbeat;
            config.link.away = away;
            config.await_hello = await_hello;
        });
        self.clients.push(c);
        c.any()
    }

    pub fn run(&mut self, span: Duration, ledger: &mut Ledger) {
        let (workers, old_workers, terms) = (&self.workers, &self.old_workers, &self.terms);
        // A 0.0.92 broker passes on no credit.
        let brokers = &self.brokers[..];
        let clients = match self.old_brokers.is_empty() {
            true => &self.clients[..],
            false => &[],
        };
        self.net.run_checked(span, |net| {
            ledger.check_starts(net, terms, brokers, workers, old_workers);
            ledger.check_windows(net, workers, clients);
        });
        ledger.check_streams(self);
    }

    /// All peers that can be victims of faults.
    pub fn everybody(&self) -> Vec<Id<()>> {
        let brokers = self.brokers.iter().map(|id| id.any());
        brokers
            .chain(self.old_brokers.iter().map(|id| id.any()))
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

    /// Ends all faults.
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
        for c in self.clients.clone() {
            self.net.act(c, |client, now| client.set_reading(now, true));
        }
        // A stopping worker may hold a reply that no client resumes at the next broker.
        self.net.run(secs(20));
        for w in self.workers.clone() {
            if self.net[w].drained.is_some() {
                self.net.start(w);
            }
        }
        for c in std::mem::take(&mut self.stopped) {
            self.net.start(c);
        }
    }

    /// Whether the workers of this client's broker may be blocked.
    pub fn may_be_blocked(&self, client: Id<()>) -> bool {
        self.unsure.contains(&client) || self.has_endless()
    }

    /// Whether a request runs that only ends when its client stops.
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
