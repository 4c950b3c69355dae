//! The broker's calls to its parts: it lends them what they need, and carries out what they return.

use super::Broker;
use super::context::lend;
use super::heard::Heard;
use super::keys::{ClientKey, RequestKey, ServiceKey, WorkerKey};
use super::requests::State;
use super::unparking::Released;
use super::workers::Worker;
use crate::proto::Time;
use crate::wire::Frame;
use crate::wire::omdp::{RosterHead, ToClient, ToWorker};

impl<F: Frame> Broker<F> {
    #[inline]
    pub(super) fn send_worker(&mut self, key: WorkerKey, message: ToWorker<F>) {
        if let Some(worker) = self.workers.get(key) {
            self.out.send_worker(worker, message);
        }
    }

    #[inline]
    pub(super) fn send_client(&mut self, key: ClientKey, message: ToClient<F>) {
        if let Some(client) = self.clients.get(key) {
            self.out.send_client(client, message);
        }
    }

    // Parking.

    pub(super) fn watch(&mut self, now: Time, key: RequestKey) {
        let (parking, cx) = lend!(self, now, parking);
        parking.watch(cx, key);
    }

    #[inline]
    pub(super) fn ask_ahead(&mut self, now: Time, service: ServiceKey) -> bool {
        let (parking, cx) = lend!(self, now, parking);
        parking.ask_ahead(cx, service)
    }

    pub(super) fn parking_due(&mut self, now: Time) {
        let (parking, cx) = lend!(self, now, parking);
        for service in parking.due(cx) {
            self.dispatch(now, service);
        }
    }

    pub(super) fn on_go(&mut self, now: Time, client: ClientKey, frame: &[u8]) {
        let (parking, cx) = lend!(self, now, parking);
        let Released { services, back } = parking.release(cx, client, frame);
        self.count_work(frame.len() / 64);
        // In reverse, so that the first request ends up at the front.
        for &key in back.iter().rev() {
            // A request that was named twice has been put back already.
            let state = self.requests.get(key).map(|request| &request.state);
            if matches!(state, Some(State::SetAside(_))) {
                self.leave_queue(key);
                self.requeue(now, key);
            }
        }
        for service in services {
            self.dispatch(now, service);
        }
    }

    pub(super) fn close_parking(&mut self) {
        let (parking, cx) = lend!(self, self.now, parking);
        parking.close(cx);
    }

    // The roster.

    pub(super) fn add_to_roster(&mut self, now: Time, key: WorkerKey) {
        let (roster, cx) = lend!(self, now, roster);
        roster.add(cx, key);
    }

    pub(super) fn remove_from_roster(&mut self, now: Time, worker: &Worker) {
        let (roster, cx) = lend!(self, now, roster);
        roster.remove(cx, worker);
    }

    pub(super) fn whole_roster(&mut self, key: ClientKey) -> Option<(RosterHead, F)> {
        let (roster, cx) = lend!(self, self.now, roster);
        roster.whole(cx, key)
    }

    pub(super) fn beat_client(&mut self, key: ClientKey) {
        if let Some(client) = self.clients.get(key) {
            let message = self.roster.beat(self.now, client.heard);
            self.out.send_client(client, message);
        }
    }

    pub(super) fn roster_due(&mut self, now: Time) {
        let (roster, cx) = lend!(self, now, roster);
        let begin = roster.due(cx);
        self.begin(now, begin);
    }

    pub(super) fn on_heard(&mut self, now: Time, key: ClientKey, last: u64) {
        let (roster, cx) = lend!(self, now, roster);
        let confirmed = roster.heard(cx, key, last);
        if confirmed.releases {
            self.release_kept_back(now, key);
        }
        self.begin(now, confirmed.begin);
    }

    /// Lets new workers begin.
    fn begin(&mut self, now: Time, workers: Vec<WorkerKey>) {
        for key in workers {
            self.line_up(key);
            self.dispatch_for(now, key);
        }
    }

    pub(super) fn leave_behind(&mut self, key: ClientKey) {
        let (roster, cx) = lend!(self, self.now, roster);
        roster.leave_behind(cx, key);
    }

    pub(super) fn close_heard(&mut self, heard: Option<Heard>) {
        if let Some(heard) = heard {
            let (roster, cx) = lend!(self, self.now, roster);
            roster.forget(cx, heard);
        }
    }

    /// Keeps back a request that would be given to a worker while its client is behind. Returns false if it is not.
    #[cold]
    pub(super) fn keep_back(&mut self, worker: WorkerKey, key: RequestKey) -> bool {
        let Some(request) = self.requests.get(key) else {
            return false;
        };
        let client = self.clients.get(request.client);
        let heard = client.and_then(|client| client.heard);
        // The answer to a copy is never resumed.
        if request.is_copy() || !heard.is_some_and(Heard::is_behind) {
            return false;
        }
        let service = request.service;
        let queue = &mut self.services.get_mut(service).queue;
        queue.keep_back(key, self.now, &mut self.requests);
        if let Some(worker) = self.workers.get_mut(worker) {
            worker.position = None;
        }
        self.line_up(worker);
        true
    }

    fn release_kept_back(&mut self, now: Time, client: ClientKey) {
        let Some(client) = self.clients.get(client) else {
            return;
        };
        let requests = client.requests.iter().copied();
        let mut kept: Vec<RequestKey> = requests
            .filter(|&key| {
                let state = self.requests.get(key).map(|request| &request.state);
                matches!(state, Some(State::SetAside(aside)) if aside.is_kept_back)
            })
            .collect();
        // In reverse, so that the first request ends up at the front.
        kept.sort_unstable_by_key(|&key| std::cmp::Reverse(self.requests.order(key)));
        let mut services: Vec<ServiceKey> = Vec::new();
        for key in kept {
            self.leave_queue(key);
            self.requeue(now, key);
            if let Some(request) = self.requests.get(key)
                && !services.contains(&request.service)
            {
                services.push(request.service);
            }
        }
        for service in services {
            self.dispatch(now, service);
        }
    }

    // The places of requests.

    pub(super) fn on_where(&mut self, client: ClientKey, rid: F) {
        let (_, cx) = lend!(self, self.now, roster);
        cx.tell_place(client, rid);
    }

    #[cold]
    pub(super) fn tell_worker(&mut self, key: RequestKey) {
        let (_, cx) = lend!(self, self.now, roster);
        cx.tell_worker(key);
    }
}
