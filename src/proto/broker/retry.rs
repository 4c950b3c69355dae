//! Further attempts of a request. There is one only if the client permits it with `retry`, the
//! previous worker was lost, and the client has seen no part of the reply.
//!
//! A request that a worker returns has not started, so a return does not count as an attempt.

use super::ends::End;
use super::keys::{RequestKey, WorkerKey};
use super::{Broker, Departure};
use crate::proto::Time;
use crate::proto::code::Code;
use crate::wire::omdp::{ReplyKind, ToWorker};
use crate::wire::{Body, Dialect, Frame};

impl<F: Frame> Broker<F> {
    /// Puts a request whose worker was lost, and which may have started, back to the front of the
    /// queue for another attempt. Its deadline stays. Returns false if there must not be another
    /// attempt.
    pub(super) fn retry(&mut self, now: Time, key: RequestKey) -> bool {
        if self.stopped {
            return false;
        }
        let Some(request) = self
            .requests
            .get_mut(key)
            .filter(|request| request.retry > 0)
        else {
            return false;
        };
        request.retry -= 1;
        request.retried += 1;
        self.services.get_mut(request.service).meter.retried += 1;
        // Late replies to the earlier attempt have no request any more.
        self.requests.renew_token(key);
        self.counters.retried += 1;
        self.requeue(now, key);
        true
    }

    /// Takes back the requests of a worker that is gone, given in order. Those that had not started
    /// go back to the front of the queue, the others are retried or end. Returns the number of
    /// those that may have started.
    pub(super) fn reclaim(
        &mut self,
        now: Time,
        worker: WorkerKey,
        running: impl DoubleEndedIterator<Item = RequestKey> + Clone,
        not_started: bool,
    ) -> usize {
        let mut lost = 0;
        // In reverse, so that the first request ends up at the front.
        for request in running.clone().rev() {
            if not_started && !self.requests.has_begun(request) {
                self.requeue(now, request);
            } else {
                lost += 1;
                self.retry(now, request);
            }
        }
        for request in running.rev() {
            if self.requests.worker(request) == Some(worker) {
                self.end(now, request, End::Failed(Code::WorkerLost));
            }
        }
        lost
    }

    /// Handles the error `W_LOST` of a worker that had to stop before its request ended. Returns
    /// true if the request is retried.
    pub(super) fn is_given_up(
        &mut self,
        now: Time,
        worker: WorkerKey,
        request: RequestKey,
        kind: ReplyKind,
        body: &Body<F>,
    ) -> bool {
        if kind != ReplyKind::OwnError || !self.may_retry(request) {
            return false;
        }
        if *body.clone().into_value().bytes != *Code::WorkerLost.to_json() {
            return false;
        }
        let Some(entry) = self.workers.get(worker) else {
            return false;
        };
        if entry.hello.is_none() {
            // The worker cannot announce that it takes no more requests, and would be given this
            // one again.
            let (id, dialect) = (entry.id.clone(), entry.dialect);
            match dialect {
                Dialect::Mdp(dialect) => self.disconnect(&id, dialect),
                Dialect::Omdp | Dialect::Pigato => self.send_worker(worker, ToWorker::Disconnect),
            }
            self.remove_worker(now, worker, Departure::Goodbye);
            return true;
        }
        self.free_slot(worker, request);
        self.retry(now, request);
        self.line_up(worker);
        self.dispatch_for(now, worker);
        true
    }

    pub(super) fn may_retry(&self, key: RequestKey) -> bool {
        self.requests
            .get(key)
            .is_some_and(|request| request.retry > 0)
    }
}
