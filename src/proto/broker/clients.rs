//! The table of clients and of their requests.

use super::RoutingId;
use super::absence::Absence;
use super::heard::Heard;
use super::heartbeats::Heartbeats;
use super::keys::{AccountKey, ClientKey, RequestKey};
use super::requests::Requests;
use super::rids::Rids;
use crate::proto::Time;
use crate::proto::deadlines::TimerKey;
use crate::proto::table::Table;
use crate::wire::{Dialect, Frame, Hello};
use foldhash::quality::FixedState;
use slab::Slab;
use std::collections::HashMap;
use std::hash::BuildHasher;
use std::time::Duration;

/// The number of starts that are left to each of these requests, by id.
pub(super) type Started = HashMap<Box<[u8]>, u16>;

#[derive(Debug)]
pub(super) struct Client {
    pub(super) id: RoutingId,
    /// The dialect. Comments on clients of 0.0.92 hold for MDP too.
    pub(super) dialect: Dialect,
    /// The hello; `None` for a client of 0.0.92.
    pub(super) hello: Option<Hello>,
    /// Whether it understands extension frames. Without a hello on this connection, a request with
    /// an extension frame shows it.
    pub(super) extended: bool,
    /// Its requests, by the hash of their ids.
    pub(super) requests: Rids,
    pub(super) beats: Heartbeats,
    /// When it was last asked for a sign of life.
    pub(super) pinged: Option<Time>,
    /// Whether its connection broke and no message has arrived since.
    pub(super) cut_off: bool,
    /// Whether the client is gone while its many requests still end, which takes several turns.
    pub(super) leaving: bool,
    /// Whether it did not answer in time when it was asked to release parked requests.
    pub(super) did_not_release: bool,
    /// Whether messages to it wait at the transport, because it takes less than it is sent.
    pub(super) congested: bool,
    /// Cost of all parts that it has not read, over all its requests.
    pub(super) unread: u64,
    /// The account for everything kept for it, and the charge for this entry.
    pub(super) account: AccountKey,
    pub(super) charged: usize,
    /// Present while it is detached.
    pub(super) absence: Option<Absence>,
    /// Requests that it has not resumed yet since its return, and copies of fan-outs, which go on with them. A copy of
    /// `requests` at its return, which is made without a look at each of them.
    pub(super) unresumed: Rids,
    /// The number of its latest return, or zero.
    pub(super) returned: u64,
    /// The reply log has been dropped: too much was not acknowledged.
    pub(super) log_is_incomplete: bool,
    /// Requests of this life that may have started before the client was given up. `None` if this
    /// broker does not know everything that this life has sent.
    pub(super) started: Option<Started>,
    /// The workers it has heard of, if it is told the roster; see [`super::roster`].
    pub(super) heard: Option<Heard>,
    /// Extended clients always have one; others only while they are cut off.
    pub(super) timer: Option<TimerKey>,
    pub(super) since: Time,
}

impl Client {
    /// Whether its requests can be parked.
    pub(super) fn parks(&self) -> bool {
        self.hello.as_ref().is_some_and(|hello| hello.parks)
    }

    /// Whether it understands reports of the place of a request.
    pub(super) fn knows_places(&self) -> bool {
        self.hello.as_ref().is_some_and(|hello| hello.places)
    }

    /// Whether it understands packed frames.
    pub(super) fn packs(&self) -> bool {
        self.hello.as_ref().is_some_and(|hello| hello.packs)
    }

    /// Whether it acknowledges replies.
    pub(super) fn acknowledges(&self) -> bool {
        self.hello.is_some()
    }

    /// Whether it gives credit for partials that it has read.
    pub(super) fn gives_credit(&self) -> bool {
        self.hello.as_ref().is_some_and(|hello| hello.flow)
    }

    /// Whether it has sent a hello on this connection.
    #[cfg(any(test, feature = "fuzz"))]
    pub(super) fn is_registered(&self) -> bool {
        self.hello.is_some()
    }
}

#[derive(Debug)]
pub(super) struct Clients {
    slab: Slab<Client>,
    ids: Table<RoutingId, usize>,
    hasher: FixedState,
    /// How many are gone and have requests that are still to be ended.
    leaving: usize,
    /// Number of returns of all clients.
    returns: u64,
}

impl Clients {
    pub(super) fn new(seed: u64) -> Self {
        Clients {
            slab: Slab::new(),
            ids: Table::default(),
            hasher: FixedState::with_seed(seed),
            leaving: 0,
            returns: 0,
        }
    }

    pub(super) fn find(&self, id: &[u8]) -> Option<ClientKey> {
        self.ids.get(id).map(|&key| ClientKey(key))
    }

    pub(super) fn get_mut(&mut self, key: ClientKey) -> Option<&mut Client> {
        self.slab.get_mut(key.0)
    }

    pub(super) fn get(&self, key: ClientKey) -> Option<&Client> {
        self.slab.get(key.0)
    }

    pub(super) fn keys(&self) -> Vec<ClientKey> {
        self.slab.iter().map(|(key, _)| ClientKey(key)).collect()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Client> {
        self.slab.iter().map(|(_, client)| client)
    }

    pub(super) fn len(&self) -> usize {
        self.slab.len()
    }

    pub(super) fn is_extended(&self, key: ClientKey) -> bool {
        self.get(key).is_some_and(|client| client.extended)
    }

    /// Adds a client with an unused id.
    pub(super) fn insert(
        &mut self,
        now: Time,
        id: RoutingId,
        dialect: Dialect,
        account: AccountKey,
    ) -> ClientKey {
        let key = self.slab.insert(Client {
            id: id.clone(),
            dialect,
            hello: None,
            extended: false,
            requests: Rids::default(),
            beats: Heartbeats::new(now, Duration::ZERO),
            pinged: None,
            cut_off: false,
            leaving: false,
            did_not_release: false,
            congested: false,
            unread: 0,
            account,
            charged: 0,
            absence: None,
            unresumed: Rids::default(),
            returned: 0,
            log_is_incomplete: false,
            started: None,
            heard: None,
            timer: None,
            since: now,
        });
        self.ids.insert(id, key);
        ClientKey(key)
    }

    pub(super) fn request<F: Frame>(
        &self,
        key: ClientKey,
        rid: &[u8],
        requests: &Requests<F>,
    ) -> Option<RequestKey> {
        let hash = self.hasher.hash_one(rid);
        let table = &self.get(key)?.requests;
        table.find(hash, |request| {
            requests.get(request).is_some_and(|r| *r.rid == *rid)
        })
    }

    pub(super) fn add<F: Frame>(
        &mut self,
        key: ClientKey,
        request: RequestKey,
        requests: &Requests<F>,
    ) {
        let rid = requests.get(request).map_or(&[][..], |r| &r.rid);
        let hash = self.hasher.hash_one(rid);
        if let Some(client) = self.slab.get_mut(key.0) {
            client.requests.insert(hash, request);
        }
    }

    /// Whether a request is one that its client has not resumed yet since its return.
    #[cold]
    pub(super) fn is_unresumed<F: Frame>(
        &self,
        request: RequestKey,
        requests: &Requests<F>,
    ) -> bool {
        let Some((client, hash)) = self.own(request, requests) else {
            return false;
        };
        let client = self.slab.get(client.0);
        client.is_some_and(|client| client.unresumed.find(hash, |key| key == request).is_some())
    }

    /// The client of a request that is no copy, and the hash of the request's id.
    fn own<F: Frame>(
        &self,
        request: RequestKey,
        requests: &Requests<F>,
    ) -> Option<(ClientKey, u64)> {
        let entry = requests.get(request).filter(|entry| !entry.is_copy())?;
        Some((entry.client, self.hasher.hash_one(&*entry.rid)))
    }

    /// Notes that its client has resumed a request. Returns false if it was not to be resumed.
    pub(super) fn resume<F: Frame>(
        &mut self,
        key: ClientKey,
        request: RequestKey,
        requests: &Requests<F>,
    ) -> bool {
        let Some((_, hash)) = self.own(request, requests) else {
            return false;
        };
        let client = self.slab.get_mut(key.0);
        client.is_some_and(|client| client.unresumed.remove(hash, request))
    }

    /// Notes that a client has returned: it may resume each of its requests.
    pub(super) fn begin_return(&mut self, key: ClientKey) {
        self.returns += 1;
        if let Some(client) = self.slab.get_mut(key.0) {
            client.unresumed = client.requests.clone();
            client.returned = self.returns;
        }
    }

    /// Removes an ended request from its client. A client of 0.0.92 is removed with its last
    /// request, because it never says goodbye.
    pub(super) fn remove_request(
        &mut self,
        key: ClientKey,
        request: RequestKey,
        rid: &[u8],
    ) -> Option<Client> {
        let hash = self.hasher.hash_one(rid);
        let client = self.slab.get_mut(key.0)?;
        if !client.unresumed.is_empty() {
            client.unresumed.remove(hash, request);
        }
        client.requests.remove(hash, request);
        self.release(key)
    }

    /// Removes a client without requests, unless it is registered and will say goodbye.
    pub(super) fn release(&mut self, key: ClientKey) -> Option<Client> {
        let client = self.slab.get(key.0)?;
        if client.hello.is_some() || client.leaving || !client.requests.is_empty() {
            return None;
        }
        self.remove(key)
    }

    pub(super) fn remove(&mut self, key: ClientKey) -> Option<Client> {
        let client = self.slab.try_remove(key.0)?;
        self.leaving -= usize::from(client.leaving);
        // After a client has left, its id may belong to another one.
        if self.ids.get(&client.id) == Some(&key.0) {
            self.ids.remove(&client.id);
        }
        Some(client)
    }

    /// Whether a client is gone, and has requests that are still to be ended.
    pub(super) fn are_leaving(&self) -> bool {
        self.leaving > 0
    }

    /// Frees the id of a client that is gone. Its requests are still to be ended.
    pub(super) fn detach(&mut self, key: ClientKey) -> Option<TimerKey> {
        let client = self.slab.get_mut(key.0)?;
        client.leaving = true;
        self.leaving += 1;
        self.ids.remove(&client.id);
        client.timer.take()
    }
}
