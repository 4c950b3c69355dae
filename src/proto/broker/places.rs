//! Where a request is, for the error that its client tells of it: asked for shortly before its timeout, and said
//! unasked when it fails.

use super::Broker;
use super::keys::{ClientKey, RequestKey, WorkerKey};
use crate::wire::Frame;
use crate::wire::omdp::{Place, ToClient};

impl<F: Frame> Broker<F> {
    /// A request that is unknown ended a moment ago, and its end is on its way.
    pub(super) fn on_where(&mut self, client: ClientKey, rid: F) {
        let Some(key) = self.clients.request(client, &rid, &self.requests) else {
            return;
        };
        let Some(request) = self.requests.get(key) else {
            return;
        };
        let place = match request.worker() {
            Some(worker) => self.place_of(worker),
            None if self.services.get_mut(request.service).workers == 0 => Some(Place::NoWorker),
            None => Some(Place::Queued),
        };
        if let Some(place) = place {
            self.send_client(client, ToClient::Place { rid, place });
        }
    }

    /// The worker that a request fails at.
    #[cold]
    pub(super) fn tell_worker(&mut self, key: RequestKey) {
        let Some(request) = self.requests.get(key) else {
            return;
        };
        let (client, rid) = (request.client, request.rid.clone());
        if let Some(place) = request.worker().and_then(|worker| self.place_of(worker)) {
            self.send_client(client, ToClient::Place { rid, place });
        }
    }

    fn place_of(&self, worker: WorkerKey) -> Option<Place<F>> {
        let name = &self.workers.get(worker)?.id;
        Some(Place::Worker(F::from(&**name)))
    }
}
