//! Flow control at the broker: credit is passed on, or given in the place of a client that knows
//! none; and whoever does not take what it is sent loses its place.

use super::ends::End;
use super::keys::{ClientKey, RequestKey};
use super::requests::Assigned;
use super::{Broker, Departure};
use crate::proto::Time;
use crate::proto::code::Code;
use crate::wire::Frame;
use crate::wire::omdp::{ToClient, ToWorker};

impl<F: Frame> Broker<F> {
    /// A client has read of a reply. One that has ended meanwhile crossed this on the way.
    pub(super) fn on_credit(&mut self, now: Time, client: ClientKey, rid: &[u8], bytes: u32) {
        let Some(key) = self.clients.request(client, rid, &self.requests) else {
            return;
        };
        if let Some(request) = self.requests.get_mut(key) {
            // A client that reads what has arrived still wants the rest.
            request.extend(now);
        }
        self.pay(key, bytes);
    }

    /// Takes note of a part that went to a client, which may not be able to say what it has read:
    /// then it counts as read once the transport has it.
    pub(super) fn owe(&mut self, key: RequestKey, cost: u32) {
        let Some(request) = self.requests.get_mut(key) else {
            return;
        };
        let Some(client) = self.clients.get(request.client) else {
            return;
        };
        if client.gives_credit() {
            return;
        }
        let Some(Assigned { debt, .. }) = request.assigned_mut() else {
            return;
        };
        debt.add(cost);
        if let Some(bytes) = debt.settle(client.congested) {
            self.pay(key, bytes);
        }
    }

    pub(super) fn pay(&mut self, key: RequestKey, bytes: u32) {
        let request = self.requests.get_mut(key);
        let Some(assigned) = request.and_then(|request| request.assigned_mut()) else {
            return;
        };
        assigned.read += u64::from(bytes);
        let worker = assigned.worker;
        let hello = self.workers.get(worker).and_then(|w| w.hello.as_ref());
        if hello.is_some_and(|hello| hello.flow) {
            let token = self.requests.token(key);
            self.send_worker(worker, ToWorker::Credit { token, bytes });
        }
    }

    /// Whether a peer takes less than it is sent: what is not sent yet waits for it.
    pub fn handle_congestion(&mut self, peer: &[u8], congested: bool) {
        let Some(key) = self.clients.find(peer) else {
            return;
        };
        let Some(client) = self.clients.get_mut(key) else {
            return;
        };
        if std::mem::replace(&mut client.congested, congested) == congested {
            return;
        }
        let requests: Vec<RequestKey> = client.requests.iter().copied().collect();
        for key in requests {
            let request = self.requests.get_mut(key);
            let assigned = request.and_then(|request| request.assigned_mut());
            if let Some(bytes) = assigned.and_then(|assigned| assigned.debt.settle(congested)) {
                self.pay(key, bytes);
            }
        }
    }

    /// More waits for this peer than may: it loses its place. What waits is for nobody then, unless
    /// it is a client that does not know DISCONNECT, which gets errors behind it.
    pub fn handle_overflow(&mut self, now: Time, peer: &[u8]) {
        self.counters.slow_peers += 1;
        if let Some(key) = self.workers.find(peer) {
            self.send_worker(key, ToWorker::Disconnect);
            self.remove_worker(now, key, Departure::Slow);
        }
        if let Some(key) = self.clients.find(peer) {
            if self.clients.is_extended(key) {
                self.send_client(key, ToClient::Disconnect);
                return self.lose_client(now, key, Departure::Slow);
            }
            let requests: Vec<RequestKey> = match self.clients.get(key) {
                Some(client) => client.requests.iter().copied().collect(),
                None => return,
            };
            self.tell_client_gone(key, Departure::Slow, requests.len());
            for key in requests {
                self.end(now, key, End::Failed(Code::ClientSlow));
            }
        }
    }
}
