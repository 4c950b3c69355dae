//! What becomes of a message whose charge would pass a limit, and of a peer that goes on.

use super::accounts::{OverLimit, Scope};
use super::ends::End;
use super::keys::{AccountKey, ClientKey, RequestKey};
use super::{Broker, BrokerEvent, Departure, RoutingId};
use crate::proto::Time;
use crate::proto::code::Code;
use crate::wire::Frame;
use crate::wire::omdp::{ToClient, ToWorker};

impl<F: Frame> Broker<F> {
    /// How many bytes are kept for peers, as the limits count them.
    pub fn held(&self) -> usize {
        self.accounts.total()
    }

    /// The account of a peer, for one more holder of its key.
    pub(super) fn open_account(&mut self, peer: &RoutingId) -> AccountKey {
        let user = self.authorizer.user();
        let address = self.addresses.host_of(peer);
        self.accounts.open(peer, user, address)
    }

    /// Something was not kept because a limit would have been passed.
    #[cold]
    pub(super) fn over_limit(&mut self, now: Time, from: &[u8], over: OverLimit) {
        self.counters.over_limit += 1;
        if self.gauge.pulse.beats(now) {
            self.events.push(BrokerEvent::LimitReached {
                peer: from.into(),
                user: self.authorizer.user().unwrap_or_default().into(),
                scope: over.scope.as_str(),
                held: over.held,
                limit: over.limit,
            });
        }
        let who = self.authorizer.user().map_or(from, str::as_bytes);
        if self.accounts.refused(now, who, over.scope).is_some() {
            self.remove_over_limit(now, from);
        }
    }

    /// Whether this peer was sent away and is not to be heard yet.
    pub(super) fn is_banned(&self, now: Time, from: &[u8]) -> bool {
        let bans = &self.accounts.bans;
        let who = self.authorizer.user().map_or(from, str::as_bytes);
        bans.any(now) && bans.is_banned(now, who)
    }

    /// A peer is sent away at once; for a while, unless others may have filled what is full.
    pub(super) fn send_off(&mut self, now: Time, from: &[u8], scope: Scope) {
        let who = self.authorizer.user().map_or(from, str::as_bytes);
        self.accounts.ban(now, who, scope);
        self.remove_over_limit(now, from);
    }

    fn remove_over_limit(&mut self, now: Time, from: &[u8]) {
        if let Some(key) = self.workers.find(from) {
            self.send_worker(key, ToWorker::Disconnect);
            self.remove_worker(now, key, Departure::OverLimit);
        }
        if let Some(key) = self.clients.find(from) {
            self.dismiss(now, key, Departure::OverLimit, Code::QueueFull);
        }
    }

    /// Takes its place from a client. One that does not know DISCONNECT gets errors.
    pub(super) fn dismiss(&mut self, now: Time, key: ClientKey, why: Departure, code: Code) {
        if self.clients.is_extended(key) {
            self.send_client(key, ToClient::Disconnect);
            return self.lose_client(now, key, why);
        }
        let Some(client) = self.clients.get(key) else {
            return;
        };
        let requests: Vec<RequestKey> = client.requests.iter().copied().collect();
        self.tell_client_gone(key, why, requests.len());
        for key in requests {
            self.end(now, key, End::Failed(code));
        }
    }
}
