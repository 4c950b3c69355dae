//! The connection to the broker: hello, heartbeats, acknowledgements, and its loss.

use super::pending::{Stage, Tell};
use super::{Client, ClientNotice};
use crate::proto::Time;
use crate::proto::code::Code;
use crate::proto::link::Loss;
use crate::wire::omdp::ClientMessage;
use crate::wire::{Dialect, Frame, Hello};

impl<F: Frame> Client<F> {
    /// Handles that the transport accepts messages.
    pub(super) fn introduce(&mut self, now: Time) {
        if !self.link.handle_up(now) {
            return;
        }
        self.connections += 1;
        self.turned_away = false;
        self.say_hello();
        if self.config.dialect == Dialect::Omdp {
            self.link.await_hello(now);
        }
        self.advance(now);
    }

    /// Sends the hello of this connection. The broker answers each.
    pub(super) fn say_hello(&mut self) {
        let mut hello = Hello::new(
            self.config.link.heartbeat.as_millis() as u64,
            self.config.link.liveness,
        );
        hello.session = self.session();
        hello.name = self.config.link.name();
        hello.flow = true;
        hello.parks = true;
        hello.places = true;
        hello.streams = true;
        hello.deadlines = true;
        hello.roster = true;
        hello.pings = true;
        hello.max_message = self.config.link.max_message;
        self.transmits.push(ClientMessage::Hello {
            hello: hello.to_frame(),
        });
    }

    /// Sends a heartbeat for a request to its worker (as in 0.0.92), or without an id to the broker.
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

    /// Sends a sign of life: an acknowledgement if there is one to send, else a heartbeat.
    pub(super) fn beat(&mut self) {
        self.transmits.push(match self.unacknowledged.take() {
            Some(ack) => ClientMessage::Ack(ack),
            None => ClientMessage::Heartbeat,
        });
    }

    /// Counts a reply for the acknowledgement. The broker keeps its replies until they are acknowledged.
    pub(super) fn acknowledge(&mut self, bytes: usize) {
        if self.link.peer().is_some()
            && self.unacknowledged.count(bytes)
            && let Some(ack) = self.unacknowledged.take()
        {
            self.transmits.push(ClientMessage::Ack(ack));
        }
    }

    /// Sends a heartbeat for each request to a broker without a hello. A worker of 0.0.92 gives a request up after
    /// three silent intervals, and its broker does not send these heartbeats; an extended broker does.
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

    /// Whether there is a broker to send requests to.
    pub(in crate::proto) fn ready(&self) -> bool {
        let hello = self.config.await_hello || self.link.awaits_hello();
        self.link.is_up() && (!hello || self.link.peer().is_some())
    }

    /// The message may be meant for the peer that has just been displaced; its session tells.
    #[cold]
    pub(super) fn name_taken(&mut self, now: Time, session: &[u8], asked: bool) {
        if *session != *self.session().as_bytes() {
            return;
        }
        if asked {
            self.take_unheard_back();
            if self.link.ask_again(now) {
                self.lost(now, Loss::Transport);
            }
            return;
        }
        match self.config.link.name.is_empty() {
            // The next connection would take the routing id from the other peer.
            true => self.link.close(),
            false => self.link.name_refused(now),
        }
        // Told once, not after each attempt, and also by a client that was not connected.
        self.connected |= !std::mem::replace(&mut self.name_taken, true);
        let mut ids: Vec<u64> = self.requests.keys().copied().collect();
        ids.sort_unstable();
        for id in ids {
            self.forget(id, Tell::Nothing);
            self.fail(id, Code::NameTaken);
        }
        self.lost(now, Loss::NameTaken);
    }

    /// Makes the requests of this connection wait again: a broker that refuses the name drops everything behind the
    /// hello.
    fn take_unheard_back(&mut self) {
        for (&id, request) in &mut self.requests {
            if matches!(request.stage, Stage::Sent) {
                request.stage = Stage::Waiting;
                self.waiting.insert(id);
            }
        }
    }

    fn session(&self) -> String {
        format!("{}{}", self.config.session, self.connections)
    }

    pub(super) fn lose(&mut self, now: Time, why: Loss) {
        if self.link.lose(now, why) {
            self.lost(now, why);
        }
    }

    pub(super) fn lost(&mut self, now: Time, why: Loss) {
        self.exit.answered();
        self.unacknowledged.take();
        self.lose_requests(now);
        if self.connected {
            self.connected = false;
            self.notices.push(ClientNotice::Disconnected(why));
        }
    }
}
