//! Requests for names without workers of their own. They wait for the workers of another service, their *home*, and
//! move when workers register or leave, see [`super::relocation`]. [`super::services`] finds the home of a name.

use super::context::Context;
use super::keys::{RequestKey, ServiceKey};
use super::requests::{Cursors, Request, Routing, State};
use crate::wire::Frame;
use std::sync::Arc;

/// Comparisons with versions in one unit of work.
pub(super) const COMPARED: usize = 512;

/// Maximum of waiting requests that are examined for an idle worker of another version. Later ones are examined when
/// those before them have left.
const EXAMINED: usize = 512;

impl<F: Frame> Context<F> {
    /// The home and the routing of a new request for a service without workers.
    #[cold]
    pub(super) fn place(
        &mut self,
        own: ServiceKey,
        routing: Option<Box<Routing>>,
    ) -> (ServiceKey, Option<Box<Routing>>) {
        let asked = self.services.name(own);
        self.count_work(self.services.comparisons(&asked) / COMPARED);
        let is_for_one = routing.as_ref().is_some_and(|routing| routing.is_for_one());
        match self.services.home_of(&asked, is_for_one) {
            Some(home) if home != own => {
                self.services.release(own);
                let mut routing = routing.unwrap_or_default();
                routing.asked = Some(asked);
                (home, Some(routing))
            }
            _ => (own, routing),
        }
    }

    /// The name that the client asked for.
    pub(super) fn asked(&self, key: RequestKey) -> Option<Arc<[u8]>> {
        self.requests
            .get(key)
            .map(|request| self.asked_name(request))
    }

    pub(super) fn asked_name(&self, request: &Request<F>) -> Arc<[u8]> {
        let asked = request.routing.as_ref().and_then(|r| r.asked.clone());
        asked.unwrap_or_else(|| self.services.name(request.service))
    }

    /// Moves a request that is in no queue to the home that it would have if it arrived now. Returns true if that is
    /// another one.
    #[cold]
    pub(super) fn go_home(&mut self, key: RequestKey) -> bool {
        let (Some(asked), Some(request)) = (self.asked(key), self.requests.get(key)) else {
            return false;
        };
        let old = request.service;
        let pinned = request.routing.as_ref().and_then(|r| r.worker.as_deref());
        let pinned = pinned.and_then(|name| self.pinned_home(name, &asked));
        let home = match pinned.or_else(|| self.other_version(key, &asked)) {
            Some(home) => home,
            None => self.home_or_own(key, &asked),
        };
        if home == old {
            return false;
        }
        self.adopt(key, home, &asked);
        self.services.release(old);
        true
    }

    /// The version for a request that was rejected, if several versions share the requests for its range: one with a
    /// worker that has not rejected it.
    fn other_version(&self, key: RequestKey, asked: &[u8]) -> Option<ServiceKey> {
        if !self.was_rejected(key) || self.is_for_one(key) {
            return None;
        }
        let mut versions = self.services.shared_homes(asked);
        let rejected = &self.requests.routing(key)?.rejected;
        versions.retain(|&version| self.workers.any_other(version, rejected));
        self.services.least_waited_for(&versions)
    }

    pub(super) fn is_for_one(&self, key: RequestKey) -> bool {
        let routing = self.requests.routing(key);
        routing.is_some_and(|routing| routing.is_for_one())
    }

    pub(super) fn home_or_own(&mut self, key: RequestKey, asked: &[u8]) -> ServiceKey {
        match self.services.home_of(asked, self.is_for_one(key)) {
            Some(home) => home,
            None => self.services.require(asked),
        }
    }

    /// Makes a service the home of the request.
    pub(super) fn adopt(&mut self, key: RequestKey, home: ServiceKey, asked: &Arc<[u8]>) {
        let Some(request) = self.requests.get_mut(key) else {
            return;
        };
        let old = std::mem::replace(&mut request.service, home);
        if old == home {
            return;
        }
        let new = self.services.get_mut(home);
        let is_guest = new.is_pattern || *new.name != **asked;
        new.meter.requests += 1;
        new.meter.bytes_in += request.content.size() as u64;
        match (&mut request.routing, is_guest) {
            (Some(routing), _) => routing.asked = is_guest.then(|| asked.clone()),
            (None, true) => {
                let asked = Some(asked.clone());
                let routing = Routing {
                    asked,
                    ..Routing::default()
                };
                request.routing = Some(Box::new(routing));
            }
            (None, false) => {}
        }
        if request.routing.as_ref().is_some_and(|r| r.is_empty()) {
            request.routing = None;
        }
        let size = request.content.size() as u64;
        let old = self.services.get_mut(old);
        if !old.has_row() {
            old.meter.requests = old.meter.requests.saturating_sub(1);
            old.meter.bytes_in = old.meter.bytes_in.saturating_sub(size);
        }
    }

    /// Moves requests for a range from other versions to this one, if its workers are idle. Only with
    /// [`Policies::spreads`](super::Policies). Returns true if any were moved.
    #[cold]
    pub(super) fn take_over(&mut self, service: ServiceKey) -> bool {
        let (siblings, room) = self.services.could_help(service);
        let mut moves = Vec::new();
        let mut seen = 0;
        for sibling in siblings {
            let mut next = self.services.get_mut(sibling).queue.first();
            while let Some(key) = next.filter(|_| moves.len() < room && seen < EXAMINED) {
                next = self
                    .services
                    .get_mut(sibling)
                    .queue
                    .next(key, &self.requests);
                seen += 1;
                let asked = self.asked(key).filter(|_| !self.is_for_one(key));
                if asked.is_some_and(|asked| {
                    self.services.has_range(&asked) && self.services.may_serve(service, &asked)
                }) {
                    moves.push((key, service));
                }
            }
        }
        self.count_work(seen / 8);
        let any = !moves.is_empty();
        self.relocate(moves, &mut Cursors::default());
        any
    }

    /// Moves queued requests to the queues of their homes, in order of arrival.
    pub(super) fn relocate(
        &mut self,
        mut moves: Vec<(RequestKey, ServiceKey)>,
        cursors: &mut Cursors,
    ) {
        // The first of equal arrival is the first of the moves.
        moves.sort_by_cached_key(|&(key, _)| self.requests.age_rank(key));
        moves.sort_by_cached_key(|(_, home)| home.index() as u128);
        for of_home in moves.chunk_by(|one, other| one.1 == other.1) {
            let home = of_home[0].1;
            let mut parked = Vec::new();
            for &(key, _) in of_home {
                let Some(State::Queued(queued)) = self.requests.get(key).map(|r| &r.state) else {
                    continue;
                };
                parked.push((key, queued.park(), queued.since));
                self.leave_queue(key);
                if let Some(asked) = self.asked(key) {
                    self.adopt(key, home, &asked);
                }
                self.route(key);
            }
            let queue = &mut self.services.get_mut(home).queue;
            let keys = parked.iter().map(|(key, ..)| *key);
            queue.merge(keys, &mut self.requests, cursors);
            self.count_work(cursors.take_work());
            let queue = &mut self.services.get_mut(home).queue;
            for &(key, park, since) in &parked {
                queue.set_park(key, park, since, &mut self.requests);
            }
        }
    }
}
