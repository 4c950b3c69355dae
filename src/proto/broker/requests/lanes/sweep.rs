//! How far the fronts of lanes were looked at, for one message and in later turns.

use super::Rank;

/// Maximum of fronts that are tried in vain for one message.
pub const LOOKS: usize = 512;

#[derive(Debug)]
pub(super) struct Sweep {
    /// The rest of [`LOOKS`]: the fronts that may still be tried.
    pub(super) looks: usize,
    /// The front in `not` from which the next look goes on; all before it were tried in vain.
    pub(super) at: Option<Rank>,
    /// Whether a look from the beginning has to follow, because something has changed since.
    pub(super) again: bool,
    /// The front at which parked requests were looked for last, and whether it is one in `not`.
    pub(super) asked: (bool, Rank),
    /// Number of fronts at which parked requests are still to be looked for.
    pub(super) to_ask: usize,
    /// Whether this is the rest of an earlier look.
    pub(super) is_rest: bool,
    /// Whether fronts are left for a later turn.
    pub(super) is_left: bool,
}

impl Default for Sweep {
    fn default() -> Self {
        Sweep {
            looks: LOOKS,
            at: None,
            again: false,
            asked: (false, Rank::default()),
            to_ask: 0,
            is_rest: false,
            is_left: false,
        }
    }
}

impl Sweep {
    /// Ends a look. Returns the number of fronts that were tried in vain, and whether a rest is left.
    pub(super) fn end(&mut self) -> (usize, bool) {
        self.is_rest = false;
        let tried = LOOKS - std::mem::replace(&mut self.looks, LOOKS);
        (tried, std::mem::take(&mut self.is_left))
    }
}
