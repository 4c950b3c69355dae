//! Flow control at the broker: credit is passed on, or given in the place of a client that knows
//! none; a worker that sends more than it may loses the request; and a peer that does not take what
//! it is sent loses its place.

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

/// What a worker with windows can have under way: its window, as much again that its user has
/// miscounted, since JavaScript counts characters and not bytes, and a part that was begun.
const MOST_UNDER_WAY: u64 = 4 * WINDOW as u64;

/// What a worker without windows may send while its client does not read, for one request.
const MOST_UNASKED: u64 = 16 * WINDOW as u64;

/// So many requests a worker may lose because it sent more than its window.
const MOST_OVERRUNS: u32 = 3;

impl<F: Frame> Broker<F> {
    /// A client has read of a reply. One that has ended meanwhile crossed this on the way.
    pub(super) fn on_credit(&mut self, now: Time, client: ClientKey, rid: &[u8], bytes: u32) {
        let Some(key) = self.clients.request(client, rid, &self.requests) else {
            return;
        };
        if let Some(request) = self.requests.get_mut(key) {
            // A client that reads what has arrived still wants the rest.
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

    /// Takes note of a part that went to a client. One that can't say what it has read is taken to
    /// have read what the transport has.
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

    /// Whether a worker sends a part although more lies unread than its client can have let it send:
    /// that ends the request, and nothing else of the client's. A worker that keeps sending beyond
    /// its windows loses its place.
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

    /// A worker that promised to keep to windows did not.
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

    /// The worker knows no windows, and the client does not read.
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

    /// All that was drained is with the transport, but for what waits for peers of which
    /// [`handle_congestion`](Self::handle_congestion) has told. True if that made more to send.
    pub fn handle_flushed(&mut self, now: Time) -> bool {
        if self.workers.unsettled.is_empty() {
            return false;
        }
        for key in std::mem::take(&mut self.workers.unsettled) {
            if let Some(worker) = self.workers.get_mut(key) {
                worker.handed = 0;
                self.line_up(key);
                self.dispatch_for(now, key);
            }
        }
        true
    }

    /// Whether [`handle_flushed`](Self::handle_flushed) has something to do.
    pub fn has_unflushed(&self) -> bool {
        !self.workers.unsettled.is_empty()
    }

    /// Whether a peer takes less than it is sent: what is not sent yet waits for it.
    pub fn handle_congestion(&mut self, peer: &[u8], congested: bool) {
        if let Some(key) = self.workers.find(peer)
            && let Some(worker) = self.workers.get_mut(key)
        {
            worker.congested = congested;
            if !congested {
                self.workers.unsettled.push(key);
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

    /// More waits for this peer than may: it loses its place. What waits is for nobody then, unless
    /// it is a client that does not know DISCONNECT, which gets errors behind it.
    pub fn handle_overflow(&mut self, now: Time, peer: &[u8]) {
        // A worker that was given up before may not take its DISCONNECT either.
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
