//! The policies of a service: which of the workers that have room is next.

use super::Service;
use crate::proto::broker::keys::WorkerKey;
use crate::proto::broker::workers::Workers;
use crate::wire::Balance;
use std::time::Duration;

/// A worker that is slower than usual by more than this counts as if it were not: else it would not be tried again
/// before the others have worked for as long.
const SLOWEST: u64 = 100;

/// The share of the work that a request is to a worker of the weight 1.
const UNIT: u64 = 1 << 20;

/// What a service remembers for a policy other than that of the longest idle worker.
#[derive(Debug)]
pub(in crate::proto::broker) struct Balancer {
    pub(super) balance: Balance,
    /// The share of the worker that was chosen last. Nobody has less: who comes, or had nothing to do for long, begins
    /// with it, and does not catch up.
    share: u64,
    /// How long a request takes, on average, in µs.
    usual: u64,
    random: u64,
}

impl Balancer {
    pub(super) fn new(balance: Balance, seed: u64) -> Self {
        Balancer {
            balance,
            share: 0,
            usual: 0,
            // Xorshift has no way out of zero.
            random: seed | 1,
        }
    }

    /// One that ran a request is given it up again: what that was of its share.
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
        // The first of those that are equal has been idle for longest.
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
            // By what is running somebody with a greater share may be chosen, which says nothing.
            self.share = worker.share;
        }
        Some(best)
    }
}

impl Service {
    /// The next worker, of those that fit: one that can run a request, else one that takes it ahead of need.
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
