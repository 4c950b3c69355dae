//! The handle by which others reach the handler.

use super::request::Verdict;
use crate::io::context::{Context, Lingering};
use std::sync::Arc;
use tokio::sync::mpsc::UnboundedSender;
use tokio::sync::oneshot;

/// The handle of the handler, which ends when it is dropped, and before its context.
#[derive(Debug)]
pub(super) struct Handler {
    answers: UnboundedSender<Answer>,
    end: Option<oneshot::Sender<Lingering>>,
    /// Dropped after `end` was told.
    _context: Arc<Context>,
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
    pub(super) fn new(
        context: Arc<Context>,
        answers: UnboundedSender<Answer>,
        end: oneshot::Sender<Lingering>,
    ) -> Self {
        Handler {
            answers,
            end: Some(end),
            _context: context,
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
