//! Balancing policies: the choice among the workers of a service that have room.

use super::Service;
use crate::proto::broker::keys::WorkerKey;
use crate::proto::broker::workers::Workers;
use crate::wire::Balance;
use std::time::Duration;

/// The longest duration that counts for a request, as a multiple of the average. It bounds how long one very slow
/// request keeps its worker from being chosen.
const SLOWEST: u64 = 100;

/// The share that one request adds to a worker of weight 1.
const UNIT: u64 = 1 << 20;

/// State of a policy other than `LongestIdle`.
#[derive(Debug)]
pub(in crate::proto::broker) struct Balancer {
    pub(super) balance: Balance,
    /// The share of the latest chosen worker, and the lower bound of all shares. A worker that is new or was idle for
    /// long starts from this bound and does not catch up on missed work.
    share: u64,
    /// Average duration of a request, in µs.
    usual: u64,
    random: u64,
}

impl Balancer {
    pub(super) fn new(balance: Balance, seed: u64) -> Self {
        Balancer {
            balance,
            share: 0,
            usual: 0,
            // Xorshift never leaves the state zero.
            random: seed | 1,
        }
    }

    /// Records the duration of a request that has ended. Returns the share that it adds to its worker.
    pub(in crate::proto::broker) fn ended(&mut self, took: Duration) -> u64 {
        if self.balance != Balance::LeastLoaded {
            return 0;
        }
        let micros = (took.as_micros() as u64).max(1);
        let counted = match self.usual {
            0 => micros,
            usual => micros.min(usual * SLOWEST),
        };
        self.usual = match self.usual {
            0 => micros,
            usual => (usual * 15 + counted).div_ceil(16),
        };
        counted
    }

    fn next_random(&mut self) -> u64 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        self.random
    }

    fn choose(&mut self, candidates: &[WorkerKey], workers: &mut Workers) -> Option<WorkerKey> {
        if self.balance == Balance::Random {
            let count = u64::try_from(candidates.len()).ok().filter(|&n| n > 0)?;
            return candidates
                .get((self.next_random() % count) as usize)
                .copied();
        }
        let weighted = self.balance == Balance::Weighted;
        // `min_by_key` returns the first of equal workers, which has been idle for longest.
        let best = candidates.iter().copied().min_by_key(|&key| {
            workers.get(key).map_or((usize::MAX, u64::MAX), |worker| {
                let running = if weighted { 0 } else { worker.running.len() };
                (running, worker.share.max(self.share))
            })
        })?;
        let worker = workers.get_mut(best)?;
        worker.share = worker.share.max(self.share);
        if weighted {
            self.share = worker.share;
            worker.share += UNIT / u64::from(worker.weight());
        } else if worker.running.is_empty() {
            // Among busy workers the number of running requests ranks first, so the chosen share is no lower bound.
            self.share = worker.share;
        }
        Some(best)
    }
}

impl Service {
    /// Chooses the next worker among those that fit: an idle worker if possible, else a busy one with room for
    /// prefetch.
    pub(super) fn choose(
        &mut self,
        workers: &mut Workers,
        fits: impl Fn(&Workers, WorkerKey) -> bool,
    ) -> Option<WorkerKey> {
        let balancer = self.special.as_mut().and_then(|s| s.balancer.as_mut());
        let idle = self.idle.values().copied();
        let chosen = match balancer {
            None => {
                let mut idle = idle;
                idle.find(|&key| fits(workers, key))
            }
            Some(balancer) => {
                let fitting: Vec<WorkerKey> = idle.filter(|&key| fits(workers, key)).collect();
                balancer.choose(&fitting, workers)
            }
        };
        let mut busy = self.busy.values().copied();
        chosen.or_else(|| busy.find(|&key| fits(workers, key)))
    }
}
