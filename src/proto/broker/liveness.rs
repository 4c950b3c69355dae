//! Liveness of peers. Each peer has one timer, for the next heartbeat to it and for the end of its permitted silence.

use super::context::Context;
use super::keys::{ClientKey, WorkerKey};
use super::workers::Worker;
use super::{BrokerConfig, Timer};
use crate::wire::omdp::ToWorker;
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
            self.refusals.strays += 1;
            return;
        };
        let holder = self.requests.worker(request);
        if let (Some(worker), Some(client)) = (holder, self.clients.get(key)) {
            let client = F::from(&*client.id);
            self.send_worker(worker, ToWorker::RequestHeartbeat { client, rid });
        }
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
