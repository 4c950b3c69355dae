//! The connections of the peers that have sent a message.

use super::Connections;
use super::descriptor::{Fd, arrived};
use super::entry::{Stage, address_of};
use crate::proto::Time;
use crate::proto::broker::RoutingId;

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
        let (fd, _) = self.speakers.get(peer)?;
        self.open.get(fd)?.remote.strip_prefix("tcp://")
    }

    /// The connection of this peer. A descriptor that it had before may be that of another connection.
    fn connection_of(&self, peer: &[u8]) -> Option<Fd> {
        let &(fd, _) = self.speakers.get(peer)?;
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
        self.speakers.contains_key(peer)
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
        if let Some(&(_, serial)) = self.speakers.get(peer)
            && serial == self.serial
        {
            return None;
        }
        let (fd, user) = connection();
        let fd = fd?;
        let is_first = self.open.get(&fd)?.stage != Stage::Speaking;
        let id: RoutingId = peer.into();
        let before = self.speakers.insert(id.clone(), (fd, self.serial));
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
