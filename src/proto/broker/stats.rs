//! Statistics of the broker: its counters, and the typed snapshot of its state. Times are in milliseconds, the unit of
//! all times of the API.

use super::RoutingId;
use super::metrics::{MeterStats, errors_by_code};
use crate::proto::code::Code;
use crate::wire::json::{Text, bytes_of};
use serde::{Serialize, Serializer};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Numbers of refusals by the access rules since the broker was created.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Refusals {
    /// READYs for a service that the user may not serve.
    pub workers: u64,
    /// Requests to a service that the user may not call.
    pub requests: u64,
    /// Messages about requests of other peers, and messages of peers that the current rules do not admit.
    pub strays: u64,
}

impl std::ops::Add for Refusals {
    type Output = Refusals;

    fn add(self, other: Refusals) -> Refusals {
        Refusals {
            workers: self.workers + other.workers,
            requests: self.requests + other.requests,
            strays: self.strays + other.strays,
        }
    }
}

/// A snapshot of a broker: docs/api.md describes its members. The lists that may be long come first, see
/// [`with_lists`](BrokerStats::with_lists).
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct BrokerStats {
    pub services: Vec<ServiceStats>,
    pub absent_services: Vec<AbsentStats>,
    pub workers: Vec<WorkerStats>,
    pub other_services: OtherStats,
    pub clients: usize,
    pub client_list: Vec<ClientStats>,
    pub requests: usize,
    pub queued: usize,
    pub queued_bytes: usize,
    pub running: usize,
    pub held_bytes: usize,
    pub dialects: BTreeMap<&'static str, DialectStats>,
    pub counters: CounterStats,
    pub tables: TableStats,
}

/// The beginning of the JSON of a snapshot whose lists are empty.
const EMPTY: &[u8] = br#"{"services":[],"absentServices":[],"workers":[],"#;

impl BrokerStats {
    /// The JSON of a snapshot whose lists are empty, with that of these entries in the lists.
    pub(super) fn with_lists(&self, [services, absent, workers]: [&[u8]; 3]) -> Vec<u8> {
        let json = bytes_of(self);
        let rest = json.strip_prefix(EMPTY);
        debug_assert!(rest.is_some(), "the lists come first, and are empty");
        let parts: [&[u8]; 8] = [
            br#"{"services":["#,
            services,
            br#"],"absentServices":["#,
            absent,
            br#"],"workers":["#,
            workers,
            b"],",
            rest.unwrap_or_default(),
        ];
        parts.concat()
    }
}

/// A service that has a queue or workers.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ServiceStats {
    pub name: Text<Arc<[u8]>>,
    pub named: bool,
    #[serde(flatten)]
    pub present: Present,
    #[serde(flatten)]
    pub meter: MeterStats,
}

/// All services that are not listed, together.
#[derive(Debug, Clone, Serialize)]
pub struct OtherStats {
    #[serde(flatten)]
    pub present: Present,
    #[serde(flatten)]
    pub meter: MeterStats,
}

/// The present state of a service, or of several together.
#[derive(Debug, Clone, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Present {
    pub workers: usize,
    pub idle: usize,
    pub queued: usize,
    pub queued_bytes: usize,
    /// For how long the first request of a queue has waited.
    pub oldest: f64,
    pub running: usize,
}

impl Present {
    pub(super) fn add(&mut self, other: &Present) {
        self.workers += other.workers;
        self.idle += other.idle;
        self.queued += other.queued;
        self.queued_bytes += other.queued_bytes;
        self.oldest = self.oldest.max(other.oldest);
        self.running += other.running;
    }
}

/// A service that has neither, with its own counts.
#[derive(Debug, Clone, Serialize)]
pub struct AbsentStats {
    pub name: Text<Arc<[u8]>>,
    #[serde(flatten)]
    pub meter: MeterStats,
}

/// A worker. Lists for peers have an `id` in place of the `name`, which is a number unless there are access rules.
#[derive(Debug, Clone, Serialize)]
pub struct WorkerStats {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub address: Option<Arc<str>>,
    pub dialect: &'static str,
    pub ended: u64,
    pub failed: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<WorkerId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<Text<RoutingId>>,
    /// For how long it has had the first of its requests; not in lists for peers, like `rejected`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub oldest: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rejected: Option<u64>,
    pub running: usize,
    pub service: Text<Arc<[u8]>>,
    pub silent: f64,
    pub since: f64,
}

/// The id of a worker in a list.
#[derive(Debug, Clone, Serialize)]
#[serde(untagged)]
pub enum WorkerId {
    Name(Text<RoutingId>),
    Number(u64),
}

/// A client.
#[derive(Debug, Clone, Serialize)]
pub struct ClientStats {
    pub name: String,
    pub dialect: &'static str,
    pub requests: usize,
    pub since: f64,
    pub silent: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub address: Option<Arc<str>>,
}

/// The registered peers of a dialect, and the received messages.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct DialectStats {
    pub clients: usize,
    pub messages: u64,
    pub workers: usize,
}

/// Counters since the start of the broker.
#[derive(Debug, Clone, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CounterStats {
    pub requests: u64,
    /// Finals.
    pub replies: u64,
    /// Error values of workers.
    pub failures: u64,
    /// Parts of replies.
    pub partials: u64,
    /// Requests that ended with an own code, by code.
    #[serde(serialize_with = "by_code")]
    errors: [u64; Code::ALL.len()],
    pub expired: u64,
    pub cancelled: u64,
    pub retried: u64,
    /// Rejections by workers.
    pub rejected: u64,
    /// Requests that were refused because too many wait.
    pub refused: u64,
    pub bad_messages: u64,
    pub slow_peers: u64,
    /// Messages that were refused because a limit of held bytes would be exceeded.
    pub over_limit: u64,
}

impl CounterStats {
    pub(super) fn count(&mut self, code: Code) {
        self.errors[code as usize] += 1;
        self.refused += u64::from(code == Code::QueueFull);
    }
}

fn by_code<S: Serializer>(errors: &[u64; Code::ALL.len()], out: S) -> Result<S::Ok, S::Error> {
    errors_by_code(errors).serialize(out)
}

/// Numbers of entries in the broker's tables. All are zero without peers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct TableStats {
    pub requests: usize,
    pub workers: usize,
    pub clients: usize,
    pub services: usize,
    pub timers: usize,
    pub collected: usize,
    pub refused: usize,
    pub questions: usize,
    pub principals: usize,
    pub accounts: usize,
    pub leaving: usize,
}
