//! Flow control: limits the bytes of a stream that are under way.
//!
//! An extended worker may have [`WINDOW`] bytes of the partials of one reply under way, from its application to the
//! client's. What the client's application has read comes back as *credit*, in one small message for at least
//! [`CREDIT_STEP`] bytes, so a shorter reply causes none. A part may be sent while any credit is left, whatever its size.
//! So a part that is larger than the window passes too, and the credit is negative until it has been read. The end of
//! a reply needs no credit.
//!
//! The credit is kept where the parts are made and read, by the two applications. The machines carry it, and give it
//! on behalf of peers without flow control: the broker for a client of 0.0.92 or MDP, when the transport has accepted
//! the part; the worker's machine for a broker of 0.0.92.
//!
//! Credit can be lost with a broker. So the machines of client and worker add up the credit of each stream, and a
//! stream that goes on with another broker starts with the difference.

use crate::wire::{Body, Frame};

/// Maximum of bytes under way. Small in tests, so that streams of a few parts reach it.
pub const WINDOW: u32 = if cfg!(test) { 1024 } else { 512 * 1024 };

/// The cost of a part in addition to its bytes, so that small parts are limited too.
pub const OVERHEAD: u32 = 64;

/// Bytes that are read before credit is given.
pub const CREDIT_STEP: u32 = WINDOW / 2;

/// The cost of a part.
pub fn cost<F: Frame>(body: &Body<F>) -> u32 {
    u32::try_from(body.bytes.len())
        .unwrap_or(u32::MAX)
        .saturating_add(OVERHEAD)
}

/// Credit that is owed to a worker on behalf of a peer that gives none.
#[derive(Debug, Default)]
pub(super) struct Debt(u32);

impl Debt {
    /// Adds the cost of a part that was passed on.
    pub(super) fn add(&mut self, cost: u32) {
        self.0 = self.0.saturating_add(cost);
    }

    /// The credit to give now: all that is owed, if it is worth a message and the receiver is not congested.
    pub(super) fn settle(&mut self, congested: bool) -> Option<u32> {
        (self.0 >= CREDIT_STEP && !congested).then(|| std::mem::take(&mut self.0))
    }
}
