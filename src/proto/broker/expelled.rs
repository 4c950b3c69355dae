//! Workers that were told to start over.

use super::RoutingId;
use std::collections::HashSet;

/// Workers that were told to start over and have not registered since.
#[derive(Debug, Default)]
pub(super) struct Expelled(HashSet<RoutingId>);

/// Maximum of entries. Beyond it the set is cleared, and some workers receive DISCONNECT again.
const MAX_EXPELLED: usize = 65_536;

impl Expelled {
    pub(super) fn remove(&mut self, peer: &[u8]) {
        if !self.0.is_empty() {
            self.0.remove(peer);
        }
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// Returns true if the worker was not in the set.
    pub(super) fn insert(&mut self, peer: &[u8]) -> bool {
        if self.0.len() >= MAX_EXPELLED {
            self.0.clear();
        }
        self.0.insert(peer.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_worker_is_told_once_to_start_over_until_it_registers() {
        let mut expelled = Expelled::default();
        assert!(expelled.insert(b"w") && !expelled.insert(b"w"));
        expelled.remove(b"w");
        assert!(expelled.insert(b"w"));
    }

    #[test]
    fn names_made_up_cost_a_bounded_amount() {
        let mut expelled = Expelled::default();
        for n in 0..2 * MAX_EXPELLED {
            expelled.insert(n.to_string().as_bytes());
            assert!(expelled.len() <= MAX_EXPELLED);
        }
    }
}
