//! The copies of fan-outs at their workers. Each worker has a list of the copies that wait for room at it. A fan-out ends
//! with its last copy, and its copies end with it.

use super::context::Context;
use super::keys::{RequestKey, WorkerKey};
use super::ready::Line;
use super::requests::{NewRequest, Request, State};
use crate::proto::flow;
use crate::wire::{Body, Frame};

/// From this length on, the tokens of ended copies are removed from a worker's list of copies.
const MANY: usize = 64;

/// Maximum of copies that end with their fan-out at once.
const FEW: usize = 8;

/// Requests that depend on requests that have ended.
#[derive(Debug, Default)]
pub(super) struct Dependents {
    /// Tokens of the fan-outs of which copies have ended.
    of: Vec<u64>,
    /// Tokens of copies whose fan-out has ended.
    orphans: Vec<u64>,
}

impl Dependents {
    /// Notes an ended request that is a fan-out or a copy.
    #[inline]
    pub(super) fn note<F>(&mut self, request: &Request<F>) {
        if let Some(copy) = request.copy_of() {
            self.of.push(copy.whole);
        }
        if let State::Gathering(gathering) = &request.state {
            self.orphans.extend(&gathering.copies);
        }
    }

    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.of.is_empty() && self.orphans.is_empty()
    }

    /// Removes and returns the copies whose fan-out has ended, if they are too many to end at once.
    pub(super) fn take_many_orphans(&mut self) -> Option<Vec<u64>> {
        (self.orphans.len() > FEW).then(|| std::mem::take(&mut self.orphans))
    }

    /// Removes and returns the next copy whose fan-out has ended.
    pub(super) fn next_orphan(&mut self) -> Option<u64> {
        self.orphans.pop()
    }

    /// The next fan-out whose last copy has ended.
    pub(super) fn next_gathered<F: Frame>(&mut self, cx: &mut Context<F>) -> Option<RequestKey> {
        while let Some(token) = self.of.pop() {
            let key = cx.requests.by_token(token);
            let request = key.and_then(|key| cx.requests.get_mut(key));
            if let Some(gathering) = request.and_then(Request::gathering_mut) {
                gathering.open -= 1;
                if gathering.open == 0 && !gathering.is_growing {
                    return key;
                }
            }
        }
        None
    }
}

impl<F: Frame> Context<F> {
    /// Adds a copy to the list of its worker.
    pub(super) fn address(&mut self, worker: WorkerKey, token: u64, first: bool) {
        let requests = &self.requests;
        let Some(worker) = self.workers.get_mut(worker) else {
            return;
        };
        let addressed = worker.addressed.get_or_insert_default();
        if addressed.len() >= MANY && addressed.len().is_power_of_two() {
            addressed.retain(|&token| requests.by_token(token).is_some());
        }
        match first {
            true => addressed.push_front(token),
            false => addressed.push_back(token),
        }
    }

    pub(super) fn insert_beside(&mut self, new: NewRequest<F>, state: State) -> RequestKey {
        let service = new.service;
        let key = self.insert_request(new, state);
        let queue = &mut self.services.get_mut(service).queue;
        queue.enter_beside(key, &mut self.requests);
        key
    }

    /// Drops a partial of a worker, but gives credit for it so that the worker can send the next.
    #[cold]
    pub(super) fn pass_over(&mut self, key: RequestKey, body: &Body<F>) {
        let Some(request) = self.requests.get_mut(key) else {
            return;
        };
        let whole = request.copy_of().map(|copy| copy.whole);
        if let Some(assigned) = request.assigned_mut() {
            assigned.begin();
        }
        self.give_credit(key, flow::cost(body));
        let whole = whole.and_then(|token| self.requests.by_token(token));
        if let Some(whole) = whole.and_then(|key| self.requests.get_mut(key)) {
            whole.extend(self.now);
        }
    }

    /// The next copy for a worker that has room, which is assigned to it.
    pub(super) fn next_copy(&mut self, key: WorkerKey) -> Option<RequestKey> {
        let now = self.now;
        while let Some(worker) = self.workers.get_mut(key)
            && worker.line() == Some(Line::Idle)
        {
            let addressed = worker.addressed.as_mut();
            let Some(&token) = addressed.and_then(|all| all.front()) else {
                worker.addressed = None;
                return None;
            };
            let service = worker.service;
            let copy = self.requests.by_token(token);
            if copy.is_some() && !self.services.start_copy(service, now) {
                self.await_rate(service);
                return None;
            }
            let worker = self.workers.get_mut(key)?;
            worker.addressed.as_mut()?.pop_front();
            let Some(copy) = copy else {
                continue;
            };
            if let Some(position) = worker.position.take() {
                self.services.leave_line(service, position);
            }
            self.leave_queue(copy);
            self.requests.assign_copy(copy, key, now);
            return Some(copy);
        }
        None
    }

    /// Puts a copy that its worker has returned back to the list of that worker. Returns whether the worker is still
    /// there; `None` for requests that are not copies.
    #[cold]
    pub(super) fn readdress(&mut self, key: RequestKey) -> Option<bool> {
        let request = self.requests.get_mut(key)?;
        let assigned = request.assigned_mut()?;
        let (worker, copy) = (assigned.worker, assigned.copy.take()?);
        if self.workers.get(worker).is_none() {
            assigned.copy = Some(copy);
            return Some(false);
        }
        request.state = State::Addressed(copy);
        let queue = &mut self.services.get_mut(request.service).queue;
        queue.enter_beside(key, &mut self.requests);
        let token = self.requests.token(key);
        self.address(worker, token, true);
        Some(true)
    }
}
