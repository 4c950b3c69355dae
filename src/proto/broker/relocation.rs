//! Requests that change their places because a worker of a service has come or gone. Very many are looked at and moved
//! in pieces.
//!
//! | worker                    | requests                                                                      |
//! |---------------------------|-------------------------------------------------------------------------------|
//! | the first one comes       | those in other queues whose home the service is now move to it                |
//! | the last one goes         | those whose home was the service move to their next homes, or to their own names |
//! | any one comes or goes     | those for the worker of an affinity key, or for a named worker, change their lanes or end |
//! | the last one goes         | those with `failFast` that have no other home end                             |
//!
//! While that goes on, no request of the service starts, so that they start in the order of their arrival, and none is
//! given to a worker that is not its own. They move in the order of their arrival. Those that arrive meanwhile are put
//! where they belong; at another home, they may start before earlier ones that are still to move to it. One task a
//! service is enough: when further workers come or go, it begins again.

use super::Broker;
use super::context::Context;
use super::keys::{RequestKey, ServiceKey};
use super::outcome::End;
use super::requests::{Cursors, State};
use super::routing::CHOICES;
use super::tasks::{PIECE, Relocation, Task};
use crate::proto::code::Code;
use crate::wire::Frame;
use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// Entries of the table that take the time of one request that moves, if there is nothing to do about them.
const LOOKS: usize = 16;

impl<F: Frame> Context<F> {
    /// Whether a request may have to change its place because of this service.
    fn may_move(&self, service: ServiceKey, key: RequestKey) -> bool {
        let Some(request) = self.requests.get(key) else {
            return false;
        };
        if !matches!(request.state, State::Queued(_)) {
            return false;
        }
        if request.service != service {
            return self.belongs_to(service, key);
        }
        let routing = request.routing.as_deref();
        if routing.is_some_and(|routing| routing.is_for_one() || routing.was_rejected()) {
            return true;
        }
        self.services.workers_of(service) == 0
            && (request.is_fail_fast()
                || routing.is_some_and(|routing| routing.asked.is_some())
                || self
                    .services
                    .home_of(&self.asked_name(request), self.is_for_one(key))
                    .is_some())
    }

    /// Whether a request in another queue has this service as its home now.
    fn belongs_to(&self, service: ServiceKey, key: RequestKey) -> bool {
        let Some(request) = self.requests.get(key) else {
            return false;
        };
        if self.services.workers_of(service) == 0
            || !self.services.may_hold_others(request.service)
            || self.is_pinned(key)
        {
            return false;
        }
        let asked = self.asked_name(request);
        self.services.may_serve(service, &asked)
            && self.services.home_of(&asked, self.is_for_one(key)) == Some(service)
    }

    fn find(&self, relocation: &mut Relocation, key: RequestKey) {
        let (arrived, serial) = self.requests.order(key);
        let token = self.requests.token(key);
        relocation.found.push(Reverse((arrived, serial, token)));
    }

    /// Looks at requests, and returns what is left of this number of units.
    fn look(&self, relocation: &mut Relocation, units: usize) -> usize {
        let mut looks = units * LOOKS;
        while relocation.at < relocation.end && looks > 0 {
            let at = relocation.at;
            relocation.at += 1;
            looks -= 1;
            let Some(key) = self.requests.at(at) else {
                continue;
            };
            if self.requests.park(key).is_none() {
                continue;
            }
            looks = looks.saturating_sub(LOOKS / 2);
            if self.may_move(relocation.service, key) {
                looks = looks.saturating_sub(LOOKS / 2);
                self.find(relocation, key);
            }
        }
        looks / LOOKS
    }

    /// The new home of a request that may have to move; `None` if it does not.
    fn new_home(&mut self, service: ServiceKey, key: RequestKey) -> Option<ServiceKey> {
        if !self.may_move(service, key) {
            return None;
        }
        let request = self.requests.get(key)?;
        if request.service != service {
            return Some(service);
        }
        let home = match self.services.workers_of(service) == 0 && !self.is_pinned(key) {
            true => {
                let asked = self.asked_name(self.requests.get(key)?);
                self.home_or_own(key, &asked)
            }
            false => service,
        };
        (home != service || self.is_for_one(key)).then_some(home)
    }
}

impl<F: Frame> Broker<F> {
    /// Rearranges requests after a worker of the service has come or gone. `moves`: requests may move to other
    /// services, or from them if it `gathers`. Returns false if the rest is done in later turns.
    pub(super) fn rearrange(&mut self, service: ServiceKey, moves: bool, gathers: bool) -> bool {
        let entry = self.cx.services.get_mut(service);
        let queue = &entry.queue;
        let is_concerned = queue.has_lanes()
            || entry.workers == 0 && queue.has_fail_fast()
            || moves && (gathers || queue.first().is_some());
        is_concerned.then(|| self.begin_relocation(service, gathers)) != Some(false)
    }

    #[cold]
    fn begin_relocation(&mut self, service: ServiceKey, gathers: bool) -> bool {
        let goes_on = self.cx.services.is_relocating(service);
        self.cx.services.begin_relocation(service);
        if goes_on {
            return false;
        }
        let entry = self.cx.services.get_mut(service);
        let name = entry.name.clone();
        let mut relocation = Relocation {
            service,
            name,
            at: 0,
            end: self.cx.requests.end(),
            found: BinaryHeap::new(),
            cursors: Cursors::default(),
        };
        if !gathers && entry.queue.waiting().requests <= PIECE {
            relocation.at = relocation.end;
            let mut next = entry.queue.first();
            while let Some(key) = next {
                self.cx.find(&mut relocation, key);
                next = (self.cx.services.get_mut(service).queue).next(key, &self.cx.requests);
            }
        }
        // Few requests are done at once.
        if self.relocate_some(&mut relocation, 2 * PIECE) {
            self.put_off(Task::Relocation(relocation));
            return false;
        }
        true
    }

    /// Does a piece of a relocation. Returns false after the last one.
    pub(super) fn relocate_more(&mut self, relocation: &mut Relocation) -> bool {
        let is_left = self.relocate_some(relocation, PIECE);
        if !is_left
            && self
                .cx
                .services
                .is_entry(relocation.service, &relocation.name)
        {
            self.after_rearrangement(relocation.service);
        }
        is_left
    }

    /// Starts requests that have the service as their home now.
    pub(super) fn after_rearrangement(&mut self, service: ServiceKey) {
        self.dispatch(service);
        self.cx.services.release(service);
    }

    /// Looks at requests and moves them, as many as take this number of units. Returns false if none is left.
    fn relocate_some(&mut self, relocation: &mut Relocation, units: usize) -> bool {
        let service = relocation.service;
        // Without workers and requests, the service was released, and nothing is held back.
        if !self.cx.services.is_entry(service, &relocation.name) {
            return false;
        }
        let left = self.cx.look(relocation, units);
        self.cx.count_work((units - left) / 4);
        if relocation.at < relocation.end {
            return true;
        }
        let cost = 1 + match self.cx.services.get_mut(service).queue.has_lanes() {
            true => self.cx.services.workers_of(service) / CHOICES,
            false => 0,
        };
        let mut keys = Vec::new();
        while keys.len() * cost < left
            && let Some(Reverse((.., token))) = relocation.found.pop()
        {
            keys.extend(self.cx.requests.by_token(token));
        }
        self.cx.count_work(keys.len() / 4);
        self.move_requests(relocation, &keys);
        if !relocation.found.is_empty() {
            return true;
        }
        if self.cx.services.is_entry(service, &relocation.name)
            && self.cx.services.end_relocation(service)
        {
            relocation.at = 0;
            relocation.end = self.cx.requests.end();
            relocation.cursors = Cursors::default();
            return true;
        }
        false
    }

    /// Moves requests to where they would be if they arrived now, and ends those for which no worker is left.
    fn move_requests(&mut self, relocation: &mut Relocation, keys: &[RequestKey]) {
        let service = relocation.service;
        let (mut moves, mut froms) = (Vec::new(), Vec::new());
        let mut homes: Vec<ServiceKey> = Vec::new();
        for &key in keys {
            let from = self.cx.requests.get(key).map(|request| request.service);
            if let (Some(from), Some(home)) = (from, self.cx.new_home(service, key)) {
                moves.push((key, home));
                froms.extend(Some(from).filter(|&from| from != service));
                homes.extend(Some(home).filter(|&home| home != service));
            }
        }
        let tokens = keys.iter().map(|&key| self.cx.requests.token(key));
        let tokens: Vec<u64> = tokens.collect();
        self.cx.relocate(moves, &mut relocation.cursors);
        for from in froms {
            self.cx.services.release(from);
        }
        for token in tokens {
            if let Some(key) = self.cx.requests.by_token(token) {
                self.end_unplaceable(key);
            }
        }
        homes.sort_unstable_by_key(|home| home.index());
        homes.dedup();
        for home in homes {
            self.after_rearrangement(home);
        }
    }

    /// Ends a request in a queue if it is for a named worker that is gone, or has `failFast` and there is no worker for
    /// it.
    pub(super) fn end_unplaceable(&mut self, key: RequestKey) {
        let request = self.cx.requests.get(key);
        let Some(request) = request.filter(|request| matches!(request.state, State::Queued(_)))
        else {
            return;
        };
        let is_unserved = self.cx.services.workers_of(request.service) == 0;
        if self.cx.is_for_nobody(key) {
            self.end_for_nobody(key);
        } else if self.cx.is_fail_fast(key) && self.cx.is_rejected_by_all(key) {
            self.end(key, End::Failed(Code::Rejected));
        } else if self.cx.is_fail_fast(key) && is_unserved {
            self.end_for_nobody(key);
        }
    }
}
