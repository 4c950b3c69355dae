//! Numbers of JavaScript: times in ms, and maxima. -1 stands for none.

use std::time::Duration;

pub(super) fn ms(ms: f64) -> Duration {
    Duration::from_millis(ms as u64)
}

pub(super) fn optional_ms(time: f64) -> Option<Duration> {
    (time >= 0.0).then(|| ms(time))
}

pub(super) fn optional(max: f64) -> Option<usize> {
    (max >= 0.0).then_some(max as usize)
}

pub(super) fn or_unlimited(max: f64) -> usize {
    optional(max).unwrap_or(usize::MAX)
}
