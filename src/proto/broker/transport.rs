//! Reports of the transport beside messages: connections, addresses, names, and messages that wait.

use super::access::Authorizer;
use super::accounts::{OverLimit, Scope};
use super::heartbeats::{self, Heartbeats};
use super::transport_charges::{self, Way};
use super::{Broker, Departure, NameDecision, Role, RoutingId, names};
use crate::proto::Time;
use crate::proto::code::Code;
use crate::wire::omdp::ToWorker;
use crate::wire::{Frame, Hello};
use std::time::Duration;

/// Bytes that may wait for a peer although a limit is reached that other peers may have filled.
const FREE_OF_SHARED_LIMITS: usize = 1024 * 1024;

/// Maximum of requests of a worker whose charges are added up.
const MAX_ADDED_UP: usize = 4096;

impl<F: Frame> Broker<F> {
    /// Records the address of a peer's connection, or with `None` the end of the connection.
    pub fn handle_address(&mut self, peer: &RoutingId, address: Option<&str>) {
        self.cx.addresses.handle(peer, address);
    }

    /// Records the number of connections. The more there are, the less is kept for each without a charge.
    #[inline]
    pub fn note_connections(&mut self, connections: usize) {
        if self.cx.accounts.note_connections(connections) {
            self.replies.logs.note_free(&self.cx.accounts);
        }
    }

    /// Records how long the connection of a peer had existed when its hello arrived. Peers on a shared connection are
    /// as distant as the one whose hello came first.
    #[cold]
    pub fn note_arrival(&mut self, peer: &[u8], took: Option<Duration>, first: &[u8]) {
        let distance = match took {
            Some(took) => Some(heartbeats::distance(took)),
            None if peer == first => None,
            None => self.beats_of(first).map(|beats| beats.distance()),
        };
        if let Some(distance) = distance
            && let Some(beats) = self.beats_of(peer)
        {
            beats.set_distance(distance);
        }
    }

    fn beats_of(&mut self, peer: &[u8]) -> Option<&mut Heartbeats> {
        if let Some(key) = self.cx.workers.find(peer) {
            return self.cx.workers.get_mut(key).map(|worker| &mut worker.beats);
        }
        let key = self.cx.clients.find(peer)?;
        self.cx.clients.get_mut(key).map(|client| &mut client.beats)
    }

    /// Handles the first message on a connection with this name. If a worker has the name, the transport has taken it
    /// from the worker's connection, and the worker is detached. Clients' names are not public, so they are not kept.
    pub fn handle_new_connection(&mut self, now: Time, peer: &[u8]) {
        self.cx.now = now;
        if let Some(key) = self.cx.workers.find(peer) {
            self.cx
                .detach_worker(&mut self.claims, key, Departure::Replaced);
        }
    }

    /// Handles the end of a peer's connection. It may be reported again for each message that cannot be delivered.
    pub fn handle_gone(&mut self, now: Time, peer: &[u8]) {
        self.end_connection(now, peer, Departure::Connection);
    }

    /// Handles that a peer's connection was reset or timed out. The peer may live and not notice it. May follow
    /// [`handle_gone`](Self::handle_gone).
    pub fn handle_broken(&mut self, now: Time, peer: &[u8]) {
        self.end_connection(now, peer, Departure::Broken);
    }

    fn end_connection(&mut self, now: Time, peer: &[u8], why: Departure) {
        self.cx.now = now;
        self.expelled.remove(peer);
        let (worker, client) = (self.cx.workers.find(peer), self.cx.clients.find(peer));
        let worker = worker.filter(|&key| !self.cx.detach_worker(&mut self.claims, key, why));
        let client = client.filter(|&key| !self.cx.detach_client(&mut self.replies.logs, key, why));
        self.authorizer.withhold(&mut self.cx, peer);
        if let Some(worker) = worker {
            self.remove_worker(worker, why);
        }
        if let Some(client) = client {
            self.client_gone(client);
        }
        self.forget_peer(peer);
    }

    /// Charges the current backlog of a peer, in bytes. Returns false if it is too large: the peer is banned, and the
    /// driver discards the backlog.
    pub fn handle_waiting_from(&mut self, now: Time, peer: &[u8], bytes: usize) -> bool {
        self.cx.now = now;
        let Err(over) = self.try_to_charge(peer, Way::From, bytes) else {
            self.cx.speaker = None;
            return true;
        };
        self.over_limit(peer, over);
        self.remove_and_ban(peer, over.scope);
        self.transport_charges
            .shrink(&mut self.cx.accounts, peer, Way::From, 0);
        self.cx.speaker = None;
        false
    }

    /// Charges a message that is not complete, in bytes, to this peer. It came over a connection with these peers.
    /// Returns false if it is too large: the driver discards it.
    pub fn handle_unfinished(
        &mut self,
        now: Time,
        payer: &[u8],
        bytes: usize,
        peers: &[RoutingId],
    ) -> bool {
        self.cx.now = now;
        let charged = self.try_to_charge(payer, Way::Unfinished, bytes);
        let is_kept = match charged {
            Ok(()) => {
                self.exemption.end(payer);
                true
            }
            Err(over) => {
                let is_exempt = self.is_exempt(payer, bytes, over.scope, peers);
                if !is_exempt {
                    self.over_limit(payer, over);
                }
                is_exempt
            }
        };
        self.cx.speaker = None;
        is_kept
    }

    /// The peer that lost the exemption for its incomplete message, which the driver discards; see
    /// [`handle_unfinished`](Self::handle_unfinished).
    pub fn take_displaced_message(&mut self) -> Option<RoutingId> {
        self.exemption.take_lost()
    }

    /// Whether an incomplete message may exceed a limit that other peers share, without a charge: true for a connection
    /// with a worker that has requests.
    fn is_exempt(&mut self, payer: &[u8], bytes: usize, scope: Scope, peers: &[RoutingId]) -> bool {
        let workers = &self.cx.workers;
        let is_busy = |peer: &RoutingId| {
            let worker = workers.find(peer).and_then(|key| workers.get(key));
            worker.is_some_and(|worker| !worker.running.is_empty())
        };
        if scope == Scope::Peer || !peers.iter().any(is_busy) {
            return false;
        }
        let patience = self.cx.config.patience(None);
        (self.exemption).covers(self.cx.now, patience, payer, bytes)
    }

    /// Messages of this peer have arrived and wait for its turn, or a part of one has arrived: it is not silent.
    pub fn handle_heard(&mut self, now: Time, peer: &[u8]) {
        self.cx.now = now;
        if let Some(key) = self.cx.workers.find(peer)
            && let Some(worker) = self.cx.workers.get_mut(key)
        {
            worker.beats.heard(now);
        }
        if let Some(key) = self.cx.clients.find(peer)
            && let Some(client) = self.cx.clients.get_mut(key)
        {
            client.beats.heard(now);
        }
    }

    /// Charges the messages that wait for this peer to take them, in bytes. Returns false if they are too many: the
    /// driver then calls [`handle_overflow`](Self::handle_overflow).
    pub fn handle_waiting_to(&mut self, now: Time, peer: &[u8], bytes: usize) -> bool {
        self.cx.now = now;
        let free = self.cx.accounts.free(transport_charges::FREE);
        if bytes <= free && self.transport_charges.is_empty() {
            return true;
        }
        let mine = |scope| matches!(scope, Scope::Peer | Scope::User);
        let may_wait = match self.try_to_charge(peer, Way::To, bytes) {
            Ok(()) => true,
            Err(over)
                if over.scope != Scope::Peer
                    && self.are_of_requests(peer, bytes.saturating_sub(free)) =>
            {
                true
            }
            Err(over) => {
                self.over_limit(peer, over);
                bytes <= FREE_OF_SHARED_LIMITS && !mine(over.scope)
            }
        };
        self.cx.speaker = None;
        may_wait
    }

    /// Whether so many of the bytes that wait for a worker are of requests that it has. Their clients' accounts have them
    /// until the requests end.
    #[cold]
    fn are_of_requests(&self, peer: &[u8], bytes: usize) -> bool {
        let worker = self.cx.workers.find(peer);
        let Some(worker) = worker.and_then(|key| self.cx.workers.get(key)) else {
            return false;
        };
        let requests = worker.running.iter().take(MAX_ADDED_UP);
        let charges = requests.filter_map(|key| Some(self.cx.requests.get(key)?.charged));
        charges.sum::<usize>() >= bytes
    }

    /// Charges or credits the change of the waiting bytes. The user of the peer remains the current one.
    fn try_to_charge(&mut self, peer: &[u8], way: Way, bytes: usize) -> Result<(), OverLimit> {
        self.cx.speaker = self.authorizer.principal_of(peer);
        self.transport_charges
            .update(&mut self.cx, peer, way, bytes)
    }

    /// The transport has accepted all drained messages, except those for congested peers (see
    /// [`handle_congestion`](Self::handle_congestion)). Returns true if there is more to drain now.
    pub fn handle_flushed(&mut self, now: Time) -> bool {
        self.cx.now = now;
        if self.cx.workers.unflushed.is_empty() {
            return false;
        }
        // The work belongs to no message, so it is not counted.
        self.cx.work = 0;
        for key in std::mem::take(&mut self.cx.workers.unflushed) {
            if let Some(worker) = self.cx.workers.get_mut(key) {
                worker.handed = 0;
                self.put_to_work(key);
            }
        }
        self.cx.work = 0;
        true
    }

    /// Whether [`handle_flushed`](Self::handle_flushed) has work to do.
    pub fn has_unflushed(&self) -> bool {
        !self.cx.workers.unflushed.is_empty()
    }

    /// The transport keeps messages to this peer because it takes too little (`congested`), or has sent them all.
    pub fn handle_congestion(&mut self, peer: &[u8], congested: bool) {
        if let Some(key) = self.cx.workers.find(peer)
            && let Some(worker) = self.cx.workers.get_mut(key)
        {
            worker.congested = congested;
            if !congested {
                self.cx.workers.unflushed.push(key);
            }
            self.line_up(key);
        }
        if let Some(key) = self.cx.clients.find(peer) {
            self.cx.client_congested(key, congested);
        }
    }

    /// The transport keeps more than the maximum for this peer, which is removed. The transport discards the kept
    /// messages, except for a client that does not know DISCONNECT, which gets errors after them.
    pub fn handle_overflow(&mut self, now: Time, peer: &[u8]) {
        self.cx.now = now;
        // A worker that was removed before may leave its DISCONNECT unread too.
        if self.cx.workers.find(peer).is_none() && self.cx.clients.find(peer).is_none() {
            return;
        }
        self.cx.counters.slow_peers += 1;
        if let Some(key) = self.cx.workers.find(peer) {
            self.cx.send_worker(key, ToWorker::Disconnect);
            self.remove_worker(key, Departure::Slow);
        }
        if let Some(key) = self.cx.clients.find(peer) {
            self.dismiss(key, Departure::Slow, Code::ClientSlow);
        }
    }

    /// Decides whether a new connection with this hello may have the name.
    pub fn decide_name(
        &mut self,
        now: Time,
        name: &[u8],
        hello: &Hello,
        principal: Option<&str>,
    ) -> NameDecision {
        self.cx.now = now;
        let authorizer: &Authorizer<F> = &self.authorizer;
        let has_principal = |peer: &[u8]| authorizer.has_principal(peer, principal);
        match self.cx.decide_name(name, hello, has_principal) {
            Some(decision) => decision,
            None => {
                self.lose_holders(name);
                NameDecision::Granted
            }
        }
    }

    fn lose_holders(&mut self, name: &[u8]) {
        let holders = self.cx.holders(name);
        let why = Departure::Silence;
        if let Some(key) = holders.0 {
            self.detach_or_remove_worker(key, why);
        }
        if let Some(key) = holders.1 {
            self.detach_or_lose_client(key, why);
        }
    }

    /// Gives a worker that leaves another name, and returns it. Its requests go on.
    pub fn rename_worker(&mut self, name: &[u8]) -> Option<RoutingId> {
        let other = self.cx.rename_worker(name)?;
        self.authorizer.move_principal(name, &other);
        Some(other)
    }

    /// Whether a peer has this name or routing id, connected or not.
    pub fn knows_peer(&self, name: &[u8]) -> bool {
        self.cx.knows_peer(name)
    }

    /// Tells a connection that another peer has the name that it has announced, and whether that one was asked, so that
    /// it is worth trying again soon.
    pub fn refuse_name(&mut self, connection: &[u8], role: Role, session: &str, asked: bool) {
        self.cx
            .out
            .send(names::refusal(connection, role, session, asked));
    }
}
