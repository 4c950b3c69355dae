//! A client's knowledge of the [`roster`](super::roster).

/// The state of a client's knowledge.
#[derive(Debug, Clone, Copy)]
pub(super) struct Heard {
    /// The number of the latest worker that it has heard of.
    pub(super) last: u64,
    /// Whether the broker waits for its confirmation.
    pub(super) awaited: bool,
    /// Whether it has not confirmed in time; its requests are kept back until it does.
    pub(super) behind: bool,
}

impl Heard {
    /// Whether its client is behind.
    pub(super) fn is_behind(self) -> bool {
        self.behind
    }
}
