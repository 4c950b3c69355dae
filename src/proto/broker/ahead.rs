//! Requests that a worker is given ahead of need: what it says of its pace, and what it gives back.
//! How many they are is in [`super::pace`].

use super::Broker;
use super::keys::{RequestKey, WorkerKey};
use super::requests::State;
use crate::proto::Time;
use crate::wire::Frame;
use crate::wire::ext::Pace as Told;

impl<F: Frame> Broker<F> {
    /// The worker says how long it took for this one, and for those before.
    #[cold]
    pub(super) fn on_pace(&mut self, now: Time, key: WorkerKey, request: RequestKey, told: Told) {
        if let Some(State::Assigned(assigned)) = self.requests.get(request).map(|r| &r.state)
            && let Some(worker) = self.workers.get_mut(key)
        {
            worker.pace.told(now, assigned.given, told);
        }
    }

    /// Requests that the worker has not started, and will not: back to the front of the queue.
    #[inline(never)]
    pub(super) fn on_return(
        &mut self,
        now: Time,
        key: WorkerKey,
        tokens: impl Iterator<Item = u64>,
    ) {
        let tokens: Vec<u64> = tokens.collect();
        self.count_work(tokens.len() / 4);
        // From the last to the first, so that the first is at the very front in the end.
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
        // Its client has a part of the reply, and must not get that twice.
        if let Some(worker) = self.workers.get(key).map(|worker| worker.id.clone()) {
            self.report_bad(&worker, "return of a started request");
        }
    }
}
