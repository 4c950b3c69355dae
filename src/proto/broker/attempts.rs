//! The attempts of a request: the next one when its worker rejects it, returns it or is lost.
//!
//! There is a further attempt only if the client permits it with `retry`, the previous worker was lost, and the client
//! has seen no part of the reply. A request that a worker returns or rejects has not started, so that this does not
//! count as an attempt.

use super::context::Context;
use super::keys::{RequestKey, ServiceKey, WorkerKey};
use super::machine::Phase;
use super::outcome::{End, text_of};
use super::piece::{PIECE, Piece};
use super::requests::{Cursors, Request, State};
use super::routing::CHOICES;
use super::tasks::Task;
use super::{Broker, BrokerEvent, Departure};
use crate::proto::code::Code;
use crate::wire::omdp::{ReplyKind, ToWorker};
use crate::wire::{Body, Dialect, Frame};

impl<F: Frame> Context<F> {
    pub(super) fn may_retry(&self, key: RequestKey) -> bool {
        self.requests
            .get(key)
            .is_some_and(|request| request.retry > 0)
    }

    /// Notes that a worker has rejected a request. Returns whether no other worker can get it.
    fn note_rejection(
        &mut self,
        key: WorkerKey,
        request: RequestKey,
        reason: &Body<F>,
    ) -> Option<bool> {
        let worker = self.workers.get_mut(key)?;
        let (number, id) = (worker.number, worker.id.clone());
        if self.requests.is_bound(request) {
            return Some(true);
        }
        let entry = self.requests.get_mut(request)?;
        let is_copy = entry.is_copy();
        let routing = entry.routing.get_or_insert_default();
        if let Err(at) = routing.rejected.binary_search(&number) {
            routing.rejected.insert(at, number);
        }
        let is_pinned = routing.worker.is_some() || is_copy;
        let looks = routing.rejected.len() / CHOICES;
        let service = entry.service;
        worker.rejected += 1;
        self.counters.rejected += 1;
        self.services.get_mut(service).meter.rejected += 1;
        self.count_work(looks);
        if self.out.may_tell_fault(self.now) {
            let asked = self.asked(request);
            self.out.tell(BrokerEvent::RequestRejected {
                service: asked.as_deref().unwrap_or_default().into(),
                worker: (&*id).into(),
                reason: String::from_utf8_lossy(&reason.bytes).into(),
            });
        }
        Some(is_pinned || self.is_fail_fast(request) && self.is_rejected_by_all(request))
    }
}

impl<F: Frame> Broker<F> {
    /// Puts a request whose worker was lost, and which may have started, back to the front of the
    /// queue for another attempt. Its deadline stays. Returns false if there must not be another
    /// attempt.
    pub(super) fn retry(&mut self, key: RequestKey) -> bool {
        let is_retried = self.count_retry(key);
        if is_retried {
            self.requeue(key);
        }
        is_retried
    }

    /// As [`retry`](Self::retry), for a caller that puts the request back to the queue.
    pub(super) fn count_retry(&mut self, key: RequestKey) -> bool {
        if self.phase == Phase::Stopped {
            return false;
        }
        let Some(request) = self
            .cx
            .requests
            .get_mut(key)
            .filter(|request| request.retry > 0)
        else {
            return false;
        };
        let service = request.service;
        request.retry -= 1;
        request.attempts.add();
        let token = self.cx.requests.token(key);
        if !self.cx.on_hold.is_empty() {
            self.cx.drop_hold(token);
        }
        self.cx.services.get_mut(service).meter.retried += 1;
        // Late replies to the earlier attempt have no request any more.
        self.cx.requests.renew_token(key);
        self.cx.counters.retried += 1;
        true
    }

    /// Takes requests back from their worker, given in order, each with whether it may have started. Those that have not
    /// go back to the front of the queue, the others are retried or end. Very many do so by the task, which is returned.
    pub(super) fn take_back(
        &mut self,
        worker: WorkerKey,
        requests: Vec<(RequestKey, bool)>,
    ) -> Option<Task> {
        if requests.len() > PIECE {
            return Some(self.cx.take_back(worker, requests));
        }
        let mut lost = Vec::new();
        // In reverse, so that the first request ends up at the front.
        for (request, has_started) in requests.into_iter().rev() {
            if self.cx.requests.worker(request) != Some(worker) {
                continue;
            }
            self.cx.unassign(worker, request);
            if !has_started {
                self.requeue(request);
            } else if !self.retry(request) {
                lost.push(request);
            }
        }
        for request in lost {
            if self.cx.requests.worker(request) == Some(worker) {
                self.end(request, End::Failed(Code::WorkerLost));
            }
        }
        None
    }

    /// Puts requests back to their places in their queues. They have been set aside or searched for. The first piece of
    /// very many is put back now.
    pub(super) fn put_back(&mut self, requests: Vec<RequestKey>) {
        if !requests.is_empty() {
            let task = self.cx.task_back(requests);
            self.start(task);
        }
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
                    if request.is_copy()
                        || has_started && (request.retry == 0 || self.phase == Phase::Stopped)
                    {
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

    /// Handles the error `W_LOST` of a worker that had to stop before its request ended, or `B_LOST` of one that no
    /// longer has the reply. Returns true if the request is retried.
    pub(super) fn is_given_up(
        &mut self,
        worker: WorkerKey,
        request: RequestKey,
        kind: ReplyKind,
        body: &Body<F>,
    ) -> bool {
        if kind != ReplyKind::OwnError || !self.cx.may_retry(request) {
            return false;
        }
        let code = Code::from_json(&body.clone().into_value().bytes);
        if !matches!(code, Some(Code::WorkerLost | Code::BrokerLost)) {
            return false;
        }
        let Some(entry) = self.cx.workers.get(worker) else {
            return false;
        };
        if entry.hello.is_none() {
            // The worker cannot announce that it takes no more requests, and would be given this
            // one again.
            let (id, dialect) = (entry.id.clone(), entry.dialect);
            match dialect {
                Dialect::Mdp(dialect) => self.disconnect(&id, dialect),
                Dialect::Omdp | Dialect::Pigato => {
                    self.cx.send_worker(worker, ToWorker::Disconnect)
                }
            }
            self.remove_worker(worker, Departure::Goodbye);
            return true;
        }
        self.cx.unassign(worker, request);
        self.retry(request);
        self.put_to_work(worker);
        true
    }

    /// Handles the rejection of a request by its worker. The request goes to another worker, and never to this one
    /// again.
    #[cold]
    pub(super) fn on_reject(&mut self, key: WorkerKey, request: RequestKey, reason: &Body<F>) {
        let Some(is_last) = self.cx.note_rejection(key, request, reason) else {
            return;
        };
        if is_last {
            let code = text_of(Code::Rejected);
            return self.end(request, End::Answered(ReplyKind::OwnError, code));
        }
        // Late messages of this worker about the request are ignored.
        self.cx.requests.renew_token(request);
        self.cx.unassign(key, request);
        self.requeue(request);
        self.put_to_work(key);
    }

    /// Puts requests that the worker has not started back to the front of the queue.
    #[inline(never)]
    pub(super) fn on_return(&mut self, key: WorkerKey, tokens: impl Iterator<Item = u64>) {
        let tokens: Vec<u64> = tokens.collect();
        self.cx.count_work(tokens.len() / 4);
        let is_much = tokens.len() > PIECE;
        let mut returned = Vec::new();
        // In reverse, so that the first request ends up at the front.
        for token in tokens.into_iter().rev() {
            let Some(request) = self.cx.requests.by_token(token) else {
                continue;
            };
            if self.cx.requests.worker(request) != Some(key) {
                self.cx.refusals.strays += 1;
                continue;
            }
            if self.cx.requests.has_begun(request) {
                self.on_started_return(key);
                continue;
            }
            let is_copy = self.cx.requests.get(request).is_some_and(Request::is_copy);
            if is_much && !is_copy {
                returned.push((request, false));
                continue;
            }
            self.cx.unassign(key, request);
            self.requeue(request);
        }
        if !returned.is_empty() {
            let task = self.cx.take_back(key, returned);
            self.start(task);
        }
        if let Some(worker) = self.cx.workers.get_mut(key) {
            worker.pace.stall();
        }
        self.put_to_work(key);
    }

    #[cold]
    fn on_started_return(&mut self, key: WorkerKey) {
        // The client has a part of the reply and must not receive it again.
        if let Some(worker) = self.cx.workers.get(key).map(|worker| worker.id.clone()) {
            self.cx.report_bad(&worker, "return of a started request");
        }
    }
}
