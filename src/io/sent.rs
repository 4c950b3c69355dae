//! The outcome of sending, and what is still sent after the end of a connection.

use std::time::Duration;

/// The result of sending a message.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Sent {
    /// The connection has taken it.
    Yes,
    /// The peer is connected but takes nothing at the moment.
    Full,
    /// No connection takes it.
    NoPeer,
}

/// How long a closed connection may continue to send. Long enough for a DISCONNECT, short enough for a process that has
/// to end within a second.
pub(super) const LINGER: Duration = Duration::from_millis(400);
