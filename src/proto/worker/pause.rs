//! Pause: the worker stays registered, takes no new requests, and returns its offers. Running requests go on.
//!
//! The broker is told that there is no room. Requests that are under way are returned on arrival. A broker that does
//! not take requests back has given one request at most, which stays on offer until the pause ends.

use super::Worker;
use crate::proto::Time;
use crate::wire::Frame;
use crate::wire::omdp::WorkerMessage;

impl<F: Frame> Worker<F> {
    /// Takes no new requests until [`resume`](Self::resume), and returns all offers.
    pub fn pause(&mut self) {
        if !std::mem::replace(&mut self.paused, true) && self.draining.is_none() {
            // Before RETURN, or the broker would give them again at once.
            if self.link.peer().is_some() || self.speaks_pigato() {
                self.send_ready();
            }
            self.ask_back(0);
        }
    }

    pub(in crate::proto) fn is_paused(&self) -> bool {
        self.paused
    }

    /// Takes requests again.
    pub fn unpause(&mut self, now: Time) {
        if std::mem::take(&mut self.paused) && self.draining.is_none() {
            self.watch_for_stall(now);
            if self.link.peer().is_some() || self.speaks_pigato() {
                self.send_ready();
            }
        }
    }

    /// Returns a request before it is offered. Returns false if the broker does not take requests back.
    pub(super) fn give_back(&mut self, token: Option<u64>) -> bool {
        let Some(token) = token else {
            return false;
        };
        self.transmits.push(WorkerMessage::Return {
            tokens: F::from(&token.to_be_bytes()[..]),
        });
        // After RETURN the broker assumes a slow worker.
        self.pace.untold();
        true
    }
}
