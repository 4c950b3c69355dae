//! The table of clients: who they are, and which requests are theirs.

use super::RoutingId;
use super::detached::Absence;
use super::forgotten::Started;
use super::keys::{AccountKey, ClientKey, RequestKey};
use super::requests::Requests;
use crate::proto::Time;
use crate::proto::deadlines::TimerKey;
use crate::proto::table::Table;
use crate::wire::{Dialect, Frame, Hello};
use foldhash::quality::FixedState;
use hashbrown::HashTable;
use slab::Slab;
use std::collections::HashSet;
use std::hash::BuildHasher;

#[derive(Debug)]
pub(super) struct Client {
    pub(super) id: RoutingId,
    /// What it speaks. The rest of what is said here of clients of 0.0.92 holds for those of MDP.
    pub(super) dialect: Dialect,
    /// What it said of itself; `None` for a client of 0.0.92.
    pub(super) hello: Option<Hello>,
    /// Whether it understands extension frames. One that has not said hello on this connection
    /// may still show it by a request that has one.
    pub(super) extended: bool,
    /// Its requests, by the hash of their request id.
    pub(super) requests: HashTable<RequestKey>,
    pub(super) last_heard: Time,
    /// Its connection broke, and nothing was heard of it since.
    pub(super) cut_off: bool,
    /// It is gone, and so many requests are to end that it takes several turns.
    pub(super) leaving: bool,
    /// It was asked to let requests go, and has not.
    pub(super) is_mute: bool,
    /// It takes less than it is sent.
    pub(super) congested: bool,
    /// What the parts cost that it has not read, of all its requests.
    pub(super) unread: u64,
    pub(super) next_beat: Time,
    /// Who pays for what is kept for it, and what it was charged for itself.
    pub(super) account: AccountKey,
    pub(super) charged: usize,
    /// Its connection ended, and it may come back.
    pub(super) absence: Option<Absence>,
    /// It came back, and has not asked for these.
    pub(super) unresumed: HashSet<RequestKey>,
    /// It acknowledged too little for all to be kept that it may lack.
    pub(super) log_is_incomplete: bool,
    /// Which requests of its life may have started before it was given up; set if this broker knows
    /// all that its life has sent it.
    pub(super) started: Option<Started>,
    /// Clients of ours have one always, the others while they are cut off.
    pub(super) timer: Option<TimerKey>,
    pub(super) since: Time,
}

impl Client {
    /// Whether its requests may be parked with it.
    pub(super) fn parks(&self) -> bool {
        self.hello.as_ref().is_some_and(|hello| hello.parks)
    }

    /// Whether it can be told where its requests are.
    pub(super) fn knows_places(&self) -> bool {
        self.hello.as_ref().is_some_and(|hello| hello.places)
    }

    /// Whether it understands packed frames.
    pub(super) fn packs(&self) -> bool {
        self.hello.as_ref().is_some_and(|hello| hello.packs)
    }

    /// Whether it acknowledges what it is sent.
    pub(super) fn acknowledges(&self) -> bool {
        self.hello.is_some()
    }

    /// Whether it says what it has read of a stream.
    pub(super) fn gives_credit(&self) -> bool {
        self.hello.as_ref().is_some_and(|hello| hello.flow)
    }

    /// Whether it said hello on this connection.
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
}

impl Clients {
    pub(super) fn new(seed: u64) -> Self {
        Clients {
            slab: Slab::new(),
            ids: Table::default(),
            hasher: FixedState::with_seed(seed),
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

    /// Takes in a client whose id nobody has.
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
            requests: HashTable::new(),
            last_heard: now,
            cut_off: false,
            leaving: false,
            is_mute: false,
            congested: false,
            unread: 0,
            next_beat: now,
            account,
            charged: 0,
            absence: None,
            unresumed: HashSet::new(),
            log_is_incomplete: false,
            started: None,
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
        table
            .find(hash, |&request| {
                requests.get(request).is_some_and(|r| *r.rid == *rid)
            })
            .copied()
    }

    pub(super) fn add<F: Frame>(
        &mut self,
        key: ClientKey,
        request: RequestKey,
        requests: &Requests<F>,
    ) {
        let hasher = &self.hasher;
        let hash_of = |request: &RequestKey| {
            hasher.hash_one(requests.get(*request).map_or(&[][..], |r| &r.rid))
        };
        if let Some(client) = self.slab.get_mut(key.0) {
            client
                .requests
                .insert_unique(hash_of(&request), request, hash_of);
        }
    }

    /// Takes a request that has ended from its client. A client of 0.0.92 with nothing left to
    /// wait for is forgotten: it never says goodbye.
    pub(super) fn remove_request(
        &mut self,
        key: ClientKey,
        request: RequestKey,
        rid: &[u8],
    ) -> Option<Client> {
        let hash = self.hasher.hash_one(rid);
        let client = self.slab.get_mut(key.0)?;
        if !client.unresumed.is_empty() {
            client.unresumed.remove(&request);
        }
        if let Ok(entry) = client.requests.find_entry(hash, |&r| r == request) {
            entry.remove();
        }
        self.release(key)
    }

    /// Forgets a client that has nothing to wait for, unless it will say goodbye.
    pub(super) fn release(&mut self, key: ClientKey) -> Option<Client> {
        let client = self.slab.get(key.0)?;
        if client.hello.is_some() || client.leaving || !client.requests.is_empty() {
            return None;
        }
        self.remove(key)
    }

    pub(super) fn remove(&mut self, key: ClientKey) -> Option<Client> {
        let client = self.slab.try_remove(key.0)?;
        // The name of a client that left may be another's.
        if self.ids.get(&client.id) == Some(&key.0) {
            self.ids.remove(&client.id);
        }
        Some(client)
    }

    /// It is gone, and its name is free; its requests are still to end.
    pub(super) fn detach(&mut self, key: ClientKey) -> Option<TimerKey> {
        let client = self.slab.get_mut(key.0)?;
        client.leaving = true;
        self.ids.remove(&client.id);
        client.timer.take()
    }
}
