//! Channels of connections: several workers on one connection, see [`channel`](crate::wire::channel).

use super::Driver;
use super::traffic::is_hello;
use crate::io::Message;
use crate::io::outbound::{Kind, Outcome};
use crate::proto::Time;
use crate::proto::broker::RoutingId;
use crate::proto::names::{ChannelSpeaker, Place};
use crate::wire::channel::{self, Channel};
use crate::wire::omdp::ToWorker;

/// The first frame of a worker's messages: channels are for workers of OMDP.
const WORKER: &[u8] = b"W";

impl Driver {
    /// The peer whose message came over a channel; `None` if the message is to be dropped.
    #[cold]
    pub(super) fn hear_channel(&mut self, now: Time, channel: Channel) -> Option<RoutingId> {
        if self.frames.first().is_none_or(|tag| **tag != *WORKER) {
            self.report_channel();
            return None;
        }
        if is_hello(&self.frames) {
            self.hear_name(now, Some(channel));
        }
        match self.names.channel_speaker(self.inbound.from(), channel) {
            ChannelSpeaker::Peer(name) => Some(name.clone()),
            ChannelSpeaker::New => {
                self.report_channel();
                None
            }
            ChannelSpeaker::Nobody => None,
        }
    }

    fn report_channel(&mut self) {
        let peer = self.names.payer(self.inbound.from());
        self.machine.report_fault(peer, "bad channel");
    }

    /// Tells a worker that another peer has the name that it has said on a channel. The channel has ended.
    pub(super) fn refuse_channel(&mut self, now: Time, place: &Place, session: &str, asked: bool) {
        let session = Message::from(session.as_bytes());
        let mut message = Vec::new();
        ToWorker::NameTaken { session, asked }.encode(&mut message);
        if let Some(channel) = place.channel {
            channel::put(channel, &mut message);
        }
        let (acceptor, connection) = (&mut self.acceptor, &place.connection);
        let outcome = (self.outbound).send(acceptor, connection, &mut message, Kind::Windowed);
        if outcome == Outcome::Overflow {
            self.overflow(now, connection);
        }
    }

    /// Handles that more bytes wait for a connection than may be kept: all its peers are dropped.
    pub(super) fn overflow(&mut self, now: Time, connection: &RoutingId) {
        if self.names.is_shared(connection) {
            // The DISCONNECT of one peer does not replace the messages that wait for the others.
            self.outbound.forget(connection);
        }
        self.outbound.limit_to_reserve(connection);
        for peer in self.names.peers(connection) {
            self.machine.handle_overflow(now, &peer);
        }
    }
}
