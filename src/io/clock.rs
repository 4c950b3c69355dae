//! The one clock of the process.

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

/// The time as the machines take it.
pub fn now() -> Time {
    Time::ZERO + epoch().elapsed()
}

/// The machines' time as the timer of the reactor takes it.
pub(super) fn instant(time: Time) -> tokio::time::Instant {
    (epoch() + Duration::from_micros(time.as_micros())).into()
}
