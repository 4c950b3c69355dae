//! Balancing policies: the choice among the workers of a service that have room.

use crate::proto::broker::keys::WorkerKey;
use crate::proto::broker::workers::Workers;
use crate::wire::Balance;
use std::time::Duration;

/// The longest duration that counts for a request, as a multiple of the average. It bounds how long one very slow
/// request keeps its worker from being chosen.
const SLOWEST: u64 = 100;

/// Maximum of workers that are compared for one request: those of them that have been ready for longest.
pub(super) const COMPARED: usize = 1024;

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

    pub(super) fn choose(
        &mut self,
        candidates: &[WorkerKey],
        workers: &mut Workers,
    ) -> Option<WorkerKey> {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::broker::bench::Bench;
    use std::collections::HashMap;

    /// Gives requests to three idle workers, the last of which has this weight. Returns how many each of them got.
    fn shares(balance: Balance, weight: u32, count: usize) -> Vec<usize> {
        let mut bench = Bench::empty();
        let service = bench.services.require(b"s");
        let keys: Vec<WorkerKey> = ["a", "b", "c"].map(|n| bench.worker(n, service)).to_vec();
        if let Some(worker) = bench.workers.get_mut(keys[2]) {
            let mut hello = crate::wire::Hello::new(1000, 3);
            hello.serving.weight = Some(weight);
            worker.hello = Some(hello);
        }
        let mut balancer = Balancer::new(balance, 7);
        let mut chosen: HashMap<usize, usize> = HashMap::new();
        for _ in 0..count {
            let best = balancer.choose(&keys, &mut bench.workers);
            *chosen.entry(best.expect("there are three").0).or_default() += 1;
        }
        keys.iter()
            .map(|key| chosen.get(&key.0).copied().unwrap_or(0))
            .collect()
    }

    #[test]
    fn work_is_shared_in_proportion_to_the_weights() {
        assert_eq!(shares(Balance::Weighted, 2, 400), [100, 100, 200]);
        assert_eq!(shares(Balance::Weighted, 1, 300), [100, 100, 100]);
    }

    #[test]
    fn random_choice_reaches_all_workers() {
        let shares = shares(Balance::Random, 1, 3000);
        assert!(
            shares.iter().all(|&n| (800..1200).contains(&n)),
            "{shares:?}"
        );
    }

    #[test]
    fn one_very_slow_request_counts_a_bounded_share() {
        let mut balancer = Balancer::new(Balance::LeastLoaded, 1);
        let usual = Duration::from_micros(10);
        for _ in 0..9 {
            assert_eq!(balancer.ended(usual), 10);
        }
        assert_eq!(balancer.ended(Duration::from_secs(60)), 10 * SLOWEST);
        let mut weighted = Balancer::new(Balance::Weighted, 1);
        assert_eq!(weighted.ended(usual), 0);
    }

    #[test]
    fn nobody_is_chosen_among_none() {
        let mut bench = Bench::empty();
        for balance in [Balance::LeastLoaded, Balance::Random, Balance::Weighted] {
            let chosen = Balancer::new(balance, 1).choose(&[], &mut bench.workers);
            assert!(chosen.is_none());
        }
    }
}
