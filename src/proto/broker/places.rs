//! The place of a request, for the error that the client reports. A client asks for it shortly before the timeout;
//! the broker also sends it when a request fails.

use super::context::Context;
use super::keys::{ClientKey, RequestKey, WorkerKey};
use super::workers::Workers;
use crate::wire::Frame;
use crate::wire::omdp::{Place, ToClient};

impl<F: Frame> Context<F> {
    /// Answers a client's WHERE. An unknown request has just ended, and its end is under way.
    pub(super) fn tell_place(&mut self, client: ClientKey, rid: F) {
        let Some(key) = self.clients.request(client, &rid, &self.requests) else {
            return;
        };
        let Some(request) = self.requests.get(key) else {
            return;
        };
        let place = match request.worker() {
            Some(worker) => place_of(&self.workers, worker),
            None if self.services.get_mut(request.service).workers == 0 => Some(Place::NoWorker),
            None => Some(Place::Queued),
        };
        if let Some(place) = place {
            self.send_client(client, ToClient::Place { rid, place });
        }
    }

    /// Tells the client the worker of a request that fails.
    #[cold]
    pub(super) fn tell_worker(&mut self, key: RequestKey) {
        let Some(request) = self.requests.get(key) else {
            return;
        };
        let (client, rid) = (request.client, request.rid.clone());
        let worker = request.worker();
        if let Some(place) = worker.and_then(|worker| place_of(&self.workers, worker)) {
            self.send_client(client, ToClient::Place { rid, place });
        }
    }
}

fn place_of<F: Frame>(workers: &Workers, worker: WorkerKey) -> Option<Place<F>> {
    let name = &workers.get(worker)?.id;
    Some(Place::Worker(F::from(&**name)))
}
