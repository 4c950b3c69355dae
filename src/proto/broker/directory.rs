//! The directory of services and workers, for MMI. A user sees the services that it may call or serve, and their
//! workers.

use super::BrokerEvent;
use super::access::principal::Principal;
use super::entries::{AboutEntry, Directory, EventsEntry, Identities, InstanceEntry, ServiceEntry};
use super::services::Service;
use super::snapshot::Reader;
use super::stats::{WorkerId, WorkerStats, ms, text};
use super::workers::Worker;
use crate::proto::Time;
use crate::wire::Frame;
use crate::wire::json::{Text, bytes_of, list_of};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Entries per page.
const PAGE: usize = 512;

/// Entries per page if they include the workers' own descriptions.
const LARGE_PAGE: usize = 32;

/// The position of services that are not in the page.
const NOWHERE: u16 = u16::MAX;

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
        let seen = self.cx.services.iter().filter(|(_, service)| {
            named.is_none_or(|name| *service.name == *name) && self.may_see(viewer, &service.name)
        });
        let mut services: Vec<(usize, &Service)> =
            seen.skip(page.saturating_mul(PAGE)).take(PAGE).collect();
        services.sort_by(|(_, a), (_, b)| a.name.cmp(&b.name));
        let mut sums: Vec<Sums> = services.iter().map(|_| Sums::default()).collect();
        // For each index of a service in the slab, its position in the page.
        let end = services.iter().map(|(at, _)| at + 1).max().unwrap_or(0);
        let mut places = vec![NOWHERE; end];
        for (place, &(at, _)) in services.iter().enumerate() {
            places[at] = place as u16;
        }
        for worker in self.cx.workers.iter() {
            let place = places.get(worker.service.index()).copied();
            if let Some(sums) = sums.get_mut(usize::from(place.unwrap_or(NOWHERE))) {
                sums.running += worker.running.len();
                let first = sums
                    .since
                    .map_or(worker.since, |since| since.min(worker.since));
                sums.since = Some(first);
            }
        }
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

    /// A page of workers, without identities (if there are no rules) and without their own descriptions.
    pub(super) fn list_workers(&self, page: usize, viewer: Option<&Arc<Principal>>) -> Vec<u8> {
        let workers = self.cx.workers.iter();
        let seen = workers.filter(|worker| self.sees_worker(viewer, worker));
        let view = self.peers_view();
        let page = seen.skip(page.saturating_mul(PAGE)).take(PAGE);
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
        let workers = self.cx.workers.iter();
        let seen = workers.filter(|worker| *self.cx.services.name(worker.service) == *service);
        let view = self.peers_view();
        let page = seen.skip(page.saturating_mul(LARGE_PAGE)).take(LARGE_PAGE);
        list_of(page.map(|worker| InstanceEntry {
            worker: self.named_worker_stats(&view, worker),
            about: worker.about.as_ref().map(|about| AboutEntry {
                description: &about.description,
                metadata: serde_json::from_str(&about.metadata).unwrap_or_default(),
            }),
        }))
    }

    /// All services with their workers.
    pub(super) fn directory(&self, viewer: Option<&Arc<Principal>>) -> Directory<'_> {
        Directory {
            broker: &self.cx.config.session,
            last: self.journal.last(),
            services: self.identities(None, viewer),
        }
    }

    /// The directory in the form of PIGATO: all services with their workers, or the workers of one service.
    pub(super) fn list_identities(
        &self,
        service: Option<&[u8]>,
        viewer: Option<&Arc<Principal>>,
    ) -> Vec<u8> {
        let all = self.identities(service, viewer);
        match service {
            Some(name) => list_of(all.get(&text(name)).into_iter().flatten()),
            None => bytes_of(&all),
        }
    }

    fn identities(&self, named: Option<&[u8]>, viewer: Option<&Arc<Principal>>) -> Identities {
        let mut found: BTreeMap<usize, Vec<String>> = BTreeMap::new();
        for (at, service) in self.cx.services.iter() {
            let asked = named.is_none_or(|name| *service.name == *name);
            if asked && service.workers > 0 && self.may_see(viewer, &service.name) {
                found.insert(at, Vec::new());
            }
        }
        for worker in self.cx.workers.iter() {
            if let Some(names) = found.get_mut(&worker.service.index()) {
                names.push(text(&worker.id));
            }
        }
        let services = self.cx.services.iter();
        let named = services.filter_map(|(at, service)| {
            let names = found.remove(&at)?;
            Some((text(&service.name), names))
        });
        named.collect()
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

    fn may_see(&self, viewer: Option<&Arc<Principal>>, service: &[u8]) -> bool {
        viewer.is_none_or(|viewer| self.authorizer.sees(viewer, service))
    }
}
