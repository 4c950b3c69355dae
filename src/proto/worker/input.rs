//! The stream that is a request's data, toward its user.
//!
//! The client sends what NEED asks for, all counted from the beginning of the stream: a window beyond what
//! the user has read. Nothing is asked for before the user begins to read. A chunk counts only where it
//! follows on the last; after a connection that was lost NEED says *again*, and the client goes on with what
//! follows, so a stream has no gap and no chunk twice.

use super::{Worker, WorkerNotice};
use crate::proto::flow::{self, WINDOW};
use crate::wire::omdp::{Need, WorkerMessage};
use crate::wire::{Body, Frame};

/// What is known of a stream.
#[derive(Debug, Default)]
pub(super) struct Input {
    /// What all chunks cost that have come, and those of them that the user has read.
    have: u64,
    read: u64,
    /// The user has begun to read.
    open: bool,
    /// All has come.
    ended: bool,
    /// The user wants nothing more.
    enough: bool,
    /// The client was told to go on with what follows, and that has not come.
    asked_again: bool,
}

impl<F: Frame> Worker<F> {
    pub(super) fn on_chunk(&mut self, token: u64, body: Body<F>, (at, last): (u64, bool)) {
        let Some(&number) = self.by_token.get(&token) else {
            return;
        };
        let delivery = self.deliveries.get_mut(&number);
        let Some(input) = delivery.and_then(|delivery| delivery.input.as_mut()) else {
            return;
        };
        if input.ended || input.enough {
            return;
        }
        if at != input.have {
            // Something was lost on the way.
            if at > input.have && !std::mem::replace(&mut input.asked_again, true) {
                self.say_need(number, true);
            }
            return;
        }
        input.asked_again = false;
        let cost = flow::cost(&body);
        if last {
            input.ended = true;
        } else {
            input.have += u64::from(cost);
        }
        self.notices.push(match last {
            true => WorkerNotice::ChunkEnd { delivery: number },
            false => WorkerNotice::Chunk {
                delivery: number,
                body,
                cost,
            },
        });
    }

    /// The user has read so many bytes of a request's data, none when it only begins, and wants more.
    pub fn read(&mut self, delivery: u64, bytes: u32) {
        let number = delivery;
        let delivery = self.deliveries.get_mut(&number);
        let Some(input) = delivery.and_then(|delivery| delivery.input.as_mut()) else {
            return;
        };
        input.read = input.have.min(input.read + u64::from(bytes));
        let first = !std::mem::replace(&mut input.open, true);
        self.say_need(number, first);
    }

    /// The user wants no more of a request's data.
    pub fn enough(&mut self, delivery: u64) {
        let number = delivery;
        let delivery = self.deliveries.get_mut(&number);
        let Some(input) = delivery.and_then(|delivery| delivery.input.as_mut()) else {
            return;
        };
        input.open = true;
        if !input.ended && !std::mem::replace(&mut input.enough, true) {
            self.say_need(number, true);
        }
    }

    /// Tells the client what is needed, unless it can't be told now, or nobody has wanted anything yet.
    pub(super) fn say_need(&mut self, number: u64, again: bool) {
        let Some(delivery) = self.deliveries.get(&number) else {
            return;
        };
        let Some((token, input)) = delivery.token.zip(delivery.input.as_ref()) else {
            return;
        };
        if !input.open {
            return;
        }
        let need = Need {
            have: input.have,
            limit: input.read + u64::from(WINDOW),
            again,
            enough: input.enough || input.ended,
        };
        self.transmits.push(WorkerMessage::Need { token, need });
    }

    /// Says what may be nonsense.
    #[cfg(test)]
    pub(in crate::proto) fn say_need_for_test(&mut self, number: u64, need: Need) {
        if let Some(token) = self.deliveries.get(&number).and_then(|each| each.token) {
            self.transmits.push(WorkerMessage::Need { token, need });
        }
    }
}
