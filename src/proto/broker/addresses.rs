//! Addresses of peers, and the restricted views of peers.
//!
//! The transport reports the address of a peer after the first message of its connection, and the end of the
//! connection. The address is remembered for a while after that, for the events that result from the end.

use super::RoutingId;
use crate::proto::network::network_of;
use crate::proto::table::Table;
use crate::wire::json::name_of;
use foldhash::quality::FixedState;
use std::collections::VecDeque;
use std::hash::BuildHasher;
use std::sync::Arc;

/// Maximum of remembered addresses of peers that are gone.
const MAX_GONE: usize = 256;

#[derive(Debug)]
struct Entry {
    address: Arc<str>,
    /// What limits and turns belong to, see [`network_of`]; `None` without a port.
    network: Option<Box<str>>,
    is_gone: bool,
}

/// The addresses of peers that have one. Peers over ipc or inproc have none.
#[derive(Debug, Default)]
pub(super) struct Addresses {
    known: Table<RoutingId, Entry>,
    /// Peers that are gone, the earliest first.
    gone: VecDeque<RoutingId>,
}

impl Addresses {
    pub(super) fn of(&self, peer: &[u8]) -> Option<&Arc<str>> {
        self.known.get(peer).map(|entry| &entry.address)
    }

    /// The network of the address, which is the same for all peers on a machine.
    pub(super) fn network_of(&self, peer: &[u8]) -> Option<&str> {
        self.known.get(peer)?.network.as_deref()
    }

    fn set(&mut self, peer: RoutingId, address: Arc<str>) {
        let host = address.rsplit_once(':').map(|(host, _)| host);
        let entry = Entry {
            network: host.map(|host| network_of(host).into()),
            address,
            is_gone: false,
        };
        self.known.insert(peer, entry);
    }

    fn end(&mut self, peer: &RoutingId) {
        let Some(entry) = self.known.get_mut(peer) else {
            return;
        };
        if !std::mem::replace(&mut entry.is_gone, true) {
            self.gone.push_back(peer.clone());
        }
        if self.gone.len() > MAX_GONE
            && let Some(oldest) = self.gone.pop_front()
            && self.known.get(&oldest).is_some_and(|entry| entry.is_gone)
        {
            self.known.remove(&oldest);
        }
    }
}

/// The part of the peers' data that a reader may see.
pub(super) struct View<'a> {
    addresses: Option<&'a Addresses>,
    /// Replaces the identities of peers other than workers by aliases.
    alias: Option<FixedState>,
}

impl View<'_> {
    /// Everything, for the owner of the broker.
    pub(super) const WHOLE: View<'static> = View {
        addresses: None,
        alias: None,
    };

    /// The identity or the alias of a peer that is not a worker. (Names of workers are public: clients choose by
    /// them.)
    pub(super) fn name(&self, id: &[u8]) -> String {
        match &self.alias {
            Some(hasher) => format!("id-{:016x}", hasher.hash_one(id)),
            None => name_of(id).into_owned(),
        }
    }

    /// The address of the peer, if this view contains addresses.
    pub(super) fn address(&self, id: &[u8]) -> Option<&Arc<str>> {
        self.addresses?.of(id)
    }

    /// Whether this view contains identities and addresses.
    pub(super) fn is_whole(&self) -> bool {
        self.alias.is_none()
    }
}

impl Addresses {
    /// Records the address of a peer's connection, or with `None` the end of the connection.
    pub(super) fn handle(&mut self, peer: &RoutingId, address: Option<&str>) {
        match address {
            Some(address) => self.set(peer.clone(), address.into()),
            None => self.end(peer),
        }
    }

    /// The view of the owner of the broker.
    pub(super) fn whole_view(&self) -> View<'_> {
        View {
            addresses: Some(self),
            alias: None,
        }
    }
}

impl View<'static> {
    /// The view of a peer that is not authenticated. Any peer may ask, and the knowledge of a client's identity would
    /// suffice to take its place.
    pub(super) fn of_strangers(seed: u64) -> Self {
        View {
            addresses: None,
            alias: Some(FixedState::with_seed(seed)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(n: usize) -> RoutingId {
        n.to_string().into_bytes().into()
    }

    #[test]
    fn an_address_outlives_its_connection_for_a_while() {
        let mut addresses = Addresses::default();
        for n in 0..=MAX_GONE {
            addresses.set(id(n), format!("10.0.0.1:{n}").into());
        }
        for n in 0..MAX_GONE {
            addresses.end(&id(n));
        }
        assert_eq!(addresses.of(b"0").map(|at| &**at), Some("10.0.0.1:0"));
        addresses.end(&id(MAX_GONE));
        assert_eq!(addresses.of(b"0"), None);
        assert!(addresses.of(b"1").is_some());
    }

    #[test]
    fn peers_of_one_network_share_what_belongs_to_an_address() {
        let mut addresses = Addresses::default();
        addresses.set(id(0), "[2001:db8::1]:7".into());
        addresses.set(id(1), "[2001:db8::2:3:4]:9".into());
        addresses.set(id(2), "10.0.0.1:7".into());
        let network = |n| addresses.network_of(&id(n)).map(str::to_owned);
        assert_eq!(network(0).as_deref(), Some("[2001:db8::/64]"));
        assert_eq!(network(1), network(0));
        assert_eq!(network(2).as_deref(), Some("10.0.0.1"));
    }

    #[test]
    fn a_peer_that_came_back_is_not_forgotten() {
        let mut addresses = Addresses::default();
        addresses.set(id(0), "10.0.0.1:1".into());
        addresses.end(&id(0));
        addresses.set(id(0), "10.0.0.1:2".into());
        for n in 1..=2 * MAX_GONE {
            addresses.set(id(n), "10.0.0.2:1".into());
            addresses.end(&id(n));
        }
        assert_eq!(addresses.of(b"0").map(|at| &**at), Some("10.0.0.1:2"));
        assert_eq!(addresses.known.len(), MAX_GONE + 1);
    }
}
