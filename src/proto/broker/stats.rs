//! Statistics of the broker: its state and its counters.

use super::Broker;
use super::addresses::View;
use super::metrics::errors_json;
use crate::proto::Time;
use crate::proto::code::Code;
use crate::wire::{Dialect, Frame};
use serde_json::{Value, json};
use std::time::Duration;

/// Maximum of clients in the list, and of services without a row.
const MAX_LISTED: usize = 1000;

/// Counters since the start of the broker.
#[derive(Debug, Default)]
pub(super) struct Counters {
    pub(super) requests: u64,
    /// Finals; `failures` counts error values of workers, and `partials` parts of replies.
    pub(super) replies: u64,
    pub(super) failures: u64,
    pub(super) partials: u64,
    pub(super) expired: u64,
    pub(super) cancelled: u64,
    pub(super) retried: u64,
    /// Rejections by workers.
    pub(super) rejected: u64,
    pub(super) bad_messages: u64,
    pub(super) slow_peers: u64,
    /// Messages that were refused because a limit of held bytes would be exceeded.
    pub(super) over_limit: u64,
    /// Received messages, by dialect.
    pub(super) messages: [u64; Dialect::ALL.len()],
    /// Requests that ended with an own code, by code.
    errors: [u64; Code::ALL.len()],
}

impl Counters {
    pub(super) fn count(&mut self, code: Code) {
        self.errors[code as usize] += 1;
    }
}

/// The present state of a service, or of several together.
#[derive(Debug, Default)]
struct Present {
    workers: usize,
    idle: usize,
    queued: usize,
    queued_bytes: usize,
    /// For how long the first request of a queue has waited.
    oldest: Duration,
    running: usize,
}

impl Present {
    fn add(&mut self, other: Present) {
        self.workers += other.workers;
        self.idle += other.idle;
        self.queued += other.queued;
        self.queued_bytes += other.queued_bytes;
        self.oldest = self.oldest.max(other.oldest);
        self.running += other.running;
    }

    /// Adds it to a JSON object.
    fn write_to(&self, entry: &mut Value) {
        entry["workers"] = self.workers.into();
        entry["idle"] = self.idle.into();
        entry["queued"] = self.queued.into();
        entry["queuedBytes"] = self.queued_bytes.into();
        entry["oldest"] = ms(self.oldest).into();
        entry["running"] = self.running.into();
    }
}

impl<F: Frame> Broker<F> {
    /// A snapshot of all counters and table sizes. Entries that are in no table are not included.
    pub fn stats(&self, now: Time) -> Value {
        self.stats_for(now, &self.whole_view())
    }

    /// As [`stats`](Self::stats), limited to `view`.
    pub(super) fn stats_for(&self, now: Time, view: &View<'_>) -> Value {
        let waiting = self.requests.waiting;
        let (services, other) = self.service_stats(now);
        json!({
            "services": services,
            "absentServices": self.absent_stats(),
            "otherServices": other,
            "workers": self.worker_stats(now, view),
            "clients": self.clients.len(),
            "clientList": self.client_stats(now, view),
            "requests": self.requests.len(),
            "queued": waiting.requests,
            "queuedBytes": waiting.bytes,
            "running": self.requests.len() - waiting.requests,
            "heldBytes": self.held(),
            "dialects": self.dialect_stats("messages"),
            "counters": self.counter_stats(),
            "tables": {
                "requests": self.requests.len(),
                "workers": self.workers.len(),
                "clients": self.clients.len(),
                "services": self.services.len(),
                "timers": self.deadlines.len(),
                "collected": self.parts.len(),
                "refused": self.refused.len(),
                "questions": self.authorizer.questions(),
                "principals": self.authorizer.principals(),
                "accounts": self.accounts.len(),
                "leaving": self.leaving.len(),
            },
        })
    }

    /// The numbers of each service, and of all others together.
    fn service_stats(&self, now: Time) -> (Value, Value) {
        // Services have small indices in a slab, so an array serves as the table.
        let mut running: Vec<usize> = Vec::new();
        for worker in self.workers.iter() {
            let at = worker.service.index();
            running.resize(running.len().max(at + 1), 0);
            running[at] += worker.running.len();
        }
        let (mut listed, mut nameless) = (Vec::new(), 0);
        let (mut other, mut unlisted) = (self.services.meters.other.clone(), Present::default());
        for (at, service) in self.services.iter() {
            let waiting = service.queue.waiting();
            let oldest = service.queue.first().and_then(|key| self.requests.get(key));
            let present = Present {
                workers: service.workers,
                idle: service.idle(),
                queued: waiting.requests,
                queued_bytes: waiting.bytes,
                oldest: oldest.map_or(Duration::ZERO, |first| now - first.arrived),
                running: running.get(at).copied().unwrap_or(0),
            };
            if !service.has_row() && nameless == MAX_LISTED {
                other.merge(&service.meter);
                unlisted.add(present);
                continue;
            }
            nameless += usize::from(!service.has_row());
            let mut entry = service.meter.to_json();
            entry["name"] = text(&service.name).into();
            entry["named"] = service.has_row().into();
            present.write_to(&mut entry);
            listed.push(entry);
        }
        let mut other = other.to_json();
        unlisted.write_to(&mut other);
        (listed.into(), other)
    }

    fn absent_stats(&self) -> Value {
        let absent = self.services.meters.absent();
        let entry = |(name, meter): (&[u8], &super::metrics::Meter)| {
            let mut entry = meter.to_json();
            entry["name"] = text(name).into();
            entry
        };
        absent.map(entry).collect()
    }

    fn worker_stats(&self, now: Time, view: &View<'_>) -> Value {
        let entry = |worker: &super::workers::Worker| {
            let mut entry = self.worker_entry(now, view, worker);
            entry["name"] = text(&worker.id).into();
            entry
        };
        self.workers.iter().map(entry).collect()
    }

    /// The entry of a worker, without its identity.
    pub(super) fn worker_entry(
        &self,
        now: Time,
        view: &View<'_>,
        worker: &super::workers::Worker,
    ) -> Value {
        let requests = worker.running.iter();
        let given = requests.filter_map(|key| self.requests.get(key)?.given());
        let oldest = given.min().map_or(Duration::ZERO, |given| now - given);
        let mut entry = json!({
            "service": text(&self.services.name(worker.service)),
            "dialect": worker.dialect.as_str(),
            "running": worker.running.len(),
            "oldest": ms(oldest),
            "ended": worker.ended,
            "failed": worker.failed,
            "rejected": worker.rejected,
            "since": ms(now - worker.since),
            "silent": ms(now - worker.last_heard),
        });
        if let Some(address) = view.address(&worker.id) {
            entry["address"] = address.into();
        }
        entry
    }

    /// The first [`MAX_LISTED`] clients.
    pub(super) fn client_stats(&self, now: Time, view: &View<'_>) -> Value {
        let entry = |client: &super::clients::Client| {
            let mut entry = json!({
                "name": view.name(&client.id),
                "dialect": client.dialect.as_str(),
                "requests": client.requests.len(),
                "since": ms(now - client.since),
                "silent": ms(now - client.last_heard),
            });
            if let Some(address) = view.address(&client.id) {
                entry["address"] = address.into();
            }
            entry
        };
        self.clients.iter().take(MAX_LISTED).map(entry).collect()
    }

    /// Received messages, under the name `messages`, and registered peers by dialect. Peers are counted on demand,
    /// because statistics are requested less often than peers come and go.
    pub(super) fn dialect_stats(&self, messages: &str) -> Value {
        let mut peers = [[0; 2]; Dialect::ALL.len()];
        for worker in self.workers.iter() {
            peers[worker.dialect.index()][0] += 1;
        }
        for client in self.clients.iter() {
            peers[client.dialect.index()][1] += 1;
        }
        let entry = |dialect: Dialect| {
            let [workers, clients] = peers[dialect.index()];
            let count = self.counters.messages[dialect.index()];
            let numbers = json!({ "workers": workers, "clients": clients, messages: count });
            (dialect.as_str().to_owned(), numbers)
        };
        Value::Object(Dialect::ALL.into_iter().map(entry).collect())
    }

    fn counter_stats(&self) -> Value {
        let counters = &self.counters;
        json!({
            "requests": counters.requests,
            "replies": counters.replies,
            "failures": counters.failures,
            "partials": counters.partials,
            "errors": errors_json(&counters.errors),
            "expired": counters.expired,
            "cancelled": counters.cancelled,
            "retried": counters.retried,
            "rejected": counters.rejected,
            "refused": counters.errors[Code::QueueFull as usize],
            "badMessages": counters.bad_messages,
            "slowPeers": counters.slow_peers,
            "overLimit": counters.over_limit,
        })
    }
}

/// Milliseconds, the unit of all times of the API.
pub(super) fn ms(time: Duration) -> f64 {
    time.as_micros() as f64 / 1000.0
}

/// A name as text; bytes that are not UTF-8 become replacement characters.
pub(super) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
