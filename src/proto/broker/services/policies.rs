//! Balancing policy and rate limit of each service, from the broker's configuration or else from the hellos of its
//! workers.

use super::balance::Balancer;
use super::pattern::Pattern;
use super::rate::Limiter;
use super::special::Relocating;
use super::{Service, Services};
use crate::proto::Time;
use crate::proto::broker::keys::ServiceKey;
use crate::wire::{Balance, Rate, Serving};
use std::time::Duration;

/// The broker's configuration of services.
#[derive(Debug, Clone)]
pub struct Policies {
    /// The waiting time that outweighs one level of priority. Default 10 s.
    pub ageing: Duration,
    /// Whether requests for a version range are spread over all versions that satisfy it, instead of going to the
    /// highest. Default false.
    pub spreads: bool,
    /// Policies by name or by pattern with `*`. An exact name precedes patterns, and a longer pattern precedes a
    /// shorter one.
    pub services: Vec<(String, Policy)>,
}

impl Default for Policies {
    fn default() -> Self {
        Policies {
            ageing: Duration::from_secs(10),
            spreads: false,
            services: Vec::new(),
        }
    }
}

/// The policies of one service. A `None` is filled in from the hellos of its workers.
#[derive(Debug, Clone, Copy, Default)]
pub struct Policy {
    /// The balancing policy.
    pub balance: Option<Balance>,
    /// The rate limit.
    pub rate: Option<Rate>,
}

impl Policies {
    fn of(&self, name: &[u8]) -> Policy {
        let exact = self
            .services
            .iter()
            .find(|(text, _)| text.as_bytes() == name);
        let fits = |text: &str| text.contains('*') && Pattern::new(text).matches(name);
        let fitting = self.services.iter().filter(|(text, _)| fits(text));
        let longest = || fitting.max_by_key(|(text, _)| text.len());
        exact
            .or_else(longest)
            .map_or(Policy::default(), |(_, policy)| *policy)
    }
}

impl Services {
    /// Counts the start of a copy of a fan-out, if the rate permits it. Returns false if it does not.
    pub(in crate::proto::broker) fn start_copy(&mut self, key: ServiceKey, now: Time) -> bool {
        let Some(limiter) = self.find_mut(key).and_then(Service::limiter_mut) else {
            return true;
        };
        let may_start = limiter.free_at(now).is_none();
        match may_start {
            true => limiter.start(now),
            false => limiter.copies_wait = true,
        }
        may_start
    }

    /// Applies the policies when a worker registers. The broker's configuration precedes the worker's hello, and a
    /// later hello precedes an earlier one.
    pub(in crate::proto::broker) fn configure(
        &mut self,
        key: ServiceKey,
        said: Option<&Serving>,
        policies: &Policies,
        seed: u64,
    ) {
        let service = &mut self.slab[key.0];
        let policy = policies.of(&service.name);
        let balance = policy.balance.or(said.and_then(|said| said.balance));
        let rate = policy.rate.or(said.and_then(|said| said.rate));
        if balance.is_none() && rate.is_none() {
            return;
        }
        let special = service.special.get_or_insert_default();
        if let Some(balance) = balance {
            let now = special.balancer.as_ref().map(|b| b.balance);
            if now != Some(balance) {
                special.balancer = match balance {
                    Balance::LongestIdle => None,
                    other => Some(Balancer::new(other, seed)),
                };
            }
        }
        if let Some(rate) = rate {
            match &mut special.limiter {
                Some(limiter) => limiter.rate = rate,
                None => {
                    let kept = self.rates.remove(&service.name);
                    let mut limiter = kept.unwrap_or_else(|| Limiter::new(rate));
                    limiter.rate = rate;
                    special.limiter = Some(limiter);
                }
            }
        }
        if !special.is_needed() {
            service.special = None;
        }
    }

    /// Whether requests are changing their places because of this service; no request of it starts meanwhile.
    pub(in crate::proto::broker) fn is_relocating(&self, key: ServiceKey) -> bool {
        let special = self.slab.get(key.0).and_then(|s| s.special.as_ref());
        special.is_some_and(|special| special.relocating != Relocating::No)
    }

    /// Requests begin to change their places. If others do already, these will be looked at again.
    pub(in crate::proto::broker) fn begin_relocation(&mut self, key: ServiceKey) {
        let special = self.slab[key.0].special.get_or_insert_default();
        special.relocating = match special.relocating {
            Relocating::No => Relocating::Once,
            Relocating::Once | Relocating::Again => Relocating::Again,
        };
    }

    /// All requests have been looked at. Returns true if they are to be looked at again.
    pub(in crate::proto::broker) fn end_relocation(&mut self, key: ServiceKey) -> bool {
        let service = &mut self.slab[key.0];
        let Some(special) = &mut service.special else {
            return false;
        };
        let again = special.relocating == Relocating::Again;
        special.relocating = match again {
            true => Relocating::Once,
            false => Relocating::No,
        };
        if !special.is_needed() {
            service.special = None;
        }
        again
    }

    /// Keeps the rate limiter of a service that is released, because its next worker may come before the interval
    /// ends.
    pub(super) fn keep_rate(&mut self, service: &mut Service) {
        let limiter = service.special.take().and_then(|special| special.limiter);
        if let Some(limiter) = limiter {
            if self.rates.len() >= MAX_RATES {
                self.rates.clear();
            }
            self.rates.insert(service.name.clone(), limiter);
        }
    }
}

/// Maximum of rate limiters that are kept for released services.
const MAX_RATES: usize = 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_exact_name_precedes_patterns_and_a_longer_pattern_a_shorter_one() {
        let policy = |max| Policy {
            rate: Some(Rate {
                max,
                interval_ms: 1000,
            }),
            ..Policy::default()
        };
        let policies = Policies {
            services: vec![
                ("*".to_owned(), policy(1)),
                ("a.*".to_owned(), policy(2)),
                ("a.b".to_owned(), policy(3)),
            ],
            ..Policies::default()
        };
        let max = |name: &[u8]| policies.of(name).rate.map(|rate| rate.max);
        assert_eq!(max(b"x"), Some(1));
        assert_eq!(max(b"a.c"), Some(2));
        assert_eq!(max(b"a.b"), Some(3));
    }

    #[test]
    fn the_starts_of_a_released_service_still_count() {
        let mut services = Services::new(16, false);
        let said = Serving {
            rate: Some(Rate {
                max: 1,
                interval_ms: 1000,
            }),
            ..Serving::default()
        };
        let now = Time::ZERO + Duration::from_secs(5);
        for is_first in [true, false] {
            let key = services.require(b"s");
            services.configure(key, Some(&said), &Policies::default(), 1);
            let limiter = services.get_mut(key).limiter_mut().expect("it has a rate");
            assert_eq!(limiter.free_at(now).is_none(), is_first);
            limiter.start(now);
            assert!(services.release(key));
        }
    }
}
