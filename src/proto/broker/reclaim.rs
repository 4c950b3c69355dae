//! Requests that are taken back from their workers: those of a worker that is gone, and very many that a worker returns
//! or has not claimed. Very many go back to their queues, or end, in later turns; until then they are *reclaimed*.

use super::RoutingId;
use super::context::Context;
use super::keys::{RequestKey, WorkerKey};
use super::requests::{Cursors, Reclaimed, State};
use super::tasks::Task;
use crate::wire::Frame;

impl<F: Frame> Context<F> {
    /// Takes a request back from its worker, which has this name, and counts it beside its queue. Returns false if no
    /// worker has it.
    fn reclaim(&mut self, key: RequestKey, has_started: bool, worker: &Option<RoutingId>) -> bool {
        let Some(request) = self.requests.get_mut(key) else {
            return false;
        };
        let State::Assigned(assigned) = &mut request.state else {
            return false;
        };
        if let Some(client) = self.clients.get_mut(request.client) {
            client.unread -= assigned.unread;
        }
        let (given, copy) = (assigned.given, assigned.copy.take());
        request.state = State::Reclaimed(Reclaimed {
            given,
            has_started,
            waits: copy.is_none() && (!has_started || request.retry > 0),
            worker: worker.clone(),
            copy,
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

    /// Takes back very many requests of a worker, each with whether it may have started. They go back to their queues or
    /// end by the task, in the order of their arrival.
    #[cold]
    pub(super) fn take_back(
        &mut self,
        worker: WorkerKey,
        requests: Vec<(RequestKey, bool)>,
    ) -> Task {
        let mut taken = Vec::with_capacity(requests.len());
        let name = self.id_of(worker).map(RoutingId::from);
        self.count_work(requests.len() / 16);
        for (key, has_started) in requests {
            self.unassign(worker, key);
            if self.reclaim(key, has_started, &name) {
                taken.push(key);
            }
        }
        self.task_back(taken)
    }

    /// The task that puts requests back to their places in their queues. They have been set aside, searched for, or
    /// reclaimed.
    pub(super) fn task_back(&self, mut requests: Vec<RequestKey>) -> Task {
        requests.sort_by_cached_key(|&key| !self.requests.age_rank(key));
        // A request that a peer has named twice is in the task once.
        requests.dedup();
        Task::Back {
            tokens: (requests.iter().map(|&key| self.requests.token(key))).collect(),
            cursors: Cursors::default(),
        }
    }
}
