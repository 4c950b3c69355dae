//! Sending over the connections of a broker.

use super::Streams;
use super::connection::Connection;
use crate::io::descriptor::in_transit;
use crate::io::sent::{LINGER, Sent};
use crate::io::{Message, clock};
use std::io::Read;
use std::os::fd::AsRawFd;
use tokio::time::sleep_until;

/// The maximum number of accepted bytes of a peer that are not written, except for one message.
pub(super) const MAX_UNSENT: usize = 1024 * 1024;

/// Messages are written before the end of a turn when so many bytes have come together.
const MUCH: usize = 256 * 1024;

/// The number of bytes written after which the driver has its turn: the time of about a millisecond.
const FLUSH: usize = 2 * 1024 * 1024;

impl Streams {
    /// Accepts a message, which is written by the next [`flush`](Self::flush).
    pub(in crate::io::acceptor) fn send(&mut self, to: &[u8], frames: &mut Vec<Message>) -> Sent {
        let Some(&index) = self.by_id.get(to) else {
            return Sent::NoPeer;
        };
        let Some(connection) = self.connections.get_mut(index) else {
            return Sent::NoPeer;
        };
        if connection.output.len() >= MUCH {
            // A connection that waits for room is written when there is some.
            if connection.is_dirty {
                connection.flush();
            }
            if connection.output.len() >= MAX_UNSENT {
                return Sent::Full;
            }
        }
        if connection.output.len() == 0 {
            connection.output.lend(self.buffers.output());
        }
        connection.send(frames);
        mark(connection, index, &mut self.dirty);
        Sent::Yes
    }

    /// Writes what was taken, as much as the system takes, up to [`FLUSH`]. The rest follows with the
    /// next turn, which comes at once.
    pub(in crate::io::acceptor) fn flush(&mut self) {
        self.may_wait = self.waits;
        let next = std::mem::take(&mut self.written);
        let mut dirty = std::mem::replace(&mut self.dirty, next);
        let (mut room, mut at) = (FLUSH, 0);
        while room > 0 && at < dirty.len() {
            let index = dirty[at];
            at += 1;
            let Some(connection) = self.connections.get_mut(index) else {
                continue;
            };
            connection.is_dirty = false;
            let before = connection.output.len();
            let goes_on = connection.flush();
            room = room.saturating_sub(before.saturating_sub(connection.output.len()));
            if goes_on {
                // Others have their turns first.
                mark(connection, index, &mut self.dirty);
            }
            if let Some(buffer) = connection.output.take_buffer() {
                self.buffers.keep_output(buffer);
            }
            if connection.is_broken && !connection.is_queued {
                connection.input.wake();
                connection.is_queued = true;
                self.queue.push_back(index);
            }
        }
        if at < dirty.len() {
            // Before those that were marked meanwhile.
            dirty.drain(..at);
            dirty.append(&mut self.dirty);
            self.written = std::mem::replace(&mut self.dirty, dirty);
        } else {
            dirty.clear();
            self.written = dirty;
        }
    }

    pub(in crate::io::acceptor) fn in_flight(&self, peer: &[u8]) -> usize {
        let connection = self
            .by_id
            .get(peer)
            .and_then(|at| self.connections.get(*at));
        connection.map_or(0, |connection| connection.output.len())
    }

    pub(in crate::io::acceptor) fn taken(&self, peer: &[u8]) -> u64 {
        let connection = self
            .by_id
            .get(peer)
            .and_then(|at| self.connections.get(*at));
        connection.map_or(0, |connection| {
            let unacknowledged = in_transit(connection.descriptor.as_raw_fd().into());
            unacknowledged + connection.output.len() as u64
        })
    }

    /// Closes the listeners, writes the unsent messages, for a limited time, and closes the connections.
    pub(in crate::io::acceptor) async fn close(mut self) {
        for listener in self.listeners.drain(..) {
            self.poller.remove(&listener);
            listener.close();
        }
        let end = clock::now() + LINGER;
        while clock::now() < end {
            self.flush();
            let mut all = self.connections.iter();
            if !all.any(|(_, connection)| connection.output.len() > 0) {
                break;
            }
            if !self.dirty.is_empty() {
                continue;
            }
            tokio::select! {
                () = sleep_until(clock::instant(end)) => break,
                () = self.poller.ready() => self.look(),
            }
        }
        for (_, connection) in &mut self.connections {
            // To close a descriptor with unread bytes would reset the connection, and lose what is
            // under way to the peer.
            let _ = connection.descriptor.end_output();
            let mut discarded = [0; 4096];
            let mut most = 256;
            while most > 0 && matches!((&connection.descriptor).read(&mut discarded), Ok(1..)) {
                most -= 1;
            }
        }
    }
}

/// Notes that a connection has bytes to be written.
pub(super) fn mark(connection: &mut Connection, index: usize, dirty: &mut Vec<usize>) {
    if !connection.is_dirty {
        connection.is_dirty = true;
        dirty.push(index);
    }
}
