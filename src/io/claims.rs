//! Slots of offers that the reader sees before it has room for them, so that it need not return for
//! each.
//!
//! A shown offer can still be taken back. The reader *claims* it when it has room. Both sides use
//! one atomic exchange in a shared slot, so exactly one of them succeeds.

use super::sync::atomic::{AtomicI32, Ordering};

/// The number of slots: how many offers may be shown at the same time.
pub const AHEAD: usize = 128;

/// No offer is shown in the slot.
const FREE: i32 = 0;
/// An offer is shown. The side that replaces this value has the offer.
pub const SHOWN: i32 = 1;
/// The reader has claimed the offer.
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
    /// Whether the reader has claimed the offer that was shown in this slot.
    pub fn is_claimed(&self, slot: usize) -> bool {
        self.0[slot].load(Ordering::SeqCst) == CLAIMED
    }

    /// Whether the slot shows an offer that is neither claimed nor taken back.
    pub fn is_open(&self, slot: usize) -> bool {
        self.0[slot].load(Ordering::SeqCst) == SHOWN
    }

    /// Shows the first slot, for [`end_check`](Self::end_check). Call it before any offer is shown.
    pub fn begin_check(&self) {
        self.show(0);
    }

    /// Whether the reader's claim of the first slot is visible here, which proves that both sides
    /// share the memory.
    pub fn end_check(&self) -> bool {
        self.0[0].swap(FREE, Ordering::SeqCst) == CLAIMED
    }

    pub(super) fn show(&self, slot: usize) {
        self.0[slot].store(SHOWN, Ordering::SeqCst);
    }

    /// Takes the offer back. Returns false if it was claimed before.
    pub(super) fn take_back(&self, slot: usize) -> bool {
        self.exchange(slot, FREE)
    }

    /// Claims the offer, for the reader. Returns false if it was taken back before.
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
