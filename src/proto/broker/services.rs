//! Services: a queue of requests and the workers that can take one.

use super::keys::{RequestKey, ServiceKey, WorkerKey};
use super::lookahead::Lookahead;
use super::metrics::{Meter, Meters};
use super::requests::{ParkState, Queue, Requests};
use crate::proto::Time;
use crate::proto::table::Table;
use slab::Slab;
use std::collections::BTreeMap;
use std::sync::Arc;

#[derive(Debug)]
pub(super) struct Service {
    pub(super) name: Arc<[u8]>,
    pub(super) queue: Queue,
    /// Workers that can run a request, by when they became so: the least recently used first.
    idle: BTreeMap<u64, WorkerKey>,
    /// Workers that can take one ahead of need; their turn comes when nobody is idle.
    busy: BTreeMap<u64, WorkerKey>,
    /// All that registered for it.
    pub(super) workers: usize,
    /// How many requests have their turn soon.
    pub(super) lookahead: Lookahead,
    /// Somebody was turned away, and an operator told.
    pub(super) full: bool,
    pub(super) meter: Meter,
    /// Whether its meter outlives it.
    has_row: bool,
}

/// The services that have a worker or a request; the others are forgotten, so that names made up
/// by peers cost nothing for long.
#[derive(Debug, Default)]
pub(super) struct Services {
    slab: Slab<Service>,
    names: Table<Arc<[u8]>, usize>,
    /// Counts the turns of workers, over all services.
    turn: u64,
    pub(super) meters: Meters,
}

impl Services {
    pub(super) fn require(&mut self, name: &[u8]) -> ServiceKey {
        if let Some(&key) = self.names.get(name) {
            return ServiceKey(key);
        }
        let name: Arc<[u8]> = name.into();
        let (meter, has_row) = self.meters.take(&name);
        let key = self.slab.insert(Service {
            name: name.clone(),
            queue: Queue::default(),
            idle: BTreeMap::new(),
            busy: BTreeMap::new(),
            workers: 0,
            lookahead: Lookahead::default(),
            full: false,
            meter,
            has_row,
        });
        self.names.insert(name, key);
        ServiceKey(key)
    }

    /// Forgets a service that nobody serves and nobody asks for. True if it did.
    pub(super) fn release(&mut self, key: ServiceKey) -> bool {
        let service = &self.slab[key.0];
        let idle = service.workers == 0 && service.queue.is_empty();
        if idle {
            let service = self.slab.remove(key.0);
            self.names.remove(&service.name);
            self.meters
                .keep(service.name, service.meter, service.has_row);
        }
        idle
    }

    /// Whether it has a worker.
    pub(super) fn is_served(&self, name: &[u8]) -> bool {
        let key = self.names.get(name);
        key.is_some_and(|&key| self.slab[key].workers > 0)
    }

    /// A worker has come to serve it.
    pub(super) fn add_worker(&mut self, key: ServiceKey) {
        let service = &mut self.slab[key.0];
        service.workers += 1;
        if !service.has_row {
            let waiting = service.queue.waiting();
            service.has_row = self.meters.give_row(&mut service.meter, waiting);
        }
    }

    /// Where a service's numbers are counted; those of one that is not there are nobody's.
    pub(super) fn meter_of(&mut self, name: &[u8]) -> &mut Meter {
        match self.names.get(name) {
            Some(&key) => &mut self.slab[key].meter,
            None => &mut self.meters.other,
        }
    }

    /// A key stays valid while its service has a worker or a request, which is who holds keys.
    pub(super) fn get_mut(&mut self, key: ServiceKey) -> &mut Service {
        &mut self.slab[key.0]
    }

    #[cfg(any(test, feature = "fuzz"))]
    pub(super) fn get(&self, key: ServiceKey) -> &Service {
        &self.slab[key.0]
    }

    #[cfg(any(test, feature = "fuzz"))]
    pub(super) fn keys(&self) -> impl Iterator<Item = ServiceKey> {
        self.slab.iter().map(|(key, _)| ServiceKey(key))
    }

    /// With its [`index`](ServiceKey::index) each.
    pub(super) fn iter(&self) -> impl Iterator<Item = (usize, &Service)> {
        self.slab.iter()
    }

    pub(super) fn name(&self, key: ServiceKey) -> Arc<[u8]> {
        self.slab[key.0].name.clone()
    }

    pub(super) fn len(&self) -> usize {
        self.slab.len()
    }

    /// Puts a worker at the end of a line; the turn is its handle for leaving it.
    pub(super) fn line_up(&mut self, key: ServiceKey, line: Line, worker: WorkerKey) -> Turn {
        self.turn += 1;
        let turn = Turn {
            line,
            number: self.turn,
        };
        self.slab[key.0].line(line).insert(turn.number, worker);
        turn
    }

    pub(super) fn leave_line(&mut self, key: ServiceKey, turn: Turn) {
        self.slab[key.0].line(turn.line).remove(&turn.number);
    }

    /// Gives the next request to the worker whose turn it is.
    pub(super) fn pair<F>(
        &mut self,
        now: Time,
        key: ServiceKey,
        requests: &mut Requests<F>,
    ) -> Option<(RequestKey, WorkerKey)> {
        let service = &mut self.slab[key.0];
        let first = service.queue.first()?;
        if !requests.park(first).is_some_and(ParkState::may_start) {
            return None;
        }
        let (_, worker) = service
            .idle
            .pop_first()
            .or_else(|| service.busy.pop_first())?;
        service.queue.assign(first, worker, now, requests);
        service.lookahead.count(now);
        Some((first, worker))
    }
}

/// What a worker can do with a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Line {
    /// Run it at once.
    Idle,
    /// Have it lie ready for when it has ended another.
    Busy,
}

/// A place in a line.
#[derive(Debug, Clone, Copy)]
pub(super) struct Turn {
    pub(super) line: Line,
    number: u64,
}

impl Service {
    /// How many of its queue will have their turn before their clients could say anything to it.
    pub(super) fn depth(&mut self, now: Time) -> usize {
        let room = self.idle.len() + self.busy.len();
        self.lookahead.depth(now, room)
    }

    /// How deep to look for parked requests to ask for, if more are to be asked for.
    pub(super) fn ask_depth(&mut self, now: Time) -> Option<usize> {
        if self.queue.parked() == 0 {
            return None;
        }
        let room = self.idle.len() + self.busy.len();
        let (has_idle, asked_for) = (!self.idle.is_empty(), self.queue.asked_for());
        self.lookahead.ask_depth(now, room, has_idle, asked_for)
    }

    /// Who stands in which line.
    #[cfg(any(test, feature = "fuzz"))]
    pub(super) fn lines(&self) -> impl Iterator<Item = (Line, WorkerKey)> {
        let idle = self.idle.values().map(|&worker| (Line::Idle, worker));
        idle.chain(self.busy.values().map(|&worker| (Line::Busy, worker)))
    }

    pub(super) fn has_row(&self) -> bool {
        self.has_row
    }

    /// How many workers can run a request now.
    pub(super) fn idle(&self) -> usize {
        self.idle.len()
    }

    /// Whether a worker would take a request at once.
    pub(super) fn can_take(&self) -> bool {
        !self.idle.is_empty() || !self.busy.is_empty()
    }

    fn line(&mut self, line: Line) -> &mut BTreeMap<u64, WorkerKey> {
        match line {
            Line::Idle => &mut self.idle,
            Line::Busy => &mut self.busy,
        }
    }
}
