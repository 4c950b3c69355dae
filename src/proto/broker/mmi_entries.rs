//! Entries of the lists for MMI.

use super::metrics::{LastError, Since, Summary};
use super::stats::{DialectStats, WorkerStats};
use crate::wire::json::Text;
use serde::Serialize;
use serde_json::Value;
use std::collections::BTreeMap;

/// The entry of a service in `mmi.services`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ServiceEntry<'a> {
    pub(super) errors: u64,
    pub(super) last_error: Option<LastError<'a>>,
    pub(super) name: Text<&'a [u8]>,
    pub(super) queued: usize,
    pub(super) requests: u64,
    pub(super) running: usize,
    /// Time since the earliest of its workers registered.
    pub(super) since: Option<f64>,
    pub(super) time: Summary,
    pub(super) workers: usize,
}

/// The entry of a worker in `mmi.workers` of one service.
#[derive(Serialize)]
pub(super) struct InstanceEntry<'a> {
    #[serde(flatten)]
    pub(super) worker: WorkerStats,
    #[serde(flatten)]
    pub(super) about: Option<AboutEntry<'a>>,
}

/// A worker's description of itself.
#[derive(Serialize)]
pub(super) struct AboutEntry<'a> {
    pub(super) description: &'a str,
    pub(super) metadata: Value,
}

/// The answer of `mmi.stats`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Totals {
    pub(super) bad_messages_total: u64,
    pub(super) clients: usize,
    pub(super) dialects: BTreeMap<&'static str, DialectTotals>,
    pub(super) expired_total: u64,
    pub(super) requests: usize,
    pub(super) requests_total: u64,
    pub(super) services: usize,
    pub(super) slow_peers_total: u64,
    pub(super) workers: usize,
}

/// A dialect in the answer of `mmi.stats`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct DialectTotals {
    clients: usize,
    messages_total: u64,
    workers: usize,
}

impl From<DialectStats> for DialectTotals {
    fn from(stats: DialectStats) -> Self {
        DialectTotals {
            workers: stats.workers,
            clients: stats.clients,
            messages_total: stats.messages,
        }
    }
}

/// The answer of `mmi.events`.
#[derive(Serialize)]
pub(super) struct EventsEntry<'a> {
    pub(super) broker: &'a str,
    #[serde(flatten)]
    pub(super) events: Since<'a>,
}
