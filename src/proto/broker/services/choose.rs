//! Pairing of requests and workers, in particular in services with lanes, a balancing policy or a rate limit.

use super::{Service, Services};
use crate::proto::Time;
use crate::proto::broker::keys::{RequestKey, ServiceKey, WorkerKey};
use crate::proto::broker::ready::ReadyList;
#[cfg(any(test, feature = "fuzz"))]
use crate::proto::broker::requests::Lane;
use crate::proto::broker::requests::{Eligible, Lanes, Requests};
use crate::proto::broker::workers::Workers;

impl Services {
    /// Assigns the next request to the next worker, if both exist and the rate limit permits it.
    pub(in crate::proto::broker) fn pair<F>(
        &mut self,
        now: Time,
        key: ServiceKey,
        requests: &mut Requests<F>,
        workers: &mut Workers,
    ) -> Option<(RequestKey, WorkerKey)> {
        // The key may be stale: when its last request has moved to another service, a service is released.
        let service = self.slab.get_mut(key.0)?;
        if service.queue.has_lanes() || service.special.is_some() {
            return self.pair_specially(now, key, requests, workers);
        }
        let first = service.queue.first_plain()?;
        if !service.queue.may_start(first, requests) {
            return None;
        }
        let worker = service.ready.pop()?;
        service.queue.assign(first, worker, now, requests);
        service.lookahead.count(now);
        Some((first, worker))
    }

    /// As [`pair`](Self::pair), for queues with lanes and services with special policies.
    #[cold]
    fn pair_specially<F>(
        &mut self,
        now: Time,
        key: ServiceKey,
        requests: &mut Requests<F>,
        workers: &mut Workers,
    ) -> Option<(RequestKey, WorkerKey)> {
        let service = self.slab.get_mut(key.0)?;
        if !service.can_take(now) {
            return None;
        }
        let front = service.first_with_worker(requests, workers)?;
        if !service.queue.may_start(front, requests) {
            // The client of this request is being asked for it, or for an earlier one. Later requests wait, as they would in a single queue.
            return None;
        }
        let worker = match requests.who(front) {
            Eligible::Any => service.choose(workers, |_, _| true),
            Eligible::Not(rejected) => service.choose(workers, |workers, key| {
                let worker = workers.get(key);
                worker.is_some_and(|worker| !worker.is_among(rejected))
            }),
            Eligible::Only(key) => Some(*key),
            Eligible::Later | Eligible::Nobody => None,
        }?;
        service.ready.remove(workers.get(worker)?.position?);
        service.queue.assign(front, worker, now, requests);
        service.lookahead.count(now);
        if let Some(special) = &mut service.special
            && let Some(limiter) = &mut special.limiter
        {
            limiter.start(now);
        }
        Some((front, worker))
    }

    /// Ends the look for the next requests of a service. Returns the number of fronts that were tried in vain, and
    /// whether a rest is left.
    #[cold]
    pub(in crate::proto::broker) fn end_look(&mut self, key: ServiceKey) -> (usize, bool) {
        let service = self.slab.get_mut(key.0);
        let lanes = service.and_then(|service| service.queue.lanes_mut());
        lanes.map_or((0, false), Lanes::end_look)
    }

    /// Number of workers that were compared since the last call.
    #[cold]
    pub(in crate::proto::broker) fn take_looked_at(&mut self, key: ServiceKey) -> usize {
        let service = self.slab.get_mut(key.0);
        service.map_or(0, |service| std::mem::take(&mut service.looked_at))
    }
}

impl Service {
    /// The first request of those that are the first of their lanes and have a worker with room.
    pub(in crate::proto::broker) fn first_with_worker<F>(
        &mut self,
        requests: &Requests<F>,
        workers: &Workers,
    ) -> Option<RequestKey> {
        let Service { queue, ready, .. } = self;
        let plain = queue.first_plain();
        let Some(lanes) = queue.lanes_mut() else {
            return plain;
        };
        let plain = plain.map(|key| (requests.rank(key), key));
        lanes.first(plain, has_room(workers), fits(ready, requests, workers))
    }

    /// The first request of each lane that has a worker with room: those behind which parked requests are looked for
    /// now.
    pub(in crate::proto::broker) fn firsts_to_ask<F>(
        &mut self,
        requests: &Requests<F>,
        workers: &Workers,
    ) -> Vec<RequestKey> {
        let Service { queue, ready, .. } = self;
        let mut firsts: Vec<RequestKey> = queue.first_plain().into_iter().collect();
        if let Some(lanes) = queue.lanes_mut().filter(|_| !ready.is_empty()) {
            firsts.extend(lanes.fronts_to_ask(has_room(workers), fits(ready, requests, workers)));
        }
        firsts
    }

    /// The first request of each lane that has a worker with room.
    #[cfg(any(test, feature = "fuzz"))]
    pub(in crate::proto::broker) fn firsts_with_workers<F>(
        &self,
        requests: &Requests<F>,
        workers: &Workers,
    ) -> Vec<RequestKey> {
        let fits = fits(&self.ready, requests, workers);
        let has_worker = |lane: &Lane, head: RequestKey| match lane.who {
            Eligible::Any => !self.ready.is_empty(),
            Eligible::Not(_) => fits(head).0,
            Eligible::Only(key) => has_room(workers)(key),
            Eligible::Later | Eligible::Nobody => false,
        };
        let heads = self.queue.heads();
        let heads = heads.filter(|(lane, head)| has_worker(lane, *head));
        heads.map(|(_, head)| head).collect()
    }
}

/// Whether a worker has room.
pub(in crate::proto::broker) fn has_room(workers: &Workers) -> impl Fn(WorkerKey) -> bool {
    |key| {
        workers
            .get(key)
            .is_some_and(|worker| worker.position.is_some())
    }
}

/// Whether a worker with room has not rejected a request, and how many were tried.
fn fits<F>(
    ready: &ReadyList,
    requests: &Requests<F>,
    workers: &Workers,
) -> impl Fn(RequestKey) -> (bool, usize) {
    |key| {
        let Eligible::Not(rejected) = requests.who(key) else {
            return (false, 1);
        };
        let mut tried = 0;
        let found = ready.idle().chain(ready.busy()).any(|key| {
            tried += 1;
            let worker = workers.get(key);
            worker.is_some_and(|worker| !worker.is_among(rejected))
        });
        (found, tried.max(1))
    }
}

/// The rank of a worker for an affinity key. The worker with the greatest rank gets the requests of the key, so a
/// worker that registers or leaves moves only its own keys (rendezvous hashing).
pub(in crate::proto::broker) fn affinity(key: &[u8], worker: &[u8]) -> u64 {
    let fnv = |seed: u64, bytes: &[u8]| {
        bytes.iter().fold(seed, |hash, byte| {
            (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
        })
    };
    let mut hash = fnv(fnv(0xcbf2_9ce4_8422_2325, worker) ^ 0xff, key);
    // In FNV the last input bytes do not reach the highest bits of the hash; the finalizer mixes them.
    hash ^= hash >> 33;
    hash = hash.wrapping_mul(0xff51_afd7_ed55_8ccd);
    hash ^= hash >> 33;
    hash = hash.wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    hash ^ hash >> 33
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::broker::bench::Bench;
    use crate::proto::broker::requests::{LOOKS, Routing};
    use crate::proto::broker::services::balance::Balancer;
    use crate::proto::broker::services::special::Special;
    use crate::wire::Balance;

    /// A request that workers with these numbers have rejected, at the end of its lane.
    fn rejected(bench: &mut Bench, service: ServiceKey, rid: usize, by: Vec<u64>) -> RequestKey {
        let client = match bench.clients.find(b"c") {
            Some(client) => client,
            None => bench.client("c", |_| {}),
        };
        let key = bench.request(client, &rid.to_string(), service);
        bench.leave_queue(key);
        let request = bench.requests.get_mut(key).expect("it is new");
        let who = Eligible::not(&by);
        request.routing = Some(Box::new(Routing {
            rejected: by,
            who,
            ..Routing::default()
        }));
        let queue = &mut bench.services.get_mut(service).queue;
        queue.push_back(key, &mut bench.requests);
        key
    }

    fn pair(bench: &mut Bench, service: ServiceKey) -> Option<RequestKey> {
        let Bench {
            services,
            requests,
            workers,
            ..
        } = bench;
        let (request, _) = services.pair(bench.now, service, requests, workers)?;
        Some(request)
    }

    #[test]
    fn a_request_behind_very_many_that_the_worker_has_rejected_is_found_in_a_later_look() {
        let mut bench = Bench::empty();
        let service = bench.services.require(b"s");
        let worker = bench.worker("w", service);
        let number = bench.workers.get(worker).map_or(0, |worker| worker.number);
        for n in 0..LOOKS + 10 {
            rejected(&mut bench, service, n, vec![number, 10 + n as u64]);
        }
        let last = rejected(&mut bench, service, usize::MAX, vec![u64::MAX]);
        assert_eq!(pair(&mut bench, service), None);
        assert_eq!(bench.services.end_look(service), (LOOKS, true));
        // Something has happened meanwhile, so that a look from the beginning follows.
        assert_eq!(pair(&mut bench, service), Some(last));
        assert_eq!(bench.services.end_look(service), (10, false));
        bench.workers.get_mut(worker).expect("it is there").position = None;
        bench.line_up(worker);
        // The first look ends behind the beginning, so that one more follows.
        for (tried, is_left) in [(LOOKS, true), (10, true), (LOOKS, true), (10, false)] {
            assert_eq!(pair(&mut bench, service), None);
            assert_eq!(bench.services.end_look(service), (tried, is_left));
            let lanes = bench.services.get_mut(service).queue.lanes_mut();
            lanes.expect("they wait").begin_rest();
        }
    }

    #[test]
    fn very_many_workers_are_not_all_compared_for_one_request() {
        let mut bench = Bench::empty();
        let service = bench.services.require(b"s");
        let special = Special {
            balancer: Some(Balancer::new(Balance::LeastLoaded, 1)),
            ..Special::default()
        };
        bench.services.get_mut(service).special = Some(Box::new(special));
        for n in 0..3000 {
            bench.worker(&n.to_string(), service);
        }
        let client = bench.client("c", |_| {});
        bench.request(client, "r", service);
        assert!(pair(&mut bench, service).is_some());
        assert_eq!(bench.services.take_looked_at(service), 1024);
        assert_eq!(bench.services.take_looked_at(service), 0);
    }
}
