//! Keys of the broker's tables. A key is valid until its entry is removed, and is reused after that. Only requests
//! have a token as well, which distinguishes an entry from later ones with the same key.
//! A deadline belongs to the entry that its [`Timer`] names.

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct RequestKey(pub(super) u32);

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct ClientKey(pub(super) usize);

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::proto::broker) struct WorkerKey(pub(super) usize);

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct ServiceKey(pub(super) usize);

/// The account of a peer, see [`super::accounts`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct AccountKey(pub(super) usize);

/// The owner of a deadline.
#[derive(Debug, Clone, Copy)]
pub(super) enum Timer {
    Request(RequestKey),
    Worker(WorkerKey),
    Client(ClientKey),
    Question(u64),
    Parking,
    Tasks,
    Claim(usize),
    Search(RequestKey),
    Rate(ServiceKey),
    Roster,
    GivenUp,
}

impl ServiceKey {
    /// The index of the service in its slab; indices are small.
    pub(super) fn index(self) -> usize {
        self.0
    }
}
