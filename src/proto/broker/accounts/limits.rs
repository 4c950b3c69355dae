//! The limits of held bytes, and their scopes.

/// Limits of held bytes.
#[derive(Debug, Clone, Copy)]
pub struct HeldLimits {
    /// For one peer. Default 256 MiB.
    pub peer: usize,
    /// For all peers of one user. Default 384 MiB.
    pub user: usize,
    /// For all peers connected from one address. Default 448 MiB.
    pub address: usize,
    /// For all peers together. Default 512 MiB.
    pub total: usize,
}

impl Default for HeldLimits {
    fn default() -> Self {
        HeldLimits {
            peer: 256 << 20,
            user: 384 << 20,
            address: 448 << 20,
            total: 512 << 20,
        }
    }
}

impl HeldLimits {
    /// No limits.
    pub const NONE: HeldLimits = HeldLimits {
        peer: usize::MAX,
        user: usize::MAX,
        address: usize::MAX,
        total: usize::MAX,
    };

    pub(super) fn of(&self, scope: Scope) -> usize {
        match scope {
            Scope::Peer => self.peer,
            Scope::User => self.user,
            Scope::Address => self.address,
            Scope::Total => self.total,
        }
    }
}

/// The scope of a limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// One peer.
    Peer,
    /// All peers of one user.
    User,
    /// All peers of one address.
    Address,
    /// All peers.
    Total,
}

impl Scope {
    /// The word for the scope in events.
    pub fn as_str(self) -> &'static str {
        match self {
            Scope::Peer => "peer",
            Scope::User => "user",
            Scope::Address => "address",
            Scope::Total => "total",
        }
    }
}

/// A charge that was refused because it would exceed a limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::proto::broker) struct OverLimit {
    pub(in crate::proto::broker) scope: Scope,
    /// Bytes that are held already, and the limit.
    pub(in crate::proto::broker) held: usize,
    pub(in crate::proto::broker) limit: usize,
}
