//! The names of peers that say them in a hello.
//!
//! The transport gives each connection of such a peer a routing id that no other connection has, so it drops no message
//! of a peer whose name another connection holds. The owner of the broker machine keeps this table, and hands the
//! machine the names in place of the routing ids. All other peers are known by their routing ids.

use super::broker::RoutingId;
use super::table::Table;
use std::collections::VecDeque;

/// Maximum of connections without a name that are remembered. Messages of such a connection can arrive only for the
/// time of a round trip.
const MAX_NAMELESS: usize = 4096;

/// Names are checked for peers that are gone when there are this many, and then each time their number has doubled.
const SWEEP: usize = 1024;

/// The sender of a message.
#[derive(Debug, PartialEq, Eq)]
pub enum Speaker<'a> {
    /// The peer with this name, or with this routing id.
    Peer(&'a [u8]),
    /// A connection whose messages are dropped: its name was refused or has passed to another connection, or its
    /// routing id is the name of another peer.
    Nobody,
}

/// The connections of peers with a name.
#[derive(Debug)]
pub struct Names {
    /// The name of each connection that has said one; `None` if it has no right to one.
    by_connection: Table<RoutingId, Option<RoutingId>>,
    by_name: Table<RoutingId, RoutingId>,
    nameless: VecDeque<RoutingId>,
    sweep_at: usize,
}

impl Default for Names {
    fn default() -> Self {
        Names {
            by_connection: Table::default(),
            by_name: Table::default(),
            nameless: VecDeque::new(),
            sweep_at: SWEEP,
        }
    }
}

impl Names {
    /// The sender of a message over this connection.
    #[inline]
    pub fn speaker<'a>(&'a self, connection: &'a [u8]) -> Speaker<'a> {
        if self.by_connection.is_empty() {
            return Speaker::Peer(connection);
        }
        match self.by_connection.get(connection) {
            Some(Some(name)) => Speaker::Peer(name),
            Some(None) => Speaker::Nobody,
            None if self.by_name.contains_key(connection) => Speaker::Nobody,
            None => Speaker::Peer(connection),
        }
    }

    /// The peer to which a message over this connection was sent; empty if that is nobody any more.
    pub fn peer<'a>(&'a self, connection: &'a [u8]) -> &'a [u8] {
        match self.speaker(connection) {
            Speaker::Peer(peer) => peer,
            Speaker::Nobody => &[],
        }
    }

    /// The name of this connection, if it has one.
    pub fn name(&self, connection: &[u8]) -> Option<&RoutingId> {
        self.by_connection.get(connection)?.as_ref()
    }

    /// Whether a connection has this name.
    pub fn is_name(&self, name: &[u8]) -> bool {
        self.by_name.contains_key(name)
    }

    /// Whether this connection has said a name.
    pub fn knows(&self, connection: &[u8]) -> bool {
        self.by_connection.contains_key(connection)
    }

    /// The routing id of the connection to the peer with this name, or with this routing id.
    #[inline]
    pub fn connection<'a>(&'a self, peer: &'a RoutingId) -> &'a RoutingId {
        if self.by_name.is_empty() {
            return peer;
        }
        self.by_name.get(peer).unwrap_or(peer)
    }

    /// As [`connection`](Self::connection).
    pub fn route<'a>(&'a self, peer: &'a [u8]) -> &'a [u8] {
        self.by_name.get(peer).map_or(peer, |connection| connection)
    }

    /// Gives the name to a connection. Returns the connection that had it before.
    pub fn give(&mut self, name: RoutingId, connection: RoutingId) -> Option<RoutingId> {
        let before = self.by_name.insert(name.clone(), connection.clone());
        if let Some(before) = &before {
            self.silence(before.clone());
        }
        self.by_connection.insert(connection, Some(name));
        before
    }

    /// Drops the messages of a connection from now on.
    pub fn silence(&mut self, connection: RoutingId) {
        self.by_connection.insert(connection.clone(), None);
        self.nameless.push_back(connection);
        if self.nameless.len() > MAX_NAMELESS
            && let Some(oldest) = self.nameless.pop_front()
            && self.by_connection.get(&oldest) == Some(&None)
        {
            self.by_connection.remove(&oldest);
        }
    }

    /// Changes the name of a connection. Returns the connection.
    pub fn rename(&mut self, name: &[u8], other: RoutingId) -> Option<RoutingId> {
        let connection = self.by_name.remove(name)?;
        self.give(other, connection.clone());
        Some(connection)
    }

    /// Handles the end of a connection. Returns its name.
    pub fn end(&mut self, connection: &[u8]) -> Option<RoutingId> {
        let name = self.by_connection.remove(connection)??;
        self.by_name.remove(&name);
        Some(name)
    }

    /// Whether it is time for [`sweep`](Self::sweep).
    pub fn are_many(&self) -> bool {
        self.by_name.len() >= self.sweep_at
    }

    /// Forgets the names of peers that are gone. Not every transport reports the end of a connection.
    pub fn sweep(&mut self, is_known: impl Fn(&[u8]) -> bool) {
        let Names {
            by_connection,
            by_name,
            ..
        } = self;
        by_name.retain(|name, connection| {
            let stays = is_known(name);
            if !stays {
                by_connection.remove(connection);
            }
            stays
        });
        self.sweep_at = (2 * self.by_name.len()).max(SWEEP);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(text: &str) -> RoutingId {
        text.as_bytes().into()
    }

    fn peer(text: &str) -> Speaker<'_> {
        Speaker::Peer(text.as_bytes())
    }

    #[test]
    fn a_peer_without_a_name_is_known_by_its_routing_id() {
        let mut names = Names::default();
        assert_eq!(names.speaker(b"c1"), peer("c1"));
        assert_eq!(names.give(id("n"), id("c2")), None);
        assert_eq!(names.speaker(b"c1"), peer("c1"));
        assert_eq!(*names.connection(&id("c1")), id("c1"));
    }

    #[test]
    fn messages_go_to_the_connection_that_has_the_name_last() {
        let mut names = Names::default();
        names.give(id("n"), id("c1"));
        assert_eq!(names.speaker(b"c1"), peer("n"));
        assert_eq!(names.give(id("n"), id("c2")), Some(id("c1")));
        assert_eq!(names.speaker(b"c1"), Speaker::Nobody);
        assert_eq!(names.speaker(b"c2"), peer("n"));
        assert_eq!(*names.connection(&id("n")), id("c2"));
        // The end of the earlier connection is not that of the peer.
        assert_eq!(names.end(b"c1"), None);
        assert_eq!(names.end(b"c2"), Some(id("n")));
        assert!(names.by_connection.is_empty() && names.by_name.is_empty());
    }

    #[test]
    fn a_routing_id_that_is_the_name_of_another_peer_is_nobody() {
        let mut names = Names::default();
        names.give(id("n"), id("c1"));
        assert_eq!(names.speaker(b"n"), Speaker::Nobody);
        names.end(b"c1");
        assert_eq!(names.speaker(b"n"), peer("n"));
    }

    #[test]
    fn a_peer_goes_on_under_another_name() {
        let mut names = Names::default();
        names.give(id("n"), id("c1"));
        assert_eq!(names.rename(b"n", id("n~1")), Some(id("c1")));
        assert_eq!(names.speaker(b"c1"), peer("n~1"));
        assert_eq!(names.give(id("n"), id("c2")), None);
        assert_eq!(names.end(b"c1"), Some(id("n~1")));
        assert_eq!(names.speaker(b"c2"), peer("n"));
    }

    #[test]
    fn connections_whose_end_is_not_reported_cost_a_bounded_amount() {
        let mut names = Names::default();
        for n in 0..2 * MAX_NAMELESS {
            names.silence(id(&format!("c{n}")));
        }
        assert_eq!(names.by_connection.len(), MAX_NAMELESS);
        for n in 0..SWEEP {
            names.give(id(&format!("n{n}")), id(&format!("d{n}")));
        }
        assert!(names.are_many());
        names.sweep(|name| *name == *b"n7");
        assert_eq!(names.speaker(b"d7"), peer("n7"));
        assert_eq!(names.speaker(b"d8"), peer("d8"));
        assert_eq!(names.by_name.len(), 1);
        assert!(!names.are_many());
    }
}
