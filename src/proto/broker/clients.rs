//! Clients: who they are, which requests are theirs, and whether they live.

use super::requests::{Content, Place, RequestKey, Requests};
use super::services::ServiceKey;
use super::{Broker, Departure, Outgoing, RoutingId, Timer, Transmit, mmi};
use crate::proto::code::Code;
use crate::proto::deadlines::TimerKey;
use crate::proto::table::Table;
use crate::proto::{Terms, Time};
use crate::wire::ext::{RequestData, RequestExt};
use crate::wire::omdp::{ClientMessage, ReplyKind, ToClient, ToWorker};
use crate::wire::{Body, Dialect, Frame, Hello, Malformed};
use foldhash::quality::FixedState;
use hashbrown::HashTable;
use serde_json::Value;
use slab::Slab;
use std::cmp::Reverse;
use std::hash::BuildHasher;
use std::time::Duration;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct ClientKey(usize);

#[derive(Debug)]
pub(super) struct Client {
    pub(super) id: RoutingId,
    /// What it speaks. The rest of what is said here of clients of 0.0.92 holds for those of MDP.
    pub(super) dialect: Dialect,
    /// What it said of itself; `None` for a client of 0.0.92.
    hello: Option<Hello>,
    /// Whether it understands extension frames. One that has not said hello on this connection
    /// may still show it by a request that has one.
    pub(super) extended: bool,
    /// Its requests, by the hash of their request id.
    pub(super) requests: HashTable<RequestKey>,
    pub(super) last_heard: Time,
    /// Its connection broke, and nothing was heard of it since.
    pub(super) cut_off: bool,
    /// It was asked to let requests go, and has not.
    pub(super) is_mute: bool,
    /// It takes less than it is sent.
    pub(super) congested: bool,
    next_beat: Time,
    /// Clients of ours have one always, the others while they are cut off.
    pub(super) timer: Option<TimerKey>,
}

impl Client {
    /// Whether its requests may be parked with it.
    pub(super) fn parks(&self) -> bool {
        self.hello.as_ref().is_some_and(|hello| hello.parks)
    }

    /// Whether it understands packed frames.
    pub(super) fn packs(&self) -> bool {
        self.hello.as_ref().is_some_and(|hello| hello.packs)
    }
}

impl Client {
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

    pub(super) fn len(&self) -> usize {
        self.slab.len()
    }

    pub(super) fn is_ours(&self, key: ClientKey) -> bool {
        self.get(key).is_some_and(|client| client.extended)
    }

    pub(super) fn require(&mut self, now: Time, id: &[u8], dialect: Dialect) -> ClientKey {
        if let Some(key) = self.find(id) {
            return key;
        }
        let id: RoutingId = id.into();
        let key = self.slab.insert(Client {
            id: id.clone(),
            dialect,
            hello: None,
            extended: false,
            requests: HashTable::new(),
            last_heard: now,
            cut_off: false,
            is_mute: false,
            congested: false,
            next_beat: now,
            timer: None,
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

    fn add<F: Frame>(&mut self, key: ClientKey, request: RequestKey, requests: &Requests<F>) {
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
    ) -> Option<TimerKey> {
        let hash = self.hasher.hash_one(rid);
        let client = self.slab.get_mut(key.0)?;
        if let Ok(entry) = client.requests.find_entry(hash, |&r| r == request) {
            entry.remove();
        }
        self.release(key)
    }

    /// Forgets a client that has nothing to wait for, unless it will say goodbye.
    pub(super) fn release(&mut self, key: ClientKey) -> Option<TimerKey> {
        let client = self.slab.get(key.0)?;
        if client.hello.is_some() || !client.requests.is_empty() {
            return None;
        }
        let client = self.slab.remove(key.0);
        self.ids.remove(&client.id);
        client.timer
    }
}

impl<F: Frame> Broker<F> {
    pub(super) fn on_client(
        &mut self,
        now: Time,
        from: &[u8],
        message: ClientMessage<F>,
    ) -> Result<(), Malformed> {
        let held = self.clients.find(from);
        if let Some(client) = held.and_then(|key| self.clients.slab.get_mut(key.0)) {
            client.last_heard = now;
            client.cut_off = false;
        }
        match (message, held) {
            (ClientMessage::Hello { hello }, _) => {
                let hello = Hello::parse(&hello)?;
                self.on_hello(now, from, hello);
            }
            (
                ClientMessage::Request {
                    service,
                    rid,
                    data,
                    opts,
                    ext,
                },
                _,
            ) => {
                let (body, terms) = read_request(data, opts.as_deref(), ext)?;
                if mmi::is_reserved(&service) {
                    let body = self.answer_mmi(&service, body);
                    let extended = held.is_some_and(|client| self.clients.is_ours(client));
                    self.transmits.push(Transmit::plain(
                        from.into(),
                        Outgoing::Client(ToClient::Reply {
                            kind: ReplyKind::Final,
                            rid,
                            body,
                            extended: extended || ext.is_some(),
                        }),
                    ));
                    return Ok(());
                }
                let client = self.clients.require(now, from, Dialect::Omdp);
                if let Some(client) = self.clients.slab.get_mut(client.0) {
                    client.extended |= ext.is_some();
                }
                // A request id that is in use would have two requests end for one.
                if self.clients.request(client, &rid, &self.requests).is_some() {
                    return Err(Malformed::Name);
                }
                let content = Content { body, opts };
                self.on_request(now, client, &service, rid, content, terms);
            }
            (
                ClientMessage::Resume {
                    service,
                    rid,
                    data,
                    opts,
                    ext,
                    past,
                },
                Some(key),
            ) => {
                let (body, terms) = read_request(data, Some(&opts), Some(ext))?;
                let reserved = mmi::is_reserved(&service);
                if reserved || self.clients.request(key, &rid, &self.requests).is_some() {
                    return Err(Malformed::Name);
                }
                let opts = Some(opts);
                let content = Content { body, opts };
                self.on_resume(now, key, (&service, rid), content, terms, past);
            }
            (ClientMessage::Go { rids }, Some(key)) => self.on_go(now, key, &rids),
            (ClientMessage::RequestHeartbeat { rid }, Some(key)) => {
                self.pass_heartbeat(key, rid);
            }
            (ClientMessage::Cancel { rid, expired }, Some(key)) => {
                let Some(request) = self.clients.request(key, &rid, &self.requests) else {
                    // Its own that has ended meanwhile, or a guess at another's: the same to us.
                    self.guard.refusals.strays += 1;
                    return Ok(());
                };
                if expired {
                    self.counters.count(Code::ClientTimeout);
                    self.report_expired(request);
                } else {
                    self.counters.cancelled += 1;
                }
                self.drop_request(now, request);
            }
            (ClientMessage::Credit { rid, bytes }, Some(key)) => {
                self.on_credit(now, key, &rid, bytes);
            }
            (ClientMessage::Disconnect, Some(key)) => self.drop_client(now, key),
            (ClientMessage::Heartbeat, _) | (_, None) => {}
        }
        Ok(())
    }

    #[inline(never)]
    fn on_hello(&mut self, now: Time, from: &[u8], hello: Hello) {
        let known = self.clients.find(from);
        let same_life = known
            .and_then(|key| self.clients.get(key)?.hello.as_ref())
            .is_some_and(|old| old.session == hello.session);
        if let Some(key) = known
            && !same_life
        {
            let old = self.clients.get(key).and_then(|c| c.hello.as_ref());
            let old = old.map(|hello| hello.session.clone());
            self.drop_client(now, key);
            if let Some(old) = old {
                if self.displaced.contains(from, &hello.session) {
                    let session = F::from(hello.session.as_bytes());
                    let message = Outgoing::Client(ToClient::NameTaken { session });
                    return self.transmits.push(Transmit::plain(from.into(), message));
                }
                self.displaced.note(from, &old, &hello.session);
            }
        }
        let key = self.clients.require(now, from, Dialect::Omdp);
        let next_beat = now + self.config.heartbeat;
        if let Some(client) = self.clients.slab.get_mut(key.0) {
            client.hello = Some(hello);
            client.extended = true;
            client.next_beat = next_beat;
        }
        self.arm_client(key);
        let hello = self.config.hello().to_frame();
        self.send_client(key, ToClient::Welcome { hello });
    }

    pub(super) fn on_request(
        &mut self,
        now: Time,
        client: ClientKey,
        service: &[u8],
        rid: F,
        content: Content<F>,
        terms: Terms,
    ) {
        let service = self.services.require(service);
        self.counters.requests += 1;
        if let Some(code) = self.obstacle(now, service, &content, terms) {
            return self.turn_away(client, service, rid, code);
        }
        let request = self.insert_request(now, client, service, rid, content, terms);
        self.enqueue(now, request, service);
    }

    /// Has it wait for a worker.
    pub(super) fn enqueue(&mut self, now: Time, request: RequestKey, service: ServiceKey) {
        let entry = self.services.get_mut(service);
        entry.queue.push_back(request, &mut self.requests);
        self.dispatch(now, service);
        self.watch(now, request);
    }

    /// A new request of a client, in no place yet.
    pub(super) fn insert_request(
        &mut self,
        now: Time,
        client: ClientKey,
        service: ServiceKey,
        rid: F,
        content: Content<F>,
        terms: Terms,
    ) -> RequestKey {
        let timeout = terms.timeout;
        let deadline = timeout.map_or(now, |timeout| now + timeout);
        let request = self
            .requests
            .insert(client, rid, service, content, terms, deadline);
        if timeout.is_some() {
            let timer = self.deadlines.set(deadline, Timer::Request(request));
            if let Some(entry) = self.requests.get_mut(request) {
                entry.timer = Some(timer);
            }
        }
        self.clients.add(client, request, &self.requests);
        request
    }

    fn pass_heartbeat(&mut self, key: ClientKey, rid: F) {
        let Some(request) = self.clients.request(key, &rid, &self.requests) else {
            self.guard.refusals.strays += 1;
            return;
        };
        let holder = self.requests.get(request).map(|request| request.place);
        if let (Some(Place::Worker(worker)), Some(client)) = (holder, self.clients.get(key)) {
            let client = F::from(&*client.id);
            self.send_worker(worker, ToWorker::RequestHeartbeat { client, rid });
        }
    }

    /// The connection of a client broke. One of ours begins anew when it comes back; one of 0.0.92
    /// may come back on a new connection and wait on, so it has until the patience ends.
    pub(super) fn client_gone(&mut self, now: Time, key: ClientKey) {
        let Some(client) = self.clients.slab.get_mut(key.0) else {
            return;
        };
        // An identity that begins with NUL was made for the connection, and ends with it.
        let is_mdp = client.dialect != Dialect::Omdp;
        let is_bound = is_mdp && client.id.first() == Some(&0);
        // With authentication every one does: the next to have it may be another.
        if client.extended || is_bound || self.guard.is_on() {
            return self.lose_client(now, key, Departure::Connection);
        }
        // Each reply that can't be delivered says so again, which is no sign of life.
        if std::mem::replace(&mut client.cut_off, true) {
            return;
        }
        client.last_heard = now;
        if client.timer.is_none() {
            self.arm_client(key);
        }
    }

    /// Forgets a client and all its requests.
    pub(super) fn drop_client(&mut self, now: Time, key: ClientKey) {
        let mut requests: Vec<RequestKey> = match self.clients.get(key) {
            Some(client) => client.requests.iter().copied().collect(),
            None => return,
        };
        // First what waits, then from the latest to the first: the end of one must not start
        // another that is to end too.
        requests.sort_unstable_by_key(|&request| {
            let place = self.requests.get(request).map(|request| request.place);
            (
                place.is_some_and(|place| !place.is_waiting()),
                Reverse(self.requests.token(request)),
            )
        });
        self.counters.cancelled += requests.len() as u64;
        for request in requests {
            self.drop_request(now, request);
        }
        // One of 0.0.92 went with its last request.
        if let Some(client) = self.clients.slab.try_remove(key.0) {
            self.clients.ids.remove(&client.id);
            self.cancel_timer(client.timer);
        }
    }

    fn arm_client(&mut self, key: ClientKey) {
        let Some(client) = self.clients.slab.get_mut(key.0) else {
            return;
        };
        let mut at = client.last_heard + self.config.patience(client.hello.as_ref());
        if client.hello.is_some() {
            at = at.min(client.next_beat);
        }
        let old = client
            .timer
            .replace(self.deadlines.set(at, Timer::Client(key)));
        self.cancel_timer(old);
    }

    /// One timer a client: the next heartbeat to it, or the end of the patience with it.
    pub(super) fn client_due(&mut self, now: Time, key: ClientKey) {
        let Some(client) = self.clients.slab.get_mut(key.0) else {
            return;
        };
        client.timer = None;
        if client.hello.is_none() && !client.cut_off {
            // Of 0.0.92, and heard again: let alone, its requests have their timeouts.
            return;
        }
        let patience = self.config.patience(client.hello.as_ref());
        if now.since(client.last_heard) >= patience {
            if client.extended {
                self.send_client(key, ToClient::Disconnect);
            }
            return self.lose_client(now, key, Departure::Silence);
        }
        if client.hello.is_some() && client.next_beat <= now {
            client.next_beat = now + self.config.heartbeat;
            self.send_client(key, ToClient::Heartbeat);
        }
        self.arm_client(key);
    }
}

/// The body, and the terms: out of the extension frame, or else out of the options.
fn read_request<F: Frame>(
    data: F,
    opts: Option<&[u8]>,
    ext: Option<RequestExt>,
) -> Result<(Body<F>, Terms), Malformed> {
    let Some(ext) = ext else {
        return Ok((Body::json(data), timeout_of(opts).into()));
    };
    let body = match ext.data {
        RequestData::Json => Body::json(data),
        RequestData::Binary => Body::binary(data),
        RequestData::BufferAsJson => Body::from_buffer_json(&data)?,
    };
    let timeout = u64::try_from(ext.timeout_ms)
        .ok()
        .map(Duration::from_millis);
    let terms = Terms {
        timeout,
        retry: ext.retry,
        fail_fast: ext.fail_fast,
    };
    Ok((body, terms))
}

/// As 0.0.92 read it: what is missing, zero or no number is 60 s, what is negative is none.
fn timeout_of(opts: Option<&[u8]>) -> Option<Duration> {
    const DEFAULT: f64 = 60_000.0;
    let timeout = opts
        .and_then(|opts| serde_json::from_slice::<Value>(opts).ok())
        .and_then(|opts| opts.get("timeout")?.as_f64())
        .filter(|ms| *ms != 0.0)
        .unwrap_or(DEFAULT);
    (timeout > 0.0).then(|| Duration::from_millis(timeout.min(f64::from(i32::MAX)).ceil() as u64))
}
