//! Offers that the reader is shown before it has room for them, so that it need not come back for each.
//!
//! What it is shown is on offer still: it *claims* one in the moment in which it has room, and until then the offer can
//! be taken back. Whoever comes first has it, so both do so with one atomic exchange in a slot that they share.

use super::sync::atomic::{AtomicI32, Ordering};

/// How many offers may be shown at a time.
pub const AHEAD: usize = 128;

/// Nothing is shown in this slot, or no longer.
const FREE: i32 = 0;
/// An offer is, and whoever writes something else has it.
pub const SHOWN: i32 = 1;
/// The reader has claimed it.
pub const CLAIMED: i32 = 2;

/// The slots. `lib/inbox.js` claims by `Atomics.compareExchange`.
#[derive(Debug)]
#[repr(transparent)]
pub struct Claims([AtomicI32; AHEAD]);

impl Default for Claims {
    fn default() -> Self {
        Claims(std::array::from_fn(|_| AtomicI32::new(FREE)))
    }
}

impl Claims {
    /// Whether the offer that is, or was, shown in this slot has been claimed.
    pub fn is_claimed(&self, slot: usize) -> bool {
        self.0[slot].load(Ordering::SeqCst) == CLAIMED
    }

    /// Whether an offer is shown in this slot that nobody has.
    pub fn is_open(&self, slot: usize) -> bool {
        self.0[slot].load(Ordering::SeqCst) == SHOWN
    }

    /// Before anything is shown: shows the first slot, for [`end_check`](Self::end_check).
    pub fn begin_check(&self) {
        self.show(0);
    }

    /// Whether the reader's claim of the first slot arrived here, so that both sides share the memory.
    pub fn end_check(&self) -> bool {
        self.0[0].swap(FREE, Ordering::SeqCst) == CLAIMED
    }

    pub(super) fn show(&self, slot: usize) {
        self.0[slot].store(SHOWN, Ordering::SeqCst);
    }

    /// Takes the offer back. False if it was claimed before.
    pub(super) fn take_back(&self, slot: usize) -> bool {
        self.exchange(slot, FREE)
    }

    /// What the reader does. False if the offer was taken back before.
    pub fn claim(&self, slot: usize) -> bool {
        self.exchange(slot, CLAIMED)
    }

    fn exchange(&self, slot: usize, to: i32) -> bool {
        self.0[slot]
            .compare_exchange(SHOWN, to, Ordering::SeqCst, Ordering::SeqCst)
            .is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_claim_that_does_not_arrive_fails_the_check() {
        let claims = Claims::default();
        claims.begin_check();
        assert!(!claims.end_check());
        claims.begin_check();
        assert!(claims.claim(0));
        assert!(claims.end_check());
        assert!(!claims.is_claimed(0) && !claims.is_open(0), "free again");
    }
}
