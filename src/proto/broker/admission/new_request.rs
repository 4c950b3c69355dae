//! A new request: its home, its charge, and its entry in the table.

use crate::proto::broker::accounts::{OverLimit, REQUEST};
use crate::proto::broker::context::Context;
use crate::proto::broker::incoming::RequestHead;
use crate::proto::broker::keys::{ClientKey, RequestKey, ServiceKey, Timer};
use crate::proto::broker::metrics::COUNTS;
use crate::proto::broker::requests::{Content, Deadline, NewRequest, Routing, State};
use crate::wire::Frame;

impl<F: Frame> Context<F> {
    /// The home of a request, and its constraints.
    pub(in crate::proto::broker) fn require_home(
        &mut self,
        asked: &[u8],
        routing: Option<Box<Routing>>,
    ) -> (ServiceKey, Option<Box<Routing>>) {
        if let Some(name) = routing.as_ref().and_then(|r| r.worker.as_deref())
            && let Some(home) = self.pinned_home(name, asked)
        {
            let is_own = self.services.is(home, asked, false);
            let mut routing = routing.unwrap_or_default();
            routing.asked = (!is_own).then(|| asked.into());
            return (home, Some(routing));
        }
        let own = self.services.require(asked);
        match self.services.needs_home(own) {
            false => (own, routing),
            true => self.place(own, routing),
        }
    }

    /// Whether the named worker is not registered for this service.
    pub(in crate::proto::broker) fn is_out_of_reach(
        &self,
        service: ServiceKey,
        routing: Option<&Routing>,
    ) -> bool {
        let Some(name) = routing.and_then(|routing| routing.worker.as_deref()) else {
            return false;
        };
        let worker = self
            .workers
            .find(name)
            .and_then(|key| self.workers.get(key));
        worker.is_none_or(|worker| worker.service != service)
    }

    /// Counts a request that is not put into a queue.
    #[inline]
    pub(in crate::proto::broker) fn count_request(&mut self, service: ServiceKey, bytes: usize) {
        if COUNTS {
            self.counters.requests += 1;
            self.services.get_mut(service).meter.requested(bytes);
        }
    }

    pub(in crate::proto::broker) fn charge_request(
        &mut self,
        client: ClientKey,
        bytes: usize,
    ) -> Result<(), OverLimit> {
        match self.clients.get(client) {
            Some(client) => self.accounts.charge(client.account, bytes),
            None => Ok(()),
        }
    }

    // Inlined, so that the request is constructed once.
    #[inline(always)]
    pub(in crate::proto::broker) fn insert_request(
        &mut self,
        mut new: NewRequest<F>,
        state: State,
    ) -> RequestKey {
        let now = self.now;
        let client = new.client;
        new.deadline = new.terms.idle().map(|idle| {
            let timer = Timer::Request(self.requests.next_key());
            let latest = new.terms.deadline.map(|left| now + left);
            Deadline::new(now, idle, latest, |at| self.deadlines.set(at, timer))
        });
        let request = self.requests.insert(now, new, state);
        self.clients.add(client, request, &self.requests);
        request
    }
}

/// The bytes charged for keeping a request.
pub(super) fn charge_of<F: Frame>(head: &RequestHead<F>, content: &Content<F>) -> usize {
    REQUEST + content.size() + head.rid.len() + head.service.len()
}
