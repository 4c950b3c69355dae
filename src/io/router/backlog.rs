//! Messages of peers that have sent more than is done at once. libzmq's ROUTER gives one message of each peer
//! in turn, so a peer gets here by messages that hold many, or that take long.

use super::Driver;
use crate::io::inbound::Inbound;
use crate::proto::Time;
use crate::proto::broker::RoutingId;
use crate::proto::broker::turns::QUANTUM;

/// How much is done of what a peer has left with the transport that ends its connection, where the name may be
/// another user's at once.
const LAST_WORDS: u32 = 8 * QUANTUM;

impl Driver {
    /// Handles what was received, up to so many units of work. Gives how many it took.
    pub(super) fn work_off(&mut self, now: Time, units: u32) -> u32 {
        let mut used = 0;
        while used < units && self.inbound.next(&mut self.frames) {
            self.received += 1;
            if self.guard.is_some() {
                self.follow_rules();
            }
            self.handle_message(now);
            used += 1 + self.machine.take_work();
        }
        used
    }

    /// The sender has used so many units, which is its quantum at least.
    #[cold]
    pub(super) fn begin_backlog(&mut self, now: Time, used: u32) {
        let has_more = self.inbound.has_more();
        if !has_more && used <= QUANTUM {
            return;
        }
        let from: RoutingId = self.inbound.from().into();
        let rest = has_more.then(|| self.take_inbound());
        self.backlog.begin(&from, used, rest);
        self.charge_backlog(now, &from);
    }

    /// What was received waits behind what its sender has sent before.
    #[cold]
    pub(super) fn put_behind(&mut self, now: Time) {
        if self.connections.listens() {
            self.hear();
        }
        let from: RoutingId = self.inbound.from().into();
        // With users a name may be another's as soon as this was read, so nothing may be sent to it after that.
        if self.guard.is_some() && self.inbound.is(&self.gone) {
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

    /// Gives those who wait their turns, up to so many units in all.
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

    /// The machine is told how much waits of a peer. If that is too much, nothing does any more.
    fn charge_backlog(&mut self, now: Time, peer: &RoutingId) {
        let bytes = self.backlog.bytes_of(peer);
        if self.machine.handle_backlog(now, peer, bytes) {
            return;
        }
        let dropped = self.backlog.remove(peer);
        if dropped.into_iter().any(|message| message.is(&self.gone)) {
            self.outbound.forget(peer);
            self.machine.handle_gone(now, peer);
        }
    }

    /// At the end: all that waits is heard.
    pub(super) fn end_backlog(&mut self, now: Time) {
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
