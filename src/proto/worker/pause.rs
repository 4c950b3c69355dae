//! A worker that pauses: it stays registered, is given nothing new, and gives back what its user has not
//! taken. What runs goes on.
//!
//! Its broker hears that there is no room. What is on its way then goes back at once. A broker that takes
//! nothing back has given one request at most, which is on offer until the worker goes on.

use super::Worker;
use crate::proto::Time;
use crate::wire::Frame;
use crate::wire::omdp::WorkerMessage;

impl<F: Frame> Worker<F> {
    /// Takes no new request until [`resume`](Self::resume); what was only offered goes back.
    pub fn pause(&mut self) {
        if !std::mem::replace(&mut self.paused, true) && self.draining.is_none() {
            // First, or the broker would give them back at once.
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
    pub fn resume(&mut self, now: Time) {
        if std::mem::take(&mut self.paused) && self.draining.is_none() {
            self.watch_for_stall(now);
            if self.link.peer().is_some() || self.speaks_pigato() {
                self.send_ready();
            }
        }
    }

    /// Gives a request back that its user has not seen. False if the broker takes none back.
    pub(super) fn give_back(&mut self, token: Option<u64>) -> bool {
        let Some(token) = token else {
            return false;
        };
        self.transmits.push(WorkerMessage::Return {
            tokens: F::from(&token.to_be_bytes()[..]),
        });
        // The broker takes this worker for a slow one.
        self.pace.untold();
        true
    }
}
