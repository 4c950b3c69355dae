//! Flow control: how much of a stream may be under way.
//!
//! A worker of ours may have [`WINDOW`] bytes of the parts of one reply on their way, from its user
//! to the client's. What the client's user has read comes back as *credit*, in one small message
//! for at least [`GRANT`] bytes, so a reply that is shorter costs none. A part may be sent while
//! any credit is left, whatever its size, so one that is larger than the window passes too, and the
//! credit is below zero until it was read. The end of a reply needs no credit.
//!
//! The credit is kept where the parts are made and read, by the two users. The machines carry it,
//! and give it where a peer knows none of it: the broker in the place of a client of 0.0.92 or MDP,
//! for what the transport has taken; the worker's own machine in the place of such a broker.
//!
//! Credit may be lost with a broker. So a client's machine and a worker's add up what they passed on
//! of each stream, and a stream that goes on with another broker begins with the difference.

use crate::wire::{Body, Frame};

/// How many bytes may be under way. In the tests of the machines streams of some parts meet it.
pub const WINDOW: u32 = if cfg!(test) { 1024 } else { 512 * 1024 };

/// What a part costs beyond its bytes, so that small parts are bounded too.
pub const OVERHEAD: u32 = 64;

/// How much is read before it is given back.
pub const GRANT: u32 = WINDOW / 2;

/// What a part costs.
pub fn cost<F: Frame>(body: &Body<F>) -> u32 {
    u32::try_from(body.bytes.len())
        .unwrap_or(u32::MAX)
        .saturating_add(OVERHEAD)
}

/// Credit that is owed to a worker in the place of a peer that gives none.
#[derive(Debug, Default)]
pub(super) struct Debt(u32);

impl Debt {
    /// A part went on.
    pub(super) fn add(&mut self, cost: u32) {
        self.0 = self.0.saturating_add(cost);
    }

    /// What is to be paid now: all of it, once it is worth a message and the way ahead is clear.
    pub(super) fn settle(&mut self, congested: bool) -> Option<u32> {
        (self.0 >= GRANT && !congested).then(|| std::mem::take(&mut self.0))
    }
}
