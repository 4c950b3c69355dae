//! Messages between a broker's socket and its machine.

use super::Driver;
use crate::io::Message;
use crate::io::acceptor::is_from_this_process;
use crate::io::inbound::Inbound;
use crate::io::outbound::{Kind, Outcome};
use crate::io::zap::PRINCIPAL;
use crate::proto::Time;
use crate::proto::broker::RoutingId;
use crate::proto::names::Speaker;
use crate::wire::channel;
use std::sync::Arc;

/// The command of a client's hello and of a worker's READY, the first messages of a connection.
const HELLO: &[u8] = b"1";

/// The maximum number of units of work before their results are sent.
const BATCH: u32 = 256;

/// The same while peers wait for their turns: a request of another peer and its reply pass through four
/// batches, so they are short.
const BATCH_AMONG_WAITING: u32 = 64;

/// The units of a batch that are reserved for peers that wait for their turns.
const SHARE: u32 = 32;

/// The bytes of a received message that count as a unit of work: the time to read them.
const READ: usize = 16 * 1024;

/// Receiving stops after one queued message for every N-th waiting peer; then the waiting peers get their turns. By then,
/// one message of every other peer was taken, because the ROUTER serves peers in turn.
const BEHIND: usize = 4;

/// The sender of a message with security, in the form of the authenticator.
pub(super) fn principal<'a>(inbound: &'a Inbound, in_process: Option<&'a str>) -> Option<&'a str> {
    // Only messages over inproc have neither of the two properties.
    let in_process = || in_process.filter(|_| is_from_this_process(inbound));
    inbound.property(PRINCIPAL).or_else(in_process)
}

/// Whether the message is the first one of a peer.
pub(super) fn is_hello(frames: &[Message]) -> bool {
    matches!(frames, [_, command, ..] if **command == *HELLO)
}

impl Driver {
    /// Receives messages. Returns true if none is left.
    pub(super) fn receive(&mut self, now: Time) -> bool {
        let batch = match self.backlog.is_empty() {
            true => BATCH,
            false => BATCH_AMONG_WAITING,
        };
        let (mut room, mut behind) = (batch, 0);
        let drained = loop {
            if room == 0 || behind > self.backlog.len() / BEHIND {
                break false;
            }
            let found = self.acceptor.receive(&mut self.inbound);
            // Before the message is handled, which is charged as well.
            if let Some(unfinished) = self.acceptor.take_unfinished() {
                self.charge_unfinished(now, unfinished);
            }
            if !found {
                break !self.acceptor.is_readable();
            }
            if self.backlog.waits(self.inbound.from()) {
                behind += 1;
                self.put_behind(now);
                continue;
            }
            let read = u32::try_from(self.inbound.size() / READ).unwrap_or(u32::MAX);
            let allowance = self.allowance();
            let used = self.work_off(now, allowance);
            room = room.saturating_sub(used.saturating_add(read));
            if used >= allowance {
                self.begin_backlog(now, used);
            }
        };
        if !self.backlog.is_empty() {
            self.serve_backlog(now, room.max(SHARE));
        }
        drained && self.backlog.is_empty()
    }

    pub(super) fn handle_message(&mut self, now: Time) {
        // The monitor has reported its connection before the hello. Later messages are heard in any
        // case.
        let is_hello = is_hello(&self.frames);
        if is_hello {
            self.arrived = None;
            self.acceptor.catch_up(now);
        }
        if self.acceptor.listens() {
            self.hear(now);
        }
        let of_channel;
        let from = if let Some(channel) = self.inbound.channel() {
            of_channel = self.hear_channel(now, channel);
            of_channel.as_deref()
        } else {
            if let [first, how @ ..] = &self.frames[..]
                && **first == self.gone
            {
                let is_told = !how.is_empty();
                self.frames.clear();
                let connection: RoutingId = self.inbound.from().into();
                let was_reset = is_told || self.acceptor.was_reset(&connection);
                return self.connection_ended(now, &connection, was_reset);
            }
            if is_hello {
                self.hear_name(now, None);
            }
            match self.names.speaker(self.inbound.from()) {
                Speaker::Peer(from) => Some(from),
                Speaker::Nobody => None,
            }
        };
        let Some(from) = from else {
            return self.frames.clear();
        };
        let bad = self.machine.bad_messages();
        match self.authentication.is_some() {
            true => {
                let principal = principal(&self.inbound, self.in_process.as_deref());
                self.machine
                    .handle_message_of(now, from, principal, &mut self.frames);
            }
            false => (self.machine).handle_message(now, from, &mut self.frames),
        }
        if is_hello {
            let first = self.names.payer(self.inbound.from());
            (self.machine).note_arrival(from, self.arrived.take(), first);
        }
        if self.machine.bad_messages() != bad {
            self.hear_stranger(now);
        }
    }

    /// Finds the connection of the message, unless it is known.
    pub(super) fn hear(&mut self, now: Time) {
        let Some(news) = self.acceptor.heard(&self.inbound) else {
            return;
        };
        if news.is_first {
            // Over ipc no peer is distant.
            self.arrived = news.address.as_ref().map(|_| now.since(news.since));
        }
        // Its routing id may be the name of another peer.
        if self.names.speaker(&news.peer) == Speaker::Nobody {
            return;
        }
        if news.is_first {
            self.machine.handle_new_connection(now, &news.peer);
        }
        if let Some(address) = &news.address {
            let peer = self.names.name(&news.peer).unwrap_or(&news.peer);
            self.machine.handle_address(peer, Some(address));
        }
    }

    /// The event about a bad message contains the address even if it is the first of its
    /// connection, which may not have been reported yet.
    #[cold]
    fn hear_stranger(&mut self, now: Time) {
        if !self.acceptor.knows(self.inbound.from()) {
            self.acceptor.catch_up(now);
            self.hear(now);
        }
    }

    /// Sends waiting messages of slow peers, then the machine's messages. A peer that cannot be
    /// reached is gone, and a peer that is too far behind is dropped; both may cause further
    /// messages. The requests that workers can get now may be many, so the rest is left for the
    /// next turn.
    pub(super) fn send(&mut self, now: Time) {
        self.send_waiting(now);
        let mut may_flush = true;
        let mut troubles: Vec<(RoutingId, Outcome)> = Vec::new();
        loop {
            self.send_new(&mut troubles);
            if troubles.is_empty()
                && !(std::mem::take(&mut may_flush) && self.machine.handle_flushed(now))
            {
                return self.acceptor.flush();
            }
            for (peer, trouble) in troubles.drain(..) {
                match trouble {
                    Outcome::Taken => {}
                    Outcome::Waiting if self.may_wait(now, &peer) => {
                        self.machine.handle_congestion(&peer, true)
                    }
                    Outcome::Waiting | Outcome::Overflow => {
                        let connection = self.names.connection(&peer).clone();
                        self.overflow(now, &connection);
                    }
                    Outcome::NoPeer => self.machine.handle_gone(now, &peer),
                }
            }
        }
    }

    /// Sends waiting messages of slow peers, and tells the machine what has become of these peers.
    #[inline]
    fn send_waiting(&mut self, now: Time) {
        let news = self.outbound.flush(&mut self.acceptor);
        let names = &self.names;
        for (connection, bytes) in news.less {
            (self.machine).handle_waiting_to(now, names.payer(&connection), bytes);
        }
        for connection in news.clear {
            for peer in names.peers(&connection) {
                self.machine.handle_congestion(&peer, false);
            }
        }
        for connection in news.stuck {
            self.overflow(now, &connection);
        }
        for connection in news.gone {
            for peer in self.names.peers(&connection) {
                self.machine.handle_gone(now, &peer);
            }
        }
    }

    /// Sends the machine's messages, those of one turn to one peer as one where it can read that. Adds the peers
    /// that did not take theirs to `troubles`.
    #[inline]
    fn send_new(&mut self, troubles: &mut Vec<(RoutingId, Outcome)>) {
        let (acceptor, outbound) = (&mut self.acceptor, &mut self.outbound);
        let frames = &mut self.frames;
        let names = &self.names;
        let mut deliver = |to: &RoutingId, message: &mut Vec<Message>, kind: Kind| {
            let (connection, channel) = names.place(to);
            if let Some(channel) = channel {
                channel::put(channel, message);
            }
            match outbound.send(acceptor, connection, message, kind) {
                Outcome::Taken => {}
                trouble => troubles.push((to.clone(), trouble)),
            }
        };
        let mut gathered: Option<RoutingId> = None;
        for transmit in self.machine.drain_transmits() {
            let to = transmit.to.clone();
            let last = transmit.message.is_disconnect();
            let together = transmit.packed && !last;
            let kind = match last {
                true if names.is_shared(names.connection(&to)) => Kind::Windowed,
                true => Kind::Last,
                false if transmit.packed => Kind::Windowed,
                false => Kind::Plain,
            };
            transmit.encode(frames);
            if let Some(other) = gathered.take_if(|other| !together || !Arc::ptr_eq(other, &to)) {
                self.coalescer
                    .flush(|message| deliver(&other, message, Kind::Windowed));
            }
            if together {
                self.coalescer
                    .add(frames, |message| deliver(&to, message, Kind::Windowed));
                gathered = Some(to);
            } else {
                deliver(&to, frames, kind);
            }
        }
        if let Some(to) = gathered {
            self.coalescer
                .flush(|message| deliver(&to, message, Kind::Windowed));
        }
    }

    /// Whether the bytes that wait for a peer may all be kept.
    fn may_wait(&mut self, now: Time, peer: &RoutingId) -> bool {
        let connection = self.names.connection(peer);
        let bytes = self.outbound.waiting_for(connection);
        self.machine
            .handle_waiting_to(now, self.names.payer(connection), bytes)
    }
}
