//! What a broker's user is told.

use super::{Driver, MAX_EVENTS, Notice};
use crate::io::security::HandshakeFailure;
use crate::io::zap::GateNotice;
use std::sync::PoisonError;

impl Driver {
    pub(super) fn publish_refusals(&self) {
        let refusals = self.earlier + self.machine.refusals();
        *self.refusals.lock().unwrap_or_else(PoisonError::into_inner) = refusals;
    }

    pub(super) fn report(&mut self) {
        self.publish_refusals();
        self.report_failures();
        let mut events = self.machine.drain_events().peekable();
        if events.peek().is_some() {
            let room = MAX_EVENTS.saturating_sub(self.outlet.len());
            self.outlet.update(|queue| {
                events
                    .take(room)
                    .for_each(|event| queue.push(Notice::Event(event)))
            });
        }
    }

    fn report_failures(&mut self) {
        let (Some(guard), Some(failures)) = (&self.guard, &self.failures) else {
            return;
        };
        while let Some((event, value)) = failures.next() {
            let Some(failure) = HandshakeFailure::from_event(event, value) else {
                continue;
            };
            guard.gate.count_refused();
            if self.outlet.len() < MAX_EVENTS {
                self.outlet.push(Notice::Gate(GateNotice::Refused {
                    address: String::new(),
                    mechanism: "",
                    name: String::new(),
                    reason: failure.reason_at_broker(),
                }));
            }
        }
    }
}
