//! Requests with constraints on workers: for a named worker, for the worker of an affinity key, or rejected by some
//! workers. [`affinity`] determines the worker of a key.

use super::Timer;
use super::context::Context;
use super::keys::{RequestKey, ServiceKey};
use super::requests::{Eligible, Routing};
use super::services::affinity;
use crate::wire::Frame;

/// Workers among which one is chosen in one unit of work.
pub(super) const CHOICES: usize = 64;

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
        let mut looked_at = 0;
        let who = match (named, affine) {
            (Some(name), _) => {
                let worker = self.workers.find(name);
                let worker = worker.filter(|&key| {
                    let worker = self.workers.get(key);
                    worker.is_some_and(|worker| worker.service == home)
                });
                worker.map_or(Eligible::Nobody, Eligible::Only)
            }
            (None, Some(affine)) => {
                let serving = self.workers.serving(home);
                looked_at = serving.len();
                let fitting = serving.iter().filter_map(|&key| {
                    let worker = self.workers.get(key)?;
                    let may_have_it = !worker.is_among(&routing.rejected);
                    may_have_it.then(|| (key, affinity(affine, &worker.id)))
                });
                let best = fitting.max_by_key(|(_, rank)| *rank);
                best.map_or(Eligible::Later, |(key, _)| Eligible::Only(key))
            }
            (None, None) => Eligible::not(&routing.rejected),
        };
        if let Some(request) = self.requests.get_mut(key)
            && let Some(routing) = &mut request.routing
        {
            routing.who = who;
        }
        self.count_work(looked_at / CHOICES);
    }

    pub(super) fn was_rejected(&self, key: RequestKey) -> bool {
        let routing = self.requests.routing(key);
        routing.is_some_and(|routing| routing.was_rejected())
    }

    /// Whether it waits for a named worker that is gone.
    pub(super) fn is_for_nobody(&self, key: RequestKey) -> bool {
        let routing = self.requests.routing(key);
        routing.is_some_and(|routing| routing.who == Eligible::Nobody)
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
        let mut homes = homes.iter().chain([&request.service]);
        !homes.any(|&home| self.workers.any_other(home, &routing.rejected))
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::broker::bench::Bench;
    use crate::proto::broker::keys::WorkerKey;
    use crate::proto::broker::requests::Cursors;

    /// A request with these constraints, which is in no queue.
    fn request(bench: &mut Bench, service: ServiceKey, rid: &str, routing: Routing) -> RequestKey {
        let client = match bench.clients.find(b"c") {
            Some(client) => client,
            None => bench.client("c", |_| {}),
        };
        let key = bench.request(client, rid, service);
        bench.leave_queue(key);
        let request = bench.requests.get_mut(key).expect("it is new");
        request.routing = Some(Box::new(routing));
        key
    }

    #[test]
    fn the_choice_of_the_worker_of_a_key_looks_at_those_of_the_service_and_is_counted() {
        let mut bench = Bench::empty();
        let [service, other] = [b"s", b"o"].map(|name| bench.services.require(name));
        let own = 2 * CHOICES;
        for n in 0..5 * CHOICES {
            bench.worker(&n.to_string(), if n % 5 < 2 { service } else { other });
        }
        let routing = Routing {
            key: Some(Box::from(&b"k"[..])),
            ..Routing::default()
        };
        let key = request(&mut bench, service, "r", routing);
        bench.route(key);
        let Eligible::Only(worker) = *bench.requests.who(key) else {
            panic!("one worker has the key");
        };
        assert_eq!(bench.workers.get(worker).map(|w| w.service), Some(service));
        assert_eq!(bench.work as usize, own / CHOICES);
    }

    #[test]
    fn the_workers_of_a_service_are_known_when_others_have_come_and_gone() {
        let mut bench = Bench::empty();
        let [service, other] = [b"s", b"o"].map(|name| bench.services.require(name));
        let [a, _, c] = ["a", "b", "c"].map(|name| bench.worker(name, service));
        let d = bench.worker("d", other);
        bench.workers.remove(a);
        let e = bench.worker("e", other);
        let serving = |service| -> Vec<WorkerKey> {
            let serving = bench.workers.serving(service).iter();
            serving.copied().collect()
        };
        assert_eq!((serving(service).len(), serving(other).len()), (2, 2));
        assert!(serving(service).contains(&c));
        assert!([d, e].iter().all(|key| serving(other).contains(key)));
        let number = |key| bench.workers.get(key).map_or(0, |worker| worker.number);
        let mut all: Vec<u64> = serving(service).into_iter().map(number).collect();
        all.sort_unstable();
        assert!(!bench.workers.any_other(service, &all));
        assert!(bench.workers.any_other(service, &all[1..]));
        all.push(u64::MAX);
        assert!(!bench.workers.any_other(service, &all));
    }

    #[test]
    fn the_way_to_a_place_by_arrival_is_counted() {
        let mut bench = Bench::empty();
        let service = bench.services.require(b"s");
        let rejected = || Routing {
            rejected: vec![7],
            who: Eligible::not(&[7]),
            ..Routing::default()
        };
        let keys: Vec<RequestKey> = (0..1000)
            .map(|n| request(&mut bench, service, &n.to_string(), rejected()))
            .collect();
        let mut cursors = Cursors::default();
        let queue = &mut bench.services.get_mut(service).queue;
        let all = keys.iter().copied().filter(|&key| key != keys[900]);
        queue.merge(all, &mut bench.requests, &mut cursors);
        assert_eq!(cursors.take_work(), 0);
        let one = [keys[900]].into_iter();
        queue.merge(one, &mut bench.requests, &mut cursors);
        assert_eq!(cursors.take_work(), 900 / 64);
    }
}
