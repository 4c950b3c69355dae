//! What a client asks for with a request, beyond the service and the data.

use std::time::Duration;

/// How a request is to be treated. The default is no timeout, no second start, and to wait.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Terms {
    /// Idle timeout; `None` is none.
    pub timeout: Option<Duration>,
    /// How often it may start again with another worker after the one that had it was lost.
    pub retry: u8,
    /// Whether it ends where it would wait for a service without any worker.
    pub fail_fast: bool,
    /// Whether the options say more: which worker it is for, its priority, when it is made again.
    pub routed: bool,
    /// Whether its data are a stream: they come bit by bit while it runs.
    pub stream: bool,
    /// How long it may take in all, whatever is heard of it; `None` is as long as it likes.
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
    /// How long it may be silent. The deadline is a bound of that, too, wherever it is not known.
    pub fn idle(&self) -> Option<Duration> {
        match (self.timeout, self.deadline) {
            (Some(timeout), Some(deadline)) => Some(timeout.min(deadline)),
            (timeout, deadline) => timeout.or(deadline),
        }
    }
}
