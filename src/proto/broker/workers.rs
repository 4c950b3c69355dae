//! The table of workers.

mod withheld;
mod worker;

use super::RoutingId;
use super::keys::{ServiceKey, WorkerKey};
use crate::proto::table::Table;
use crate::wire::Dialect;
use slab::Slab;
use std::collections::{BTreeMap, BTreeSet};
pub(super) use worker::{HANDOVER, MAX_HANDED, Owed, Worker};

static NOBODY: BTreeSet<WorkerKey> = BTreeSet::new();

#[derive(Debug, Default)]
pub(super) struct Workers {
    slab: Slab<Worker>,
    ids: Table<RoutingId, usize>,
    /// The workers of each service that has any, by the index of the service.
    serving: BTreeMap<usize, BTreeSet<WorkerKey>>,
    /// Number of workers that speak MDP.
    pub(super) mdp: usize,
    /// Workers that may have room again when the transport has accepted their messages.
    pub(super) unflushed: Vec<WorkerKey>,
    /// The number of the latest registration.
    last: u64,
}

impl Workers {
    pub(super) fn find(&self, id: &[u8]) -> Option<WorkerKey> {
        self.ids.get(id).map(|&key| WorkerKey(key))
    }

    pub(super) fn get(&self, key: WorkerKey) -> Option<&Worker> {
        self.slab.get(key.0)
    }

    pub(super) fn get_mut(&mut self, key: WorkerKey) -> Option<&mut Worker> {
        self.slab.get_mut(key.0)
    }

    /// The workers of one service.
    pub(super) fn serving(&self, service: ServiceKey) -> &BTreeSet<WorkerKey> {
        self.serving.get(&service.index()).unwrap_or(&NOBODY)
    }

    /// Whether the service has a worker without one of these numbers, which are given in order.
    pub(super) fn any_other(&self, service: ServiceKey, numbers: &[u64]) -> bool {
        let serving = self.serving(service);
        // No number is there twice.
        serving.len() > numbers.len()
            || serving.iter().any(|&key| {
                let worker = self.get(key);
                worker.is_some_and(|worker| !worker.is_among(numbers))
            })
    }

    pub(super) fn keys(&self) -> Vec<WorkerKey> {
        self.slab.iter().map(|(key, _)| WorkerKey(key)).collect()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Worker> {
        self.slab.iter().map(|(_, worker)| worker)
    }

    #[cfg(any(test, feature = "fuzz"))]
    pub(super) fn iter_keys(&self) -> impl Iterator<Item = (WorkerKey, &Worker)> {
        self.slab
            .iter()
            .map(|(key, worker)| (WorkerKey(key), worker))
    }

    pub(super) fn len(&self) -> usize {
        self.slab.len()
    }

    /// One more than the highest index of a worker.
    pub(super) fn end(&self) -> usize {
        self.slab.capacity()
    }

    /// The worker with this index, if there is one.
    pub(super) fn at(&self, index: usize) -> Option<&Worker> {
        self.slab.get(index)
    }

    /// The number of the latest registration.
    pub(super) fn last(&self) -> u64 {
        self.last
    }

    /// Adds a worker with an unused id.
    pub(super) fn insert(&mut self, mut worker: Worker) -> WorkerKey {
        self.last += 1;
        worker.number = self.last;
        self.mdp += usize::from(!worker.dialect.is_like(Dialect::Omdp));
        let id = worker.id.clone();
        let service = worker.service.index();
        let key = self.slab.insert(worker);
        let serving = self.serving.entry(service).or_default();
        serving.insert(WorkerKey(key));
        self.ids.insert(id, key);
        WorkerKey(key)
    }

    /// Gives a worker another id, which is unused.
    pub(super) fn rename(&mut self, key: WorkerKey, id: RoutingId) {
        if let Some(worker) = self.slab.get_mut(key.0) {
            self.ids.remove(&worker.id);
            worker.id = id.clone();
            self.ids.insert(id, key.0);
        }
    }

    pub(super) fn remove(&mut self, key: WorkerKey) -> Option<Worker> {
        let worker = self.slab.try_remove(key.0)?;
        self.ids.remove(&worker.id);
        self.mdp -= usize::from(!worker.dialect.is_like(Dialect::Omdp));
        let service = worker.service.index();
        if let Some(serving) = self.serving.get_mut(&service) {
            serving.remove(&key);
            if serving.is_empty() {
                self.serving.remove(&service);
            }
        }
        Some(worker)
    }
}
