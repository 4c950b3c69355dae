//! One connection of a broker.

use crate::proto::Time;
use crate::proto::broker::RoutingId;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    /// In its handshake.
    Handshake,
    /// The handshake has ended; no message has arrived.
    Silent,
    /// A message has arrived.
    Speaking,
    /// Shut down here; libzmq has not reported the end.
    Ended,
}

#[derive(Debug)]
pub(super) struct Connection {
    /// The endpoint of the other side, as libzmq states it.
    pub(super) remote: String,
    pub(super) since: Time,
    pub(super) stage: Stage,
    pub(super) user: Option<Box<str>>,
    /// The peer, once a message of it has come.
    pub(super) peer: Option<RoutingId>,
}

impl Connection {
    /// The address without the port.
    pub(super) fn address(&self) -> &str {
        address_of(&self.remote)
    }
}

/// An address without its port.
pub(in crate::io) fn host_of(address: &str) -> &str {
    address.rsplit_once(':').map_or("", |(host, _)| host)
}

/// The address in libzmq's form of a remote endpoint, without the port; empty over ipc.
pub(super) fn address_of(remote: &str) -> &str {
    host_of(remote.strip_prefix("tcp://").unwrap_or_default())
}
