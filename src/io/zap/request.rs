//! Requests for admission: the peer, the question to the callback, and its decision.

use crate::io::security::Key;
use std::fmt;

/// A peer that requests admission.
#[derive(Debug, Clone)]
pub struct ZapRequest {
    /// The peer's address from libzmq; empty over ipc.
    pub address: String,
    /// Its credentials.
    pub credentials: PeerCredentials,
}

/// The credentials of a peer.
#[derive(Clone, PartialEq, Eq)]
pub enum PeerCredentials {
    /// A public key; the mechanism has proved the possession of the secret key.
    Key(Key),
    /// A user name and a password.
    Password {
        /// The name.
        username: String,
        /// The password.
        password: String,
    },
}

impl fmt::Debug for PeerCredentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.mechanism())
    }
}

impl PeerCredentials {
    /// The mechanism's name in ZAP.
    pub fn mechanism(&self) -> &'static str {
        match self {
            PeerCredentials::Key(_) => "CURVE",
            PeerCredentials::Password { .. } => "PLAIN",
        }
    }

    /// The identity that the peer states: its public key or its user name.
    pub fn name(&self) -> String {
        match self {
            PeerCredentials::Key(key) => key.to_z85(),
            PeerCredentials::Password { username, .. } => username.clone(),
        }
    }
}

/// A report of an authenticator to its broker.
#[derive(Debug)]
pub enum AuthNotice {
    /// A peer was refused.
    Refused {
        /// The peer's address.
        address: String,
        /// The mechanism, if it is known.
        mechanism: &'static str,
        /// The identity that the peer states.
        name: String,
        /// The reason.
        reason: &'static str,
        /// The number of suppressed notices since the previous one.
        missed: u64,
    },
    /// Asks for a decision about a peer, to be given to `Registration::answer`.
    Authenticate {
        /// The id of the question.
        ticket: u64,
        /// The peer.
        request: ZapRequest,
    },
}

/// The callback's decision about a peer.
#[derive(Debug)]
pub struct Verdict {
    /// Whether the peer is admitted.
    pub admit: bool,
    /// The user; empty for the identity that the peer states.
    pub user: String,
    /// Further data about the peer, as JSON or empty.
    pub metadata: String,
}
