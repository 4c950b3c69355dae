//! The connections of peers that the machine has lost. Each is ended a moment later, so that the DISCONNECT arrives.

/// The connections, and how often they were checked since.
#[derive(Debug)]
pub(in crate::io) struct GivenUp<K>(Vec<(K, u32)>);

impl<K: Copy + PartialEq> GivenUp<K> {
    pub(in crate::io) const fn new() -> Self {
        GivenUp(Vec::new())
    }

    pub(in crate::io) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(in crate::io) fn add(&mut self, connection: K) {
        self.0.push((connection, 0));
    }

    /// Handles that a connection has ended.
    pub(in crate::io) fn remove(&mut self, connection: K) {
        self.0.retain(|&(of, _)| of != connection);
    }

    /// Checks them, and removes and returns those that are to be ended. The first check may follow at once, the second
    /// and the third after a full interval each.
    pub(in crate::io) fn check(&mut self) -> Vec<K> {
        for (_, checks) in &mut self.0 {
            *checks += 1;
        }
        let due = self.0.extract_if(.., |(_, checks)| *checks > 2);
        due.map(|(connection, _)| connection).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_is_due_with_the_third_check() {
        let mut given_up = GivenUp::new();
        given_up.add(1);
        assert!(given_up.check().is_empty());
        given_up.add(2);
        given_up.add(3);
        given_up.remove(3);
        assert!(given_up.check().is_empty());
        assert_eq!(given_up.check(), [1]);
        assert_eq!(given_up.check(), [2]);
        assert!(given_up.is_empty());
    }
}
