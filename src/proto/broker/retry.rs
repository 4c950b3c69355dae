//! The second start of a request: only when its client allowed it, only when its worker was lost
//! after the first, and never after the client has seen a part of the reply.
//!
//! A request that a worker gives back has not started, which is no start and costs nothing.

use super::ends::End;
use super::keys::{RequestKey, WorkerKey};
use super::{Broker, Departure};
use crate::proto::Time;
use crate::proto::code::Code;
use crate::wire::omdp::{ReplyKind, ToWorker};
use crate::wire::{Body, Dialect, Frame};

impl<F: Frame> Broker<F> {
    /// Its worker is lost, and it may have started: back to the front of the queue, with its
    /// deadline, if it may start once more.
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
        // What an earlier attempt still says is nobody's.
        self.requests.renew_token(key);
        self.counters.retried += 1;
        self.requeue(now, key);
        true
    }

    /// What a worker that is gone had in its hands, in that order: all of it back to the front of
    /// the queue if it had not started; else what may start again, and the rest is lost. Gives how
    /// many may have started.
    pub(super) fn reclaim(
        &mut self,
        now: Time,
        worker: WorkerKey,
        running: impl DoubleEndedIterator<Item = RequestKey> + Clone,
        not_started: bool,
    ) -> usize {
        let mut lost = 0;
        // From the last to the first, so that the first is at the very front in the end.
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

    /// A worker that was told to stop, and had no more time, says that it abandons a request. True
    /// if that is not the request's end.
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
            // It can't say that it takes no more, and would be given this one again.
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
