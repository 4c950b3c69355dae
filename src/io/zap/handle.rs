//! The handle by which others reach the handler of a context. It has no socket, so the context can keep it.

use super::request::Verdict;
use tokio::sync::mpsc::UnboundedSender;

/// A handle of a context's handler.
#[derive(Debug, Clone)]
pub(in crate::io) struct Handler {
    answers: UnboundedSender<Answer>,
}

/// A decision that was made elsewhere.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) ticket: u64,
    pub(super) verdict: Outcome,
}

#[derive(Debug)]
pub(super) enum Outcome {
    Hashed(bool),
    Asked(Verdict),
}

impl Handler {
    pub(super) fn new(answers: UnboundedSender<Answer>) -> Self {
        Handler { answers }
    }

    pub(super) fn send(&self, answer: Answer) {
        // Fails once the context, and thus every handshake, has ended.
        let _ = self.answers.send(answer);
    }
}
