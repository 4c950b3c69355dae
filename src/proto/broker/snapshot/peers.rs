//! The entries of workers and clients in a snapshot, and their numbers.

use super::{MAX_LISTED, Reader};
use crate::proto::broker::addresses::View;
use crate::proto::broker::stats::{ClientStats, DialectStats, WorkerStats};
use crate::proto::broker::workers::Worker;
use crate::proto::time::ms;
use crate::wire::json::Text;
use crate::wire::{Dialect, Frame};
use std::collections::BTreeMap;
use std::time::Duration;

impl<F: Frame> Reader<'_, F> {
    /// The entry of a worker with everything that its own broker tells.
    pub(in crate::proto::broker) fn named_worker_stats(
        &self,
        view: &View<'_>,
        worker: &Worker,
    ) -> WorkerStats {
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
    pub(in crate::proto::broker) fn worker_stats(
        &self,
        view: &View<'_>,
        worker: &Worker,
    ) -> WorkerStats {
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
    pub(in crate::proto::broker) fn client_stats(&self, view: &View<'_>) -> Vec<ClientStats> {
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
    pub(in crate::proto::broker) fn dialect_stats(&self) -> BTreeMap<&'static str, DialectStats> {
        let mut peers = [[0; 2]; Dialect::ALL.len()];
        for worker in self.cx.workers.iter() {
            peers[worker.dialect.index()][0] += 1;
        }
        for client in self.cx.clients.iter() {
            peers[client.dialect.index()][1] += 1;
        }
        let mut stats = BTreeMap::new();
        // Not collected, which would be a sort.
        for dialect in Dialect::ALL {
            let [workers, clients] = peers[dialect.index()];
            let numbers = DialectStats {
                workers,
                clients,
                messages: self.cx.messages[dialect.index()],
            };
            stats.insert(dialect.as_str(), numbers);
        }
        stats
    }
}
