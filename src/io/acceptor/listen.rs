//! The configuration of a broker's endpoints, and of their connections. `streams/listener.rs` and
//! `socket/address.rs` bind the endpoints.

use crate::io::Address;
use crate::io::connections::ConnectionLimits;
use crate::io::security::ServerSecurity;
use crate::io::spin::Spin;
use crate::io::zap::Authenticator;
use crate::proto::broker::Refusals;
use std::sync::{Arc, Mutex};

/// The endpoints of a broker, and what it requires of its connections.
#[derive(Debug)]
pub struct Listen {
    /// The endpoints to bind; at least one.
    pub endpoints: Vec<Address>,
    /// The mode of the files of ipc endpoints; `None` for the system's default.
    pub ipc_mode: Option<u32>,
    /// The mechanism and the authenticator; `None` admits everyone.
    pub security: Option<(ServerSecurity, Arc<Authenticator>)>,
    /// With security: the user of peers over inproc.
    pub inproc_user: Option<String>,
    /// Maximum duration of a handshake, in ms.
    pub handshake_ms: i32,
    /// Maximum bytes of waiting messages for each peer.
    pub max_peer_bytes: usize,
    /// The largest accepted body, in bytes.
    pub max_message: u64,
    /// How long to spin for the next message before sleeping.
    pub spin: Spin,
    /// Limits on connections.
    pub connections: ConnectionLimits,
    /// The machine's counters of refusals.
    pub refusals: Arc<Mutex<Refusals>>,
}
