//! Slots of offers that the reader sees before it has room for them, so that it need not return for
//! each.
//!
//! A shown offer can still be taken back. The reader *takes* it when it has room. Both sides use
//! one atomic exchange in a shared slot, so exactly one of them succeeds.

use super::sync::atomic::{AtomicI32, Ordering};

/// The number of slots: how many offers may be shown at the same time.
pub const AHEAD: usize = 128;

/// No offer is shown in the slot.
const FREE: i32 = 0;
/// An offer is shown. The side that replaces this value has the offer.
pub const SHOWN: i32 = 1;
/// The reader has taken the offer.
pub const TAKEN: i32 = 2;

/// The slots. `lib/inbox.js` takes by `Atomics.compareExchange`.
#[derive(Debug)]
#[repr(transparent)]
pub struct Slots([AtomicI32; AHEAD]);

impl Default for Slots {
    fn default() -> Self {
        Slots(std::array::from_fn(|_| AtomicI32::new(FREE)))
    }
}

impl Slots {
    /// Whether the reader has taken the offer that was shown in this slot.
    pub fn is_taken(&self, slot: usize) -> bool {
        self.0[slot].load(Ordering::SeqCst) == TAKEN
    }

    /// Whether the slot shows an offer that is taken by neither side.
    pub fn is_open(&self, slot: usize) -> bool {
        self.0[slot].load(Ordering::SeqCst) == SHOWN
    }

    /// Shows the first slot, for [`end_check`](Self::end_check). Call it before any offer is shown.
    pub fn begin_check(&self) {
        self.show(0);
    }

    /// Whether the exchange by the reader in the first slot is visible here, which proves that both sides
    /// share the memory.
    pub fn end_check(&self) -> bool {
        self.0[0].swap(FREE, Ordering::SeqCst) == TAKEN
    }

    pub(super) fn show(&self, slot: usize) {
        self.0[slot].store(SHOWN, Ordering::SeqCst);
    }

    /// Takes the offer back. Returns false if it was taken before.
    pub(super) fn take_back(&self, slot: usize) -> bool {
        self.exchange(slot, FREE)
    }

    /// Takes the offer, for the reader. Returns false if it was taken back before.
    pub fn take(&self, slot: usize) -> bool {
        self.exchange(slot, TAKEN)
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
    fn an_exchange_that_does_not_arrive_fails_the_check() {
        let slots = Slots::default();
        slots.begin_check();
        assert!(!slots.end_check());
        slots.begin_check();
        assert!(slots.take(0));
        assert!(slots.end_check());
        assert!(!slots.is_taken(0) && !slots.is_open(0), "free again");
    }
}
