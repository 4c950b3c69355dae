//! The terms of a request, as its record carries them.

use crate::node::crossing::{LeftShift, TermsShift};
use crate::node::units::optional_ms;
use crate::proto::Terms;
use crate::proto::client::{Cause, RetryPolicy};
use serde_json::Value;
use std::time::Duration;

/// The failures that a retry policy may name.
const CAUSES: [(Cause, &str); 4] = [
    (Cause::Lost, "lost"),
    (Cause::Rejected, "rejected"),
    (Cause::Error, "error"),
    (Cause::Timeout, "timeout"),
];

/// The retry policy in the options, which JavaScript has checked and completed.
pub(super) fn retry_policy(options: &[u8]) -> Option<RetryPolicy> {
    let text = std::str::from_utf8(options).ok()?;
    // Most have none, and this thread is JavaScript's.
    if !text.contains(r#""retry":{"#) {
        return None;
    }
    let options: Value = serde_json::from_str(text).ok()?;
    let policy = options.get("retry")?.as_object()?;
    let number = |name: &str| policy.get(name).and_then(Value::as_f64);
    let on = policy.get("on")?.as_array()?;
    let named = |name: &str| on.iter().any(|each| each.as_str() == Some(name));
    let on = CAUSES.into_iter().filter(|(_, name)| named(name));
    Some(RetryPolicy {
        attempts: number("attempts")?.clamp(1.0, 255.0) as u8,
        on: on.map(|(cause, _)| cause).collect(),
        delay: number("delay")?,
        factor: number("factor")?,
        max_delay: number("maxDelay")?,
        jitter: number("jitter")?,
    })
}

/// Decodes the last field of a request's record: the timeout in ms, -1 for none, combined with
/// others by [`TermsShift`].
pub(super) fn terms(field: f64) -> Terms {
    const ABOVE: f64 = (1u64 << TermsShift::Retry as u32) as f64;
    const FAIL_FAST: u64 = 1 << (TermsShift::FailFast as u32 - TermsShift::Retry as u32);
    const ROUTED: u64 = 1 << (TermsShift::Routed as u32 - TermsShift::Retry as u32);
    let how = ((field + 1.0) / ABOVE).floor();
    let timeout = field - how * ABOVE;
    let how = how as u64;
    Terms {
        timeout: optional_ms(timeout),
        retry: how as u8,
        fail_fast: how & FAIL_FAST != 0,
        routed: how & ROUTED != 0,
        ..Terms::default()
    }
}

/// Decodes the length of a request's options and the time left until its deadline, see
/// [`LeftShift`].
pub(super) fn left(field: f64) -> (f64, Option<Duration>) {
    const ABOVE: f64 = (1u64 << LeftShift::Options as u32) as f64;
    if field < ABOVE {
        return (field, None);
    }
    let left = (field / ABOVE).floor();
    (
        field - left * ABOVE,
        Some(Duration::from_millis(left as u64 - 1)),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_retry_policy_is_read_from_the_options() {
        let options = br#"{"retry":{"attempts":9,"on":["lost","error"],"delay":100,"factor":2,"maxDelay":500,"jitter":0.5}}"#;
        let expected = RetryPolicy {
            attempts: 9,
            on: vec![Cause::Lost, Cause::Error],
            delay: 100.0,
            factor: 2.0,
            max_delay: 500.0,
            jitter: 0.5,
        };
        assert_eq!(retry_policy(options), Some(expected));
        assert_eq!(retry_policy(br#"{"retry":3}"#), None);
        assert_eq!(retry_policy(b"{}"), None);
    }

    #[test]
    fn the_time_left_shares_a_number() {
        assert_eq!(left(65_536.0), (65_536.0, None));
        for ms in [0, 1, 2_147_483_647] {
            let field = 17.0 + (ms as f64 + 1.0) * 1_048_576.0;
            assert_eq!(left(field), (17.0, Some(Duration::from_millis(ms))));
        }
    }

    #[test]
    fn terms_share_a_number() {
        for timeout in [-1.0, 1.0, 60_000.0, 2_147_483_647.0] {
            for retry in [0, 1, 255] {
                for (fail_fast, routed) in
                    [(false, false), (true, false), (false, true), (true, true)]
                {
                    let how = f64::from(retry)
                        + if fail_fast { 256.0 } else { 0.0 }
                        + if routed { 512.0 } else { 0.0 };
                    let expected = Terms {
                        timeout: (timeout >= 0.0).then(|| Duration::from_millis(timeout as u64)),
                        retry,
                        fail_fast,
                        routed,
                        ..Terms::default()
                    };
                    assert_eq!(terms(timeout + how * 4_294_967_296.0), expected);
                }
            }
        }
    }
}
