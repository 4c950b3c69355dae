//! The connection to the broker: registration, signs of life, and its loss.

use super::{Worker, WorkerNotice};
use crate::proto::Time;
use crate::proto::link::Loss;
use crate::wire::Frame;
use crate::wire::omdp::WorkerMessage;

impl<F: Frame> Worker<F> {
    /// Handles that the transport accepts messages: registers.
    pub(super) fn register(&mut self, now: Time) {
        if self.link.handle_up(now) {
            self.connections += 1;
            self.watchdog.begin(now);
            self.pace.untold();
            self.introduce();
        }
    }

    /// Sends a heartbeat out of turn.
    pub fn heartbeat(&mut self) {
        if self.link.is_up() && !self.said_goodbye() {
            self.transmits.push(WorkerMessage::Heartbeat);
        }
    }

    /// Records a sign of life. The first one of a connection shows that the broker has registered
    /// this worker.
    pub(super) fn heard(&mut self, now: Time) {
        self.link.heard(now);
        self.log.heard(now);
        if !self.connected && self.link.is_up() {
            self.connected = true;
            self.name_taken = false;
            self.link.accepted();
            self.notices.push(WorkerNotice::Connected);
        }
    }

    /// The message may be meant for the peer that has just been displaced; its session tells.
    #[cold]
    pub(super) fn name_taken(&mut self, now: Time, session: &[u8], asked: bool) {
        if *session != *self.session().as_bytes() {
            return;
        }
        if asked {
            if self.said_goodbye() {
                return self.leave();
            }
            if self.link.ask_again(now) {
                self.watchdog.end();
                self.lost(now, Loss::NameTaken);
            }
            return;
        }
        self.link.name_refused(now);
        self.watchdog.end();
        // Told once, not after each attempt, and also by a worker that was not connected.
        self.connected |= !std::mem::replace(&mut self.name_taken, true);
        self.lost(now, Loss::NameTaken);
    }

    pub(super) fn lose(&mut self, now: Time, why: Loss) {
        if self.said_goodbye() {
            // The broker's answer to the goodbye, or the end of the wait for it.
            return self.leave();
        }
        if self.link.lose(now, why) {
            self.watchdog.end();
            self.lost(now, why);
        }
    }

    pub(super) fn lost(&mut self, now: Time, why: Loss) {
        self.stalled_at = None;
        if why == Loss::Blocked {
            // The broker is alive, and gives the requests to another worker.
            self.abandon();
        } else {
            self.lose_deliveries(now);
        }
        if self.connected {
            self.connected = false;
            self.notices.push(WorkerNotice::Disconnected(why));
        }
        self.check_drained(now);
    }
}
