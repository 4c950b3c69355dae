//! The terms of a request: what a client asks for beyond the service and the data.

use std::time::Duration;

/// The terms of a request. Default: no timeout, no retry, waits for a worker.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Terms {
    /// Idle timeout; `None` is no timeout.
    pub timeout: Option<Duration>,
    /// How many further attempts are permitted after a worker was lost.
    pub retry: u8,
    /// Whether it ends when it would have to wait for a service without workers.
    pub fail_fast: bool,
    /// Whether the options contain more: a named worker, an affinity key, a priority, or a retry
    /// policy.
    pub routed: bool,
    /// Whether its data are a stream, which arrives while it runs.
    pub stream: bool,
    /// The time left until its deadline, which signs of life do not move; `None` is no deadline.
    pub deadline: Option<Duration>,
}

impl From<Option<Duration>> for Terms {
    fn from(timeout: Option<Duration>) -> Self {
        Terms {
            timeout,
            ..Terms::default()
        }
    }
}

impl Terms {
    /// The idle timeout to apply. A deadline bounds it as well, because not every peer knows
    /// deadlines.
    pub fn idle(&self) -> Option<Duration> {
        match (self.timeout, self.deadline) {
            (Some(timeout), Some(deadline)) => Some(timeout.min(deadline)),
            (timeout, deadline) => timeout.or(deadline),
        }
    }
}
