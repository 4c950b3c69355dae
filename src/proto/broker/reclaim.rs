//! Requests that are taken back from their workers: those of a worker that is gone, and very many that a worker returns
//! or has not claimed. Very many go back to their queues, or end, in later turns; until then they are *reclaimed*.

use super::context::Context;
use super::keys::{RequestKey, ServiceKey, WorkerKey};
use super::outcome::End;
use super::requests::{Cursors, Reclaimed, State};
use super::tasks::{PIECE, Piece, Task};
use super::{Broker, RoutingId};
use crate::proto::code::Code;
use crate::wire::Frame;
use std::cmp::Reverse;

impl<F: Frame> Context<F> {
    /// Takes a request back from its worker, which has this name, and counts it beside its queue. Returns false if no
    /// worker has it.
    fn reclaim(&mut self, key: RequestKey, has_started: bool, worker: &Option<RoutingId>) -> bool {
        let Some(request) = self.requests.get_mut(key) else {
            return false;
        };
        let State::Assigned(assigned) = &request.state else {
            return false;
        };
        if let Some(client) = self.clients.get_mut(request.client) {
            client.unread -= assigned.unread;
        }
        let (given, is_copy) = (assigned.given, request.is_copy());
        request.state = State::Reclaimed(Reclaimed {
            given,
            has_started,
            waits: !is_copy && (!has_started || request.retry > 0),
            worker: worker.clone(),
        });
        let service = request.service;
        let queue = &mut self.services.get_mut(service).queue;
        queue.enter_beside(key, &mut self.requests);
        if !self.on_hold.is_empty() {
            self.drop_hold(self.requests.token(key));
        }
        true
    }

    /// Whether the request was taken back from a lost worker that may have started it, and must not start again.
    pub(super) fn is_lost_with_worker(&self, key: RequestKey) -> bool {
        self.requests
            .get(key)
            .is_some_and(|request| match &request.state {
                State::Reclaimed(reclaimed) => reclaimed.has_started && request.retry == 0,
                _ => false,
            })
    }
}

impl<F: Frame> Context<F> {
    fn task_back(&self, mut requests: Vec<RequestKey>) -> Task {
        requests.sort_unstable_by_key(|&key| Reverse(self.requests.order(key)));
        // A request that a peer has named twice is in the task once.
        requests.dedup();
        Task::Back {
            tokens: (requests.iter().map(|&key| self.requests.token(key))).collect(),
            cursors: Cursors::default(),
        }
    }
}

impl<F: Frame> Broker<F> {
    /// Takes back the requests of a worker that is gone, given in order. Those that had not started
    /// go back to the front of the queue, the others are retried or end. Returns the number of
    /// those that may have started.
    pub(super) fn reclaim(
        &mut self,
        worker: WorkerKey,
        running: impl DoubleEndedIterator<Item = RequestKey> + Clone,
        not_started: bool,
    ) -> usize {
        if running.clone().nth(PIECE).is_some() {
            let requests = running.map(|request| {
                let has_started = !not_started || self.cx.requests.has_begun(request);
                (request, has_started)
            });
            let requests: Vec<(RequestKey, bool)> = requests.collect();
            let lost = requests.iter().filter(|(_, has_started)| *has_started);
            let lost = lost.count();
            let task = self.take_back(worker, requests);
            self.put_off(task);
            return lost;
        }
        let mut lost = 0;
        // In reverse, so that the first request ends up at the front.
        for request in running.clone().rev() {
            if not_started && !self.cx.requests.has_begun(request) {
                self.requeue(request);
            } else {
                lost += 1;
                self.retry(request);
            }
        }
        for request in running.rev() {
            if self.cx.requests.worker(request) == Some(worker) {
                self.end(request, End::Failed(Code::WorkerLost));
            }
        }
        lost
    }

    /// Takes back very many requests of a worker, each with whether it may have started. They go back to their queues or
    /// end by the task, in the order of their arrival.
    #[cold]
    pub(super) fn take_back(
        &mut self,
        worker: WorkerKey,
        requests: Vec<(RequestKey, bool)>,
    ) -> Task {
        let mut taken = Vec::with_capacity(requests.len());
        let name = self.cx.id_of(worker).map(RoutingId::from);
        self.cx.count_work(requests.len() / 16);
        for (key, has_started) in requests {
            self.cx.free_slot(worker, key);
            if self.cx.reclaim(key, has_started, &name) {
                taken.push(key);
            }
        }
        self.cx.task_back(taken)
    }

    /// Puts requests back to their places in their queues. They have been set aside or searched for. The first piece of
    /// very many is put back now.
    pub(super) fn put_back(&mut self, requests: Vec<RequestKey>) {
        let task = self.cx.task_back(requests);
        self.start(task);
    }

    /// Puts some requests back to their places in their queues, by arrival, or ends them.
    pub(super) fn put_back_some(&mut self, tokens: &mut Vec<u64>, cursors: &mut Cursors) {
        let mut services: Vec<ServiceKey> = Vec::new();
        let mut piece = Piece::new(self.cx.work);
        while piece.has_room(self.cx.work)
            && let Some(token) = tokens.pop()
        {
            let Some(key) = self.cx.requests.by_token(token) else {
                continue;
            };
            let Some(request) = self.cx.requests.get(key) else {
                continue;
            };
            match &request.state {
                State::Searching(_) => self.never_started(key, cursors),
                State::SetAside(_) => {
                    self.cx.leave_queue(key);
                    self.requeue_at(key, Some(cursors));
                }
                State::Reclaimed(reclaimed) => {
                    let has_started = reclaimed.has_started;
                    if request.is_copy() || has_started && (request.retry == 0 || self.stopped) {
                        self.end(key, End::Failed(Code::WorkerLost));
                        continue;
                    }
                    self.cx.leave_queue(key);
                    if !has_started || self.count_retry(key) {
                        self.requeue_at(key, Some(cursors));
                    }
                    self.end_unplaceable(key);
                }
                _ => continue,
            }
            if let Some(request) = self.cx.requests.get(key)
                && !services.contains(&request.service)
            {
                services.push(request.service);
            }
        }
        for service in services {
            self.dispatch(service);
        }
    }
}
