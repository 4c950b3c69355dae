//! The ends of connections: those that break, and those that are ended here.

use super::Streams;
use super::connection::Broken;
use crate::io::acceptor::Unfinished;
use crate::io::connections::{ConnectionNotice, LOOK, MAX_CHECKED, TOO_MANY_FRAMES};
use crate::proto::Time;

impl Streams {
    /// Takes the events of the system, and ends connections that were silent for too long.
    pub(in crate::io::acceptor) fn update(&mut self, now: Time) {
        self.now = now;
        self.look();
        self.accept();
        if self.next_deadline().is_some_and(|at| at <= now) {
            self.looked = now;
            self.check();
        }
    }

    /// When [`update`](Self::update) has to run even without events.
    pub(in crate::io::acceptor) fn next_deadline(&self) -> Option<Time> {
        let is_due = !self.quiet.is_empty()
            || !self.given_up.is_empty()
            || !self.expiring.is_empty()
            || !self.slumbering.is_empty()
            || self.shortage.is_there();
        is_due.then(|| self.looked + LOOK)
    }

    fn check(&mut self) {
        for index in self.given_up.check() {
            self.remove(index);
        }
        self.end_expired();
        self.wake_slumbering();
        if self.shortage.is_there() {
            self.shortage.look(self.now);
            for listener in &mut self.listeners {
                listener.is_pending = true;
            }
        }
        for (since, index) in self.quiet.next(MAX_CHECKED) {
            let Some(connection) = self.connections.get(index) else {
                continue;
            };
            let age = self.now.since(since);
            if connection.id.is_none() {
                // Not an event: a monitor may only check whether the port is open.
                if self.handshake.is_some_and(|most| age >= most) {
                    self.remove(index);
                }
                continue;
            }
            let host = connection.host();
            if self.patience.of(host).is_some_and(|most| age >= most) {
                self.patience.was_exceeded(host);
                self.end(index, "silent for too long");
            }
        }
    }

    /// Reads some connections that are only reported once many bytes have arrived. Over a slow link that takes longer than
    /// the permitted silence.
    fn wake_slumbering(&mut self) {
        let mut room = MAX_CHECKED;
        for _ in 0..self.slumbering.len() {
            if room == 0 {
                return;
            }
            let Some((since, index)) = self.slumbering.pop_front() else {
                return;
            };
            // Those that have ended are still among them.
            let connection = self.connections.get_mut(index);
            let Some(connection) = connection.filter(|it| it.is_slumbering && it.since == since)
            else {
                continue;
            };
            connection.is_slumbering = connection.input.slumbers();
            if !connection.is_slumbering {
                continue;
            }
            room -= 1;
            self.slumbering.push_back((since, index));
            if !connection.is_queued && !connection.is_paused {
                connection.input.wake();
                connection.is_queued = true;
                self.queue.push_back(index);
            }
        }
    }

    /// Ends the connections whose peers have sent nothing within the time to live of their last PING.
    fn end_expired(&mut self) {
        let (connections, now) = (&mut self.connections, self.now);
        let mut expired = Vec::new();
        self.expiring.retain(|&index| {
            let Some(connection) = connections.get_mut(index) else {
                return false;
            };
            let Some(at) = connection.expires else {
                connection.is_expiring = false;
                return false;
            };
            // The received bytes are read first.
            let is_expired = at <= now && !connection.is_queued && !connection.is_paused;
            if is_expired {
                expired.push(index);
            }
            !is_expired
        });
        for index in expired {
            self.remove(index);
        }
    }

    /// Ends a connection, and reports why.
    pub(super) fn end(&mut self, index: usize, reason: &'static str) {
        if let Some(connection) = self.connections.get(index) {
            self.notices.push(ConnectionNotice::Ended {
                address: connection.host().into(),
                reason,
            });
            self.remove(index);
        }
    }

    /// Ends a connection that is of no further use.
    pub(super) fn broken(&mut self, index: usize, why: Broken) {
        match why {
            Broken::Off => self.remove(index),
            Broken::Reset => {
                if let Some(connection) = self.connections.get_mut(index) {
                    connection.note_reset();
                }
                self.remove(index);
            }
            Broken::Endless => self.end(index, "a message without an end"),
            Broken::ManyFrames => self.end(index, TOO_MANY_FRAMES),
            Broken::Refused(failure) => {
                if let Some(connection) = self.connections.get(index) {
                    self.notices.push(ConnectionNotice::Failed {
                        address: connection.host().into(),
                        failure,
                    });
                }
                self.remove(index);
            }
        }
    }

    /// Closes a connection. Its peer is gone, unless it has another one.
    pub(super) fn remove(&mut self, index: usize) {
        let Some(mut connection) = self.connections.try_remove(index) else {
            return;
        };
        self.poller.remove(&connection.descriptor);
        self.buffers.take(&mut connection.input, false);
        self.quiet.remove(connection.since, index);
        self.given_up.remove(index);
        if connection.is_expiring {
            self.expiring.retain(|&of| of != index);
        }
        if !connection.host().is_empty() {
            self.of_address.remove(connection.host());
        }
        if let Some(id) = connection.id.take()
            && self.by_id.get(&id) == Some(&index)
        {
            self.by_id.remove(&id);
            if connection.unfinished > 0 {
                let connection = id.clone();
                self.unfinished.push(Unfinished {
                    connection,
                    bytes: 0,
                });
            }
            if connection.speaks {
                self.ended.push(id.clone());
            }
            self.gone.push_back((id, connection.was_reset));
        }
    }

    /// Ends the connection of this peer, which has another one.
    pub(in crate::io::acceptor) fn end_replaced(&mut self, peer: &[u8]) {
        if let Some(&index) = self.by_id.get(peer) {
            self.remove(index);
        }
    }

    /// Ends the connection of a peer that sends more than may be kept.
    pub(in crate::io::acceptor) fn refuse(&mut self, peer: &[u8]) {
        if let Some(&index) = self.by_id.get(peer) {
            self.end(index, "over its limit");
        }
    }

    /// Reports that the machine has lost this peer.
    pub(in crate::io::acceptor) fn lost(&mut self, peer: &[u8]) {
        if let Some(&index) = self.by_id.get(peer) {
            self.given_up.add(index);
        }
    }

    /// The address of this peer's connection, with the port; over ipc there is none.
    pub(in crate::io::acceptor) fn address(&self, peer: &[u8]) -> Option<&str> {
        let index = self.by_id.get(peer)?;
        self.connections.get(*index)?.address.as_deref()
    }
}
