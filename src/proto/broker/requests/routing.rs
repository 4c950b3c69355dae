//! What only some requests have: where they want to go, and where they may not.

use crate::proto::broker::RoutingId;
use std::sync::Arc;

/// Of a request that is not simply for the next worker of the service that it names.
#[derive(Debug, Clone, Default)]
pub struct Routing {
    /// The name that was asked for, where another service serves it.
    pub asked: Option<Arc<[u8]>>,
    /// Of a copy, see [`fanout`](crate::proto::broker::fanout).
    pub part: Option<Part>,
}

/// A copy of a request that goes to one worker.
#[derive(Debug, Clone)]
pub struct Part {
    /// The token of the request that it is a copy of.
    pub of: u64,
    /// The name of the worker.
    pub worker: RoutingId,
}

impl Routing {
    /// Whether it says nothing.
    pub fn is_empty(&self) -> bool {
        self.asked.is_none() && self.part.is_none()
    }
}
