//! Random differences between pauses, so that peers do not all act at the same moment.

use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

/// Makes a pause longer or shorter by up to a quarter.
pub(super) fn jittered(pause: Duration) -> Duration {
    let random = RandomState::new().hash_one(()) % 1024;
    pause.mul_f64(0.75 + random as f64 / 2048.0)
}
