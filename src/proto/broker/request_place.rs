//! The place of a request, for the error that the client reports. A client asks for it shortly before the timeout;
//! the broker also sends it when a request fails.

use super::context::Context;
use super::keys::{ClientKey, RequestKey, WorkerKey};
use super::requests::{Request, State};
use crate::wire::Frame;
use crate::wire::omdp::{Place, ToClient};

impl<F: Frame> Context<F> {
    /// Answers a client's WHERE. An unknown request has just ended, and its end is under way.
    pub(super) fn tell_place(&mut self, client: ClientKey, rid: F) {
        if let Some(key) = self.clients.request(client, &rid, &self.requests) {
            self.tell_place_of(key);
        }
    }

    /// Tells the client of a request that fails the worker that had it, and the number of its attempts.
    #[cold]
    pub(super) fn tell_worker(&mut self, key: RequestKey) {
        let was_retried = |request: &Request<F>| request.attempts.count() > 0;
        if self.worker_name_of(key).is_some() || self.requests.get(key).is_some_and(was_retried) {
            self.tell_place_of(key);
        }
    }

    fn tell_place_of(&mut self, key: RequestKey) {
        let Some(request) = self.requests.get(key) else {
            return;
        };
        let (client, rid, earlier) = (
            request.client,
            request.rid.clone(),
            request.attempts.count(),
        );
        let place = match self.worker_name_of(key) {
            Some(name) => Place::Worker(F::from(name)),
            None if self.services.workers_of(request.service) == 0 => Place::NoWorker,
            None => Place::Queued,
        };
        let message = ToClient::Place {
            rid,
            place,
            earlier,
        };
        self.send_client(client, message);
    }

    /// The name of the worker that has a request, or from which it was taken back.
    pub(super) fn worker_name_of(&self, key: RequestKey) -> Option<&[u8]> {
        let request = self.requests.get(key)?;
        match &request.state {
            State::Reclaimed(reclaimed) => reclaimed.worker.as_deref(),
            _ => self.id_of(request.worker()?),
        }
    }

    /// The name of a worker, also of the one that is just being removed.
    pub(super) fn id_of(&self, key: WorkerKey) -> Option<&[u8]> {
        match &self.removed {
            Some((removed, id)) if *removed == key => Some(id),
            _ => self.workers.get(key).map(|worker| &*worker.id),
        }
    }
}
