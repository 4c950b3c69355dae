//! Accepts the connections of a broker, carries their messages, and ends connections that exceed a
//! limit or are of no use: by a ROUTER of libzmq, or by streams. Streams are faster, and carry tcp
//! and ipc without security. libzmq carries all other connections.

mod libzmq;
mod listen;
#[cfg(unix)]
mod streams;

use super::connections::{ConnectionNotice, PeerFacts};
use super::inbound::Inbound;
use super::sent::Sent;
use super::{Error, Message};
use crate::proto::Time;
use crate::proto::broker::RoutingId;
use libzmq::Libzmq;
pub(super) use libzmq::is_from_this_process;
pub use listen::Listen;
#[cfg(unix)]
use streams::Streams;

pub(super) enum Acceptor {
    Libzmq(Box<Libzmq>),
    #[cfg(unix)]
    Streams(Box<Streams>),
}

/// The received part of a large message.
pub(super) struct Unfinished {
    pub(super) connection: RoutingId,
    /// Zero when the message is complete, or the connection has ended.
    pub(super) bytes: usize,
}

/// Makes a call to either of them.
macro_rules! either {
    ($self:ident, $each:ident => $call:expr) => {
        either!($self, $each => $call, $each => $call)
    };
    ($self:ident, $libzmq:pat => $with:expr, $streams:pat => $without:expr) => {
        match $self {
            Acceptor::Libzmq($libzmq) => $with,
            #[cfg(unix)]
            Acceptor::Streams($streams) => $without,
        }
    };
}

impl Acceptor {
    /// Binds all endpoints, or none. Also returns the endpoints with the ports in place of `*`.
    /// `gone` is the frame by which a connection that has ended is reported, as if its peer had
    /// sent it; before an empty frame if the connection was reset.
    pub(super) async fn open(listen: &Listen, gone: &[u8]) -> Result<(Self, Vec<String>), Error> {
        #[cfg(unix)]
        if Streams::serves(listen) {
            let (streams, endpoints) = Streams::open(listen, gone)?;
            return Ok((Acceptor::Streams(Box::new(streams)), endpoints));
        }
        let (libzmq, endpoints) = Libzmq::open(listen, gone).await?;
        Ok((Acceptor::Libzmq(Box::new(libzmq)), endpoints))
    }

    /// Waits until there may be an event.
    pub(super) async fn ready(&self) {
        either!(self, each => each.ready().await)
    }

    /// Waits until a peer that accepted no more messages may accept one, unless
    /// [`ready`](Self::ready) waits for that as well.
    pub(super) async fn room(&self) {
        either!(self, libzmq => libzmq.room().await, _ => std::future::pending().await)
    }

    /// Whether a message may be received. Returns false only if [`ready`](Self::ready) will announce
    /// the next one.
    pub(super) fn is_readable(&self) -> bool {
        either!(self, libzmq => libzmq.is_readable(), streams => streams.has_more())
    }

    /// Asks the system for events that [`ready`](Self::ready) has not announced. Returns whether a message
    /// may be received.
    pub(super) fn look(&mut self) -> bool {
        either!(
            self,
            libzmq => libzmq.is_readable(),
            streams => {
                streams.look();
                streams.has_more()
            }
        )
    }

    /// Receives a message, of each peer in turn. Returns false if there is none.
    pub(super) fn receive(&mut self, inbound: &mut Inbound) -> bool {
        either!(self, each => each.receive(inbound))
    }

    /// Pauses or continues reading the connection of this peer. Its end is found only after the unread
    /// bytes. With libzmq this has no effect: its ROUTER reads all connections or none.
    pub(super) fn pause_reading(&mut self, peer: &[u8], paused: bool) {
        either!(self, _ => {}, streams => streams.pause_reading(peer, paused))
    }

    /// Sends a message. If it was accepted, `frames` is empty afterwards; otherwise it is unchanged.
    pub(super) fn send(&mut self, to: &RoutingId, frames: &mut Vec<Message>) -> Sent {
        either!(self, each => each.send(to, frames))
    }

    /// Sends the accepted messages, at the end of a turn.
    pub(super) fn flush(&mut self) {
        either!(self, _ => {}, streams => streams.flush())
    }

    /// The number of bytes that were accepted for a peer and not sent, as far as it is known.
    pub(super) fn in_flight(&self, peer: &[u8]) -> usize {
        either!(self, each => each.in_flight(peer))
    }

    /// A number that changes when the peer takes bytes, as long as nothing more is sent to it.
    pub(super) fn taken(&self, peer: &[u8]) -> u64 {
        either!(self, each => each.taken(peer))
    }

    /// Whether the connection of this peer, which has ended, was reset, if its last message does not say so.
    pub(super) fn was_reset(&mut self, peer: &[u8]) -> bool {
        either!(self, libzmq => libzmq.connections.was_reset(peer), _ => false)
    }

    /// The number of connections.
    pub(super) fn connections(&self) -> usize {
        either!(self, libzmq => libzmq.connections.len(), streams => streams.len())
    }

    /// Takes reports about connections, and ends those that were silent for too long.
    pub(super) fn update(&mut self, now: Time) {
        either!(self, libzmq => libzmq.connections.update(now), streams => streams.update(now))
    }

    /// When [`update`](Self::update) has to run even without an event.
    pub(super) fn next_deadline(&self) -> Option<Time> {
        either!(
            self,
            libzmq => libzmq.connections.next_deadline(),
            streams => streams.next_deadline()
        )
    }

    /// Takes all current reports, so that the connection of a received message is known.
    pub(super) fn catch_up(&mut self, now: Time) {
        either!(self, libzmq => libzmq.connections.catch_up(now), _ => {})
    }

    /// Whether [`heard`](Self::heard) has to be called for messages.
    pub(super) fn listens(&self) -> bool {
        either!(self, libzmq => libzmq.connections.listens(), streams => streams.listens())
    }

    /// Reports a received message. Returns the facts about its connection that were not known.
    pub(super) fn heard(&mut self, inbound: &Inbound) -> Option<PeerFacts> {
        either!(self, libzmq => libzmq.heard(inbound), streams => streams.take_first())
    }

    /// The address of this peer's connection, with the port; over ipc there is none.
    pub(super) fn address(&self, peer: &[u8]) -> Option<&str> {
        either!(self, libzmq => libzmq.connections.address(peer), streams => streams.address(peer))
    }

    /// Whether the connection of this peer is known.
    pub(super) fn knows(&self, peer: &[u8]) -> bool {
        either!(self, libzmq => libzmq.connections.knows(peer), streams => streams.knows(peer))
    }

    /// Ends the connection of this peer, which has another one.
    pub(super) fn end_replaced(&mut self, peer: &[u8]) {
        either!(
            self,
            libzmq => libzmq.connections.end_replaced(peer),
            streams => streams.end_replaced(peer)
        )
    }

    /// Reports that the machine has lost this peer. Its connection ends a moment later, so that the
    /// DISCONNECT arrives.
    pub(super) fn lost(&mut self, peer: &[u8]) {
        either!(self, libzmq => libzmq.connections.lost(peer), streams => streams.lost(peer))
    }

    /// The changes of messages that are not complete. With libzmq these are not known.
    pub(super) fn take_unfinished(&mut self) -> Option<Vec<Unfinished>> {
        either!(self, _ => None, streams => streams.take_unfinished())
    }

    /// The peers of which more of a message that is not complete has arrived, which may be listed several times.
    #[inline]
    pub(super) fn take_receiving(&mut self) -> Option<Vec<RoutingId>> {
        either!(
            self,
            libzmq => libzmq.connections.take_receiving(),
            streams => streams.take_receiving()
        )
    }

    /// Ends the connection of a peer that sends more than may be kept.
    pub(super) fn refuse(&mut self, peer: &[u8]) {
        either!(self, _ => {}, streams => streams.refuse(peer))
    }

    /// The peers whose connections have ended.
    pub(super) fn drain_ended(&mut self) -> std::vec::Drain<'_, RoutingId> {
        either!(self, libzmq => libzmq.connections.drain_ended(), streams => streams.drain_ended())
    }

    pub(super) fn drain_notices(&mut self) -> std::vec::Drain<'_, ConnectionNotice> {
        either!(
            self,
            libzmq => libzmq.connections.drain_notices(),
            streams => streams.drain_notices()
        )
    }

    /// Closes the listeners, sends the unsent messages, for a limited time, and closes the connections. Then it
    /// drops `rest`; over libzmq it waits until the descriptors of `rest` are closed, too.
    pub(super) async fn close(self, rest: impl Sized) {
        either!(self, libzmq => libzmq.close(rest).await, streams => streams.close().await)
    }
}
