//! Acknowledgements to workers, which keep their replies until then. One is withheld while a client may lack replies of
//! the worker: if this broker dies meanwhile, only the worker has them.

use super::context::Context;
use super::keys::{RequestKey, WorkerKey};
use super::roster::stamp;
use super::workers::Worker;
use crate::wire::Frame;
use crate::wire::omdp::{Ack, ToWorker};

impl<F: Frame> Context<F> {
    /// Counts a reply for the acknowledgement. A worker keeps its replies until they are acknowledged.
    pub(super) fn acknowledge(&mut self, key: WorkerKey, bytes: usize) {
        let worker = self.workers.get_mut(key);
        if let Some(worker) = worker.filter(|worker| worker.hello.is_some())
            && worker.unacknowledged.count(bytes)
            && let Some(ack) = self.take_ack(key)
        {
            let message = self.ack_for(key, ack);
            self.send_worker(key, message);
        }
    }

    /// Takes the acknowledgement for a worker, if there is anything to acknowledge and it is not withheld.
    pub(super) fn take_ack(&mut self, key: WorkerKey) -> Option<Ack> {
        let worker = self.workers.get_mut(key)?;
        if worker.withheld.is_empty() {
            return worker.unacknowledged.take();
        }
        let clients = &self.clients;
        let lacks = |key| clients.get(key).is_some_and(|each| each.lacks_replies());
        worker.withheld.take(&mut worker.unacknowledged, lacks)
    }

    /// Notes that the client of this request may lack a reply for some time.
    #[cold]
    pub(super) fn keep_at_worker(&mut self, request: RequestKey) {
        let worker = self.requests.worker(request);
        let Some(client) = self.requests.get(request).map(|request| request.client) else {
            return;
        };
        if let Some(worker) = worker.and_then(|key| self.workers.get_mut(key)) {
            let clients = &self.clients;
            let lacks = |key| clients.get(key).is_some_and(|each| each.lacks_replies());
            worker.withheld.note(client, lacks);
        }
    }

    /// Adds the time to an acknowledgement, for workers that record it.
    pub(super) fn ack_for(&self, key: WorkerKey, ack: Ack) -> ToWorker<F> {
        let worker = self.workers.get(key);
        let is_asked = worker.is_some_and(Worker::is_asked);
        let stamp = is_asked.then(|| stamp(self.now));
        ToWorker::Ack { ack, stamp }
    }
}
