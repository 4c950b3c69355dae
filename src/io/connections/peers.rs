//! The connections of the peers that have sent a message.

use super::Connections;
use super::counted::{Fd, arrived};
use super::endless::Owner;
use super::entry::{Stage, address_of};
use crate::proto::Time;
use crate::proto::broker::RoutingId;
use std::sync::Arc;

/// Facts about the connection of a message that were not known.
pub(in crate::io) struct PeerFacts {
    pub(in crate::io) peer: RoutingId,
    /// With the port; over ipc there is none.
    pub(in crate::io) address: Option<String>,
    /// It is the first message of the connection, which began at this time.
    pub(in crate::io) is_first: bool,
    pub(in crate::io) since: Time,
}

impl Connections {
    /// The address of this peer's connection, with the port; over ipc there is none.
    pub(in crate::io) fn address(&self, peer: &[u8]) -> Option<&str> {
        let (fd, _) = self.of_peer.get(peer)?;
        self.open.get(fd)?.remote.strip_prefix("tcp://")
    }

    /// The connection of this peer. A descriptor that it had before may be that of another connection.
    fn connection_of(&self, peer: &[u8]) -> Option<Fd> {
        let &(fd, _) = self.of_peer.get(peer)?;
        (self.open.get(&fd)?.peer.as_deref() == Some(peer)).then_some(fd)
    }

    /// Ends the connection of this peer, which has another one.
    pub(in crate::io) fn end_replaced(&mut self, peer: &[u8]) {
        if let Some(fd) = self.connection_of(peer) {
            self.end_quietly(fd);
        }
    }

    /// Whether the connection of this peer is known.
    pub(in crate::io) fn knows(&self, peer: &[u8]) -> bool {
        self.of_peer.contains_key(peer)
    }

    /// The peers of which more of a message that is not complete has arrived.
    #[inline]
    pub(in crate::io) fn take_receiving(&mut self) -> Option<Vec<RoutingId>> {
        (!self.receiving.is_empty()).then(|| std::mem::take(&mut self.receiving))
    }

    /// Whether the connection of this peer, whose last message was received, was reset, as far as it is known.
    pub(in crate::io) fn was_reset(&mut self, peer: &[u8]) -> bool {
        if self.reset.remove(peer) {
            return true;
        }
        let Some(fd) = self.connection_of(peer) else {
            return false;
        };
        self.open.get_mut(&fd).is_some_and(|entry| {
            entry.is_over = true;
            entry.was_reset(fd)
        })
    }

    /// How many bytes have reached this peer; `None` over inproc.
    pub(in crate::io) fn arrived_at(&self, peer: &[u8]) -> Option<u64> {
        self.connection_of(peer).map(arrived)
    }

    /// The peers whose connections have ended.
    pub(in crate::io) fn drain_ended(&mut self) -> std::vec::Drain<'_, RoutingId> {
        self.ended.drain(..)
    }

    /// Reports a message of this peer. `connection` asks the transport for the descriptor of the peer's connection, and
    /// for its user. Returns the peer and its address with the port if they were not known, and whether this is the first
    /// message of the connection.
    pub(in crate::io) fn heard<'a>(
        &mut self,
        peer: &[u8],
        connection: impl FnOnce() -> (Option<Fd>, Option<&'a str>),
    ) -> Option<PeerFacts> {
        // `connection` is the most expensive part: it is called once for each connection accepted since.
        if let Some(&(_, serial)) = self.of_peer.get(peer)
            && serial == self.serial
        {
            return None;
        }
        let (fd, user) = connection();
        let fd = fd?;
        let is_first = self.open.get(&fd)?.stage != Stage::Speaking;
        let id: RoutingId = peer.into();
        let before = self.of_peer.insert(id.clone(), (fd, self.serial));
        // The last message of an earlier connection was received, or is lost.
        if is_first || before.is_some_and(|(before, _)| before != fd) {
            self.reset.remove(peer);
        }
        // The transport has given the name to this connection; the earlier one would receive nothing any more.
        if let Some((before, _)) = before.filter(|&(before, _)| before != fd) {
            self.end_quietly(before);
        }
        let entry = self.open.get_mut(&fd)?;
        self.quiet.remove(entry.since, fd);
        if entry.stage == Stage::Ended {
            return None;
        }
        entry.stage = Stage::Speaking;
        let (address, since) = (
            entry.remote.strip_prefix("tcp://").map(str::to_owned),
            entry.since,
        );
        self.patience.heard(address_of(&entry.remote));
        entry.peer = Some(id.clone());
        if let Some(user) = user.filter(|_| entry.user.is_none()) {
            entry.user = Some(user.into());
            entry.owner = Arc::new(Owner::User(user.into()));
            if self.of_user.add(user) > self.limits.of_user {
                self.end(fd, "too many connections of this user");
            }
        }
        Some(PeerFacts {
            peer: id,
            address,
            is_first,
            since,
        })
    }

    /// Reports that the machine has lost this peer. Its connection ends a moment later, so that the DISCONNECT arrives.
    pub(in crate::io) fn lost(&mut self, peer: &[u8]) {
        if let Some(fd) = self.connection_of(peer) {
            self.given_up.add(fd);
        }
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use crate::io::connections::entry::Connection;
    use crate::io::connections::{ConnectionLimits, UnfinishedLimits};
    use crate::io::monitor::{Monitor, Report, Watch};
    use crate::io::socket::Socket;
    use std::time::Duration;
    use tokio::runtime::{Builder, Runtime};

    const PEER: &[u8] = b"peer";

    /// Numbers that are no descriptors: nothing was counted for them.
    const FIRST: Fd = 1 << 40;
    const SECOND: Fd = FIRST + 1;

    struct Side {
        connections: Connections,
        _socket: Socket,
        // Last, because the socket belongs to it.
        _runtime: Runtime,
    }

    impl Side {
        fn new() -> Self {
            let runtime = Builder::new_current_thread()
                .enable_all()
                .build()
                .expect("a runtime");
            let entered = runtime.enter();
            let socket = Socket::router(b"gone").expect("a socket");
            let monitor = Monitor::new(&socket, Watch::Connections).expect("a monitor");
            let limits = ConnectionLimits {
                all: 1000,
                of_address: 1000,
                of_user: 1000,
                silence: None,
                patience: Duration::from_secs(7),
                message: 1 << 20,
                unfinished: UnfinishedLimits {
                    all: u64::MAX,
                    of_user: u64::MAX,
                    of_address: u64::MAX,
                },
                names_are_held: false,
            };
            let connections = Connections::new(limits, monitor);
            drop(entered);
            Side {
                connections: connections
                    .map_err(|(_, error)| error)
                    .expect("a descriptor"),
                _socket: socket,
                _runtime: runtime,
            }
        }

        fn report(&mut self, event: u32, fd: Fd) {
            let report = Report {
                event,
                value: fd as u64,
                remote: format!("tcp://127.0.0.1:{}", fd & 7),
            };
            self.connections.on_report(Time::ZERO, report);
        }

        /// A connection over which the peer has sent a message.
        fn connect(&mut self, fd: Fd) {
            self.report(zmq_sys::ZMQ_EVENT_ACCEPTED, fd);
            let news = self.connections.heard(PEER, || (Some(fd), None));
            assert!(news.is_some_and(|news| news.is_first));
        }

        fn entry(&mut self, fd: Fd) -> &mut Connection {
            self.connections.open.get_mut(&fd).expect("it is open")
        }

        /// As if one more reset were counted.
        fn reset(&mut self, fd: Fd) {
            self.entry(fd).resets += 1;
        }

        fn end(&mut self, fd: Fd) {
            self.report(zmq_sys::ZMQ_EVENT_DISCONNECTED, fd);
        }

        fn was_reset(&mut self) -> bool {
            self.connections.was_reset(PEER)
        }
    }

    #[test]
    fn a_reset_is_known_at_the_last_message_whether_the_end_is_reported_before_or_afterwards() {
        let mut side = Side::new();
        side.connect(FIRST);
        side.reset(FIRST);
        side.end(FIRST);
        assert!(side.was_reset() && !side.was_reset());
        side.connect(FIRST);
        side.reset(FIRST);
        assert!(side.was_reset());
        side.end(FIRST);
        assert!(side.connections.reset.is_empty());
        side.connect(FIRST);
        side.end(FIRST);
        assert!(!side.was_reset());
    }

    #[test]
    fn a_connection_that_was_ended_here_was_not_reset() {
        let mut side = Side::new();
        side.connect(FIRST);
        side.connections.end(FIRST, "over its limit");
        side.reset(FIRST);
        assert!(!side.was_reset());
        side.connect(SECOND);
        side.connections.end_quietly(SECOND);
        side.reset(SECOND);
        side.end(SECOND);
        assert!(!side.was_reset());
    }

    #[test]
    fn the_next_connection_of_a_peer_is_not_that_which_was_reset() {
        for next in [FIRST, SECOND] {
            let mut side = Side::new();
            side.connect(FIRST);
            side.reset(FIRST);
            side.end(FIRST);
            side.connect(next);
            assert!(side.connections.reset.is_empty());
            assert!(!side.was_reset());
        }
    }
}
