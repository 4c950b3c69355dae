//! The actions that need permission, as the rules, the events and the messages name them.

use serde::{Serialize, Serializer};

/// An action that needs permission.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Action {
    /// Register as a worker of one service.
    Serve,
    /// Register as a worker of all services that match a pattern.
    ServePattern,
    /// Make a request to a service.
    Call,
}

impl Action {
    /// The word for the action in events.
    pub fn as_str(self) -> &'static str {
        match self {
            Action::Serve | Action::ServePattern => "serve",
            Action::Call => "call",
        }
    }
}

impl Serialize for Action {
    fn serialize<S: Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        out.serialize_str(self.as_str())
    }
}
