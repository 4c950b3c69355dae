//! The connection to the broker: registers with each one, takes the signs of life, and sees to what
//! is there when it is lost.

use super::{Worker, WorkerNotice};
use crate::proto::Time;
use crate::proto::link::Loss;
use crate::wire::Frame;
use crate::wire::omdp::WorkerMessage;

impl<F: Frame> Worker<F> {
    /// The transport takes messages: registers.
    pub fn handle_up(&mut self, now: Time) {
        if self.link.handle_up(now) {
            self.connections += 1;
            self.watchdog.begin(now);
            self.pace.untold();
            self.introduce();
        }
    }

    /// The connection broke.
    pub fn handle_down(&mut self, now: Time) {
        self.lose(now, Loss::Transport);
    }

    /// The broker does not let this worker in: the next attempt has more time.
    pub fn handle_refused(&mut self, now: Time) {
        self.link.refused();
        self.lose(now, Loss::Refused);
    }

    /// A heartbeat out of turn.
    pub fn heartbeat(&mut self) {
        if self.link.is_up() && !self.said_goodbye() {
            self.transmits.push(WorkerMessage::Heartbeat);
        }
    }

    /// A sign of life, and the first one of a connection: a broker that speaks to this worker has
    /// it.
    pub(super) fn heard(&mut self, now: Time) {
        self.link.heard(now);
        self.log.heard(now);
        if !self.connected && self.link.is_up() {
            self.connected = true;
            self.link.accepted();
            self.notices.push(WorkerNotice::Connected);
        }
    }

    /// It may be meant for the other peer of this name, if that was displaced just now.
    #[cold]
    pub(super) fn name_taken(&mut self, now: Time, session: &[u8]) {
        if *session == *self.session().as_bytes() {
            self.link.close();
            self.lost(now, Loss::NameTaken);
        }
    }

    pub(super) fn lose(&mut self, now: Time, why: Loss) {
        if self.said_goodbye() {
            // The broker's answer, or that there will be none.
            return self.leave();
        }
        if self.link.lose(now) {
            self.watchdog.end();
            self.lost(now, why);
        }
    }

    pub(super) fn lost(&mut self, now: Time, why: Loss) {
        self.stalled_at = None;
        if why == Loss::Blocked {
            // The broker is there, and gives them to another.
            self.abandon();
        } else {
            self.lose_deliveries(now);
        }
        if self.connected {
            self.connected = false;
            self.notices.push(WorkerNotice::Disconnected(why));
        }
        self.settle_drain(now);
    }
}
