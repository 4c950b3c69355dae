//! What a link has its owner do.

use super::Loss;

/// The action that the owner has to take on its socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Create a socket and connect it; call `handle_up` when the transport accepts messages.
    Open,
    /// Close the socket, after all drained messages were handed to it.
    Close,
    /// The same, because the broker is silent: no other worker or client can use the connection either.
    Abandon,
}

/// The result of a deadline.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::proto) enum Due {
    /// A heartbeat is to be sent.
    Beat,
    /// The time for the hello of an unknown broker has passed: it may be of 0.0.92.
    NoHello,
    /// The link is lost.
    Lost(Loss),
}
