//! Prefetch: the worker's reports of its pace, and the requests that it returns. [`super::pace`]
//! computes how many requests are given ahead of need.

use super::Broker;
use super::keys::{RequestKey, WorkerKey};
use super::requests::State;
use crate::proto::Time;
use crate::wire::Frame;
use crate::wire::ext::Pace as Told;

impl<F: Frame> Broker<F> {
    /// Records a worker's report of the time for this request and the previous ones.
    #[cold]
    pub(super) fn on_pace(&mut self, now: Time, key: WorkerKey, request: RequestKey, told: Told) {
        if let Some(State::Assigned(assigned)) = self.requests.get(request).map(|r| &r.state)
            && let Some(worker) = self.workers.get_mut(key)
        {
            worker.pace.told(now, assigned.given, told);
        }
    }

    /// Puts requests that the worker has not started back to the front of the queue.
    #[inline(never)]
    pub(super) fn on_return(
        &mut self,
        now: Time,
        key: WorkerKey,
        tokens: impl Iterator<Item = u64>,
    ) {
        let tokens: Vec<u64> = tokens.collect();
        self.count_work(tokens.len() / 4);
        // In reverse, so that the first request ends up at the front.
        for token in tokens.into_iter().rev() {
            let Some(request) = self.requests.by_token(token) else {
                continue;
            };
            if self.requests.worker(request) != Some(key) {
                self.authorizer.refusals.strays += 1;
                continue;
            }
            if self.requests.has_begun(request) {
                self.on_started_return(key);
                continue;
            }
            self.free_slot(key, request);
            self.requeue(now, request);
        }
        if let Some(worker) = self.workers.get_mut(key) {
            worker.pace.stall();
        }
        self.line_up(key);
        self.dispatch_for(now, key);
    }

    #[cold]
    fn on_started_return(&mut self, key: WorkerKey) {
        // The client has a part of the reply and must not receive it again.
        if let Some(worker) = self.workers.get(key).map(|worker| worker.id.clone()) {
            self.report_bad(&worker, "return of a started request");
        }
    }
}
