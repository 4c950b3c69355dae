//! Refusal of messages that would exceed a limit of held bytes, and the ban of peers that go on.

use super::accounts::{OverLimit, Scope};
use super::ends::End;
use super::keys::{AccountKey, ClientKey, RequestKey};
use super::{Broker, BrokerEvent, Departure, RoutingId};
use crate::proto::Time;
use crate::proto::code::Code;
use crate::wire::Frame;
use crate::wire::omdp::{ToClient, ToWorker};

impl<F: Frame> Broker<F> {
    /// Bytes held for all peers, as charged.
    pub fn held(&self) -> usize {
        self.accounts.total()
    }

    /// Opens the account of a peer for another holder.
    pub(super) fn open_account(&mut self, peer: &RoutingId) -> AccountKey {
        let user = self.authorizer.user();
        let address = self.addresses.host_of(peer);
        self.accounts.open(peer, user, address)
    }

    /// Counts and reports a charge that was refused, and bans the peer if there were too many.
    #[cold]
    pub(super) fn over_limit(&mut self, now: Time, from: &[u8], over: OverLimit) {
        self.counters.over_limit += 1;
        if self.gauge.pulse.beats(now) {
            self.out.tell(BrokerEvent::LimitReached {
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

    /// Whether messages of this peer are ignored now.
    pub(super) fn is_banned(&self, now: Time, from: &[u8]) -> bool {
        let bans = &self.accounts.bans;
        let who = self.authorizer.user().map_or(from, str::as_bytes);
        bans.any(now) && bans.is_banned(now, who)
    }

    /// Removes a peer at once, and bans it unless other peers may have caused the refusal.
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

    /// Charges the growth of a client's reply log. Returns false if its account or the log is full.
    #[cold]
    pub(super) fn stretch_log(&mut self, key: ClientKey) -> bool {
        let (Some(client), Some(bytes)) = (self.clients.get_mut(key), self.logs.lacks(key)) else {
            return false;
        };
        if self.accounts.charge(client.account, bytes).is_err() {
            self.counters.over_limit += 1;
            return false;
        }
        client.charged += bytes;
        self.logs.allow(key, bytes);
        true
    }

    /// Credits what a client's reply log no longer needs.
    pub(super) fn credit_log(&mut self, key: ClientKey) {
        let surplus = self.logs.take_back(key);
        if surplus > 0
            && let Some(client) = self.clients.get_mut(key)
        {
            client.charged -= surplus;
            self.accounts.credit(client.account, surplus);
        }
    }

    /// Removes a client. A client that does not know DISCONNECT receives errors for its requests.
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
