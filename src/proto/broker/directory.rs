//! The directory of services and workers, for MMI. A user sees the services that it may call or serve, and their
//! workers.

use super::BrokerEvent;
use super::keys::ServiceKey;
use super::mmi_entries::{AboutEntry, EventsEntry, InstanceEntry, ServiceEntry};
use super::principal::Principal;
use super::services::Service;
use super::snapshot::Reader;
use super::stats::{WorkerId, WorkerStats};
use super::workers::Worker;
use crate::proto::Time;
use crate::proto::time::ms;
use crate::wire::Frame;
use crate::wire::json::{Text, bytes_of, list_of};
use std::sync::Arc;

/// The number of services in a page.
pub const SERVICES_PER_PAGE: usize = 512;

/// The number of workers in a page; they include their own descriptions.
pub const WORKERS_PER_PAGE: usize = 32;

/// Sums over the workers of a service.
#[derive(Default)]
struct Sums {
    running: usize,
    /// When the earliest of the present workers registered.
    since: Option<Time>,
}

impl<F: Frame> Reader<'_, F> {
    pub(super) fn list_services(
        &self,
        page: usize,
        named: Option<&[u8]>,
        viewer: Option<&Arc<Principal>>,
    ) -> Vec<u8> {
        let all: Box<dyn Iterator<Item = (usize, &Service)>> = match named {
            Some(name) => Box::new(self.cx.services.named(name)),
            None => Box::new(self.cx.services.iter()),
        };
        let seen = all.filter(|(_, service)| self.may_see(viewer, &service.name));
        let mut services: Vec<(usize, &Service)> = seen
            .skip(page.saturating_mul(SERVICES_PER_PAGE))
            .take(SERVICES_PER_PAGE)
            .collect();
        services.sort_unstable_by(|(_, a), (_, b)| a.name.cmp(&b.name));
        let sums: Vec<Sums> = services.iter().map(|&(at, _)| self.sums(at)).collect();
        let entries = services.iter().zip(sums);
        list_of(entries.map(|((_, service), sums)| ServiceEntry {
            errors: service.meter.errors(),
            last_error: service.meter.last_error(self.now, viewer.is_none()),
            name: Text(&service.name),
            queued: service.queue.waiting().requests,
            requests: service.meter.requests,
            running: sums.running,
            since: sums.since.map(|since| ms(self.now - since)),
            time: service.meter.times(),
            workers: service.workers,
        }))
    }

    fn sums(&self, service: usize) -> Sums {
        let workers = self.cx.workers.serving(ServiceKey(service)).iter();
        let workers = workers.filter_map(|&key| self.cx.workers.get(key));
        let mut sums = Sums::default();
        for worker in workers {
            sums.running += worker.running.len();
            sums.since = sums.since.into_iter().chain([worker.since]).min();
        }
        sums
    }

    /// A page of workers, without identities (if there are no rules) and without their own descriptions.
    pub(super) fn list_workers(&self, page: usize, viewer: Option<&Arc<Principal>>) -> Vec<u8> {
        let workers = self.cx.workers.iter();
        let seen = workers.filter(|worker| self.sees_worker(viewer, worker));
        let view = self.peers_view();
        let page = seen
            .skip(page.saturating_mul(SERVICES_PER_PAGE))
            .take(SERVICES_PER_PAGE);
        list_of(page.map(|worker| WorkerStats {
            id: Some(match self.authorizer.is_on() {
                true => WorkerId::Name(Text(worker.id.clone())),
                false => WorkerId::Number(worker.number),
            }),
            ..self.worker_stats(&view, worker)
        }))
    }

    /// The workers of one service, with their own descriptions.
    pub(super) fn list_instances(
        &self,
        page: usize,
        service: &[u8],
        viewer: Option<&Arc<Principal>>,
    ) -> Vec<u8> {
        if !self.may_see(viewer, service) {
            return b"[]".to_vec();
        }
        let services = self.cx.services.named(service);
        let keys = services.flat_map(|(at, _)| self.cx.workers.serving(ServiceKey(at)));
        let seen = keys.filter_map(|&key| self.cx.workers.get(key));
        let view = self.peers_view();
        let page = seen
            .skip(page.saturating_mul(WORKERS_PER_PAGE))
            .take(WORKERS_PER_PAGE);
        list_of(page.map(|worker| InstanceEntry {
            worker: self.named_worker_stats(&view, worker),
            about: worker.about.as_ref().map(|about| AboutEntry {
                description: &about.description,
                metadata: serde_json::from_str(&about.metadata).unwrap_or_default(),
            }),
        }))
    }

    /// The workers of one service, in the form of PIGATO.
    pub(super) fn list_identities(
        &self,
        service: &[u8],
        viewer: Option<&Arc<Principal>>,
    ) -> Vec<u8> {
        let services = self.cx.services.named(service);
        let seen = services.filter(|(_, service)| self.may_see(viewer, &service.name));
        let keys = seen.flat_map(|(at, _)| self.cx.workers.serving(ServiceKey(at)));
        let workers = keys.filter_map(|&key| self.cx.workers.get(key));
        list_of(workers.map(|worker| Text(&worker.id)))
    }

    /// The events after number `since`. A viewer with restricted rights gets only those of workers of visible
    /// services.
    pub(super) fn list_events(
        &self,
        since: Option<u64>,
        viewer: Option<&Arc<Principal>>,
    ) -> Vec<u8> {
        let sees = |event: &BrokerEvent| match event {
            _ if viewer.is_none() => true,
            BrokerEvent::WorkerReady { service, .. } | BrokerEvent::WorkerGone { service, .. } => {
                self.may_see(viewer, service)
            }
            _ => false,
        };
        let view = self.peers_view();
        bytes_of(&EventsEntry {
            broker: &self.cx.config.session,
            events: self.journal.since(self.now, since, &view, sees),
        })
    }

    fn sees_worker(&self, viewer: Option<&Arc<Principal>>, worker: &Worker) -> bool {
        viewer.is_none() || self.may_see(viewer, &self.cx.services.name(worker.service))
    }

    pub(super) fn may_see(&self, viewer: Option<&Arc<Principal>>, service: &[u8]) -> bool {
        viewer.is_none_or(|viewer| self.authorizer.sees(viewer, service))
    }
}
