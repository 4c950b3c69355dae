//! Takes the snapshot of the broker's counters and tables.

mod peers;

use super::access::Authorizer;
use super::addresses::View;
use super::context::Context;
use super::keys::ServiceKey;
use super::metrics::{Journal, Meter};
use super::stats::{
    AbsentStats, BrokerStats, OtherStats, Present, ServiceStats, TableStats, WorkerStats,
};
use crate::proto::Time;
use crate::proto::time::ms;
use crate::wire::Frame;
use crate::wire::json::Text;
use std::collections::HashSet;
use std::mem::take;
use std::sync::Arc;
use std::time::Duration;

/// Maximum of clients in the list, and of services without a row.
const MAX_LISTED: usize = 1000;

/// Maximum of entries in one piece of a snapshot, of services that are counted together, and of places that are looked
/// at.
const ENTRIES: usize = 64;
const OTHERS: usize = 512;
const LOOKS: usize = 4096;

/// How often services that have been missed are looked for.
const MAX_PASSES: usize = 3;

/// A snapshot that is being taken in pieces.
#[derive(Debug)]
pub struct Taking {
    stage: Stage,
    /// The index of the next service or worker.
    at: usize,
    services: Vec<ServiceStats>,
    /// Number of listed services without a row.
    nameless: usize,
    /// All other services together.
    other: Meter,
    unlisted: Present,
    absent: Vec<AbsentStats>,
    /// The services with a row that have been listed.
    rows: HashSet<Arc<[u8]>>,
    /// Absent services that are still to be listed.
    names: Vec<Arc<[u8]>>,
    /// How often all services have been looked at.
    passes: usize,
    workers: Vec<WorkerStats>,
}

#[derive(Debug, Clone, Copy)]
enum Stage {
    Services,
    Absent,
    Workers,
}

impl Taking {
    /// Removes and returns the entries of the latest piece.
    pub(super) fn drain(&mut self) -> (Vec<ServiceStats>, Vec<AbsentStats>, Vec<WorkerStats>) {
        let Taking {
            services,
            absent,
            workers,
            ..
        } = self;
        (take(services), take(absent), take(workers))
    }
}

/// Reads the tables, for statistics and for MMI.
pub(super) struct Reader<'a, F> {
    pub(super) now: Time,
    pub(super) cx: &'a Context<F>,
    pub(super) authorizer: &'a Authorizer<F>,
    pub(super) journal: &'a Journal,
    pub(super) tables: TableStats,
}

impl<F: Frame> Reader<'_, F> {
    /// A snapshot of all counters and table sizes. Entries that are in no table are not included.
    pub(super) fn stats(&self, view: &View<'_>) -> BrokerStats {
        let mut taking = self.begin();
        while self.take_more(view, &mut taking) {}
        self.finish(view, taking)
    }

    /// Begins a snapshot that is taken in pieces.
    pub(super) fn begin(&self) -> Taking {
        Taking {
            stage: Stage::Services,
            at: 0,
            services: Vec::new(),
            nameless: 0,
            other: self.cx.services.meters.other.clone(),
            unlisted: Present::default(),
            absent: Vec::new(),
            rows: HashSet::new(),
            names: Vec::new(),
            passes: 0,
            workers: Vec::new(),
        }
    }

    /// Takes a piece. Returns false after the last one.
    pub(super) fn take_more(&self, view: &View<'_>, taking: &mut Taking) -> bool {
        match taking.stage {
            Stage::Services => self.take_services(taking),
            Stage::Absent => self.take_absent(taking),
            Stage::Workers => return self.take_workers(view, taking),
        }
        true
    }

    /// The snapshot, after the last piece.
    pub(super) fn finish(&self, view: &View<'_>, taking: Taking) -> BrokerStats {
        let waiting = self.cx.requests.waiting;
        let Taking {
            services,
            absent,
            workers,
            ..
        } = taking;
        BrokerStats {
            services,
            absent_services: absent,
            workers,
            other_services: OtherStats {
                present: taking.unlisted,
                meter: taking.other.snapshot(),
            },
            clients: self.cx.clients.len(),
            client_list: self.client_stats(view),
            requests: self.cx.requests.len(),
            queued: waiting.requests,
            queued_bytes: waiting.bytes,
            running: self.cx.requests.len() - waiting.requests,
            held_bytes: self.cx.accounts.total(),
            dialects: self.dialect_stats(),
            counters: self.cx.counters.clone(),
            tables: self.tables,
        }
    }

    /// The view of a peer that asks by MMI.
    pub(super) fn peers_view(&self) -> View<'_> {
        match self.authorizer.is_on() {
            true => self.cx.addresses.whole_view(),
            false => View::of_strangers(self.cx.config.seed),
        }
    }

    /// The numbers of some services: of each, or of those beyond [`MAX_LISTED`] together.
    fn take_services(&self, taking: &mut Taking) {
        let (services, workers) = (&self.cx.services, &self.cx.workers);
        let mut room = LOOKS;
        while taking.at < services.end() {
            if room == 0 {
                return;
            }
            let at = taking.at;
            taking.at += 1;
            room -= 1;
            let Some(service) = services.at(at) else {
                continue;
            };
            let has_row = service.has_row();
            let is_known = has_row && taking.rows.contains(&service.name);
            if is_known || !has_row && taking.passes > 0 {
                continue;
            }
            let waiting = service.queue.waiting();
            let oldest = service
                .queue
                .first()
                .and_then(|key| self.cx.requests.get(key));
            let serving = workers.serving(ServiceKey(at)).iter();
            let running = serving.map(|&key| workers.get(key).map_or(0, |w| w.running.len()));
            let present = Present {
                workers: service.workers,
                idle: service.ready.idle().len(),
                queued: waiting.requests,
                queued_bytes: waiting.bytes,
                oldest: ms(oldest.map_or(Duration::ZERO, |first| self.now - first.arrived)),
                running: running.sum(),
            };
            if !has_row && taking.nameless == MAX_LISTED {
                taking.other.merge(&service.meter);
                taking.unlisted.add(&present);
                room = room.saturating_sub(LOOKS / OTHERS);
                continue;
            }
            room = room.saturating_sub(LOOKS / ENTRIES + service.workers);
            match has_row {
                true => _ = taking.rows.insert(service.name.clone()),
                false => taking.nameless += 1,
            }
            taking.services.push(ServiceStats {
                name: Text(service.name.clone()),
                named: has_row,
                present,
                meter: service.meter.snapshot(),
            });
        }
        let absent = services.meters.absent();
        taking.names = absent.map(|(name, _)| name.clone()).collect();
        taking.stage = Stage::Absent;
    }

    fn take_absent(&self, taking: &mut Taking) {
        let meters = &self.cx.services.meters;
        let begin = taking.names.len().saturating_sub(ENTRIES);
        for name in taking.names.drain(begin..) {
            if let Some(meter) = meters.absent_of(&name)
                && taking.rows.insert(name.clone())
            {
                taking.absent.push(AbsentStats {
                    name: Text(name),
                    meter: meter.snapshot(),
                });
            }
        }
        if !taking.names.is_empty() {
            return;
        }
        taking.at = 0;
        taking.passes += 1;
        // Services that came or went meanwhile may have been missed. Their counts must not be missing.
        taking.stage = match taking.rows.len() < meters.rows() && taking.passes < MAX_PASSES {
            true => Stage::Services,
            false => Stage::Workers,
        };
    }

    fn take_workers(&self, view: &View<'_>, taking: &mut Taking) -> bool {
        let begin = taking.at;
        taking.at = self.cx.workers.end().min(begin + ENTRIES);
        for at in begin..taking.at {
            if let Some(worker) = self.cx.workers.at(at) {
                taking.workers.push(self.named_worker_stats(view, worker));
            }
        }
        taking.at < self.cx.workers.end()
    }
}
