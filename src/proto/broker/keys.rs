//! Keys of the broker's tables. A key names an entry until that entry is removed; only requests have
//! a token beside it that also tells an entry from a later one in its place.

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct RequestKey(pub(super) u32);

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct ClientKey(pub(super) usize);

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::proto::broker) struct WorkerKey(pub(super) usize);

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct ServiceKey(pub(super) usize);

/// The account of a peer, see [`super::accounts`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct AccountKey(pub(super) usize);

impl ServiceKey {
    /// A small number: services lie side by side in a slab.
    pub(super) fn index(self) -> usize {
        self.0
    }
}
