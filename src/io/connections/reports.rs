//! libzmq's reports about the connections: their beginnings, handshakes and ends.

use super::counted::{resets, serial, was_cut};
use super::endless::Owner;
use super::entry::{Connection, Stage, address_of};
use super::{ConnectionNotice, Connections, Fd, MAX_RESET, is_out_of_descriptors};
use crate::io::monitor::Report;
use crate::io::security::HandshakeFailure;
use crate::proto::Time;
use std::sync::Arc;

impl Connections {
    pub(super) fn on_report(&mut self, now: Time, report: Report) {
        let Report {
            event,
            value,
            remote,
        } = report;
        match event {
            zmq_sys::ZMQ_EVENT_ACCEPTED => self.accepted(now, value as Fd, remote),
            zmq_sys::ZMQ_EVENT_ACCEPT_FAILED => self.not_accepted(now, value),
            zmq_sys::ZMQ_EVENT_DISCONNECTED => self.forget(value as Fd),
            zmq_sys::ZMQ_EVENT_HANDSHAKE_SUCCEEDED => {
                if let Some(entry) = self
                    .by_remote
                    .get(&remote)
                    .and_then(|fd| self.open.get_mut(fd))
                    && entry.stage == Stage::Handshake
                {
                    entry.stage = Stage::Silent;
                }
            }
            _ => {
                if let Some(failure) = HandshakeFailure::from_event(event, value as u32) {
                    let fd = self.by_remote.get(&remote).copied();
                    // libzmq reports the end of the handshake first.
                    if let Some((fd, reason)) = fd.and_then(|fd| Some((fd, was_cut(fd)?))) {
                        self.end(fd, reason);
                    }
                    let ended = fd.and_then(|fd| self.open.get(&fd));
                    // An end that was caused here was reported before.
                    if ended.is_none_or(|entry| entry.stage != Stage::Ended) {
                        self.notices.push(ConnectionNotice::Failed {
                            address: address_of(&remote).into(),
                            failure,
                        });
                    }
                }
            }
        }
    }

    fn accepted(&mut self, now: Time, fd: Fd, remote: String) {
        // A connection with the same descriptor has ended, even if its end was not reported.
        self.forget(fd);
        self.serial += 1;
        let address = address_of(&remote);
        let mut of_address = 0;
        if !address.is_empty() {
            of_address = self.of_address.add(address);
            self.by_remote.insert(remote.clone(), fd);
        }
        let owner = Arc::new(Owner::of_address(address));
        let connection = Connection {
            remote,
            since: now,
            serial: serial(fd),
            resets: resets(fd),
            is_over: false,
            seen: 0,
            waited: now,
            owner,
            stage: Stage::Handshake,
            user: None,
            peer: None,
        };
        self.open.insert(fd, connection);
        self.quiet.add(now, fd);
        let counts = (self.open.len(), self.shortage.room());
        let excess = (self.limits).excess(now, fd, of_address, counts, &self.quiet);
        if let Some((fd, reason)) = excess {
            self.end(fd, reason);
        }
    }

    /// Handles a connection that libzmq could not accept.
    fn not_accepted(&mut self, now: Time, errno: u64) {
        let connections = self.open.len();
        if is_out_of_descriptors(errno) && self.shortage.begins(now, connections) {
            self.notices
                .push(ConnectionNotice::NoDescriptors { connections });
        }
    }

    fn forget(&mut self, fd: Fd) {
        let Some(entry) = self.open.remove(&fd) else {
            return;
        };
        if let Some(reason) = was_cut(fd) {
            self.notices.push(ConnectionNotice::Ended {
                address: entry.address().into(),
                reason,
            });
        }
        self.endless.forget(fd);
        self.given_up.remove(fd);
        self.quiet.remove(entry.since, fd);
        if self.by_remote.get(&entry.remote) == Some(&fd) {
            self.by_remote.remove(&entry.remote);
        }
        self.of_address.remove(entry.address());
        if let Some(user) = &entry.user {
            self.of_user.remove(user);
        }
        if let Some(peer) = &entry.peer
            && self.of_peer.get(peer).is_some_and(|(of, _)| *of == fd)
        {
            self.of_peer.remove(peer);
            if entry.was_reset(fd) && !entry.is_over && self.reset.len() < MAX_RESET {
                self.reset.insert(peer.clone());
            }
            self.ended.push(peer.clone());
        }
    }
}
