//! The limits on connections, and the reports for the operator.

use crate::io::security::HandshakeFailure;
use std::time::Duration;

/// Limits on connections.
#[derive(Debug, Clone, Copy)]
pub struct ConnectionLimits {
    /// Maximum number of connections in total.
    pub all: usize,
    /// Maximum number for each address; ipc connections have no address.
    pub of_address: usize,
    /// Maximum number for each user.
    pub of_user: usize,
    /// How long a connection may be silent after its handshake.
    pub silence: Option<Duration>,
    /// Maximum size of a message in bytes.
    pub message: u64,
    /// Maximum size of all incomplete messages together, in bytes.
    pub unfinished: u64,
    /// Whether names belong to their holders, see `Patience`.
    pub names_are_held: bool,
}

/// A report for the operator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ConnectionNotice {
    /// A connection was ended.
    Ended {
        /// The address of the peer; empty over ipc.
        address: String,
        /// The reason.
        reason: &'static str,
    },
    /// A handshake failed for another reason than the authenticator's refusal.
    Failed {
        /// The address of the peer; empty over ipc.
        address: String,
        /// The reason.
        failure: HandshakeFailure,
    },
    /// The process has no descriptor left for another connection.
    NoDescriptors {
        /// The number of open connections.
        connections: usize,
    },
}
