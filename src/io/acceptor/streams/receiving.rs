//! Receiving from the connections of a broker.

use super::Streams;
use super::connection::Received;
use super::sending::{MAX_UNSENT, mark};
use crate::io::acceptor::Unfinished;
use crate::io::inbound::Inbound;
use crate::io::stream::TURN;
use crate::wire::zmtp;
use std::time::Duration;

/// The work, in bytes, after which the driver has its turn even if no message is complete.
const EFFORT: usize = 1024 * 1024;

/// How often a connection is reported over which a large message arrives: it may have many peers.
pub(super) const SIGNS: Duration = Duration::from_millis(20);

/// The work of a look at a connection.
const LOOK_AT: usize = 1024;

impl Streams {
    /// Receives the next message, of each connection in turn. Returns false if there is none, or
    /// much was read without completing one.
    pub(in crate::io::acceptor) fn receive(&mut self, inbound: &mut Inbound) -> bool {
        self.first = None;
        let mut effort = 0;
        loop {
            if let Some((peer, was_reset)) = self.gone.pop_front() {
                inbound.put(&peer, &self.gone_frame, was_reset);
                return true;
            }
            if effort >= EFFORT {
                return false;
            }
            let Some(index) = self.queue.pop_front() else {
                return false;
            };
            effort += LOOK_AT;
            let Some(connection) = self.connections.get_mut(index) else {
                continue;
            };
            connection.is_queued = false;
            if connection.is_paused {
                self.buffers.take(&mut connection.input, false);
                continue;
            }
            self.buffers.lend(&mut connection.input);
            if self.may_wait && self.queue.is_empty() && self.dirty.is_empty() {
                connection.input.may_wait();
            }
            match connection.next(self.sizes) {
                Ok(Received::Message) => {
                    inbound.take_from(&mut connection.input, connection.id.as_deref());
                    connection.expires = None;
                    self.report_unfinished(index);
                    let Some(connection) = self.connections.get(index) else {
                        continue;
                    };
                    let goes_on = !connection.input.is_idle();
                    self.leave(index, goes_on);
                    self.heard_first(index);
                    self.may_wait = false;
                    return true;
                }
                Ok(Received::Nothing) => {
                    let goes_on = connection.input.may_have_more();
                    if goes_on {
                        // The turn is over, and the next one begins.
                        connection.input.wake();
                        effort += TURN;
                    } else if connection.is_broken {
                        self.remove(index);
                        continue;
                    }
                    self.leave(index, goes_on);
                    self.note_slumber(index);
                    self.report_unfinished(index);
                    if !self.unfinished.is_empty() {
                        return false;
                    }
                }
                Ok(Received::Command(command)) => {
                    self.carry_out_command(index, &command);
                    self.leave(index, true);
                }
                Ok(Received::Introduction(id)) => {
                    self.leave(index, true);
                    self.introduce(index, &id);
                }
                Err(broken) => self.broken(index, broken),
            }
        }
    }

    /// Notes that events of a connection wait for many bytes. They may begin to do so without a new byte.
    fn note_slumber(&mut self, index: usize) {
        if let Some(connection) = self.connections.get_mut(index)
            && connection.input.slumbers()
            && !std::mem::replace(&mut connection.is_slumbering, true)
        {
            self.slumbering.push_back((connection.since, index));
        }
    }

    /// Reports the received bytes of an incomplete large message. They are charged to the sender, and count as a sign of
    /// life.
    fn report_unfinished(&mut self, index: usize) {
        let open = self.connections.len();
        let Some(connection) = self.connections.get_mut(index) else {
            return;
        };
        let bytes = connection.input.unfinished();
        if bytes == 0 {
            // The next message may be found with as many bytes.
            connection.seen = 0;
        }
        if bytes == connection.unfinished {
            return;
        }
        if bytes > 0 && bytes != connection.seen && self.now.since(connection.told) >= SIGNS {
            connection.seen = bytes;
            connection.told = self.now;
            self.receiving.extend(connection.id.clone());
        }
        let bytes = match (bytes as u64) < self.limits.unfinished.least(open) {
            true => 0,
            false => bytes,
        };
        if bytes != connection.unfinished
            && let Some(id) = &connection.id
        {
            connection.unfinished = bytes;
            let connection = id.clone();
            self.unfinished.push(Unfinished { connection, bytes });
        }
    }

    /// Pauses reading the connection of this peer, so that the system stops its sender, or continues.
    pub(in crate::io::acceptor) fn pause_reading(&mut self, peer: &[u8], paused: bool) {
        let Some(&index) = self.by_id.get(peer) else {
            return;
        };
        let Some(connection) = self.connections.get_mut(index) else {
            return;
        };
        let was_paused = std::mem::replace(&mut connection.is_paused, paused);
        if was_paused && !paused && !connection.is_queued {
            // Events that came meanwhile have been taken and come no more.
            connection.input.wake();
            connection.is_queued = true;
            self.queue.push_back(index);
        }
    }

    /// Ends the turn of a connection, which may have more.
    fn leave(&mut self, index: usize, goes_on: bool) {
        let Some(connection) = self.connections.get_mut(index) else {
            return;
        };
        // The end caused no event of its own if it came with the last bytes.
        if connection.ends && !goes_on {
            connection.input.wake();
        }
        let goes_on = goes_on || connection.ends;
        if goes_on {
            connection.is_queued = true;
            self.queue.push_back(index);
        }
        self.buffers.take(&mut connection.input, goes_on);
    }

    /// Carries out a command of a peer's libzmq; others than PING are ignored.
    fn carry_out_command(&mut self, index: usize, command: &[u8]) {
        let Some(connection) = self.connections.get_mut(index) else {
            return;
        };
        connection.expires = None;
        // A peer that takes nothing gets no answers.
        if let Some(answer) = zmtp::answer(command)
            && connection.output.len() < MAX_UNSENT
            && !connection.is_broken
        {
            connection.output.push_bytes(&answer);
            mark(connection, index, &mut self.dirty);
        }
        if let Some(ttl) = zmtp::time_to_live(command) {
            connection.expires = Some(self.now + ttl);
            if !std::mem::replace(&mut connection.is_expiring, true) {
                self.expiring.push(index);
            }
        }
    }
}
