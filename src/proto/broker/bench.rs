//! The context of a broker with a few peers and requests, for tests of one part alone.

use super::context::Context;
use super::heartbeats::Heartbeats;
use super::keys::{AccountKey, ClientKey, RequestKey, ServiceKey, WorkerKey};
use super::ready::Line;
use super::requests::{Content, NewRequest, Queued, State};
use super::workers::Worker;
use super::{BrokerConfig, Outgoing, RoutingId, Timer};
use crate::proto::{Terms, Time};
use crate::wire::{Body, Dialect, Hello};
use std::time::Duration;

pub(super) type Bytes = Vec<u8>;

pub(super) type Bench = Context<Bytes>;

impl Bench {
    pub(super) fn empty() -> Self {
        let mut cx = Context::new(BrokerConfig::default());
        cx.now = Time::ZERO + Duration::from_secs(1);
        cx
    }

    /// A client of 1.x with these features.
    pub(super) fn client(&mut self, name: &str, set: impl FnOnce(&mut Hello)) -> ClientKey {
        let id: RoutingId = name.as_bytes().into();
        let account = AccountKey(0);
        let key = self.clients.insert(self.now, id, Dialect::Omdp, account);
        let client = self.clients.get_mut(key).expect("it is new");
        let mut hello = Hello::new(1000, 3);
        set(&mut hello);
        client.hello = Some(hello);
        key
    }

    /// A worker that has room, in the line of idle workers.
    pub(super) fn worker(&mut self, name: &str, service: ServiceKey) -> WorkerKey {
        let id: RoutingId = name.as_bytes().into();
        let beats = Heartbeats::new(self.now, Duration::from_secs(1));
        let (now, account) = (self.now, AccountKey(0));
        let worker = Worker::new(id, service, Dialect::Omdp, None, now, beats, account);
        let key = self.workers.insert(worker);
        self.services.add_worker(service);
        let position = (self.services).line_up(service, Line::Idle, key, &self.requests);
        let worker = self.workers.get_mut(key).expect("it is new");
        worker.position = Some(position);
        key
    }

    /// A request at the end of the queue.
    pub(super) fn request(
        &mut self,
        client: ClientKey,
        rid: &str,
        service: ServiceKey,
    ) -> RequestKey {
        let new = NewRequest {
            client,
            rid: rid.as_bytes().to_vec(),
            service,
            routing: None,
            content: content(1),
            terms: Terms::default(),
            retried: 0,
            deadline: None,
            charged: 0,
        };
        let state = State::Queued(Queued::default());
        let key = self.requests.insert(self.now, new, state);
        self.clients.add(client, key, &self.requests);
        let queue = &mut self.services.get_mut(service).queue;
        queue.push_back(key, &mut self.requests);
        key
    }

    /// Sets the time to that of the next timer, and returns its owner.
    pub(super) fn wait(&mut self) -> Option<Timer> {
        self.now = self.deadlines.next()?.max(self.now);
        self.deadlines.pop_due(self.now)
    }

    /// The messages that were sent to OMDP peers since the last call, with their receivers.
    pub(super) fn sent(&mut self) -> Vec<(String, Outgoing<Bytes>)> {
        let name = |id: &RoutingId| String::from_utf8_lossy(id).into_owned();
        let transmits = self.out.drain_transmits();
        transmits
            .map(|each| (name(&each.to), each.message))
            .collect()
    }
}

/// A body of this many bytes.
pub(super) fn content(bytes: usize) -> Content<Bytes> {
    Content {
        body: Body::json(vec![b'1'; bytes]),
        opts: None,
    }
}
