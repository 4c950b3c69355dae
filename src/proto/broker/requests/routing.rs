//! What only some requests have: where they want to go, and where they may not.

use std::sync::Arc;

/// Of a request that is not simply for the next worker of the service that it names.
#[derive(Debug, Clone, Default)]
pub struct Routing {
    /// The name that was asked for, where another service serves it.
    pub asked: Option<Arc<[u8]>>,
}

impl Routing {
    /// Whether it says nothing.
    pub fn is_empty(&self) -> bool {
        self.asked.is_none()
    }
}
