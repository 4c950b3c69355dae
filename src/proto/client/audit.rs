//! What must hold between the tables whenever nothing is under way.

use super::Client;
use crate::wire::Frame;

impl<F: Frame> Client<F> {
    pub(crate) fn audit(&self) {
        let timers = self.requests.values().filter_map(|request| request.timer);
        let timers: Vec<_> = timers.collect();
        assert_eq!(
            self.deadlines.len(),
            timers.len(),
            "every timer has an owner"
        );
        assert!(timers.iter().all(|timer| self.deadlines.contains(*timer)));
        for (id, request) in &self.requests {
            assert_eq!(request.timer.is_some(), request.timeout.is_some());
            assert_eq!(request.unsent.is_some(), self.waiting.contains(id));
        }
        let unsent = self
            .requests
            .values()
            .filter(|request| request.unsent.is_some());
        assert_eq!(
            unsent.count(),
            self.waiting.len(),
            "who waits has something to send"
        );
        let idle = self.ready() && self.under_way.is_none();
        assert!(!idle || self.waiting.is_empty(), "nobody waits for nothing");
        assert!(
            self.link.is_up() || self.link.peer().is_none(),
            "a hello is of one connection"
        );
    }
}
