//! Invariants between the tables that hold between two calls.

use super::Client;
use super::pending::{Pending, Stage};
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
            let is_delayed = matches!(request.stage, Stage::Delayed);
            assert_eq!(
                request.timer.is_some(),
                request.timeout.is_some() || is_delayed
            );
            let waits = matches!(request.stage, Stage::Waiting);
            assert_eq!(waits, self.waiting.contains(id));
            assert!(
                self.link.is_up() || !request.stage.is_with_broker(),
                "with a broker that is there"
            );
            assert!(!matches!(request.stage, Stage::Parked) || request.received == 0);
            assert_eq!(request.data_stream.is_some(), request.terms.stream);
            if let Some(stream) = &request.data_stream {
                stream.audit();
            }
        }
        let waiting = |id| self.requests.contains_key(id);
        assert!(self.waiting.iter().all(waiting), "who waits has not ended");
        let unknown = |request: &&Pending<F>| matches!(request.stage, Stage::Unknown { .. });
        let unknown = self.requests.values().filter(unknown).count();
        assert_eq!(
            self.unknown.len(),
            unknown,
            "what is unknown is given up in the end"
        );
        for (until, id) in &self.unknown {
            let stage = self.requests[id].stage;
            assert!(matches!(stage, Stage::Unknown { until: at } if at == *until));
        }
        let idle = self.ready() && self.under_way.is_none();
        let awaits_hello =
            |id| self.link.peer().is_none() && self.requests[id].data_stream.is_some();
        assert!(
            !idle || self.waiting.iter().all(awaits_hello),
            "nobody waits for nothing"
        );
        assert!(
            self.link.is_up() || self.link.peer().is_none(),
            "a hello is of one connection"
        );
    }
}
