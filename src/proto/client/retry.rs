//! The retry policy of a request, by which [`attempts`](super::attempts) submits it again. (`retry` as a number is
//! handled by the broker.)

use crate::proto::code::Code;
use crate::wire::omdp::ReplyKind;
use crate::wire::{Body, Frame};
use serde_json::Value;
use std::time::Duration;

/// The failure of an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cause {
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
    const ALL: [(Cause, &str); 4] = [
        (Cause::Lost, "lost"),
        (Cause::Rejected, "rejected"),
        (Cause::Error, "error"),
        (Cause::Timeout, "timeout"),
    ];

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

    fn bit(self) -> u8 {
        1 << self as u8
    }
}

/// The policy of a request, and its state.
#[derive(Debug)]
pub(in crate::proto) struct Retry {
    /// Maximum of attempts, including the first.
    attempts: u8,
    /// Number of attempts before this one.
    pub(super) made: u8,
    /// The failures that are retried, one bit each.
    on: u8,
    delay: f64,
    factor: f64,
    max_delay: f64,
    jitter: f64,
}

impl Retry {
    /// Reads the policy in the options, which JavaScript has checked and completed.
    pub(super) fn read(options: &[u8]) -> Option<Box<Self>> {
        let options: Value = serde_json::from_slice(options).ok()?;
        let policy = options.get("retry")?.as_object()?;
        let number = |name: &str| policy.get(name).and_then(Value::as_f64);
        let on = policy.get("on")?.as_array()?;
        let named = |name: &str| on.iter().any(|each| each.as_str() == Some(name));
        let on = Cause::ALL.into_iter().filter(|(_, name)| named(name));
        Some(Box::new(Retry {
            attempts: number("attempts")?.clamp(1.0, 255.0) as u8,
            made: 0,
            on: on.fold(0, |bits, (cause, _)| bits | cause.bit()),
            delay: number("delay")?,
            factor: number("factor")?,
            max_delay: number("maxDelay")?,
            jitter: number("jitter")?,
        }))
    }

    /// The pause before the next attempt of the request; `None` if the policy permits none after this failure. Pauses
    /// differ between clients, by their seed.
    pub(super) fn next(&self, cause: Cause, seed: u64, id: u64) -> Option<Duration> {
        let made = self.made + 1;
        let permitted = self.on & cause.bit() != 0 && made < self.attempts;
        permitted.then(|| self.pause(made, random(seed, id, made)))
    }

    /// The pause after `made` attempts; `random` is from 0 to 1.
    fn pause(&self, made: u8, random: f64) -> Duration {
        let exponent = i32::from(made.saturating_sub(1));
        let delay = (self.delay * self.factor.powi(exponent)).min(self.max_delay);
        let spread = 1.0 + self.jitter * (2.0 * random - 1.0);
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
        let options = br#"{"retry":{"attempts":9,"on":["lost","error"],"delay":100,"factor":2,"maxDelay":500,"jitter":0.5}}"#;
        let retry = Retry::read(options).expect("a policy");
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
        assert_eq!(retry.on, Cause::Lost.bit() | Cause::Error.bit());
        assert!(Retry::read(br#"{"retry":3}"#).is_none());
        assert!(Retry::read(b"{}").is_none());
    }

    #[test]
    fn random_numbers_are_spread() {
        let numbers: Vec<f64> = (0..1000).map(|id| random(7, id, 1)).collect();
        assert!(numbers.iter().all(|n| (0.0..1.0).contains(n)));
        let mean = numbers.iter().sum::<f64>() / 1000.0;
        assert!((0.45..0.55).contains(&mean), "{mean}");
    }
}
