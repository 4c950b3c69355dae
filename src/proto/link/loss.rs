//! The reasons for the loss of a link.

/// The reason for the loss of a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Loss {
    /// The connection broke.
    Transport,
    /// No message arrived for `heartbeat` × `liveness`; or no hello for as long, where an earlier broker has sent
    /// one.
    Silence,
    /// The broker sent DISCONNECT.
    Refused,
    /// A request was given up whose late reply could be mistaken for that of another.
    Abandoned,
    /// The thread of the application did not answer for too long.
    Blocked,
    /// The broker reported that another peer has the name.
    NameTaken,
    /// This side was stopped.
    Stopped,
    /// The broker was removed from those of this side.
    Removed,
}

impl Loss {
    /// The word for the reason in `disconnect` events.
    pub fn as_str(self) -> &'static str {
        match self {
            Loss::Transport => "connection lost",
            Loss::Silence => "heartbeat lost",
            Loss::Refused => "disconnected by the broker",
            Loss::Abandoned => "request given up",
            Loss::Blocked => "event loop blocked",
            Loss::NameTaken => "name taken",
            Loss::Stopped => "stopped",
            Loss::Removed => "endpoint removed",
        }
    }
}
