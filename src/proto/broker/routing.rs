//! Requests with constraints on workers: for a named worker, for the worker of an affinity key, or rejected by some
//! workers.

use super::Timer;
use super::context::Context;
use super::keys::{RequestKey, ServiceKey};
use super::requests::{Routing, Who};
use super::services::affinity;
use crate::wire::Frame;

impl<F: Frame> Context<F> {
    /// The service of the named worker, if it is registered and may serve requests for this name.
    pub(super) fn pinned_home(&self, worker: &[u8], asked: &[u8]) -> Option<ServiceKey> {
        let worker = self.workers.get(self.workers.find(worker)?)?;
        let home = worker.service;
        self.services.may_serve(home, asked).then_some(home)
    }

    pub(super) fn is_pinned(&self, key: RequestKey) -> bool {
        let routing = self.requests.routing(key);
        routing.is_some_and(|routing| routing.worker.is_some())
    }

    /// Determines the workers that a request waits for, before it is put into its queue.
    #[inline]
    pub(super) fn route(&mut self, key: RequestKey) {
        if self.requests.routing(key).is_some_and(Routing::is_choosy) {
            self.route_choosy(key);
        }
    }

    #[cold]
    fn route_choosy(&mut self, key: RequestKey) {
        let Some(request) = self.requests.get(key) else {
            return;
        };
        let Some(routing) = &request.routing else {
            return;
        };
        let home = request.service;
        let (named, affine) = (routing.worker.as_deref(), routing.key.as_deref());
        let who = match (named, affine) {
            (Some(name), _) => {
                let worker = self.workers.find(name);
                let worker = worker.filter(|&key| {
                    let worker = self.workers.get(key);
                    worker.is_some_and(|worker| worker.service == home)
                });
                worker.map_or(Who::Nobody, Who::Only)
            }
            (None, Some(affine)) => {
                let fitting = self.workers.iter_keys().filter(|(_, worker)| {
                    worker.service == home && !worker.is_among(&routing.rejected)
                });
                let best = fitting.max_by_key(|(_, worker)| affinity(affine, &worker.id));
                best.map_or(Who::Later, |(key, _)| Who::Only(key))
            }
            (None, None) => Who::not(&routing.rejected),
        };
        if let Some(request) = self.requests.get_mut(key)
            && let Some(routing) = &mut request.routing
        {
            routing.who = who;
        }
    }

    pub(super) fn was_rejected(&self, key: RequestKey) -> bool {
        let routing = self.requests.routing(key);
        routing.is_some_and(|routing| routing.was_rejected())
    }

    /// Whether it waits for a named worker that is gone.
    pub(super) fn is_for_nobody(&self, key: RequestKey) -> bool {
        let routing = self.requests.routing(key);
        routing.is_some_and(|routing| routing.who == Who::Nobody)
    }

    pub(super) fn is_fail_fast(&self, key: RequestKey) -> bool {
        let request = self.requests.get(key);
        request.is_some_and(|request| request.is_fail_fast())
    }

    /// Whether each registered worker that may have it has rejected it.
    pub(super) fn is_rejected_by_all(&self, key: RequestKey) -> bool {
        let Some(request) = self.requests.get(key) else {
            return false;
        };
        let Some(routing) = request.routing.as_ref().filter(|r| r.was_rejected()) else {
            return false;
        };
        let homes = match self.is_for_one(key) {
            true => Vec::new(),
            false => self.services.shared_homes(&self.asked_name(request)),
        };
        let mut serving = self
            .workers
            .iter()
            .filter(|worker| worker.service == request.service || homes.contains(&worker.service));
        serving.all(|worker| worker.is_among(&routing.rejected))
    }

    /// Sets the timer for the next permitted start if requests wait for the rate limit.
    #[cold]
    pub(super) fn watch_rate(&mut self, service: ServiceKey) {
        let Some(entry) = self.services.find_mut(service) else {
            return;
        };
        if entry.queue.first().is_some() {
            self.await_rate(service);
        }
    }

    /// Sets the timer for the next permitted start.
    #[cold]
    pub(super) fn await_rate(&mut self, service: ServiceKey) {
        let entry = self.services.find_mut(service);
        let Some(limiter) = entry.and_then(|entry| entry.limiter_mut()) else {
            return;
        };
        let is_set = limiter.timer.is_some();
        if let Some(at) = limiter.free_at(self.now).filter(|_| !is_set) {
            limiter.timer = Some(self.deadlines.set(at, Timer::Rate(service)));
        }
    }
}
