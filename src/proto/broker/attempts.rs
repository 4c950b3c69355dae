//! The attempts of a request: the next one when its worker rejects it, returns it or is lost.
//!
//! There is a further attempt only if the client permits it with `retry`, the previous worker was lost, and the client
//! has seen no part of the reply. A request that a worker returns or rejects has not started, so that this does not
//! count as an attempt.

use super::context::Context;
use super::keys::{RequestKey, WorkerKey};
use super::outcome::{End, text_of};
use super::requests::Request;
use super::routing::CHOICES;
use super::tasks::PIECE;
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
        if self.stopped {
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
        request.retried += 1;
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
        self.cx.free_slot(worker, request);
        self.retry(request);
        self.line_up(worker);
        self.dispatch_for(worker);
        true
    }

    /// Handles the rejection of a request by its worker. The request goes to another worker, and never to this one
    /// again.
    #[cold]
    pub(super) fn on_reject(&mut self, key: WorkerKey, request: RequestKey, reason: &Body<F>) {
        let Some(worker) = self.cx.workers.get(key) else {
            return;
        };
        let (number, id) = (worker.number, worker.id.clone());
        if self.cx.requests.is_bound(request) {
            let code = text_of(Code::Rejected);
            return self.end(request, End::Answered(ReplyKind::OwnError, code));
        }
        let Some(entry) = self.cx.requests.get_mut(request) else {
            return;
        };
        let routing = entry.routing.get_or_insert_default();
        if let Err(at) = routing.rejected.binary_search(&number) {
            routing.rejected.insert(at, number);
        }
        let is_pinned = routing.worker.is_some() || routing.part.is_some();
        let looks = routing.rejected.len() / CHOICES;
        let service = entry.service;
        self.cx.count_work(looks);
        self.cx.counters.rejected += 1;
        self.cx.services.get_mut(service).meter.rejected += 1;
        if let Some(worker) = self.cx.workers.get_mut(key) {
            worker.rejected += 1;
        }
        if self.cx.out.may_tell_fault(self.cx.now)
            && let Some(entry) = self.cx.requests.get(request)
        {
            self.cx.out.tell(BrokerEvent::RequestRejected {
                service: (&*self.cx.asked_name(entry)).into(),
                worker: (&*id).into(),
                reason: String::from_utf8_lossy(&reason.bytes).into(),
            });
        }
        if is_pinned || self.cx.is_fail_fast(request) && self.cx.is_rejected_by_all(request) {
            let code = text_of(Code::Rejected);
            return self.end(request, End::Answered(ReplyKind::OwnError, code));
        }
        // Late messages of this worker about the request are ignored.
        self.cx.requests.renew_token(request);
        self.cx.free_slot(key, request);
        self.requeue(request);
        self.line_up(key);
        self.dispatch_for(key);
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
                self.cx.counters.refusals.strays += 1;
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
            self.cx.free_slot(key, request);
            self.requeue(request);
        }
        if !returned.is_empty() {
            let task = self.take_back(key, returned);
            self.start(task);
        }
        if let Some(worker) = self.cx.workers.get_mut(key) {
            worker.pace.stall();
        }
        self.line_up(key);
        self.dispatch_for(key);
    }

    #[cold]
    fn on_started_return(&mut self, key: WorkerKey) {
        // The client has a part of the reply and must not receive it again.
        if let Some(worker) = self.cx.workers.get(key).map(|worker| worker.id.clone()) {
            self.cx.report_bad(&worker, "return of a started request");
        }
    }
}
