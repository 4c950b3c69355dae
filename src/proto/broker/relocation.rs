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

use super::context::Context;
use super::keys::{RequestKey, ServiceKey};
use super::piece::PIECE;
use super::requests::{Cursors, State};
use super::routing::CHOICES;
use crate::proto::Time;
use crate::proto::code::Code;
use crate::wire::Frame;
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::Arc;

/// Entries of the table that take the time of one request that moves, if there is nothing to do about them.
const LOOKS: usize = 16;

/// The rest of a relocation: the requests that are still to be looked at, and those that are still to be moved.
#[derive(Debug)]
pub(super) struct Relocation {
    service: ServiceKey,
    /// The name of the service, which distinguishes it from a later one with the same key.
    name: Arc<[u8]>,
    /// The index of the next entry in the table of requests, and of the end.
    at: usize,
    end: usize,
    /// The requests that may have to move, by arrival, with their tokens.
    found: BinaryHeap<Reverse<(Time, u32, u64)>>,
    cursors: Cursors,
}

/// Where requests have moved to.
pub(super) struct Moved {
    /// The tokens of the requests that were looked at. Those for which no worker is left are still to end.
    pub(super) tokens: Vec<u64>,
    /// The services that have got requests from this one.
    pub(super) homes: Vec<ServiceKey>,
}

impl Relocation {
    /// Begins after a worker of the service has come or gone. Requests may move to it if it `gathers`.
    pub(super) fn new<F: Frame>(cx: &mut Context<F>, service: ServiceKey, gathers: bool) -> Self {
        let queue = &cx.services.get_mut(service).queue;
        let is_short = !gathers && queue.waiting().requests <= PIECE;
        let mut next = queue.first().filter(|_| is_short);
        let mut relocation = Relocation {
            service,
            name: cx.services.name(service),
            at: if is_short { cx.requests.end() } else { 0 },
            end: cx.requests.end(),
            found: BinaryHeap::new(),
            cursors: Cursors::default(),
        };
        while let Some(key) = next {
            relocation.find(cx, key);
            next = cx.services.get_mut(service).queue.next(key, &cx.requests);
        }
        relocation
    }

    /// Its service, if that was not released.
    pub(super) fn service<F: Frame>(&self, cx: &Context<F>) -> Option<ServiceKey> {
        cx.services
            .is_entry(self.service, &self.name)
            .then_some(self.service)
    }

    /// Looks at requests and moves them, as many as take this number of units.
    pub(super) fn go_on<F: Frame>(&mut self, cx: &mut Context<F>, units: usize) -> Option<Moved> {
        // Without workers and requests, the service was released, and nothing is held back.
        let Some(service) = self.service(cx) else {
            (self.at, self.end) = (0, 0);
            self.found.clear();
            return None;
        };
        let left = self.look(cx, units);
        cx.count_work((units - left) / 4);
        if self.at < self.end {
            return None;
        }
        let cost = 1 + match cx.services.get_mut(service).queue.has_lanes() {
            true => cx.services.workers_of(service) / CHOICES,
            false => 0,
        };
        let mut keys = Vec::new();
        while keys.len() * cost < left
            && let Some(Reverse((.., token))) = self.found.pop()
        {
            keys.extend(cx.requests.by_token(token));
        }
        cx.count_work(keys.len() / 4);
        Some(self.relocate(cx, &keys))
    }

    /// Whether there is more to do after a piece. It begins again if workers have come or gone meanwhile.
    pub(super) fn is_left<F: Frame>(&mut self, cx: &mut Context<F>) -> bool {
        if self.at < self.end || !self.found.is_empty() {
            return true;
        }
        let begins_again = self
            .service(cx)
            .is_some_and(|service| cx.services.end_relocation(service));
        if begins_again {
            self.at = 0;
            self.end = cx.requests.end();
            self.cursors = Cursors::default();
        }
        begins_again
    }

    /// Moves requests to where they would be if they arrived now.
    fn relocate<F: Frame>(&mut self, cx: &mut Context<F>, keys: &[RequestKey]) -> Moved {
        let service = self.service;
        let (mut moves, mut froms) = (Vec::new(), Vec::new());
        let mut homes: Vec<ServiceKey> = Vec::new();
        for &key in keys {
            let from = cx.requests.get(key).map(|request| request.service);
            if let (Some(from), Some(home)) = (from, cx.new_home(service, key)) {
                moves.push((key, home));
                froms.extend(Some(from).filter(|&from| from != service));
                homes.extend(Some(home).filter(|&home| home != service));
            }
        }
        let tokens = keys.iter().map(|&key| cx.requests.token(key)).collect();
        cx.relocate(moves, &mut self.cursors);
        for from in froms {
            cx.services.release(from);
        }
        homes.sort_by_cached_key(|home| home.index() as u128);
        homes.dedup();
        Moved { tokens, homes }
    }

    fn find<F: Frame>(&mut self, cx: &Context<F>, key: RequestKey) {
        let (arrived, serial) = cx.requests.order(key);
        let token = cx.requests.token(key);
        self.found.push(Reverse((arrived, serial, token)));
    }

    /// Looks at requests, and returns what is left of this number of units.
    fn look<F: Frame>(&mut self, cx: &Context<F>, units: usize) -> usize {
        let mut looks = units * LOOKS;
        while self.at < self.end && looks > 0 {
            let at = self.at;
            self.at += 1;
            looks -= 1;
            let Some(key) = cx.requests.at(at) else {
                continue;
            };
            if cx.requests.park(key).is_none() {
                continue;
            }
            looks = looks.saturating_sub(LOOKS / 2);
            if cx.may_move(self.service, key) {
                looks = looks.saturating_sub(LOOKS / 2);
                self.find(cx, key);
            }
        }
        looks / LOOKS
    }

    /// Whether it is because of the service with this key and name.
    #[cfg(any(test, feature = "fuzz"))]
    pub(super) fn is_of(&self, service: ServiceKey, name: &Arc<[u8]>) -> bool {
        self.service == service && Arc::ptr_eq(&self.name, name)
    }
}

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

    /// The code with which a request in a queue ends if it is for a named worker that is gone, or has `failFast` and no
    /// worker can serve it.
    pub(super) fn unplaceable(&self, key: RequestKey) -> Option<Code> {
        let request = self.requests.get(key)?;
        if !matches!(request.state, State::Queued(_)) {
            return None;
        }
        let is_unserved = self.services.workers_of(request.service) == 0;
        if self.is_for_nobody(key) {
            Some(request.code_for_nobody())
        } else if !request.is_fail_fast() {
            None
        } else if self.is_rejected_by_all(key) {
            Some(Code::Rejected)
        } else {
            is_unserved.then(|| request.code_for_nobody())
        }
    }
}
