//! The endpoint of a broker, and how its peer connects to it.

use super::{RoutingIds, SharingGroup};
use crate::io::Address;
use crate::io::security::ClientSecurity;
use crate::proto::link::Attempts;
use std::time::Duration;

/// Parameters of a connection.
#[derive(Debug, Clone)]
pub struct Endpoint {
    /// The endpoint of the broker.
    pub address: Address,
    /// The routing ids for the broker's ROUTER.
    pub routing_id: RoutingIds,
    /// The credentials of this peer.
    pub security: ClientSecurity,
    /// The largest accepted body, in bytes.
    pub max_message: u64,
    /// The pauses between the attempts to connect.
    pub attempts: Attempts,
    /// How long a connection without acknowledgements by the other host is kept, for a broker that
    /// sends no heartbeats.
    pub patience: Option<Duration>,
    /// The other services of this peer at this endpoint, with which it may share the connection.
    pub group: Option<SharingGroup>,
}
