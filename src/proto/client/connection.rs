//! The connection to the broker: a hello to each one, heartbeats, and what is there when it is lost.

use super::request::Tell;
use super::{Client, ClientNotice};
use crate::proto::Time;
use crate::proto::code::Code;
use crate::proto::link::Loss;
use crate::wire::omdp::ClientMessage;
use crate::wire::{Frame, Hello};

impl<F: Frame> Client<F> {
    /// The transport takes messages.
    pub fn handle_up(&mut self, now: Time) {
        if !self.link.handle_up(now) {
            return;
        }
        self.connections += 1;
        let mut hello = Hello::new(
            self.config.link.heartbeat.as_millis() as u64,
            self.config.link.liveness,
        );
        hello.session = self.session();
        hello.flow = true;
        hello.parks = true;
        hello.places = true;
        hello.streams = true;
        hello.deadlines = true;
        hello.max_message = self.config.link.max_message;
        self.transmits.push(ClientMessage::Hello {
            hello: hello.to_frame(),
        });
        self.advance(now);
    }

    /// The connection broke.
    pub fn handle_down(&mut self, now: Time) {
        self.lose(now, Loss::Transport);
    }

    /// The broker does not let this client in: the next attempt has more time.
    pub fn handle_refused(&mut self, now: Time) {
        self.link.refused();
        self.lose(now, Loss::Refused);
    }

    /// Tells the worker that holds the request that it is still wanted (0.0.92's own way), or the
    /// broker that this client lives.
    pub fn heartbeat(&mut self, id: Option<u64>) {
        if !self.link.is_up() {
            return;
        }
        match id {
            None => self.beat(),
            Some(id)
                if self
                    .requests
                    .get(&id)
                    .is_some_and(|request| request.stage.is_with_broker()) =>
            {
                let rid = self.rid(id);
                self.transmits.push(ClientMessage::RequestHeartbeat { rid });
            }
            Some(_) => {}
        }
    }

    /// A sign of life, which says what there is to say.
    pub(super) fn beat(&mut self) {
        self.transmits.push(match self.unacknowledged.take() {
            Some(ack) => ClientMessage::Ack(ack),
            None => ClientMessage::Heartbeat,
        });
    }

    /// Counts a reply. The broker keeps it until it hears that it has come.
    pub(super) fn acknowledge(&mut self, bytes: usize) {
        if self.link.peer().is_some()
            && self.unacknowledged.count(bytes)
            && let Some(ack) = self.unacknowledged.take()
        {
            self.transmits.push(ClientMessage::Ack(ack));
        }
    }

    /// A worker of 0.0.92 takes a request for abandoned after three silent intervals. Its broker
    /// can't know better, so we beat for each request; a broker of ours does it for us.
    pub(super) fn beat_for_requests(&mut self) {
        if self.link.peer().is_some() {
            return;
        }
        let mut sent: Vec<u64> = self
            .requests
            .iter()
            .filter(|(_, request)| request.stage.is_with_broker())
            .map(|(id, _)| *id)
            .collect();
        sent.sort_unstable();
        for id in sent {
            let rid = self.rid(id);
            self.transmits.push(ClientMessage::RequestHeartbeat { rid });
        }
    }

    /// Whether there is a broker to speak to.
    pub(in crate::proto) fn ready(&self) -> bool {
        let hello = self.config.await_hello || self.link.awaits_hello();
        self.link.is_up() && (!hello || self.link.peer().is_some())
    }

    /// It may be meant for the other peer of this name, if that was displaced just now.
    #[cold]
    pub(super) fn name_taken(&mut self, now: Time, session: &[u8]) {
        if *session == *self.session().as_bytes() {
            self.link.close();
            if !std::mem::replace(&mut self.connected, true) {
                self.notices.push(ClientNotice::Connected);
            }
            self.lost(now, Loss::NameTaken);
            self.name_taken = true;
            let mut ids: Vec<u64> = self.requests.keys().copied().collect();
            ids.sort_unstable();
            for id in ids {
                self.forget(id, Tell::Nothing);
                self.fail(id, Code::NameTaken);
            }
        }
    }

    fn session(&self) -> String {
        format!("{}{}", self.config.session, self.connections)
    }

    pub(super) fn lose(&mut self, now: Time, why: Loss) {
        if self.link.lose(now) {
            self.lost(now, why);
        }
    }

    pub(super) fn lost(&mut self, now: Time, why: Loss) {
        self.unacknowledged.take();
        self.lose_requests(now);
        if self.connected {
            self.connected = false;
            self.notices.push(ClientNotice::Disconnected(why));
        }
    }
}
