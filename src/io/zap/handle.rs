//! The handle by which others reach the handler of a context. It has no socket, so the context can keep it.

use super::request::Verdict;
use crate::io::context::Lingering;
use tokio::sync::mpsc::UnboundedSender;
use tokio::sync::oneshot;

/// The handle of a context's handler, which ends when it is dropped.
#[derive(Debug)]
pub(in crate::io) struct Handler {
    answers: UnboundedSender<Answer>,
    end: Option<oneshot::Sender<Lingering>>,
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
    /// `end` is told when the handler has to end.
    pub(super) fn new(answers: UnboundedSender<Answer>, end: oneshot::Sender<Lingering>) -> Self {
        Handler {
            answers,
            end: Some(end),
        }
    }

    pub(super) fn send(&self, answer: Answer) {
        // Fails once the handler, and thus every handshake, has ended.
        let _ = self.answers.send(answer);
    }
}

impl Drop for Handler {
    fn drop(&mut self) {
        if let Some(end) = self.end.take() {
            // Fails if the handler has ended with its context.
            let _ = end.send(Lingering::begin());
        }
    }
}
