//! A client's knowledge of the [`roster`](super::roster).

/// The state of a client's knowledge.
#[derive(Debug, Clone, Copy)]
pub(super) struct Heard {
    /// The number of the latest worker that it has heard of.
    pub(super) last: u64,
    /// Whether the broker waits for its confirmation.
    pub(super) awaited: bool,
    /// Whether it has not confirmed in time. Its requests are kept back from the workers of which it has not heard.
    pub(super) behind: bool,
}

impl Heard {
    /// Whether requests of its client are kept back from the worker with this number.
    pub(super) fn lacks(self, worker: u64) -> bool {
        self.behind && worker > self.last
    }
}
