//! Turns of peers that have sent more than is handled at once (deficit round robin).
//!
//! The transport takes one message from each peer in turn, but a message may contain many, and some take longer than
//! others. Work is counted in units: one for a message, and more for longer work. When a peer has used its
//! [`QUANTUM`], the rest of its messages and all later ones wait here. A peer that sends no more than is handled at once
//! never waits.
//!
//! Turns belong to the owners of the peers: users, or addresses without users. In each turn of an owner one of its
//! waiting peers gets one quantum, so that many connections of one owner have no more than one connection of another.

use super::RoutingId;
use crate::proto::table::Table;
use std::collections::VecDeque;

/// Units of work per turn. One unit is about the cost of a request, some microseconds.
pub const QUANTUM: u32 = 256;

/// Maximum of units of a peer that does not wait, while others do. Many connections that each send a large batch thus
/// delay the messages of other peers by little.
const AMONG_WAITING: u32 = 16;

/// The same for all waiting peers together: the more peers wait, the fewer units the next one has. For a peer whose
/// owner has no waiting peers, the owners count instead.
const SHARED: u32 = 2 * QUANTUM;

/// The waiting messages of one peer.
#[derive(Debug)]
struct Backlog<T> {
    /// Messages, each with its size in bytes.
    items: VecDeque<(T, usize)>,
    bytes: usize,
    /// Units that it has used beyond its quantum.
    excess: u32,
    owner: RoutingId,
}

/// The waiting peers and their messages; see the module.
#[derive(Debug)]
pub struct Turns<T> {
    backlogs: Table<RoutingId, Backlog<T>>,
    /// The waiting peers of each owner that has any, in the order of their turns.
    peers: Table<RoutingId, VecDeque<RoutingId>>,
    /// These owners, in the order of their turns.
    order: VecDeque<RoutingId>,
}

impl<T> Default for Turns<T> {
    fn default() -> Self {
        Turns {
            backlogs: Table::default(),
            peers: Table::default(),
            order: VecDeque::new(),
        }
    }
}

/// The turn of a peer.
#[derive(Debug)]
pub struct Turn {
    /// The peer.
    pub peer: RoutingId,
    /// Units that it may use.
    pub units: u32,
}

impl<T> Turns<T> {
    /// Whether no peer waits.
    pub fn is_empty(&self) -> bool {
        self.backlogs.is_empty()
    }

    /// Number of peers that wait.
    pub fn len(&self) -> usize {
        self.backlogs.len()
    }

    /// The peers of which messages wait.
    pub fn peers(&self) -> impl Iterator<Item = &RoutingId> {
        let waiting = self.backlogs.iter();
        let waiting = waiting.filter(|(_, backlog)| !backlog.items.is_empty());
        waiting.map(|(peer, _)| peer)
    }

    /// Units that a peer of this owner may use at once before it waits.
    pub fn allowance(&self, owner: &[u8]) -> u32 {
        if self.is_empty() {
            return QUANTUM;
        }
        let waiting = match self.peers.contains_key(owner) {
            true => self.len(),
            false => self.peers.len(),
        };
        let waiting = u32::try_from(waiting).unwrap_or(u32::MAX).max(1);
        (SHARED / waiting).clamp(1, AMONG_WAITING)
    }

    /// Whether messages of this peer have to wait.
    pub fn waits(&self, peer: &[u8]) -> bool {
        !self.is_empty() && self.backlogs.contains_key(peer)
    }

    /// Bytes that wait for this peer.
    pub fn bytes_of(&self, peer: &[u8]) -> usize {
        self.backlogs.get(peer).map_or(0, |backlog| backlog.bytes)
    }

    /// Makes a peer of this owner wait after it has used `used` units, which may be more than its allowance, with the
    /// rest of its message, if there is one.
    pub fn begin(&mut self, peer: &[u8], owner: RoutingId, used: u32, rest: Option<(T, usize)>) {
        let peer: RoutingId = peer.into();
        self.forget(&peer);
        let backlog = Backlog {
            bytes: rest.as_ref().map_or(0, |(_, bytes)| *bytes),
            items: rest.into_iter().collect(),
            excess: used.saturating_sub(QUANTUM),
            owner: owner.clone(),
        };
        self.backlogs.insert(peer.clone(), backlog);
        self.line_up(owner, peer);
    }

    /// Puts a peer behind the others of its owner.
    fn line_up(&mut self, owner: RoutingId, peer: RoutingId) {
        let peers = self.peers.entry(owner.clone()).or_default();
        if peers.is_empty() {
            self.order.push_back(owner);
        }
        peers.push_back(peer);
    }

    /// Removes the next peer from the order.
    fn next_peer(&mut self) -> Option<RoutingId> {
        let owner = self.order.pop_front()?;
        let peers = self.peers.get_mut(&owner)?;
        let peer = peers.pop_front();
        match peers.is_empty() {
            true => _ = self.peers.remove(&owner),
            false => self.order.push_back(owner),
        }
        peer
    }

    /// Removes a peer, and returns its backlog.
    fn forget(&mut self, peer: &[u8]) -> Option<Backlog<T>> {
        let backlog = self.backlogs.remove(peer)?;
        if let Some(peers) = self.peers.get_mut(&backlog.owner) {
            peers.retain(|other| **other != *peer);
            if peers.is_empty() {
                self.peers.remove(&backlog.owner);
                self.order.retain(|owner| *owner != backlog.owner);
            }
        }
        Some(backlog)
    }

    /// Adds a message of a waiting peer.
    pub fn push(&mut self, peer: &[u8], item: T, bytes: usize) {
        if let Some(backlog) = self.backlogs.get_mut(peer) {
            backlog.bytes += bytes;
            backlog.items.push_back((item, bytes));
        }
    }

    /// Begins the turn of the next peer that has messages and no excess. `None` if no peer waits.
    pub fn next_turn(&mut self) -> Option<Turn> {
        while let Some(peer) = self.next_peer() {
            let Some(backlog) = self.backlogs.get_mut(&peer) else {
                continue;
            };
            if backlog.excess >= QUANTUM {
                backlog.excess -= QUANTUM;
                let owner = backlog.owner.clone();
                self.line_up(owner, peer);
                continue;
            }
            if backlog.items.is_empty() {
                self.backlogs.remove(&peer);
                continue;
            }
            let units = QUANTUM - backlog.excess;
            return Some(Turn { peer, units });
        }
        None
    }

    /// Removes and returns the first waiting message of a peer.
    pub fn take(&mut self, peer: &[u8]) -> Option<T> {
        let backlog = self.backlogs.get_mut(peer)?;
        let (item, bytes) = backlog.items.pop_front()?;
        backlog.bytes -= bytes;
        Some(item)
    }

    /// Ends a turn after `used` units, with the rest of the last message, if there is one.
    pub fn end(&mut self, turn: Turn, used: u32, rest: Option<(T, usize)>) {
        let Some(backlog) = self.backlogs.get_mut(&turn.peer) else {
            return;
        };
        if let Some((item, bytes)) = rest {
            backlog.bytes += bytes;
            backlog.items.push_front((item, bytes));
        }
        backlog.excess = used.saturating_sub(turn.units);
        if backlog.items.is_empty() && backlog.excess == 0 {
            self.backlogs.remove(&turn.peer);
        } else {
            let owner = backlog.owner.clone();
            self.line_up(owner, turn.peer);
        }
    }

    /// Removes and returns all waiting messages of a peer.
    pub fn remove(&mut self, peer: &[u8]) -> impl Iterator<Item = T> + use<T> {
        let backlog = self.forget(peer);
        let items = backlog.map(|backlog| backlog.items).unwrap_or_default();
        items.into_iter().map(|(item, _)| item)
    }

    /// Removes and returns all waiting messages, peer by peer.
    pub fn drain(&mut self) -> impl Iterator<Item = T> + use<T> {
        let mut order = Vec::with_capacity(self.len());
        while let Some(peer) = self.next_peer() {
            order.push(peer);
        }
        let mut backlogs = std::mem::take(&mut self.backlogs);
        let items = order
            .into_iter()
            .filter_map(move |peer| backlogs.remove(&peer));
        items.flat_map(|backlog| backlog.items.into_iter().map(|(item, _)| item))
    }
}

#[cfg(test)]
mod tests;
