//! The retry policy of a request, by which [`attempts`](super::attempts) submits it again. (`retry` as a number is
//! handled by the broker.)

use crate::proto::Terms;
use crate::proto::code::Code;
use crate::wire::omdp::ReplyKind;
use crate::wire::{Body, Frame};
use std::time::Duration;

/// The failure of an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// The worker or the broker was lost with it.
    Lost,
    /// Every worker has rejected it.
    Rejected,
    /// The handler ended it with an error value.
    Error,
    /// The timeout or deadline passed, or the worker's limit for its handlers.
    Timeout,
}

impl Cause {
    /// The failure that a reply means; `None` if it is none.
    pub(super) fn of<F: Frame>(kind: ReplyKind, body: &Body<F>) -> Option<Self> {
        let is = |code: Code| *body.bytes == *code.to_json();
        match kind {
            ReplyKind::Error => Some(Cause::Error),
            ReplyKind::OwnError if is(Code::WorkerLost) || is(Code::BrokerLost) => {
                Some(Cause::Lost)
            }
            ReplyKind::OwnError if is(Code::Rejected) => Some(Cause::Rejected),
            ReplyKind::OwnError if is(Code::ClientTimeout) || is(Code::WorkerTimeout) => {
                Some(Cause::Timeout)
            }
            _ => None,
        }
    }
}

/// A retry policy: which failures are retried, and after which pauses.
#[derive(Debug, Clone, PartialEq)]
pub struct RetryPolicy {
    /// Maximum of attempts, including the first.
    pub attempts: u8,
    /// The failures that are retried.
    pub on: Vec<Cause>,
    /// The first pause, in ms.
    pub delay: f64,
    /// By how much each pause is longer than the one before.
    pub factor: f64,
    /// The longest pause, in ms.
    pub max_delay: f64,
    /// How far pauses may differ from that, as a share from 0 to 1.
    pub jitter: f64,
}

/// The terms of a request, and the retry policy of its client.
#[derive(Debug, Clone, Default)]
pub struct ClientTerms {
    pub terms: Terms,
    pub policy: Option<Box<RetryPolicy>>,
}

impl<T: Into<Terms>> From<T> for ClientTerms {
    fn from(terms: T) -> Self {
        ClientTerms {
            terms: terms.into(),
            policy: None,
        }
    }
}

/// The policy of a request, and its state.
#[derive(Debug)]
pub(in crate::proto) struct Retry {
    policy: Box<RetryPolicy>,
    /// Number of attempts before this one.
    pub(super) made: u8,
}

impl Retry {
    pub(super) fn new(policy: Box<RetryPolicy>) -> Self {
        Retry { policy, made: 0 }
    }

    /// The pause before the next attempt of the request; `None` if the policy permits none after this failure. Pauses
    /// differ between clients, by their seed.
    pub(super) fn next(&self, cause: Cause, seed: u64, id: u64) -> Option<Duration> {
        let made = self.made + 1;
        let permitted = self.policy.on.contains(&cause) && made < self.policy.attempts;
        permitted.then(|| self.pause(made, random(seed, id, made)))
    }

    /// The pause after `made` attempts; `random` is from 0 to 1.
    fn pause(&self, made: u8, random: f64) -> Duration {
        let policy = &self.policy;
        let exponent = i32::from(made.saturating_sub(1));
        let delay = (policy.delay * policy.factor.powi(exponent)).min(policy.max_delay);
        let spread = 1.0 + policy.jitter * (2.0 * random - 1.0);
        let ms = (delay * spread).clamp(0.0, f64::from(i32::MAX));
        Duration::from_micros((ms * 1000.0) as u64)
    }
}

/// A number from 0 to 1 that differs between clients, requests and attempts.
fn random(seed: u64, id: u64, attempt: u8) -> f64 {
    let mut hash = seed ^ id.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ u64::from(attempt) << 56;
    hash = (hash ^ hash >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    hash = (hash ^ hash >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    ((hash ^ hash >> 31) >> 11) as f64 / (1u64 << 53) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_up_to_a_maximum_and_spread() {
        let retry = Retry::new(Box::new(RetryPolicy {
            attempts: 9,
            on: vec![Cause::Lost, Cause::Error],
            delay: 100.0,
            factor: 2.0,
            max_delay: 500.0,
            jitter: 0.5,
        }));
        let mut pauses = Vec::new();
        for made in 1..=5 {
            pauses.push([0.0, 0.5, 1.0].map(|r| retry.pause(made, r).as_millis()));
        }
        assert_eq!(
            pauses,
            [
                [50, 100, 150],
                [100, 200, 300],
                [200, 400, 600],
                [250, 500, 750],
                [250, 500, 750]
            ]
        );
    }

    #[test]
    fn random_numbers_are_spread() {
        let numbers: Vec<f64> = (0..1000).map(|id| random(7, id, 1)).collect();
        assert!(numbers.iter().all(|n| (0.0..1.0).contains(n)));
        let mean = numbers.iter().sum::<f64>() / 1000.0;
        assert!((0.45..0.55).contains(&mean), "{mean}");
    }
}
