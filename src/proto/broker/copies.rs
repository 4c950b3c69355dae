//! The copies of fan-outs at their workers. Each worker has a list of the copies that wait for room at it.

use super::Broker;
use super::context::Context;
use super::keys::{RequestKey, WorkerKey};
use super::outcome::End;
use super::ready::Line;
use super::requests::{Assigned, NewRequest, State};
use super::tasks::Ending;
use crate::proto::code::Code;
use crate::proto::flow;
use crate::wire::{Body, Frame};
use std::collections::VecDeque;

/// From this length on, the tokens of ended copies are removed from a worker's list of copies.
const MANY: usize = 64;

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
        let whole = request.part().map(|part| part.of);
        if let Some(assigned) = request.assigned_mut() {
            assigned.begun = true;
        }
        self.give_credit(key, flow::cost(body));
        let whole = whole.and_then(|token| self.requests.by_token(token));
        if let Some(whole) = whole.and_then(|key| self.requests.get_mut(key)) {
            whole.extend(self.now);
        }
    }
}

impl<F: Frame> Broker<F> {
    /// Sends a worker the copies for which it has room.
    #[cold]
    pub(super) fn give_addressed(&mut self, key: WorkerKey) {
        // Clients may have left for another broker.
        if self.stopping {
            return;
        }
        let now = self.cx.now;
        while let Some(worker) = self.cx.workers.get_mut(key)
            && worker.line() == Some(Line::Idle)
        {
            let addressed = worker.addressed.as_mut();
            let Some(&token) = addressed.and_then(|all| all.front()) else {
                worker.addressed = None;
                return;
            };
            let service = worker.service;
            let request = self.cx.requests.by_token(token);
            if request.is_some() && !self.cx.services.start_copy(service, now) {
                return self.cx.await_rate(service);
            }
            let Some(worker) = self.cx.workers.get_mut(key) else {
                return;
            };
            if let Some(addressed) = &mut worker.addressed {
                addressed.pop_front();
            }
            let Some(request) = request else {
                continue;
            };
            if let Some(position) = worker.position.take() {
                self.cx.services.leave_line(service, position);
            }
            self.cx.leave_queue(request);
            if let Some(entry) = self.cx.requests.get_mut(request) {
                entry.state = State::Assigned(Assigned::new(key, now));
            }
            self.hand_over(key, request);
        }
    }

    /// Puts a copy that its worker has returned back to the list of that worker. Returns false for requests that are
    /// not copies.
    #[cold]
    pub(super) fn readdress(&mut self, key: RequestKey) -> bool {
        let Some(request) = self
            .cx
            .requests
            .get_mut(key)
            .filter(|request| request.is_copy())
        else {
            return false;
        };
        let Some(worker) = request.worker() else {
            return false;
        };
        if self.cx.workers.get(worker).is_none() {
            self.end(key, End::Failed(Code::WorkerLost));
            return true;
        }
        request.state = State::Addressed;
        let service = request.service;
        let queue = &mut self.cx.services.get_mut(service).queue;
        queue.enter_beside(key, &mut self.cx.requests);
        let token = self.cx.requests.token(key);
        self.cx.address(worker, token, true);
        true
    }

    /// Ends the copies of a worker that is gone.
    #[cold]
    pub(super) fn end_addressed(&mut self, addressed: VecDeque<u64>) {
        self.end_all(addressed.into(), Ending::WorkerLost);
    }
}
