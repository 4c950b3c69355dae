//! Messages of the broker.

use super::{Client, ClientNotice};
use crate::proto::Time;
use crate::proto::link::Loss;
use crate::wire::omdp::{RosterHead, ToClient};
use crate::wire::{Dialect, Frame, Hello, Malformed, mdp, pigato};

impl<F: Frame> Client<F> {
    /// Handles a message of the broker. Leaves `frames` empty.
    pub(super) fn receive(&mut self, now: Time, frames: &mut Vec<F>) {
        // The connection has already ended.
        if !self.link.is_up() {
            return frames.clear();
        }
        if let Dialect::Mdp(dialect) = self.config.dialect {
            return self.on_mdp(now, dialect, frames);
        }
        if self.config.dialect == Dialect::Pigato {
            return self.on_pigato(now, frames);
        }
        let message = match ToClient::decode(frames) {
            Ok(message) => message,
            Err(why) => return self.notices.push(ClientNotice::Fault(why)),
        };
        self.link.heard(now);
        match message {
            ToClient::Welcome { hello, roster } => match Hello::parse(&hello) {
                Ok(hello) => self.on_welcome(now, hello, roster),
                Err(why) => self.notices.push(ClientNotice::Fault(why)),
            },
            ToClient::Reply {
                kind, rid, body, ..
            } => {
                self.acknowledge(body.bytes.len());
                self.on_reply(now, kind, &rid, body);
            }
            ToClient::Heartbeat => {}
            // Before its hello, a broker may refer to messages of an earlier connection.
            ToClient::Resumed { .. }
            | ToClient::Parked { .. }
            | ToClient::Unpark { .. }
            | ToClient::Leave { .. }
            | ToClient::Need { .. }
            | ToClient::Place { .. }
            | ToClient::Roster { .. }
                if self.link.peer().is_none() => {}
            ToClient::Resumed { rids } => self.on_resumed(&rids),
            ToClient::Parked { rids } => self.on_parked(&rids),
            ToClient::Unpark { rids } => self.on_unpark(&rids),
            ToClient::Need { rid, need } => self.on_need(now, &rid, need),
            ToClient::Roster { head, entries } => self.on_roster(head, entries.as_deref()),
            ToClient::Disconnect => self.on_disconnect(now),
            ToClient::Leave { rids } => {
                // The roster is kept: what the broker has given to a worker may not have arrived there.
                self.on_leave(rids.as_deref().unwrap_or_default());
                self.lose(now, Loss::Refused);
            }
            ToClient::Place {
                rid,
                place,
                earlier,
            } => {
                if let Some(id) = self.parse_rid(&rid) {
                    let place = ClientNotice::Place { id, place, earlier };
                    self.notices.push(place);
                }
            }
            ToClient::Ping => self.beat(),
            ToClient::NameTaken { session, asked } => self.name_taken(now, &session, asked),
        }
    }

    #[cold]
    fn on_welcome(&mut self, now: Time, hello: Hello, roster: Option<(RosterHead, F)>) {
        self.exit.answered();
        self.link.welcome(hello);
        if let Some((head, entries)) = roster {
            self.begin_roster(head, &entries);
        }
        // An inproc connection cannot break, and may be up long before there is a broker.
        if !self.config.await_hello {
            self.link.expect_hello();
        }
        self.advance(now);
        self.ask_for_unknown(now);
    }

    #[cold]
    fn on_disconnect(&mut self, now: Time) {
        self.drop_roster();
        self.turned_away = true;
        if !self.connected {
            self.link.refused();
        }
        self.lose(now, Loss::Refused);
    }

    fn on_mdp(&mut self, now: Time, dialect: mdp::Dialect, frames: &mut Vec<F>) {
        let reply = match mdp::ClientReply::decode(dialect, frames) {
            Ok(reply) => reply,
            Err(why) => return self.notices.push(ClientNotice::Fault(why)),
        };
        self.link.heard(now);
        // At most one request was sent on this connection before this reply.
        let Some((id, service)) = &self.under_way else {
            return;
        };
        if reply
            .service
            .as_ref()
            .is_some_and(|named| **named != **service)
        {
            return self.notices.push(ClientNotice::Fault(Malformed::Name));
        }
        let rid = self.rid(*id);
        let (kind, body) = reply.into_neutral();
        self.on_reply(now, kind, &rid, body);
        self.advance(now);
    }

    #[cold]
    fn on_pigato(&mut self, now: Time, frames: &mut Vec<F>) {
        let message = match pigato::ToClient::decode(frames) {
            Ok(message) => message,
            Err(why) => return self.notices.push(ClientNotice::Fault(why)),
        };
        self.link.heard(now);
        if let pigato::ToClient::Reply {
            kind, rid, data, ..
        } = message
        {
            self.on_reply(now, kind, &rid, pigato::body(data));
        }
    }
}
