//! The only clock of the process.

use crate::proto::Time;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

fn epoch() -> Instant {
    static EPOCH: OnceLock<Instant> = OnceLock::new();
    #[expect(
        clippy::disallowed_methods,
        reason = "the one place that reads the clock"
    )]
    *EPOCH.get_or_init(Instant::now)
}

/// The current time of the machines.
pub fn now() -> Time {
    Time::ZERO + epoch().elapsed()
}

/// Converts the machines' time for tokio's timers.
pub(super) fn instant(time: Time) -> tokio::time::Instant {
    (epoch() + Duration::from_micros(time.as_micros())).into()
}
