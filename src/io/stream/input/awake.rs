//! Whether a reader stays awake for the rest of a large frame.
//!
//! To fall asleep and be woken costs as much as a short wait, and a sender that goes on writing meanwhile fills the
//! cache. A sender that is slower than memory shows itself by one wait in vain.

use std::time::Duration;

/// The longest wait in a turn.
pub(super) const AWAKE: Duration = Duration::from_micros(100);

/// The number of bytes in a turn after which a reader may wait.
pub(super) const FAST: usize = 32 * 1024;

/// The maximum number of frames without a wait after one in vain.
const MAX_PASSED: u32 = 64;

pub(super) struct Awake {
    /// What is left of the time of the turn.
    left: Duration,
    /// Whether the present frame arrives fast, as far as is known.
    is_fast: bool,
    /// The number of further frames without a wait.
    passes: u32,
    /// That number after the next wait in vain.
    next_passes: u32,
}

impl Awake {
    pub(super) fn new() -> Self {
        Awake {
            left: Duration::ZERO,
            is_fast: false,
            passes: 0,
            next_passes: 1,
        }
    }

    /// Begins a turn. Nothing else of the thread waits for its end if it is `allowed`.
    pub(super) fn begin_turn(&mut self, allowed: bool) {
        self.left = if allowed { AWAKE } else { Duration::ZERO };
    }

    /// Ends the waits of this turn, because there is other work.
    pub(super) fn end_waits(&mut self) {
        self.left = Duration::ZERO;
    }

    /// Begins a large frame.
    pub(super) fn begin_frame(&mut self) {
        self.is_fast = self.passes == 0;
        self.passes = self.passes.saturating_sub(1);
    }

    /// How long to wait for more of the frame, after this number of bytes in the turn.
    pub(super) fn time(&self, read: usize) -> Option<Duration> {
        (self.is_fast && read >= FAST && !self.left.is_zero()).then_some(self.left)
    }

    /// Notes how long a wait was; `None` if it was in vain. A longer one than permitted was interrupted by the system,
    /// which needs the processor for others.
    pub(super) fn note(&mut self, taken: Option<Duration>) {
        match taken.and_then(|taken| self.left.checked_sub(taken)) {
            Some(left) => {
                self.left = left;
                self.next_passes = 1;
            }
            None => {
                self.is_fast = false;
                self.passes = self.next_passes;
                self.next_passes = (self.next_passes * 2).min(MAX_PASSED);
            }
        }
    }
}
