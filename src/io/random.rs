//! Random numbers, from the keys of the hasher.

use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

/// A random number that other processes cannot know.
pub fn random() -> u64 {
    RandomState::new().hash_one(())
}

/// A random frame, which differs from packed frames in its first byte.
pub(super) fn frame() -> [u8; 16] {
    let mut frame = [0; 16];
    frame[..8].copy_from_slice(&random().to_ne_bytes());
    frame[8..].copy_from_slice(&random().to_ne_bytes());
    frame[0] |= 0x80;
    frame
}

/// Makes a pause longer or shorter by up to a quarter, so that peers do not all act at the same moment.
pub(super) fn jittered(pause: Duration) -> Duration {
    pause.mul_f64(0.75 + (random() % 1024) as f64 / 2048.0)
}
