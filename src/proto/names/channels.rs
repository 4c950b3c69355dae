//! The channels of connections: on each of them a peer with a name of its own.
//!
//! A peer never uses the number of a channel again on the same connection, and opens channels in the order of their
//! numbers. So a channel that was refused or has ended needs no entry: its number is not beyond the last one.

use super::RoutingId;
use crate::proto::table::Table;
use crate::wire::channel::Channel;
use crate::wire::sizes::MAX_CHANNELS;

/// Maximum of channels of one connection: twice as many as it may use at a time. A channel that a peer has left stays
/// open until the peer announces its name elsewhere.
pub(super) const MOST: usize = 2 * MAX_CHANNELS as usize;

#[derive(Debug, Default)]
struct Opened {
    /// The last channel that was opened or refused.
    last: Option<Channel>,
    /// The channels that are open, and the names of their peers.
    open: Vec<(Channel, RoutingId)>,
}

/// The channels of the connections that have, or had, some.
#[derive(Debug, Default)]
pub(super) struct Channels(Table<RoutingId, Opened>);

impl Channels {
    pub(super) fn peer(&self, connection: &[u8], channel: Channel) -> Option<&RoutingId> {
        let (open, at) = (&self.0.get(connection)?.open, channel);
        open.iter()
            .find(|(each, _)| *each == at)
            .map(|(_, peer)| peer)
    }

    /// Whether this channel was not used before.
    pub(super) fn is_new(&self, connection: &[u8], channel: Channel) -> bool {
        let opened = self.0.get(connection);
        opened.is_none_or(|opened| opened.last < Some(channel))
    }

    /// Whether the connection may have one more channel.
    pub(super) fn has_room(&self, connection: &[u8]) -> bool {
        let opened = self.0.get(connection);
        opened.is_none_or(|opened| opened.open.len() < MOST)
    }

    /// Marks the number of a channel as used.
    pub(super) fn use_up(&mut self, connection: &RoutingId, channel: Channel) {
        let opened = self.0.entry(connection.clone()).or_default();
        opened.last = opened.last.max(Some(channel));
    }

    /// Gives a channel to the peer with this name.
    pub(super) fn give(&mut self, connection: &RoutingId, channel: Channel, name: RoutingId) {
        self.use_up(connection, channel);
        let opened = self.0.entry(connection.clone()).or_default();
        match opened.open.iter_mut().find(|(each, _)| *each == channel) {
            Some((_, peer)) => *peer = name,
            None => opened.open.push((channel, name)),
        }
    }

    pub(super) fn close(&mut self, connection: &[u8], channel: Channel) {
        if let Some(opened) = self.0.get_mut(connection) {
            opened.open.retain(|(each, _)| *each != channel);
        }
    }

    /// The names of the peers that have channels of this connection.
    pub(super) fn peers(&self, connection: &[u8]) -> impl Iterator<Item = &RoutingId> {
        let open = self.0.get(connection).map(|opened| &opened.open);
        open.into_iter().flatten().map(|(_, peer)| peer)
    }

    /// Forgets a connection. Returns the names of its peers.
    pub(super) fn end(&mut self, connection: &[u8]) -> Vec<RoutingId> {
        let opened = self.0.remove(connection).unwrap_or_default();
        opened.open.into_iter().map(|(_, peer)| peer).collect()
    }

    /// Forgets the connections without a channel.
    pub(super) fn sweep(&mut self) {
        self.0.retain(|_, opened| !opened.open.is_empty());
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}
