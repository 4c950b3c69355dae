//! The table of clients and of their requests.

mod client;

use super::RoutingId;
use super::heartbeats::Heartbeats;
use super::keys::{AccountKey, ClientKey, RequestKey};
use super::requests::Requests;
use super::rids::Rids;
use crate::proto::Time;
use crate::proto::deadlines::TimerKey;
use crate::proto::table::Table;
use crate::wire::{Dialect, Frame};
pub(super) use client::{Client, Started};
use foldhash::quality::FixedState;
use slab::Slab;
use std::hash::BuildHasher;
use std::time::Duration;

#[derive(Debug)]
pub(super) struct Clients {
    slab: Slab<Client>,
    ids: Table<RoutingId, usize>,
    hasher: FixedState,
    /// How many are gone and have requests that are still to be ended, and of how many the requests are looked at, at
    /// the end of their grace time.
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
        self.get(key).is_some_and(|client| client.is_extended())
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
            sends_extensions: false,
            requests: Rids::default(),
            beats: Heartbeats::new(now, Duration::ZERO),
            pinged: None,
            cut_off: false,
            leaving: false,
            is_looked_at: false,
            did_not_release: false,
            congested: false,
            unread: 0,
            account,
            charged: 0,
            absence: None,
            unresumed: Rids::default(),
            has_resumed: false,
            has_said_all: false,
            is_behind: false,
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
        self.leaving -= usize::from(client.leaving) + usize::from(client.is_looked_at);
        // After a client has left, its id may belong to another one.
        if self.ids.get(&client.id) == Some(&key.0) {
            self.ids.remove(&client.id);
        }
        Some(client)
    }

    /// Whether a client is gone, or may be, and has requests that are still to be ended or looked at.
    pub(super) fn are_leaving(&self) -> bool {
        self.leaving > 0
    }

    /// Notes whether the requests of a client are looked at, at the end of its grace time.
    pub(super) fn set_looked_at(&mut self, key: ClientKey, is_looked_at: bool) {
        if let Some(client) = self.slab.get_mut(key.0) {
            let before = std::mem::replace(&mut client.is_looked_at, is_looked_at);
            self.leaving -= usize::from(before);
            self.leaving += usize::from(is_looked_at);
        }
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
