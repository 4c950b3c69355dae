//! Takes the snapshot of the broker's counters and tables.

use super::access::Authorizer;
use super::addresses::View;
use super::context::Context;
use super::metrics::Journal;
use super::stats::{
    AbsentStats, BrokerStats, ClientStats, DialectStats, OtherStats, Present, ServiceStats,
    TableStats, WorkerStats, ms,
};
use super::workers::Worker;
use crate::proto::Time;
use crate::wire::json::Text;
use crate::wire::{Dialect, Frame};
use std::collections::BTreeMap;
use std::time::Duration;

/// Maximum of clients in the list, and of services without a row.
const MAX_LISTED: usize = 1000;

/// Reads the tables, for statistics and for MMI.
pub(super) struct Reader<'a, F> {
    pub(super) now: Time,
    pub(super) cx: &'a Context<F>,
    pub(super) authorizer: &'a Authorizer<F>,
    pub(super) journal: &'a Journal,
    pub(super) tables: TableStats,
}

impl<F: Frame> Reader<'_, F> {
    /// A snapshot of all counters and table sizes. Entries that are in no table are not included.
    pub(super) fn stats(&self, view: &View<'_>) -> BrokerStats {
        let waiting = self.cx.requests.waiting;
        let absent = self.cx.services.meters.absent();
        let absent_services = absent.map(|(name, meter)| AbsentStats {
            name: Text(name.clone()),
            meter: meter.snapshot(),
        });
        let workers = self.cx.workers.iter();
        let workers = workers.map(|worker| self.named_worker_stats(view, worker));
        let (services, other) = self.service_stats();
        BrokerStats {
            services,
            absent_services: absent_services.collect(),
            other_services: other,
            workers: workers.collect(),
            clients: self.cx.clients.len(),
            client_list: self.client_stats(view),
            requests: self.cx.requests.len(),
            queued: waiting.requests,
            queued_bytes: waiting.bytes,
            running: self.cx.requests.len() - waiting.requests,
            held_bytes: self.cx.accounts.total(),
            dialects: self.dialect_stats(),
            counters: self.cx.counters.snapshot(),
            tables: self.tables,
        }
    }

    /// The view of a peer that asks by MMI.
    pub(super) fn peers_view(&self) -> View<'_> {
        match self.authorizer.is_on() {
            true => self.cx.addresses.whole_view(),
            false => View::of_strangers(self.cx.config.seed),
        }
    }

    /// The numbers of each service, and of all others together.
    fn service_stats(&self) -> (Vec<ServiceStats>, OtherStats) {
        // Services have small indices in a slab, so an array serves as the table.
        let mut running: Vec<usize> = Vec::new();
        for worker in self.cx.workers.iter() {
            let at = worker.service.index();
            running.resize(running.len().max(at + 1), 0);
            running[at] += worker.running.len();
        }
        let (mut listed, mut nameless) = (Vec::new(), 0);
        let (mut other, mut unlisted) = (self.cx.services.meters.other.clone(), Present::default());
        for (at, service) in self.cx.services.iter() {
            let waiting = service.queue.waiting();
            let oldest = service
                .queue
                .first()
                .and_then(|key| self.cx.requests.get(key));
            let present = Present {
                workers: service.workers,
                idle: service.ready.idle().len(),
                queued: waiting.requests,
                queued_bytes: waiting.bytes,
                oldest: ms(oldest.map_or(Duration::ZERO, |first| self.now - first.arrived)),
                running: running.get(at).copied().unwrap_or(0),
            };
            if !service.has_row() && nameless == MAX_LISTED {
                other.merge(&service.meter);
                unlisted.add(&present);
                continue;
            }
            nameless += usize::from(!service.has_row());
            listed.push(ServiceStats {
                name: Text(service.name.clone()),
                named: service.has_row(),
                present,
                meter: service.meter.snapshot(),
            });
        }
        let other = OtherStats {
            present: unlisted,
            meter: other.snapshot(),
        };
        (listed, other)
    }

    /// The entry of a worker with everything that its own broker tells.
    pub(super) fn named_worker_stats(&self, view: &View<'_>, worker: &Worker) -> WorkerStats {
        // They are in the order in which the worker was given them.
        let first = worker.running.front();
        let given = first.and_then(|key| self.cx.requests.get(key)?.given());
        let oldest = given.map_or(Duration::ZERO, |given| self.now - given);
        WorkerStats {
            name: Some(Text(worker.id.clone())),
            oldest: Some(ms(oldest)),
            rejected: Some(worker.rejected),
            ..self.worker_stats(view, worker)
        }
    }

    /// The entry of a worker, without its identity.
    pub(super) fn worker_stats(&self, view: &View<'_>, worker: &Worker) -> WorkerStats {
        WorkerStats {
            address: view.address(&worker.id).cloned(),
            dialect: worker.dialect.as_str(),
            ended: worker.ended,
            failed: worker.failed,
            id: None,
            name: None,
            oldest: None,
            rejected: None,
            running: worker.running.len(),
            service: Text(self.cx.services.name(worker.service)),
            silent: ms(worker.beats.silence(self.now)),
            since: ms(self.now - worker.since),
        }
    }

    /// The first [`MAX_LISTED`] clients.
    pub(super) fn client_stats(&self, view: &View<'_>) -> Vec<ClientStats> {
        let clients = self.cx.clients.iter().take(MAX_LISTED);
        let entries = clients.map(|client| ClientStats {
            name: view.name(&client.id),
            dialect: client.dialect.as_str(),
            requests: client.requests.len(),
            since: ms(self.now - client.since),
            silent: ms(client.beats.silence(self.now)),
            address: view.address(&client.id).cloned(),
        });
        entries.collect()
    }

    /// Peers are counted on demand, because statistics are requested less often than peers come and go.
    pub(super) fn dialect_stats(&self) -> BTreeMap<&'static str, DialectStats> {
        let mut peers = [[0; 2]; Dialect::ALL.len()];
        for worker in self.cx.workers.iter() {
            peers[worker.dialect.index()][0] += 1;
        }
        for client in self.cx.clients.iter() {
            peers[client.dialect.index()][1] += 1;
        }
        let entry = |dialect: Dialect| {
            let [workers, clients] = peers[dialect.index()];
            let numbers = DialectStats {
                workers,
                clients,
                messages: self.cx.counters.messages[dialect.index()],
            };
            (dialect.as_str(), numbers)
        };
        Dialect::ALL.into_iter().map(entry).collect()
    }
}
