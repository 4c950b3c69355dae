//! Messages of peers that have exceeded their quantum of work. The acceptor delivers one message
//! of each peer in turn, so only peers whose messages are batches, or expensive, get here.
//!
//! A connection of which much waits is not read until some of it is done, if the acceptor can do
//! that: then the system stops the sender, and nothing has to be refused. It cannot cause a
//! deadlock, because waiting messages are handled independently of other peers, and would be handled in the
//! same order if they waited here.

use super::Driver;
use crate::io::acceptor::Unfinished;
use crate::io::inbound::Inbound;
use crate::proto::Time;
use crate::proto::broker::RoutingId;
use crate::proto::broker::turns::QUANTUM;
use std::time::Duration;

/// The maximum work for the remaining messages of a peer whose connection has ended, with security:
/// its name may belong to another user from then on.
const LAST_WORDS: u32 = 8 * QUANTUM;

/// A connection of which so many bytes wait is not read until less than half of them are left. If very many
/// connections wait, it is less.
const UNREAD: usize = 256 * 1024;

/// The bytes of all waiting connections together above which each may have less than [`UNREAD`].
const UNREAD_OF_ALL: usize = 64 * 1024 * 1024;

/// How often peers whose messages wait are reported.
const SIGNS: Duration = Duration::from_millis(20);

impl Driver {
    /// Handles the received messages, up to this number of units of work. Returns the number of
    /// used units.
    pub(super) fn work_off(&mut self, now: Time, units: u32) -> u32 {
        let mut used = 0;
        while used < units && self.inbound.next(&mut self.frames) {
            self.received += 1;
            if self.authentication.is_some() {
                self.follow_rules();
            }
            self.handle_message(now);
            used += 1 + self.machine.take_work();
        }
        used
    }

    /// The units of work of the sender before it has to wait.
    pub(super) fn allowance(&self) -> u32 {
        match self.backlog.is_empty() {
            true => QUANTUM,
            false => self.allowance_among_waiting(),
        }
    }

    #[cold]
    fn allowance_among_waiting(&self) -> u32 {
        let peer = self.names.payer(self.inbound.from());
        self.backlog.allowance(&self.machine.owner_of(peer))
    }

    /// Starts a backlog of the sender, which has used this number of units, if it has exceeded its
    /// quantum.
    #[cold]
    pub(super) fn begin_backlog(&mut self, now: Time, used: u32) {
        let has_more = self.inbound.has_more();
        if !has_more && used <= QUANTUM {
            return;
        }
        let from: RoutingId = self.inbound.from().into();
        let rest = has_more.then(|| self.take_inbound());
        let owner = self.machine.owner_of(self.names.payer(&from));
        self.backlog.begin(&from, owner, used, rest);
        self.charge_backlog(now, &from);
    }

    /// Queues the received message behind earlier ones of its sender.
    #[cold]
    pub(super) fn put_behind(&mut self, now: Time) {
        if self.acceptor.listens() {
            self.acceptor.catch_up(now);
            self.hear(now);
        }
        let from: RoutingId = self.inbound.from().into();
        // With security the name may belong to another user once this is read, so no message may be
        // sent to it afterwards.
        if self.authentication.is_some() && self.inbound.begins_with(&self.gone) {
            return self.hear_last_words(now, &from);
        }
        let (message, bytes) = self.take_inbound();
        self.backlog.push(&from, message, bytes);
        self.charge_backlog(now, &from);
    }

    fn hear_last_words(&mut self, now: Time, from: &RoutingId) {
        let (end, _) = self.take_inbound();
        let mut units = LAST_WORDS;
        for message in self.backlog.remove(from) {
            self.inbound = message;
            units = units.saturating_sub(self.work_off(now, units));
        }
        self.charge_backlog(now, from);
        self.inbound = end;
        self.work_off(now, 1);
    }

    /// Gives waiting peers their turns, up to this number of units in total.
    #[cold]
    pub(super) fn serve_backlog(&mut self, now: Time, mut room: u32) {
        while room > 0 {
            let Some(mut turn) = self.backlog.next_turn() else {
                return;
            };
            turn.units = turn.units.min(room);
            let mut used = 0;
            while used < turn.units
                && let Some(message) = self.backlog.take(&turn.peer)
            {
                self.inbound = message;
                used += self.work_off(now, turn.units - used);
            }
            room = room.saturating_sub(used.max(1));
            let rest = self.inbound.has_more().then(|| self.take_inbound());
            let peer = turn.peer.clone();
            self.backlog.end(turn, used, rest);
            self.charge_backlog(now, &peer);
        }
    }

    /// Reports the waiting bytes of a connection to the machine. If the machine refuses them, they are
    /// dropped.
    fn charge_backlog(&mut self, now: Time, connection: &RoutingId) {
        let bytes = self.backlog.bytes_of(connection);
        let peer = self.names.payer(connection);
        if self.machine.handle_waiting_from(now, peer, bytes) {
            let unread = UNREAD.min(UNREAD_OF_ALL / self.backlog.len().max(1));
            if bytes >= unread {
                self.acceptor.pause_reading(connection, true);
            } else if bytes < unread / 2 {
                self.acceptor.pause_reading(connection, false);
            }
            return;
        }
        self.acceptor.pause_reading(connection, false);
        let dropped = self.backlog.remove(connection);
        if dropped
            .into_iter()
            .any(|message| message.begins_with(&self.gone))
        {
            let was_reset = self.acceptor.was_reset(connection);
            self.connection_ended(now, connection, was_reset);
        }
    }

    /// Charges what is there of large messages that are not complete. If the machine refuses it, the connection ends.
    #[cold]
    pub(super) fn charge_unfinished(&mut self, now: Time, changes: Vec<Unfinished>) {
        for Unfinished { connection, bytes } in changes {
            let payer: RoutingId = self.names.payer(&connection).into();
            let before = match bytes {
                0 => self.payers.remove(&connection),
                _ => self.payers.insert(connection.clone(), payer.clone()),
            };
            // Its name may have gone to another connection.
            if let Some(before) = before
                && (bytes == 0 || before != payer)
            {
                self.machine.handle_unfinished(now, &before, 0, &[]);
            }
            if bytes == 0 {
                continue;
            }
            // Its messages are dropped without a charge, because all connections without a peer would share one
            // account.
            if payer.is_empty() {
                self.payers.remove(&connection);
                self.acceptor.refuse(&connection);
                continue;
            }
            let peers = self.names.peers(&connection);
            if !(self.machine).handle_unfinished(now, &payer, bytes, &peers) {
                self.machine.handle_unfinished(now, &payer, 0, &[]);
                self.payers.remove(&connection);
                self.acceptor.refuse(&connection);
            }
            if let Some(payer) = self.machine.take_displaced_message() {
                self.refuse_message_of(&payer);
            }
        }
    }

    /// Ends the connections whose incomplete messages are charged to this peer. Their ends are reported later.
    fn refuse_message_of(&mut self, payer: &RoutingId) {
        let connections = self.payers.iter().filter(|(_, of)| *of == payer);
        let connections: Vec<RoutingId> = connections.map(|(id, _)| id.clone()).collect();
        for connection in connections {
            self.acceptor.refuse(&connection);
        }
    }

    /// Tells the machine which peers are not silent: a large message may take longer than its sender may be silent.
    #[cold]
    pub(super) fn report_receiving(&mut self, now: Time, connections: &[RoutingId]) {
        for connection in connections {
            for peer in self.names.peers(connection) {
                self.machine.handle_heard(now, &peer);
            }
        }
    }

    /// Tells the machine which peers are not silent: their messages wait, or are not read.
    pub(super) fn report_waiting(&mut self, now: Time) {
        if self.backlog.is_empty() || now < self.told_waiting + SIGNS {
            return;
        }
        self.told_waiting = now;
        for connection in self.backlog.peers() {
            for peer in self.names.peers(connection) {
                self.machine.handle_heard(now, &peer);
            }
        }
    }

    /// Handles all waiting messages, at the end of the driver.
    pub(super) fn end_backlog(&mut self, now: Time) {
        for connection in self.backlog.peers() {
            self.acceptor.pause_reading(connection, false);
        }
        for message in self.backlog.drain() {
            self.inbound = message;
            self.work_off(now, u32::MAX);
        }
    }

    fn take_inbound(&mut self) -> (Inbound, usize) {
        let bytes = self.inbound.size();
        (std::mem::replace(&mut self.inbound, Inbound::new()), bytes)
    }
}
