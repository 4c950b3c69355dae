//! Actions of applications, and faults.

use super::world::{Plan, World};
use crate::proto::Terms;
use crate::proto::tests::net::*;

impl World {
    /// One action of an application, or one fault.
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
        let service = match self.net.rng.below(24) {
            0 => "nobody",
            1..7 => "other",
            20 => "api@^1",
            21 => *self.net.rng.pick(&["api", "api@<1.1", "api@^2"]),
            22 => "wild.a",
            23 => *self.net.rng.pick(&["wild.b", "wild.own"]),
            _ => "echo",
        };
        let timeout = match self.net.rng.below(8) {
            0 => None,
            1 => Some(self.net.rng.between(1, 300)),
            _ => Some(self.net.rng.between(1000, 8000)),
        };
        match self.net.rng.below(20) {
            0 => return self.ask_all(timeout.unwrap_or(5000)),
            1 | 2 => return self.ask_stream(service, timeout),
            _ => {}
        }
        let burst = self.net.rng.percent(5);
        for _ in 0..if burst { 20 } else { 1 } {
            let plan = Plan::draw(&mut self.net.rng);
            self.asked += 1;
            let body = plan.body(self.asked);
            let all = self.clients.len() + self.old_clients.len();
            let n = self.net.rng.below(all);
            match self.clients.get(n).copied() {
                Some(c) if self.works(c) && !self.is_stopped(c) => {
                    let terms = self.terms(timeout);
                    self.terms.insert(body.bytes.clone(), terms);
                    let more = match self.net.rng.percent(30) {
                        true => format!("\"priority\":{}", self.net.rng.between(1, 9)),
                        false => String::new(),
                    };
                    self.net.request_on_more(c, service, body, terms, &more);
                }
                Some(_) => {}
                None => {
                    let c = self.old_clients[n - self.clients.len()];
                    // Without a timeout it would wait for ever for a lost reply.
                    if self.works(c) {
                        self.net
                            .request_with(c, service, body, timeout.or(Some(5000)));
                    }
                }
            }
        }
    }

    /// A client of 1.x that can make requests, if there is one.
    fn asker(&mut self) -> Option<Id<ClientActor>> {
        let able = |&c: &Id<ClientActor>| self.works(c) && !self.is_stopped(c);
        let able: Vec<_> = self.clients.iter().copied().filter(able).collect();
        (!able.is_empty()).then(|| *self.net.rng.pick(&able))
    }

    /// A request to all workers of a service.
    fn ask_all(&mut self, timeout: u64) {
        let Some(c) = self.asker() else {
            return;
        };
        let plan = Plan {
            to_all: true,
            ..Plan::draw(&mut self.net.rng)
        };
        self.asked += 1;
        let body = plan.body(self.asked);
        let service = *self.net.rng.pick(&["echo", "echo", "other", "nobody"]);
        let terms = Terms::from(Some(ms(timeout)));
        self.terms.insert(body.bytes.clone(), terms);
        let service = format!("mmi.all:{service}");
        self.net.request_on(c, &service, body, terms);
    }

    /// A request whose data are a stream.
    fn ask_stream(&mut self, service: &str, timeout: Option<u64>) {
        let Some(c) = self.asker() else {
            return;
        };
        let plan = Plan::of_stream(&mut self.net.rng);
        self.asked += 1;
        let number = self.asked;
        let body = plan.body(number);
        let terms = self.terms(timeout);
        self.terms.insert(body.bytes.clone(), terms);
        let chunks = (0..plan.upload).map(|at| Plan::chunk(number, at)).collect();
        self.net.act(c, |client, now| {
            client.ask_stream_of(now, service, body, chunks, terms)
        });
    }

    fn terms(&mut self, timeout: Option<u64>) -> Terms {
        Terms {
            timeout: timeout.map(ms),
            retry: *self.net.rng.pick(&[0, 0, 0, 1, 1, 3, 255]),
            fail_fast: self.net.rng.percent(10),
            ..Terms::default()
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
        let open = self.net[c]
            .seen
            .iter()
            .enumerate()
            .filter(|(_, seen)| seen.is_open());
        let open: Vec<usize> = open.map(|(id, _)| id).collect();
        if self.net.rng.percent(20) && self.works(c) {
            let reads = !self.net[c].reads;
            self.note(format!("{} reads: {reads}", self.net.name(c)));
            self.net
                .act(c, |client, now| client.set_reading(now, reads));
        } else if !open.is_empty() && self.works(c) {
            let id = *self.net.rng.pick(&open);
            self.net.act(c, |client, _| client.cancel(id as u64));
        }
    }

    /// An application's management of its own peers.
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
        let patience = *self
            .net
            .rng
            .pick(&[None, Some(ms(0)), Some(secs(1)), Some(secs(5))]);
        match self.net.rng.below(5) {
            0 | 1 => {
                let busy = !self.net[w].busy;
                self.note(format!("{name} is busy: {busy}"));
                self.net.act(w, |worker, _| worker.busy = busy);
            }
            _ if self.net[w].drained.is_some() => self.net.start(w),
            2 | 3 => {
                self.note(format!("{name} takes {concurrency:?}"));
                self.net
                    .act(w, |worker, now| worker.set_concurrency(now, concurrency));
            }
            _ => {
                self.note(format!("{name} leaves within {patience:?}"));
                self.net.act(w, |worker, now| {
                    worker
                        .machine
                        .stop(now, patience.map(|patience| now + patience));
                });
            }
        }
    }

    fn hurt(&mut self) {
        if self.siege && !self.brokers.is_empty() && self.net.rng.percent(70) {
            return self.bring_down();
        }
        let everybody = self.everybody();
        let victim = *self.net.rng.pick(&everybody);
        let told: &[Side] = match self.net.rng.below(4) {
            0 => &[Side::Dealer],
            1 => &[Side::Broker],
            2 => &[],
            _ => &[Side::Dealer, Side::Broker],
        };
        let what = self.net.rng.below(7);
        let verb = [
            "kill",
            "power off",
            "restart",
            "cut",
            "cut",
            "part",
            "pause",
        ][what];
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

    /// A broker dies and restarts, sometimes at once, sometimes after all peers have given up.
    fn bring_down(&mut self) {
        let victim = self.net.rng.pick(&self.brokers).any();
        let pause = *self.net.rng.pick(&[1, 30, 300, 3000, 12_000]);
        let pause = self.net.rng.between(0, pause);
        let silently = self.net.rng.percent(20);
        self.note(format!("bring down {}, {pause} ms", self.net.name(victim)));
        if self.net.is_alive(victim) {
            match silently {
                true => self.net.power_off(victim),
                false => self.net.kill(victim),
            }
        }
        let until = self.net.now() + ms(pause);
        self.remedies.insert((until, self.net.serial()), victim);
    }

    fn revive_after_kill(&mut self, victim: Id<()>) {
        self.net.kill(victim);
        self.revive(victim);
    }

    /// Starts a dead peer, or resumes a paused one.
    pub fn revive(&mut self, victim: Id<()>) {
        if !self.net.is_alive(victim) {
            self.stopped.retain(|id| id.any() != victim);
            self.net.start(victim);
        } else if self.net.is_paused(victim) {
            self.net.resume(victim);
        }
    }
}
