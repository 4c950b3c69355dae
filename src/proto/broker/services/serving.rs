//! Which services can serve a name, and which of them a request waits for.

use super::names::{range_of, version_of};
use super::{Services, homes};
use crate::proto::broker::keys::ServiceKey;

impl Services {
    /// Whether a request for this name would find a worker.
    pub(in crate::proto::broker) fn is_served(&self, name: &[u8]) -> bool {
        let key = self.names.get(name);
        key.is_some_and(|&key| self.slab[key].workers > 0) || self.homes.find(name).is_some()
    }

    /// Whether a request for this service may have to wait for the workers of another service.
    pub(in crate::proto::broker) fn needs_home(&self, key: ServiceKey) -> bool {
        self.slab[key.0].workers == 0 && !self.homes.is_empty()
    }

    /// Whether any service can serve other names than its own.
    pub(in crate::proto::broker) fn have_homes(&self) -> bool {
        !self.homes.is_empty()
    }

    /// The home of a request for this name; `None` if no worker serves the name. Requests for one worker have the same
    /// home whatever the load.
    #[cold]
    pub(in crate::proto::broker) fn home_of(
        &self,
        name: &[u8],
        is_for_one: bool,
    ) -> Option<ServiceKey> {
        let own = self.own_home(name);
        let spread = || match self.spreads && !is_for_one {
            true => self.least_waited_for(&self.homes.versions(name)),
            false => None,
        };
        own.or_else(spread).or_else(|| self.homes.find(name))
    }

    /// About how many versions are compared to find the home of this name.
    pub(in crate::proto::broker) fn comparisons(&self, name: &[u8]) -> usize {
        self.homes.comparisons(name)
    }

    /// The service of exactly this name, if it has workers.
    fn own_home(&self, name: &[u8]) -> Option<ServiceKey> {
        let own = self.names.get(name).copied();
        let own = own.filter(|&key| self.slab[key].workers > 0);
        own.map(ServiceKey)
    }

    /// The services that share the requests for this name, if there is more than one home.
    #[cold]
    pub(in crate::proto::broker) fn shared_homes(&self, name: &[u8]) -> Vec<ServiceKey> {
        match self.spreads && self.own_home(name).is_none() {
            true => self.homes.versions(name),
            false => Vec::new(),
        }
    }

    /// The service whose first worker has been idle for longest. If no worker is idle, the service with the shortest
    /// queue per worker.
    pub(in crate::proto::broker) fn least_waited_for(
        &self,
        keys: &[ServiceKey],
    ) -> Option<ServiceKey> {
        let wait = |key: &&ServiceKey| {
            let service = &self.slab[key.0];
            let waiting = service.queue.waiting().requests / service.workers.max(1);
            (service.ready.first_positions(), waiting)
        };
        keys.iter().min_by_key(wait).copied()
    }

    /// The other versions of a service with idle workers and an empty queue, and the number of these workers.
    pub(in crate::proto::broker) fn could_help(&self, key: ServiceKey) -> (Vec<ServiceKey>, usize) {
        let service = match self.slab.get(key.0) {
            Some(service) if service.queue.is_empty() && !service.is_pattern => service,
            _ => return (Vec::new(), 0),
        };
        match service.ready.idle().len() {
            0 => (Vec::new(), 0),
            room => (self.homes.siblings(&service.name, key), room),
        }
    }

    /// Whether workers of this service also serve other names.
    pub(in crate::proto::broker) fn serves_others(&self, key: ServiceKey) -> bool {
        let service = &self.slab[key.0];
        service.is_pattern || version_of(&service.name).is_some()
    }

    /// Whether workers of this service can serve requests for this name.
    pub(in crate::proto::broker) fn may_serve(&self, key: ServiceKey, name: &[u8]) -> bool {
        let service = &self.slab[key.0];
        !service.is_pattern && *service.name == *name
            || homes::may_serve(&service.name, service.is_pattern, name)
    }

    /// Whether the name contains a version range.
    pub(in crate::proto::broker) fn has_range(&self, name: &[u8]) -> bool {
        range_of(name).is_some()
    }

    /// All services whose workers can serve requests for this name.
    pub(in crate::proto::broker) fn all_homes(&self, name: &[u8]) -> Vec<ServiceKey> {
        let own = self.names.get(name).copied().map(ServiceKey);
        own.into_iter().chain(self.homes.all(name)).collect()
    }

    /// Whether requests in the queue of this service may have another home.
    pub(in crate::proto::broker) fn may_hold_others(&self, key: ServiceKey) -> bool {
        let service = &self.slab[key.0];
        service.workers == 0 || service.has_guests
    }
}
