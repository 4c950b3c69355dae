//! The end of the process: everything that the application has submitted arrives before.
//!
//! There is no goodbye, which would cancel the requests. Instead, the client sends its hello once more. The broker
//! handles the messages of a connection in order, so its answer shows that it has all of them.

use super::Client;
use crate::proto::Time;
use crate::wire::Frame;
use std::time::Duration;

/// How long the broker may take to answer.
const PATIENCE: Duration = Duration::from_millis(250);

/// The state of the end of the process.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Exit {
    /// The process does not end.
    #[default]
    No,
    /// The broker was asked.
    Asked { until: Time },
    /// The broker has answered, or did not in time, or the connection has ended.
    Over,
}

impl Exit {
    pub(super) fn deadline(self) -> Option<Time> {
        match self {
            Exit::Asked { until } => Some(until),
            Exit::No | Exit::Over => None,
        }
    }

    /// Handles the answer of the broker, or the end of the connection.
    pub(super) fn answered(&mut self) {
        if let Exit::Asked { .. } = self {
            *self = Exit::Over;
        }
    }

    pub(super) fn handle_timeout(&mut self, now: Time) {
        if self.deadline().is_some_and(|until| until <= now) {
            *self = Exit::Over;
        }
    }
}

impl<F: Frame> Client<F> {
    /// Handles that the process ends. A broker without a hello would not answer, and without requests no answer is
    /// necessary.
    pub(in crate::proto) fn exit(&mut self, now: Time) {
        let answers = self.link.is_up() && self.link.peer().is_some();
        if answers && !self.requests.is_empty() && self.exit == Exit::No {
            self.say_hello();
            let until = now + PATIENCE;
            self.exit = Exit::Asked { until };
        }
    }

    /// Whether the process ends and the broker has not answered yet.
    pub(in crate::proto) fn exits(&self) -> bool {
        self.exit.deadline().is_some()
    }

    /// Whether the process ends and the answer of the broker is not awaited any more.
    pub(in crate::proto) fn has_left(&self) -> bool {
        self.exit == Exit::Over
    }
}
