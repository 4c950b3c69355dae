//! The services of a broker by their names, and where a request for a name is served.

mod balance;
mod choose;
mod homes;
mod names;
mod pattern;
mod policies;
mod range;
mod rate;
mod service;
mod serving;
mod special;
mod version;

pub(super) use choose::affinity;
#[cfg(any(test, feature = "fuzz"))]
pub(super) use choose::has_room;
pub(super) use names::version_of;
pub use pattern::Pattern;
pub use policies::{Policies, Policy};
pub(super) use rate::SIZE as RATE_SIZE;
pub(super) use service::Service;

use super::keys::{ServiceKey, WorkerKey};
use super::lookahead::Lookahead;
use super::metrics::{Meter, Meters};
use super::ready::{Line, Position, ReadyList};
use super::requests::{Queue, Requests};
#[cfg(any(test, feature = "fuzz"))]
use crate::proto::deadlines::TimerKey;
use crate::proto::table::Table;
use homes::Homes;
use slab::Slab;
use std::sync::Arc;

/// The services that have a worker or a request. All others are released, so that invented names cost no memory for
/// long.
#[derive(Debug)]
pub(super) struct Services {
    slab: Slab<Service>,
    names: Table<Arc<[u8]>, usize>,
    patterns: Table<Arc<[u8]>, usize>,
    homes: Homes,
    /// The number of the latest position, counted over all services.
    position: u64,
    pub(super) meters: Meters,
    /// Whether requests for a version range are spread over all versions that satisfy it, instead of going to the
    /// highest.
    pub(super) spreads: bool,
    /// Rate limiters of released services: their recent starts still count.
    rates: Table<Arc<[u8]>, rate::Limiter>,
}

impl Services {
    /// `measured` is the maximum of services with a meter of their own; `spreads` is [`Policies::spreads`].
    pub(super) fn new(measured: usize, spreads: bool) -> Self {
        Services {
            slab: Slab::new(),
            names: Table::default(),
            patterns: Table::default(),
            homes: Homes::default(),
            position: 0,
            meters: Meters::new(measured),
            spreads,
            rates: Table::default(),
        }
    }

    pub(super) fn require(&mut self, name: &[u8]) -> ServiceKey {
        if let Some(&key) = self.names.get(name) {
            return ServiceKey(key);
        }
        self.insert(name.into(), false)
    }

    /// The service of a pattern. The text of a pattern may also be the plain name of another service.
    pub(super) fn require_pattern(&mut self, pattern: &[u8]) -> ServiceKey {
        match self.patterns.get(pattern) {
            Some(&key) => ServiceKey(key),
            None => self.insert(pattern.into(), true),
        }
    }

    fn insert(&mut self, name: Arc<[u8]>, is_pattern: bool) -> ServiceKey {
        let (meter, has_row) = self.meters.take(&name);
        let key = self.slab.insert(Service {
            name: name.clone(),
            is_pattern,
            has_guests: false,
            special: None,
            queue: Queue::default(),
            ready: ReadyList::default(),
            workers: 0,
            lookahead: Lookahead::default(),
            looked_at: 0,
            full: false,
            meter,
            has_row,
        });
        match is_pattern {
            true => self.patterns.insert(name, key),
            false => self.names.insert(name, key),
        };
        ServiceKey(key)
    }

    /// Releases a service without workers, requests or a rate timer. Returns true if it is gone.
    pub(super) fn release(&mut self, key: ServiceKey) -> bool {
        let Some(service) = self.slab.get(key.0) else {
            return true;
        };
        let limiter = service.special.as_ref().and_then(|s| s.limiter.as_ref());
        let is_timed = limiter.is_some_and(|limiter| limiter.timer.is_some());
        let idle = service.workers == 0 && service.queue.is_empty() && !is_timed;
        if idle {
            let mut service = self.slab.remove(key.0);
            self.keep_rate(&mut service);
            match service.is_pattern {
                true => self.patterns.remove(&service.name),
                false => self.names.remove(&service.name),
            };
            self.meters
                .keep(service.name, service.meter, service.has_row);
        }
        idle
    }

    pub(super) fn is_pattern(&self, key: ServiceKey) -> bool {
        self.slab[key.0].is_pattern
    }

    /// Whether this key is the service with this name or, if `is_pattern`, with this pattern.
    pub(super) fn is(&self, key: ServiceKey, name: &[u8], is_pattern: bool) -> bool {
        let service = &self.slab[key.0];
        *service.name == *name && service.is_pattern == is_pattern
    }

    /// The number of registered workers of a service.
    pub(super) fn workers_of(&self, key: ServiceKey) -> usize {
        self.slab[key.0].workers
    }

    /// Whether this key is still that of the service with this name.
    pub(super) fn is_entry(&self, key: ServiceKey, name: &Arc<[u8]>) -> bool {
        let service = self.slab.get(key.0);
        service.is_some_and(|service| Arc::ptr_eq(&service.name, name))
    }

    /// Counts a new worker. Returns true if requests in other queues may have this service as their home now.
    pub(super) fn add_worker(&mut self, key: ServiceKey) -> bool {
        let service = &mut self.slab[key.0];
        service.workers += 1;
        let is_first = service.workers == 1;
        if !service.has_row {
            let waiting = service.queue.waiting();
            service.has_row = self.meters.give_row(&mut service.meter, waiting);
        }
        let name = &self.slab[key.0].name;
        let is_pattern = self.slab[key.0].is_pattern;
        if is_first && self.homes.add(name, is_pattern, key) {
            self.slab[key.0].has_guests = true;
        }
        is_first && !self.homes.is_empty()
    }

    /// Counts a worker off. Returns true if requests in this queue may have another home now.
    pub(super) fn remove_worker(&mut self, key: ServiceKey) -> bool {
        let service = &mut self.slab[key.0];
        service.workers -= 1;
        if service.workers > 0 {
            return false;
        }
        self.homes.remove(&service.name, service.is_pattern, key);
        service.has_guests || !self.homes.is_empty()
    }

    #[cfg(any(test, feature = "fuzz"))]
    pub(super) fn timers(&self) -> impl Iterator<Item = TimerKey> {
        let specials = self.slab.iter().filter_map(|(_, s)| s.special.as_ref());
        let limiters = specials.filter_map(|special| special.limiter.as_ref());
        limiters.filter_map(|limiter| limiter.timer)
    }

    /// Whether the service has a rate limit.
    #[cfg(any(test, feature = "fuzz"))]
    pub(super) fn is_limited(&self, key: ServiceKey) -> bool {
        let special = self.slab.get(key.0).and_then(|s| s.special.as_ref());
        special.is_some_and(|special| special.limiter.is_some())
    }

    /// Whether the service has lanes, a policy or a rate limit.
    pub(super) fn is_special(&self, key: ServiceKey) -> bool {
        let service = self.slab.get(key.0);
        service.is_some_and(|service| service.special.is_some() || service.queue.has_lanes())
    }

    /// The meter of the service of this name, or the common meter of all names without a service.
    pub(super) fn meter_of(&mut self, name: &[u8]) -> &mut Meter {
        match self.names.get(name) {
            Some(&key) => &mut self.slab[key].meter,
            None => &mut self.meters.other,
        }
    }

    /// Panics for a released service. A service has a worker or a request as long as its key is in use.
    pub(super) fn get_mut(&mut self, key: ServiceKey) -> &mut Service {
        &mut self.slab[key.0]
    }

    /// As [`get_mut`](Self::get_mut), for a key whose service may be released.
    pub(super) fn find_mut(&mut self, key: ServiceKey) -> Option<&mut Service> {
        self.slab.get_mut(key.0)
    }

    #[cfg(any(test, feature = "fuzz"))]
    pub(super) fn get(&self, key: ServiceKey) -> &Service {
        &self.slab[key.0]
    }

    #[cfg(any(test, feature = "fuzz"))]
    pub(super) fn keys(&self) -> impl Iterator<Item = ServiceKey> {
        self.slab.iter().map(|(key, _)| ServiceKey(key))
    }

    /// The services with this text as their name or pattern, each with its [`index`](ServiceKey::index).
    pub(super) fn named(&self, name: &[u8]) -> impl Iterator<Item = (usize, &Service)> {
        let keys = [self.names.get(name), self.patterns.get(name)];
        let keys = keys.into_iter().flatten();
        keys.map(|&key| (key, &self.slab[key]))
    }

    /// One more than the highest index of a service.
    pub(super) fn end(&self) -> usize {
        self.slab.capacity()
    }

    /// The service with this index, if there is one.
    pub(super) fn at(&self, index: usize) -> Option<&Service> {
        self.slab.get(index)
    }

    /// All services, each with its [`index`](ServiceKey::index).
    pub(super) fn iter(&self) -> impl Iterator<Item = (usize, &Service)> {
        self.slab.iter()
    }

    pub(super) fn name(&self, key: ServiceKey) -> Arc<[u8]> {
        self.slab[key.0].name.clone()
    }

    pub(super) fn len(&self) -> usize {
        self.slab.len()
    }

    /// Puts a worker at the end of a line. [`leave_line`](Self::leave_line) takes the returned position.
    pub(super) fn line_up<F>(
        &mut self,
        key: ServiceKey,
        line: Line,
        worker: WorkerKey,
        requests: &Requests<F>,
    ) -> Position {
        self.position += 1;
        let position = Position {
            line,
            number: self.position,
        };
        let service = &mut self.slab[key.0];
        service.ready.add(position, worker);
        if let Some(lanes) = service.queue.lanes_mut() {
            lanes.has_room(worker, requests);
        }
        position
    }

    pub(super) fn leave_line(&mut self, key: ServiceKey, position: Position) {
        self.slab[key.0].ready.remove(position);
    }
}
