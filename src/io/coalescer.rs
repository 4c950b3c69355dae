//! Coalesces the messages to one peer in a turn.

use super::Message;
use crate::wire::packed::{Batch, pack};

/// Short messages to one peer that wait for further messages of the same turn.
#[derive(Default)]
pub(super) struct Coalescer {
    batch: Batch,
    /// The frames of the message being sent; reused.
    frames: Vec<Message>,
}

impl Coalescer {
    /// Adds a message for a peer that supports packed frames. Calls `send`, in order, with messages
    /// that cannot be coalesced any further. `frames` is empty afterwards.
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

    /// Calls `send` with the waiting messages.
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
