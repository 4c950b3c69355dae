//! Invariants between the tables that hold between two calls.

use super::Worker;
use crate::wire::Frame;

impl<F: Frame> Worker<F> {
    pub(crate) fn audit(&self) {
        let tokens = self.deliveries.iter();
        let tokens = tokens.filter_map(|(number, delivery)| Some((delivery.token?, *number)));
        let mut count = 0;
        for (token, number) in tokens {
            assert_eq!(self.by_token.get(&token), Some(&number));
            count += 1;
        }
        assert_eq!(self.by_token.len(), count, "every token has a delivery");
        self.audit_detached();
        assert!(
            self.link.is_up() || self.deliveries.values().all(|each| each.detached),
            "a delivery is of one connection"
        );
        assert!(
            self.link.is_up() || self.link.peer().is_none(),
            "a hello is of one connection"
        );
    }

    fn audit_detached(&self) {
        let detached = self.deliveries.values().filter(|each| each.detached);
        assert_eq!(detached.count(), self.detached.running());
        assert!(
            !self.detached.has(false) || self.give_up_at.is_some(),
            "what is detached is given up in the end"
        );
        assert!(self.link.is_up() || !self.detached.has(true));
        assert!(self.link.is_up() || self.log.len() == 0);
        assert!(
            self.disowned.is_empty() || self.give_up_at.is_some(),
            "what was disowned is forgotten in the end"
        );
    }

    /// Number of kept replies, of deliveries that have ended.
    #[cfg(test)]
    pub(in crate::proto) fn kept(&self) -> usize {
        self.log.len() + self.detached.ended()
    }
}
