//! Liveness of peers. Each peer has one timer, for the next heartbeat to it and for the end of its permitted silence.

use super::context::Context;
use super::keys::{ClientKey, WorkerKey};
use super::workers::Worker;
use super::{Broker, BrokerConfig, Departure, Timer};
use crate::wire::omdp::{ToClient, ToWorker};
use crate::wire::{Dialect, Frame};
use std::time::Duration;

impl<F: Frame> Context<F> {
    pub(super) fn arm_worker(&mut self, key: WorkerKey) {
        let Some(worker) = self.workers.get_mut(key) else {
            return;
        };
        let silent_at = worker.beats.silent_at(patience(&self.config, worker));
        let mut at = worker.beats.next().min(silent_at);
        if let Some(absence) = worker.absence {
            at = absence.retries_at.unwrap_or(absence.until);
        } else if let Some(unclaimed) = &worker.unclaimed {
            at = at.min(unclaimed.next);
        }
        let timer = self.deadlines.set(at, Timer::Worker(key));
        let old = worker.timer.replace(timer);
        self.deadlines.cancel(old);
    }

    /// Sends a heartbeat to a 0.0.92 worker in reply to its own, at its own interval. It also confirms a running
    /// request, which the worker would give up after three intervals without confirmation.
    pub(super) fn beat_old_worker(&mut self, key: WorkerKey) {
        let running = self.workers.get(key).and_then(|w| w.running.front());
        let message = running
            .and_then(|request| self.requests.get(request))
            .and_then(|request| {
                let client = F::from(&*self.clients.get(request.client)?.id);
                let rid = request.name_without_token();
                Some(ToWorker::RequestHeartbeat { client, rid })
            });
        self.send_worker(key, message.unwrap_or(ToWorker::Heartbeat));
    }

    pub(super) fn arm_client(&mut self, key: ClientKey) {
        let Some(client) = self.clients.get_mut(key) else {
            return;
        };
        let patience = self.config.patience(client.hello.as_ref());
        let mut at = client.beats.silent_at(patience);
        if let Some(absence) = client.absence {
            at = absence.until;
        } else if client.hello.is_some() {
            at = at.min(client.beats.next());
        }
        let old = client
            .timer
            .replace(self.deadlines.set(at, Timer::Client(key)));
        self.deadlines.cancel(old);
    }

    pub(super) fn pass_heartbeat(&mut self, key: ClientKey, rid: F) {
        let Some(request) = self.clients.request(key, &rid, &self.requests) else {
            self.counters.refusals.strays += 1;
            return;
        };
        let holder = self.requests.worker(request);
        if let (Some(worker), Some(client)) = (holder, self.clients.get(key)) {
            let client = F::from(&*client.id);
            self.send_worker(worker, ToWorker::RequestHeartbeat { client, rid });
        }
    }
}

impl<F: Frame> Broker<F> {
    /// Sends a heartbeat that is due, or gives up a worker that was silent for too long.
    pub(super) fn worker_due(&mut self, key: WorkerKey) {
        let now = self.cx.now;
        let Some(worker) = self.cx.workers.get_mut(key) else {
            return;
        };
        worker.timer = None;
        if let Some(absence) = worker.absence {
            if absence.until <= now && !self.cx.holds_worker(key) {
                return self.worker_did_not_return(key);
            }
            if absence.retries_at.is_some_and(|at| at <= now) {
                self.retry_early(key);
            }
            return self.cx.arm_worker(key);
        }
        if worker
            .beats
            .is_silent(now, patience(&self.cx.config, worker))
        {
            self.cx.send_worker(key, ToWorker::Disconnect);
            return self.detach_or_remove_worker(key, Departure::Silence);
        }
        let (beats, grace) = (worker.beats, self.cx.config.reconnect_grace);
        let unclaimed = worker.unclaimed.as_mut();
        let overdue = unclaimed.is_some_and(|each| each.is_over(now, beats.silence(now), grace));
        if worker.beats.take(now, self.cx.config.heartbeat) {
            let beat = match worker.unacknowledged.take() {
                Some(ack) => self.cx.ack_for(key, ack),
                None => ToWorker::Heartbeat,
            };
            self.cx.send_worker(key, beat);
        }
        if overdue {
            self.end_of_claims(key, false);
        }
        self.cx.arm_worker(key);
    }

    /// Sends a heartbeat that is due, or gives up a client that was silent for too long.
    pub(super) fn client_due(&mut self, key: ClientKey) {
        let now = self.cx.now;
        let Some(client) = self.cx.clients.get_mut(key) else {
            return;
        };
        client.timer = None;
        if let Some(absence) = client.absence {
            if absence.until <= now {
                return self.end_grace(key);
            }
            return self.cx.arm_client(key);
        }
        if client.hello.is_none() && !client.cut_off {
            // A client of 0.0.92 that was heard again has no liveness timer; its requests have timeouts.
            return;
        }
        let patience = self.cx.config.patience(client.hello.as_ref());
        if client.beats.is_silent(now, patience) {
            if client.extended {
                self.cx.send_client(key, ToClient::Disconnect);
            }
            return self.detach_or_lose_client(key, Departure::Silence);
        }
        if client.hello.is_some() && client.beats.take(now, self.cx.config.heartbeat) {
            self.roster.beat(&mut self.cx, key);
        }
        self.cx.arm_client(key);
    }
}

/// How long the worker may be silent.
pub(super) fn patience(config: &BrokerConfig, worker: &Worker) -> Duration {
    let patience = config.patience(worker.hello.as_ref());
    let busy = !worker.busy_for_nobody.is_empty() || !worker.running.is_empty();
    match worker.dialect {
        Dialect::Mdp(_) if busy => patience.max(config.busy_timeout),
        _ => patience,
    }
}
