//! Flow control at the broker. Credit is passed on, or given on behalf of clients that give none. A worker that
//! exceeds its window loses the request, and a peer that does not take its messages is removed.

use super::ends::End;
use super::keys::{ClientKey, RequestKey, WorkerKey};
use super::requests::State;
use super::workers::Worker;
use super::{Broker, Departure};
use crate::proto::Time;
use crate::proto::code::Code;
use crate::proto::flow::WINDOW;
use crate::wire::Frame;
use crate::wire::omdp::ToWorker;

/// Limit of unread cost for a worker that keeps windows: the window, an equal amount of miscounting because
/// JavaScript counts characters instead of bytes, a part in progress, and a margin.
const MOST_UNDER_WAY: u64 = 4 * WINDOW as u64;

/// Limit of unread cost of one request for a worker without windows.
const MOST_UNASKED: u64 = 16 * WINDOW as u64;

/// Number of overruns after which a worker is removed.
const MOST_OVERRUNS: u32 = 3;

impl<F: Frame> Broker<F> {
    /// Handles credit of a client. The request may have ended: its end and the credit have crossed.
    pub(super) fn on_credit(&mut self, now: Time, client: ClientKey, rid: &[u8], bytes: u32) {
        let Some(key) = self.clients.request(client, rid, &self.requests) else {
            return;
        };
        if let Some(request) = self.requests.get_mut(key) {
            // A client that reads wants the rest, so this is a sign of life.
            request.extend(now);
            if let (State::Assigned(assigned), Some(client)) =
                (&mut request.state, self.clients.get_mut(client))
            {
                let read = assigned.unread.min(u64::from(bytes));
                assigned.unread -= read;
                client.unread -= read;
            }
        }
        self.pay(key, bytes);
    }

    /// Counts a part that was sent to a client. A client that gives no credit is taken to have read what the
    /// transport has accepted.
    pub(super) fn owe(&mut self, key: RequestKey, cost: u32) {
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
            self.pay(key, bytes);
        }
    }

    /// Whether a worker sends a part although more is unread than its client can have permitted. This ends the
    /// request, but no other request of the client. A worker that keeps exceeding its windows is removed.
    pub(super) fn is_overrun(&mut self, now: Time, worker: WorkerKey, key: RequestKey) -> bool {
        let Some(State::Assigned(assigned)) = self.requests.get(key).map(|r| &r.state) else {
            return false;
        };
        if assigned.unread < u64::from(WINDOW) {
            return false;
        }
        let has_window = self.has_window(worker);
        let client = self.requests.get(key).map(|request| request.client);
        let unread = client.and_then(|client| self.clients.get(client));
        let unread = unread.map_or(0, |client| client.unread);
        let peer = self.config.peer_bytes as u64;
        let overrun = match has_window {
            true => assigned.unread >= MOST_UNDER_WAY,
            false => assigned.unread >= MOST_UNASKED.min(peer / 2) || unread >= peer / 2,
        };
        if overrun {
            match has_window {
                true => self.on_overrun(now, worker, key),
                false => self.on_slow_reader(now, key),
            }
        }
        overrun
    }

    fn has_window(&self, worker: WorkerKey) -> bool {
        self.workers.get(worker).is_some_and(Worker::has_window)
    }

    /// Handles a part beyond the window of a worker that announced to keep it.
    #[cold]
    fn on_overrun(&mut self, now: Time, worker: WorkerKey, key: RequestKey) {
        self.end(now, key, End::Failed(Code::BadReply));
        let Some(entry) = self.workers.get_mut(worker) else {
            return;
        };
        entry.overruns += 1;
        let (id, goes_on) = (entry.id.clone(), entry.overruns >= MOST_OVERRUNS);
        self.report_bad(&id, "more than its window");
        if goes_on {
            self.send_worker(worker, ToWorker::Disconnect);
            self.remove_worker(now, worker, Departure::Protocol);
        }
    }

    /// Ends a request whose client does not read while its worker knows no windows.
    #[cold]
    fn on_slow_reader(&mut self, now: Time, key: RequestKey) {
        self.counters.slow_peers += 1;
        if let Some(client) = self.requests.get(key).map(|request| request.client)
            && !self.clients.is_extended(client)
        {
            self.tell_client_gone(client, Departure::Slow, 1);
        }
        self.end(now, key, End::Failed(Code::ClientSlow));
    }

    pub(super) fn pay(&mut self, key: RequestKey, bytes: u32) {
        let request = self.requests.get_mut(key);
        let Some(assigned) = request.and_then(|request| request.assigned_mut()) else {
            return;
        };
        assigned.read += u64::from(bytes);
        let worker = assigned.worker;
        if self.has_window(worker) {
            let token = self.requests.token(key);
            self.send_worker(worker, ToWorker::Credit { token, bytes });
        }
    }

    /// The transport has accepted all drained messages, except those for congested peers (see
    /// [`handle_congestion`](Self::handle_congestion)). Returns true if there is more to drain now.
    pub fn handle_flushed(&mut self, now: Time) -> bool {
        if self.workers.unflushed.is_empty() {
            return false;
        }
        for key in std::mem::take(&mut self.workers.unflushed) {
            if let Some(worker) = self.workers.get_mut(key) {
                worker.handed = 0;
                self.line_up(key);
                self.dispatch_for(now, key);
            }
        }
        true
    }

    /// Whether [`handle_flushed`](Self::handle_flushed) has work to do.
    pub fn has_unflushed(&self) -> bool {
        !self.workers.unflushed.is_empty()
    }

    /// The transport keeps messages to this peer because it takes too little (`congested`), or has sent them all.
    pub fn handle_congestion(&mut self, peer: &[u8], congested: bool) {
        if let Some(key) = self.workers.find(peer)
            && let Some(worker) = self.workers.get_mut(key)
        {
            worker.congested = congested;
            if !congested {
                self.workers.unflushed.push(key);
            }
            self.line_up(key);
        }
        let Some(client_key) = self.clients.find(peer) else {
            return;
        };
        let Some(client) = self.clients.get_mut(client_key) else {
            return;
        };
        if std::mem::replace(&mut client.congested, congested) == congested {
            return;
        }
        let gives_credit = client.gives_credit();
        let requests: Vec<RequestKey> = client.requests.iter().copied().collect();
        for key in requests {
            let request = self.requests.get_mut(key);
            let Some(State::Assigned(assigned)) = request.map(|request| &mut request.state) else {
                continue;
            };
            let worker = self.workers.get(assigned.worker);
            let keeps_window = gives_credit && worker.is_some_and(Worker::has_window);
            if !congested && !keeps_window {
                let taken = std::mem::take(&mut assigned.unread);
                if let Some(client) = self.clients.get_mut(client_key) {
                    client.unread -= taken;
                }
            }
            if let Some(bytes) = assigned.debt.settle(congested) {
                self.pay(key, bytes);
            }
        }
    }

    /// The transport keeps more than the maximum for this peer, which is removed. The transport discards the kept
    /// messages, except for a client that does not know DISCONNECT, which gets errors after them.
    pub fn handle_overflow(&mut self, now: Time, peer: &[u8]) {
        // A worker that was removed before may leave its DISCONNECT unread too.
        if self.workers.find(peer).is_none() && self.clients.find(peer).is_none() {
            return;
        }
        self.counters.slow_peers += 1;
        if let Some(key) = self.workers.find(peer) {
            self.send_worker(key, ToWorker::Disconnect);
            self.remove_worker(now, key, Departure::Slow);
        }
        if let Some(key) = self.clients.find(peer) {
            self.dismiss(now, key, Departure::Slow, Code::ClientSlow);
        }
    }
}
