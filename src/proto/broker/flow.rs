//! Flow control at the broker. Credit is passed on, or given on behalf of clients that give none. A worker that
//! exceeds its window loses the request; `worker_replies` removes a worker that does so again and again.

use super::context::Context;
use super::keys::{ClientKey, RequestKey, WorkerKey};
use super::requests::State;
use super::workers::Worker;
use crate::proto::flow::WINDOW;
use crate::wire::Frame;
use crate::wire::omdp::ToWorker;

/// Limit of unread cost for a worker that keeps windows: the window, an equal amount of miscounting because
/// JavaScript counts characters instead of bytes, a part in progress, and a margin.
const MOST_UNDER_WAY: u64 = 4 * WINDOW as u64;

/// Limit of credit for what was not unread. A client whose request outlives a broker gives some: it reads parts that the
/// earlier broker had passed on. This is at most what a worker may have under way.
const MOST_BEYOND: u32 = 4 * WINDOW;

/// Limit of unread cost of one request for a worker without windows.
const MOST_UNASKED: u64 = 16 * WINDOW as u64;

/// More is unread than permitted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Overrun {
    /// The worker announced to keep the window.
    OfWorker,
    /// The client does not read. The worker knows no windows, or the client gave credit for what it has not received.
    OfClient,
}

impl<F: Frame> Context<F> {
    /// Handles credit of a client. The request may have ended: its end and the credit have crossed.
    pub(super) fn on_credit(&mut self, client: ClientKey, rid: &[u8], bytes: u32) {
        let Some(key) = self.clients.request(client, rid, &self.requests) else {
            return;
        };
        if let Some(request) = self.requests.get_mut(key) {
            // A client that reads wants the rest, so this is a sign of life.
            request.extend(self.now);
        }
        self.has_read(key, bytes);
    }

    /// Handles that a client has read this much of a reply, and passes it on as credit.
    pub(super) fn has_read(&mut self, key: RequestKey, bytes: u32) {
        if let Some(request) = self.requests.get_mut(key)
            && let State::Assigned(assigned) = &mut request.state
            && let Some(client) = self.clients.get_mut(request.client)
        {
            let read = assigned.unread.min(u64::from(bytes));
            assigned.unread -= read;
            client.unread -= read;
            let beyond = bytes - u32::try_from(read).unwrap_or(bytes);
            assigned.beyond = assigned.beyond.saturating_add(beyond);
        }
        self.give_credit(key, bytes);
    }

    /// The transport keeps messages to this client because it takes too little, or has sent them all.
    pub(super) fn client_congested(&mut self, client: ClientKey, congested: bool) {
        let Some(entry) = self.clients.get_mut(client) else {
            return;
        };
        if std::mem::replace(&mut entry.congested, congested) == congested {
            return;
        }
        let gives_credit = entry.gives_credit();
        let requests: Vec<RequestKey> = entry.requests.iter().collect();
        for key in requests {
            let request = self.requests.get_mut(key);
            let Some(State::Assigned(assigned)) = request.map(|request| &mut request.state) else {
                continue;
            };
            let worker = self.workers.get(assigned.worker);
            let keeps_window = gives_credit && worker.is_some_and(Worker::has_window);
            if !congested && !keeps_window {
                let taken = std::mem::take(&mut assigned.unread);
                if let Some(entry) = self.clients.get_mut(client) {
                    entry.unread -= taken;
                }
            }
            if let Some(bytes) = assigned.debt.settle(congested) {
                self.give_credit(key, bytes);
            }
        }
    }

    /// Counts a part that was sent to a client. A client that gives no credit is taken to have read what the
    /// transport has accepted.
    pub(super) fn count_unread(&mut self, key: RequestKey, cost: u32) {
        let Some(request) = self.requests.get_mut(key) else {
            return;
        };
        let Some(client) = self.clients.get_mut(request.client) else {
            return;
        };
        let State::Assigned(assigned) = &mut request.state else {
            return;
        };
        let worker = self.workers.get(assigned.worker);
        let counts =
            client.congested || client.gives_credit() && worker.is_some_and(Worker::has_window);
        if counts {
            assigned.unread += u64::from(cost);
            client.unread += u64::from(cost);
        }
        if client.gives_credit() {
            return;
        }
        assigned.debt.add(cost);
        if let Some(bytes) = assigned.debt.settle(client.congested) {
            self.give_credit(key, bytes);
        }
    }

    /// Whether a worker sends a part although more is unread than its client can have permitted.
    pub(super) fn overrun(&self, worker: WorkerKey, key: RequestKey) -> Option<Overrun> {
        let request = self.requests.get(key)?;
        let State::Assigned(assigned) = &request.state else {
            return None;
        };
        if assigned.unread < u64::from(WINDOW) {
            return None;
        }
        if self.has_window(worker) {
            // The worker was given this credit too, and cannot know that it is for nothing.
            let of_client = assigned.beyond > MOST_BEYOND;
            let spare = if of_client { 0 } else { assigned.beyond };
            let is_over = assigned.unread >= MOST_UNDER_WAY + u64::from(spare);
            return is_over.then_some(match of_client {
                true => Overrun::OfClient,
                false => Overrun::OfWorker,
            });
        }
        let client = self.clients.get(request.client);
        let unread = client.map_or(0, |client| client.unread);
        let peer = self.config.peer_bytes as u64;
        let is_over = assigned.unread >= MOST_UNASKED.min(peer / 2) || unread >= peer / 2;
        is_over.then_some(Overrun::OfClient)
    }

    fn has_window(&self, worker: WorkerKey) -> bool {
        self.workers.get(worker).is_some_and(Worker::has_window)
    }

    pub(super) fn give_credit(&mut self, key: RequestKey, bytes: u32) {
        let request = self.requests.get_mut(key);
        let Some(assigned) = request.and_then(|request| request.assigned_mut()) else {
            return;
        };
        // A client that resumes the request states any number.
        assigned.read = assigned.read.saturating_add(u64::from(bytes));
        let worker = assigned.worker;
        if self.has_window(worker) {
            let token = self.requests.token(key);
            self.send_worker(worker, ToWorker::Credit { token, bytes });
        }
    }
}
