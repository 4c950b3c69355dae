//! Requests that are kept back from workers of which their clients have not heard, see [`roster`](super::roster).

use super::context::Context;
use super::heard::Heard;
use super::keys::{ClientKey, RequestKey, WorkerKey};
use super::requests::State;
use crate::wire::Frame;

impl<F: Frame> Context<F> {
    /// Keeps back a request that would be given to a worker of which its client has not heard, or whose client has
    /// replies on hold. Returns false if it is not kept back; otherwise the caller updates the worker's line.
    #[cold]
    pub(super) fn keep_back(&mut self, worker: WorkerKey, key: RequestKey) -> bool {
        let Some(request) = self.requests.get(key) else {
            return false;
        };
        let client = self.clients.get(request.client);
        let heard = client.and_then(|client| client.heard);
        let number = self.workers.get(worker).map(|worker| worker.number);
        let lacks = |heard: Heard| number.is_some_and(|number| heard.lacks(number));
        let is_behind = heard.is_some_and(lacks) || self.on_hold.has_any_for(request.client);
        // The answer to a copy is never resumed.
        if request.is_copy() || !is_behind {
            return false;
        }
        let queue = &mut self.services.get_mut(request.service).queue;
        queue.keep_back(key, self.now, &mut self.requests);
        self.withdraw(worker);
        true
    }

    /// The requests of a client that are kept back.
    pub(super) fn kept_back(&mut self, client: ClientKey) -> Vec<RequestKey> {
        let Some(client) = self.clients.get(client) else {
            return Vec::new();
        };
        let kept = client.requests.iter().filter(|&key| {
            let state = self.requests.get(key).map(|request| &request.state);
            matches!(state, Some(State::SetAside(aside)) if aside.is_kept_back)
        });
        let kept = kept.collect();
        self.count_work(client.requests.len() / 32);
        kept
    }
}
