//! The message that is being put together from frames.

use super::{ENDLESS, MANY_FRAMES};
use crate::io::Message;
use crate::io::raw::Raw;
use crate::wire::sizes::MAX_FRAMES;
use std::io;

/// The estimated cost of a frame beyond its bytes.
const FRAME: u64 = 64;

/// The frames that are there. The first is a [`Raw`], as if libzmq had received it.
pub(super) struct Assembly {
    head: Raw,
    rest: Vec<Message>,
    /// How many frames are there, and the cost of those that have begun.
    frames: usize,
    cost: u64,
    max_cost: u64,
    is_complete: bool,
}

impl Assembly {
    pub(super) fn new() -> Self {
        Assembly {
            head: Raw::new(),
            rest: Vec::new(),
            frames: 0,
            cost: 0,
            max_cost: u64::MAX,
            is_complete: false,
        }
    }

    /// Accepts messages with this cost from now on.
    pub(super) fn accept(&mut self, max_cost: u64) {
        self.max_cost = max_cost;
    }

    pub(super) fn is_complete(&self) -> bool {
        self.is_complete
    }

    /// The cost of the message with a further frame of this length. An error if the message would be too large.
    pub(super) fn cost_with(&self, len: u64) -> io::Result<u64> {
        let cost = self.cost.saturating_add(len.saturating_add(FRAME));
        if self.frames == MAX_FRAMES {
            return Err(MANY_FRAMES.into());
        }
        match cost > self.max_cost {
            true => Err(ENDLESS.into()),
            false => Ok(cost),
        }
    }

    /// The cost of the frames that have begun.
    pub(super) fn cost(&self) -> u64 {
        self.cost
    }

    /// Records that a frame has begun, with the cost of the message that [`cost_with`](Self::cost_with) returned.
    pub(super) fn begin(&mut self, cost: u64) {
        self.cost = cost;
    }

    /// Adds a frame, after which the message has more or is complete.
    pub(super) fn add<B>(&mut self, bytes: B, more: bool)
    where
        Raw: From<B>,
        Message: From<B>,
    {
        match self.frames {
            0 => self.head = Raw::from(bytes),
            _ => self.rest.push(Message::from(bytes)),
        }
        self.frames += 1;
        self.is_complete = !more;
    }

    /// Takes the complete message. Returns false if there is none.
    pub(super) fn take(&mut self, head: &mut Raw, rest: &mut Vec<Message>) -> bool {
        if !self.is_complete {
            return false;
        }
        self.is_complete = false;
        self.frames = 0;
        self.cost = 0;
        *head = std::mem::take(&mut self.head);
        rest.clear();
        std::mem::swap(&mut self.rest, rest);
        true
    }
}
