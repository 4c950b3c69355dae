//! The numbers of connections by the network of their address, or by user.

use crate::proto::network::network_of;
use std::collections::HashMap;

#[derive(Debug, Default)]
pub(in crate::io) struct Counts(HashMap<Box<str>, usize>);

impl Counts {
    /// Counts one more. Returns their number.
    pub(in crate::io) fn add(&mut self, of: &str) -> usize {
        let count = self.0.entry(network_of(of).into()).or_default();
        *count += 1;
        *count
    }

    pub(in crate::io) fn remove(&mut self, of: &str) {
        let of = network_of(of);
        if let Some(count) = self.0.get_mut(&*of) {
            *count -= 1;
            if *count == 0 {
                self.0.remove(&*of);
            }
        }
    }

    #[cfg(test)]
    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_name_is_counted_and_none_is_kept_at_zero() {
        let mut counts = Counts::default();
        assert_eq!(
            [counts.add("a"), counts.add("a"), counts.add("b")],
            [1, 2, 1]
        );
        counts.remove("a");
        counts.remove("c");
        assert_eq!(counts.add("a"), 2);
        for of in ["a", "a", "b"] {
            counts.remove(of);
        }
        assert!(counts.is_empty());
    }
}
