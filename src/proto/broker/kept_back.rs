//! Requests that are kept back from workers of which their clients have not heard, see [`roster`](super::roster).

use super::Broker;
use super::heard::Heard;
use super::keys::{ClientKey, RequestKey, WorkerKey};
use super::requests::State;
use crate::wire::Frame;

impl<F: Frame> Broker<F> {
    pub(super) fn roster_due(&mut self) {
        let (roster, cx) = (&mut self.roster, &mut self.cx);
        let begin = roster.due(cx);
        self.begin(begin);
    }

    pub(super) fn on_heard(&mut self, key: ClientKey, last: u64) {
        let (roster, cx) = (&mut self.roster, &mut self.cx);
        let confirmed = roster.heard(cx, key, last);
        if confirmed.releases {
            self.release_kept_back(key);
        }
        self.begin(confirmed.begin);
    }

    /// Lets new workers begin.
    fn begin(&mut self, workers: Vec<WorkerKey>) {
        for key in workers {
            self.line_up(key);
            self.dispatch_for(key);
        }
    }

    /// Keeps back a request that would be given to a worker of which its client has not heard, or whose client has
    /// replies on hold. Returns false if it is not kept back.
    #[cold]
    pub(super) fn keep_back(&mut self, worker: WorkerKey, key: RequestKey) -> bool {
        let Some(request) = self.cx.requests.get(key) else {
            return false;
        };
        let client = self.cx.clients.get(request.client);
        let heard = client.and_then(|client| client.heard);
        let number = self.cx.workers.get(worker).map(|worker| worker.number);
        let lacks = |heard: Heard| number.is_some_and(|number| heard.lacks(number));
        let is_behind = heard.is_some_and(lacks) || self.cx.on_hold.has_any_for(request.client);
        // The answer to a copy is never resumed.
        if request.is_copy() || !is_behind {
            return false;
        }
        let service = request.service;
        let queue = &mut self.cx.services.get_mut(service).queue;
        queue.keep_back(key, self.cx.now, &mut self.cx.requests);
        self.cx.withdraw(worker);
        self.line_up(worker);
        true
    }

    pub(super) fn release_kept_back(&mut self, client: ClientKey) {
        let Some(client) = self.cx.clients.get(client) else {
            return;
        };
        let looked_at = client.requests.len();
        let requests = client.requests.iter();
        let kept: Vec<RequestKey> = requests
            .filter(|&key| {
                let state = self.cx.requests.get(key).map(|request| &request.state);
                matches!(state, Some(State::SetAside(aside)) if aside.is_kept_back)
            })
            .collect();
        self.cx.count_work(looked_at / 32);
        self.put_back(kept);
    }
}
