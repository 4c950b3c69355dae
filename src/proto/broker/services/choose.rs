//! Pairing of requests and workers in services with lanes, a balancing policy or a rate limit.

use super::{Service, Services};
use crate::proto::Time;
use crate::proto::broker::keys::{RequestKey, ServiceKey, WorkerKey};
use crate::proto::broker::requests::{Lane, ParkState, Requests, Who};
use crate::proto::broker::workers::Workers;
use std::time::Duration;

impl Services {
    /// As [`pair`](Self::pair), for queues with lanes and services with special policies. One level of priority
    /// outweighs a waiting time of `ageing`.
    #[cold]
    pub(super) fn pair_specially<F>(
        &mut self,
        now: Time,
        key: ServiceKey,
        requests: &mut Requests<F>,
        workers: &mut Workers,
        ageing: Duration,
    ) -> Option<(RequestKey, WorkerKey)> {
        let service = self.slab.get_mut(key.0)?;
        if !service.can_take(now) {
            return None;
        }
        let rank = |lane: &Lane, head: RequestKey| {
            let (arrived, serial) = requests.order(head);
            let age = ageing.as_micros() as u64 * u64::from(super::MAX_LEVEL - lane.level.0);
            (arrived.as_micros() + age, serial)
        };
        let heads = service.queue.heads();
        let mut heads: Vec<_> = heads
            .map(|(lane, head)| (rank(lane, head), head, lane.who.clone()))
            .collect();
        heads.sort_unstable_by_key(|(rank, ..)| *rank);
        for (_, head, who) in heads {
            if !requests.park(head).is_some_and(ParkState::may_start) {
                if service.has_worker_for(&who, workers) {
                    // The client of this request is being asked for it. Later requests wait, as they would in a
                    // single queue.
                    return None;
                }
                continue;
            }
            let chosen = match &who {
                Who::Any => service.choose(workers, |_, _| true),
                Who::Not(rejected) => service.choose(workers, |workers, key| {
                    let worker = workers.get(key);
                    worker.is_some_and(|w| rejected.binary_search(&w.number).is_err())
                }),
                Who::Only(key) => Some(*key),
                Who::Later | Who::Nobody => None,
            };
            let position = chosen.and_then(|key| workers.get(key)?.position);
            let (Some(worker), Some(position)) = (chosen, position) else {
                continue;
            };
            service.ready.remove(position);
            service.queue.assign(head, worker, now, requests);
            service.lookahead.count(now);
            if let Some(special) = &mut service.special
                && let Some(limiter) = &mut special.limiter
            {
                limiter.start(now);
            }
            return Some((head, worker));
        }
        None
    }
}

impl Service {
    /// The first request of each lane that has a worker with room.
    pub(in crate::proto::broker) fn firsts_with_workers(
        &self,
        workers: &Workers,
    ) -> Vec<RequestKey> {
        if !self.queue.has_lanes() {
            return self.queue.first_plain().into_iter().collect();
        }
        let heads = self.queue.heads();
        let heads = heads.filter(|(lane, _)| self.has_worker_for(&lane.who, workers));
        heads.map(|(_, head)| head).collect()
    }

    /// Whether a worker with room may be given a request of this lane.
    fn has_worker_for(&self, who: &Who, workers: &Workers) -> bool {
        let mut in_line = self.ready.idle().chain(self.ready.busy());
        match who {
            Who::Any => in_line.next().is_some(),
            Who::Not(rejected) => in_line.any(|key| {
                let worker = workers.get(key);
                worker.is_some_and(|w| rejected.binary_search(&w.number).is_err())
            }),
            Who::Only(key) => workers
                .get(*key)
                .is_some_and(|worker| worker.position.is_some()),
            Who::Later | Who::Nobody => false,
        }
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
