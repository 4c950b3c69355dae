//! New connections: accepting them, their limits, and the routing ids of their peers.

use super::Streams;
use super::connection::Connection;
use super::listener::Listener;
use crate::io::connections::{ConnectionNotice, PeerFacts, is_out_of_descriptors};
use crate::proto::broker::RoutingId;
use std::io;
use std::net::SocketAddr;

/// The maximum number of connections that are accepted at once.
const AT_ONCE: usize = 256;

/// The token of a listener's events; those of connections are small numbers.
pub(super) fn token_of(listener: usize) -> usize {
    usize::MAX / 2 + listener
}

pub(super) fn listener_of(token: usize, listeners: &mut [Listener]) -> Option<&mut Listener> {
    listeners.get_mut(token.checked_sub(token_of(0))?)
}

impl Streams {
    /// Accepts connections that wait.
    pub(super) fn accept(&mut self) {
        for at in 0..self.listeners.len() {
            let mut most = AT_ONCE;
            while self.listeners[at].is_pending && most > 0 {
                most -= 1;
                let arrival = match self.listeners[at].accept() {
                    Err(error) if is_shortage(&error) => {
                        self.tell_shortage();
                        // The reserve was released.
                        self.listeners[at].accept()
                    }
                    arrival => arrival,
                };
                match arrival {
                    Ok(Some(arrival)) => {
                        let address = arrival.address.map(|address| text_of(&address).into());
                        let connection = Connection::new(arrival.descriptor, address, self.now);
                        self.arrived(Box::new(connection));
                    }
                    Ok(None) => {}
                    // Tried again with the next look at the connections.
                    Err(error) if is_shortage(&error) => self.listeners[at].is_pending = false,
                    // The connection has ended meanwhile.
                    Err(_) => {}
                }
            }
        }
    }

    fn tell_shortage(&mut self) {
        let connections = self.connections.len();
        if self.shortage.begins(self.now, connections) {
            self.notices
                .push(ConnectionNotice::NoDescriptors { connections });
        }
    }

    fn arrived(&mut self, mut connection: Box<Connection>) {
        let index = self.connections.vacant_key();
        if self.poller.add(&connection.descriptor, index).is_err() {
            return;
        }
        let host = connection.host();
        let of_address = match host.is_empty() {
            true => 0,
            false => self.of_address.add(host),
        };
        // The greeting begins at once.
        connection.is_queued = true;
        self.queue.push_back(index);
        self.quiet.add(connection.since, index);
        self.connections.insert(connection);
        let counts = (self.connections.len(), self.shortage.room());
        let excess = (self.limits).excess(self.now, index, of_address, counts, &self.quiet);
        if let Some((index, reason)) = excess {
            self.end(index, reason);
        }
    }

    /// Gives a connection the routing id of its peer, or one of its own. A connection that had it
    /// before is ended: its peer has reconnected.
    pub(super) fn introduce(&mut self, index: usize, id: &[u8]) {
        let id: RoutingId = match id.is_empty() {
            false => id.into(),
            true => loop {
                self.serial = self.serial.wrapping_add(1);
                let [a, b, c, d] = self.serial.to_be_bytes();
                let made: RoutingId = [0, a, b, c, d].into();
                if !self.by_id.contains_key(&made) {
                    break made;
                }
            },
        };
        if let Some(before) = self.by_id.remove(&id) {
            if let Some(connection) = self.connections.get_mut(before) {
                connection.flush();
            }
            self.remove(before);
        }
        if let Some(connection) = self.connections.get_mut(index) {
            connection.id = Some(id.clone());
            self.by_id.insert(id, index);
        }
    }

    /// Handles that a message has come over this connection, if it is the first.
    pub(super) fn heard_first(&mut self, index: usize) {
        let Some(connection) = self.connections.get_mut(index) else {
            return;
        };
        if std::mem::replace(&mut connection.speaks, true) {
            return;
        }
        self.quiet.remove(connection.since, index);
        self.patience.heard(connection.host());
        self.first = connection.id.clone().map(|peer| PeerFacts {
            peer,
            address: connection.address.as_deref().map(str::to_owned),
            is_first: true,
            since: connection.since,
        });
    }
}

/// Whether an accept failed for lack of a descriptor.
fn is_shortage(error: &io::Error) -> bool {
    let errno = error
        .raw_os_error()
        .and_then(|errno| u64::try_from(errno).ok());
    errno.is_some_and(is_out_of_descriptors)
}

/// The address with the port, and with the name of the interface if it belongs to one.
fn text_of(address: &SocketAddr) -> String {
    let SocketAddr::V6(six) = address else {
        return address.to_string();
    };
    match interface(six.scope_id()) {
        Some(name) => format!("[{}%{name}]:{}", six.ip(), six.port()),
        None => address.to_string(),
    }
}

fn interface(scope: u32) -> Option<String> {
    if scope == 0 {
        return None;
    }
    let mut name = [0; libc::IF_NAMESIZE];
    // SAFETY: there is room for the longest name and its NUL.
    let found = unsafe { libc::if_indextoname(scope, name.as_mut_ptr()) };
    if found.is_null() {
        return None;
    }
    let name = name.iter().take_while(|&&c| c != 0).map(|&c| c as u8);
    String::from_utf8(name.collect()).ok()
}
