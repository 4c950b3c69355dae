//! The limits on connections, and the reports for the operator.

use super::{Quiet, SLOW, UnfinishedLimits};
use crate::io::security::HandshakeFailure;
use crate::proto::Time;
use crate::wire::sizes::frame_of;
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
    /// How long a peer may be silent between its messages.
    pub patience: Duration,
    /// Maximum size of a message in bytes.
    pub message: u64,
    /// Maximum sizes of incomplete messages together, in bytes.
    pub unfinished: UnfinishedLimits,
    /// Whether names belong to their holders, see `Patience`.
    pub names_are_held: bool,
}

impl ConnectionLimits {
    /// The maximum size of a message whose body has at most this size.
    pub fn message_with(body: u64) -> u64 {
        frame_of(body)
    }

    /// The connection that has to end because of a new one, and the reason. `open` is the number of all connections,
    /// `of_address` that of the address, and `room` the number for which there are descriptors.
    pub(in crate::io) fn excess<K: Copy + Default + Ord>(
        &self,
        now: Time,
        new: K,
        of_address: usize,
        (open, room): (usize, usize),
        quiet: &Quiet<K>,
    ) -> Option<(K, &'static str)> {
        if of_address > self.of_address {
            return Some((new, "too many connections of this address"));
        }
        // A connection that had the time to send a message and did not is ended first.
        let oldest = || quiet.oldest(now, SLOW).unwrap_or(new);
        (open > self.all.min(room)).then(|| (oldest(), "too many connections"))
    }
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
