//! Who takes part in a run, and what happens to them.

use super::check::Ledger;
use crate::proto::tests::net::*;
use crate::wire::Body;
use crate::proto::Time;
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
    stopped: Vec<Id<ClientActor>>,
    /// Clients of a broker whose `echo` has workers of 0.0.92 alone. One whose final is lost with a
    /// connection that is mended behind everybody's back is busy for ever, as ever.
    unsure: Vec<Id<()>>,
    /// When whom is helped again, whatever happened to it.
    remedies: BTreeMap<(Time, u64), Id<()>>,
    /// How often in a hundred acts somebody is hurt.
    storm: usize,
    asked: u64,
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
    fn draw(rng: &mut Rng) -> Self {
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

    fn body(self, number: u64) -> Body<Vec<u8>> {
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
        let (least, most) = *world.net.rng.pick(&[(50, 20_000), (50, 20_000), (5, 200), (900, 1100)]);
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
                    Plan { end: Ending::Never, .. } => Job::echo(body).every(secs(5)),
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
    fn everybody(&self) -> Vec<Id<()>> {
        let brokers = self.brokers.iter().map(|id| id.any());
        brokers
            .chain(self.workers.iter().map(|id| id.any()))
            .chain(self.old_workers.iter().map(|id| id.any()))
            .chain(self.clients.iter().map(|id| id.any()))
            .chain(self.old_clients.iter().map(|id| id.any()))
            .collect()
    }

    fn note(&self, what: String) {
        let at = self.net.now().as_micros();
        self.log.borrow_mut().push(format!("{:>9} µs  {what}", at));
    }

    fn works<T>(&self, id: Id<T>) -> bool {
        self.net.is_alive(id) && !self.net.is_paused(id)
    }

    /// One thing that a user does, or that befalls somebody.
    pub fn act(&mut self) {
        while let Some(entry) = self.remedies.first_entry()
            && entry.key().0 <= self.net.now()
        {
            let victim = entry.remove();
            self.net.heal(victim);
            self.revive(victim);
        }
        if self.net.rng.percent(self.storm) {
            return self.hurt();
        }
        match self.net.rng.below(100) {
            0..85 => self.ask(),
            85..93 => self.change_mind(),
            _ => self.manage(),
        }
    }

    fn ask(&mut self) {
        let service = match self.net.rng.below(20) {
            0 => "nobody",
            1..7 => "other",
            _ => "echo",
        };
        let timeout = match self.net.rng.below(8) {
            0 => None,
            1 => Some(self.net.rng.between(1, 300)),
            _ => Some(self.net.rng.between(1000, 8000)),
        };
        let burst = self.net.rng.percent(5);
        for _ in 0..if burst { 20 } else { 1 } {
            let plan = Plan::draw(&mut self.net.rng);
            self.asked += 1;
            let body = plan.body(self.asked);
            let all = self.clients.len() + self.old_clients.len();
            let n = self.net.rng.below(all);
            match self.clients.get(n).copied() {
                Some(c) if self.works(c) && !self.is_stopped(c) => {
                    self.net.request_with(c, service, body, timeout);
                }
                Some(_) => {}
                None => {
                    let c = self.old_clients[n - self.clients.len()];
                    // Without a timeout it would wait for ever for what it missed.
                    if self.works(c) {
                        self.net.request_with(c, service, body, timeout.or(Some(5000)));
                    }
                }
            }
        }
    }

    fn is_stopped(&self, client: Id<ClientActor>) -> bool {
        self.stopped.iter().any(|id| id.any() == client.any())
    }

    fn change_mind(&mut self) {
        if self.clients.is_empty() {
            return;
        }
        let c = *self.net.rng.pick(&self.clients);
        let open = self.net[c].seen.iter().enumerate().filter(|(_, seen)| seen.is_open());
        let open: Vec<usize> = open.map(|(id, _)| id).collect();
        if !open.is_empty() && self.works(c) {
            let id = *self.net.rng.pick(&open);
            self.net.act(c, |client, _| client.cancel(id as u64));
        }
    }

    /// What users do to their own peers.
    fn manage(&mut self) {
        if !self.workers.is_empty() && self.net.rng.percent(70) {
            let w = *self.net.rng.pick(&self.workers);
            if self.works(w) {
                self.manage_worker(w);
            }
        } else if !self.clients.is_empty() {
            let c = *self.net.rng.pick(&self.clients);
            if !self.works(c) {
                return;
            }
            if self.is_stopped(c) {
                self.stopped.retain(|id| id.any() != c.any());
                self.net.start(c);
            } else if self.net.rng.percent(30) {
                self.note(format!("stop {}", self.net.name(c)));
                self.stopped.push(c);
                self.net.act(c, |client, _| client.stop());
            }
        }
    }

    fn manage_worker(&mut self, w: Id<WorkerActor>) {
        let concurrency = *self.net.rng.pick(&[Some(1), Some(2), Some(4), None]);
        let name = self.net.name(w);
        let patience = *self.net.rng.pick(&[None, Some(ms(0)), Some(secs(1)), Some(secs(5))]);
        match self.net.rng.below(5) {
            0 | 1 => {
                let busy = !self.net[w].busy;
                self.note(format!("{name} is busy: {busy}"));
                self.net.act(w, |worker, _| worker.busy = busy);
            }
            _ if self.net[w].drained.is_some() => self.net.start(w),
            2 | 3 => {
                self.note(format!("{name} takes {concurrency:?}"));
                self.net.act(w, |worker, _| worker.set_concurrency(concurrency));
            }
            _ => {
                self.note(format!("{name} leaves within {patience:?}"));
                self.net.act(w, |worker, now| {
                    worker.machine.stop(now, patience.map(|patience| now + patience));
                });
            }
        }
    }

    fn hurt(&mut self) {
        let everybody = self.everybody();
        let victim = *self.net.rng.pick(&everybody);
        let told: &[Side] = match self.net.rng.below(4) {
            0 => &[Side::Dealer],
            1 => &[Side::Broker],
            2 => &[],
            _ => &[Side::Dealer, Side::Broker],
        };
        let what = self.net.rng.below(7);
        let verb = ["kill", "power off", "restart", "cut", "cut", "part", "pause"][what];
        self.note(format!("{verb} {}, told: {told:?}", self.net.name(victim)));
        let alive = self.net.is_alive(victim);
        let until = *self.net.rng.pick(&[1, 30, 300, 3000, 12_000]);
        let until = self.net.now() + ms(self.net.rng.between(1, until));
        self.remedies.insert((until, self.net.serial()), victim);
        match what {
            0 if alive => self.net.kill(victim),
            1 if alive => self.net.power_off(victim),
            2 if alive => self.revive_after_kill(victim),
            3 | 4 => self.net.cut(victim, told),
            5 => self.net.partition(victim),
            6 if alive => self.net.pause(victim),
            _ => self.revive(victim),
        }
    }

    fn revive_after_kill(&mut self, victim: Id<()>) {
        self.net.kill(victim);
        self.revive(victim);
    }

    /// Whoever is dead is started, whoever is paused goes on.
    fn revive(&mut self, victim: Id<()>) {
        if !self.net.is_alive(victim) {
            self.stopped.retain(|id| id.any() != victim);
            self.net.start(victim);
        } else if self.net.is_paused(victim) {
            self.net.resume(victim);
        }
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
            self.net.act(w, |worker, now| worker.machine.stop(now, None));
        }
        for w in self.old_workers.clone() {
            self.net.act(w, |worker, _| worker.stop());
        }
    }
}
