//! The names of peers that have a name in their hello.
//!
//! The transport gives each connection of such a peer a routing id that no other connection has, so it drops no message
//! of a peer whose name another connection holds. The owner of the broker machine keeps this table, and hands the
//! machine the names in place of the routing ids. All other peers are known by their routing ids.
//!
//! A connection may have channels, each with a peer and its name, beside the peer of the connection itself.

mod channels;

use super::broker::RoutingId;
use super::table::Table;
use crate::wire::channel::Channel;
use channels::Channels;
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

/// Where a peer is: on a connection, or on one of its channels.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The routing id of the connection.
    pub connection: RoutingId,
    /// The channel; `None` for the connection itself.
    pub channel: Option<Channel>,
}

/// The sender of a message over a channel.
#[derive(Debug, PartialEq, Eq)]
pub enum ChannelSpeaker<'a> {
    /// The peer with this name.
    Peer(&'a RoutingId),
    /// No peer yet: the message has to be a hello with a name.
    New,
    /// A channel that was refused or has ended.
    Nobody,
}

/// The connections of peers with a name.
#[derive(Debug)]
pub struct Names {
    /// The name of each connection that has announced one; `None` if it may not have one.
    by_connection: Table<RoutingId, Option<RoutingId>>,
    by_name: Table<RoutingId, Place>,
    channels: Channels,
    nameless: VecDeque<RoutingId>,
    sweep_at: usize,
}

impl Default for Names {
    fn default() -> Self {
        Names {
            by_connection: Table::default(),
            by_name: Table::default(),
            channels: Channels::default(),
            nameless: VecDeque::new(),
            sweep_at: SWEEP,
        }
    }
}

impl Names {
    /// The sender of a message over this connection.
    #[inline]
    pub fn speaker<'a>(&'a self, connection: &'a [u8]) -> Speaker<'a> {
        if self.by_connection.is_empty() && self.by_name.is_empty() {
            return Speaker::Peer(connection);
        }
        match self.by_connection.get(connection) {
            Some(Some(name)) => Speaker::Peer(name),
            Some(None) => Speaker::Nobody,
            None if self.by_name.contains_key(connection) => Speaker::Nobody,
            None => Speaker::Peer(connection),
        }
    }

    /// The peer of this connection; empty if the connection has no peer any more.
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

    /// The sender of a message over a channel of this connection.
    pub fn channel_speaker(&self, connection: &[u8], channel: Channel) -> ChannelSpeaker<'_> {
        match self.channels.peer(connection, channel) {
            Some(peer) => ChannelSpeaker::Peer(peer),
            None if self.channels.is_new(connection, channel) => ChannelSpeaker::New,
            None => ChannelSpeaker::Nobody,
        }
    }

    /// Whether this place has a name, or is refused one.
    pub fn knows(&self, place: &Place) -> bool {
        match place.channel {
            None => self.by_connection.contains_key(&place.connection),
            Some(channel) => {
                let channels = &self.channels;
                !channels.is_new(&place.connection, channel)
                    || !channels.has_room(&place.connection)
            }
        }
    }

    /// The routing id of the connection to the peer with this name, or with this routing id; and its channel.
    #[inline]
    pub fn place<'a>(&'a self, peer: &'a RoutingId) -> (&'a RoutingId, Option<Channel>) {
        if self.by_name.is_empty() {
            return (peer, None);
        }
        match self.by_name.get(peer) {
            Some(place) => (&place.connection, place.channel),
            None => (peer, None),
        }
    }

    /// The connection of this peer.
    pub fn connection<'a>(&'a self, peer: &'a RoutingId) -> &'a RoutingId {
        self.place(peer).0
    }

    /// Whether the connection has channels, so that a message to one of its peers must not replace others.
    pub fn is_shared(&self, connection: &[u8]) -> bool {
        !self.channels.is_empty() && self.channels.peers(connection).next().is_some()
    }

    /// All peers of a connection; the first is the one that is charged for messages that wait.
    pub fn peers(&self, connection: &RoutingId) -> Vec<RoutingId> {
        let own = match self.peer(connection) {
            [] => None,
            own => Some(RoutingId::from(own)),
        };
        let of_channels = self.channels.peers(connection).cloned();
        own.into_iter().chain(of_channels).collect()
    }

    /// The peer that is charged for messages that wait for any peer of a connection; empty if the connection has no
    /// peer.
    pub fn payer<'a>(&'a self, connection: &'a [u8]) -> &'a [u8] {
        match self.peer(connection) {
            [] => self
                .channels
                .peers(connection)
                .next()
                .map_or(&[], |peer| peer),
            own => own,
        }
    }

    /// The connection of this peer, if no other peer with a name is on it.
    pub fn sole<'a>(&'a self, peer: &'a [u8]) -> Option<&'a [u8]> {
        let Some(place) = self.by_name.get(peer) else {
            return Some(peer);
        };
        let own = self.name(&place.connection).into_iter();
        let mut all = own.chain(self.channels.peers(&place.connection));
        all.all(|each| **each == *peer)
            .then_some(&*place.connection)
    }

    /// Gives the name to the peer of this connection or channel. Returns the connection of the peer that had it before,
    /// if that connection has no other peer.
    pub fn give(&mut self, name: RoutingId, place: Place) -> Option<RoutingId> {
        let before = self.by_name.insert(name.clone(), place.clone());
        if let Some(before) = &before {
            self.vacate(before);
        }
        match place.channel {
            None => drop(self.by_connection.insert(place.connection, Some(name))),
            Some(channel) => self.channels.give(&place.connection, channel, name),
        }
        let left = before?.connection;
        let has_peers = matches!(self.by_connection.get(&left), Some(Some(_)));
        (!has_peers && !self.is_shared(&left)).then_some(left)
    }

    /// Drops the messages from this place from now on.
    pub fn refuse(&mut self, place: &Place) {
        match place.channel {
            None => self.silence(place.connection.clone()),
            Some(channel) => self.channels.use_up(&place.connection, channel),
        }
    }

    fn vacate(&mut self, place: &Place) {
        match place.channel {
            None => self.silence(place.connection.clone()),
            Some(channel) => self.channels.close(&place.connection, channel),
        }
    }

    fn silence(&mut self, connection: RoutingId) {
        self.by_connection.insert(connection.clone(), None);
        self.nameless.push_back(connection);
        if self.nameless.len() > MAX_NAMELESS
            && let Some(oldest) = self.nameless.pop_front()
            && self.by_connection.get(&oldest) == Some(&None)
        {
            self.by_connection.remove(&oldest);
        }
    }

    /// Handles that a peer is lost although its connection is not. Returns the connection if it has no other peer.
    pub fn lose(&mut self, peer: &[u8]) -> Option<RoutingId> {
        if let Some(connection) = self.sole(peer) {
            return Some(connection.into());
        }
        let place = self.by_name.remove(peer)?;
        self.vacate(&place);
        None
    }

    /// Changes the name of a peer. Returns its connection.
    pub fn rename(&mut self, name: &[u8], other: RoutingId) -> Option<RoutingId> {
        let place = self.by_name.remove(name)?;
        let connection = place.connection.clone();
        self.give(other, place);
        Some(connection)
    }

    /// Handles the end of a connection. Returns its name.
    pub fn end(&mut self, connection: &[u8]) -> Option<RoutingId> {
        let name = self.by_connection.remove(connection)??;
        self.by_name.remove(&name);
        Some(name)
    }

    /// Handles the end of the channels of a connection. Returns the names of their peers.
    pub fn end_channels(&mut self, connection: &[u8]) -> Vec<RoutingId> {
        let peers = self.channels.end(connection);
        for peer in &peers {
            self.by_name.remove(peer);
        }
        peers
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
            channels,
            ..
        } = self;
        by_name.retain(|name, place| {
            let stays = is_known(name);
            if !stays {
                match place.channel {
                    None => drop(by_connection.remove(&place.connection)),
                    Some(channel) => channels.close(&place.connection, channel),
                }
            }
            stays
        });
        channels.sweep();
        self.sweep_at = (2 * self.by_name.len()).max(SWEEP);
    }
}

#[cfg(test)]
mod tests;
