//! Messages between the connections of a worker or client and its machine, and the machine's
//! requests for sockets.

use super::{Driver, DynamicBrokers, Notice};
use crate::io::Message;
use crate::io::connection::{Connection, Failed, Use};
use crate::proto::Time;
use crate::proto::link::Action;
use crate::wire::packed::pack;

/// The maximum number of messages received before their results are sent.
const BATCH: usize = 256;

impl<M: DynamicBrokers<Frame = Message>> Driver<M> {
    /// Feeds the machine with the events of one connection. Returns true if there may be more.
    pub(super) fn receive(&mut self, at: usize, now: Time) -> bool {
        let mut room = BATCH;
        // After a single message no attempt to receive another one is needed: the events show that
        // there is none, and whether the connection still exists.
        let mut few = 1;
        self.connections[at].wake();
        while room > 0 && self.look(at, now) {
            match self.receive_few(at, now, few.min(room)) {
                None => return false,
                // An error, which the events of the next turn show.
                Some(0) => return true,
                Some(used) => room = room.saturating_sub(used),
            }
            few = BATCH;
        }
        if self.connections[at].is_undecided() {
            self.decide(at, now);
        }
        self.has_received(BATCH - room);
        room == 0
    }

    /// Asks for the events of one connection, and handles its beginning and its end. Returns
    /// whether there are messages.
    fn look(&mut self, at: usize, now: Time) -> bool {
        if self.connections[at].may_go_on() && !self.open(at, now) {
            return false;
        }
        let connection = &mut self.connections[at];
        let broker = connection.broker;
        match connection.handshake() {
            None => {}
            Some(Failed::ForNow) => {
                self.machine.handle_down(broker, now);
                return false;
            }
            Some(Failed::ForGood(failure)) => {
                self.queue.push(Notice::Refused(broker, failure));
                self.machine.handle_refused(broker, now);
                return false;
            }
        }
        if let Some(error) = connection.advance() {
            self.queue.push(Notice::Unreachable(broker, error));
        }
        let Some(events) = connection.events() else {
            return false;
        };
        let Ok((readable, writable)) = events else {
            connection.up = false;
            self.machine.handle_down(broker, now);
            return false;
        };
        if !connection.up && !connection.is_connecting() && writable {
            if connection.is_outdated() {
                self.replace(at, now);
                return false;
            }
            connection.is_connected();
            self.machine.handle_up(broker, now);
        }
        if !readable && connection.has_received_bytes() {
            self.machine.handle_bytes(broker, now);
        }
        let connection = &mut self.connections[at];
        if !readable && connection.up && !writable {
            // Over inproc, a broken connection is one that accepts no more messages.
            connection.up = false;
            self.machine.handle_down(broker, now);
        }
        readable
    }

    /// Receives up to this number of messages, and all of the last batch. Returns how many; `None`
    /// if the connection has ended.
    fn receive_few(&mut self, at: usize, now: Time, few: usize) -> Option<usize> {
        let connection = &mut self.connections[at];
        let broker = connection.broker;
        let mut used = 0;
        while used < few && connection.receive(&mut self.inbound) {
            while self.inbound.next(&mut self.frames) {
                used += 1;
                connection.detach(&mut self.frames);
                if connection.is_gone(&self.frames) {
                    self.frames.clear();
                    connection.up = false;
                    self.machine.handle_down(broker, now);
                    return None;
                }
                self.machine.handle_message(broker, now, &mut self.frames);
            }
        }
        Some(used)
    }

    /// Executes the machine's requests for its connections. Messages that a loss moves to another
    /// connection are sent in the next round.
    pub(super) fn carry_out(&mut self, now: Time) {
        let mut again = true;
        while again {
            again = false;
            for at in 0..self.connections.len() {
                again |= self.carry_out_at(at, now);
            }
        }
    }

    /// Gives the machine's messages to one connection, which has to be flushed. Returns true if it was
    /// found lost.
    pub(super) fn send(&mut self, at: usize, now: Time) -> bool {
        let broker = self.connections[at].broker;
        let watches = self.machine.watches_congestion(broker);
        let connection = &mut self.connections[at];
        if let Some(congested) = connection.congestion() {
            self.machine.handle_congestion(broker, congested);
        }
        let mut broken = false;
        let mut send = |connection: &mut Connection, frames: &mut Vec<Message>| {
            broken |= !connection.send(frames);
            frames.clear();
        };
        let coalescer = &mut self.coalescer;
        self.machine.drain_transmits(broker, |frames, packed| {
            if packed && !watches {
                return coalescer.add(frames, |frames| send(connection, frames));
            }
            coalescer.flush(|frames| send(connection, frames));
            if packed {
                pack(frames, 0);
            }
            if watches {
                connection.count(frames);
            }
            send(connection, frames);
        });
        coalescer.flush(|frames| send(connection, frames));
        if let Some(congested) = connection.congestion() {
            self.machine.handle_congestion(broker, congested);
        }
        let lost = broken && connection.up;
        if lost {
            connection.up = false;
            self.machine.handle_down(broker, now);
        }
        lost
    }

    /// Sends the machine's messages, then opens or closes the socket as requested. Returns true if
    /// the connection was found lost.
    fn carry_out_at(&mut self, at: usize, now: Time) -> bool {
        let mut lost = false;
        let broker = self.connections[at].broker;
        loop {
            self.connections[at].flush();
            lost |= self.send(at, now);
            let connection = &mut self.connections[at];
            connection.flush();
            // Nothing else reports that the system has accepted the rest.
            if connection.congestion() == Some(false) {
                self.machine.handle_congestion(broker, false);
                continue;
            }
            let left = connection.action.take();
            match left.or_else(|| self.machine.poll_action(broker)) {
                None => return lost,
                Some(Action::Close) => connection.close(),
                Some(Action::Abandon) => connection.abandon(),
                Some(Action::Open) => lost |= !self.open(at, now),
            }
        }
    }

    /// Opens a connection. Returns false if that is impossible.
    fn open(&mut self, at: usize, now: Time) -> bool {
        let connection = &mut self.connections[at];
        let broker = connection.broker;
        let Err(error) = connection.open() else {
            return true;
        };
        // For example for lack of descriptors: the machine tries again after its interval.
        if connection.tells_failure() {
            self.queue.push(Notice::Unreachable(broker, error));
        }
        self.machine.handle_down(broker, now);
        false
    }

    /// Shares the connection with other services, if the broker supports it.
    #[cold]
    fn decide(&mut self, at: usize, now: Time) {
        let connection = &mut self.connections[at];
        let Some(channels) = self.machine.channels(connection.broker) else {
            return;
        };
        match connection.decide(channels) {
            Use::Own => return,
            Use::Outdated => return self.replace(at, now),
            Use::Shared => {}
        }
        let connection = &self.connections[at];
        let others = self.connections.iter();
        for other in others.filter(|other| other.may_share_with(connection)) {
            self.machine.handle_reached(other.broker, now);
        }
    }

    /// Gives up a connection whose service can share another one, and has it opened anew at once.
    #[cold]
    fn replace(&mut self, at: usize, now: Time) {
        let connection = &mut self.connections[at];
        let broker = connection.broker;
        connection.close();
        self.machine.handle_down(broker, now);
        self.machine.handle_reached(broker, now);
    }
}
