//! What is said to one peer in one go leaves as one message.

use super::Message;
use crate::wire::packed::{Batch, pack};

/// Short messages that wait for the others of their turn, all for one peer.
#[derive(Default)]
pub(super) struct Coalescer {
    batch: Batch,
    /// Of what is being sent; reused.
    frames: Vec<Message>,
}

impl Coalescer {
    /// Takes a message for a peer that understands packed frames, and hands to `send` what can't wait any longer, in
    /// order. `frames` is empty afterwards.
    pub(super) fn add(
        &mut self,
        frames: &mut Vec<Message>,
        mut send: impl FnMut(&mut Vec<Message>),
    ) {
        if self.batch.add(frames) {
            return frames.clear();
        }
        self.flush(&mut send);
        if self.batch.add(frames) {
            return frames.clear();
        }
        pack(frames, 0);
        send(frames);
        frames.clear();
    }

    /// Hands to `send` what has waited.
    pub(super) fn flush(&mut self, send: impl FnOnce(&mut Vec<Message>)) {
        if self.batch.is_empty() {
            return;
        }
        let frame = self.batch.flush(|bytes| Message::from(bytes));
        self.frames.push(frame);
        send(&mut self.frames);
        self.frames.clear();
    }
}
