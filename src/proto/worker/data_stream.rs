//! The stream that is a request's data, on the worker's side.
//!
//! The client sends what NEED asks for: a window beyond what the application has read, as an offset from the
//! beginning of the stream. Nothing is asked for before the application begins to read. Only the chunk at the next
//! offset is accepted. After a lost connection NEED says *again*, and the client continues at the stated offset, so a
//! stream has neither gaps nor duplicates.

use super::{Worker, WorkerNotice};
use crate::proto::flow::{self, WINDOW};
use crate::wire::omdp::{Need, WorkerMessage};
use crate::wire::{Body, Frame};

/// State of a stream.
#[derive(Debug, Default)]
pub(super) struct DataStream {
    /// Cost of all chunks that have arrived, and of those that the application has read.
    have: u64,
    read: u64,
    /// Whether the application has begun to read.
    open: bool,
    /// Whether the end has arrived.
    ended: bool,
    /// Whether the application needs no more.
    enough: bool,
    /// Whether the client was asked to continue at the stated offset, and has not yet.
    asked_again: bool,
}

impl<F: Frame> Worker<F> {
    pub(super) fn on_chunk(&mut self, token: u64, body: Body<F>, (at, last): (u64, bool)) {
        let Some(&number) = self.by_token.get(&token) else {
            return;
        };
        let delivery = self.deliveries.get_mut(&number);
        let Some(input) = delivery.and_then(|delivery| delivery.data_stream.as_mut()) else {
            return;
        };
        if input.ended || input.enough {
            return;
        }
        if at != input.have {
            // A chunk was lost.
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

    /// Records bytes that the application has read, or with 0 that it begins to read, and asks for more.
    pub fn read(&mut self, delivery: u64, bytes: u32) {
        let number = delivery;
        let delivery = self.deliveries.get_mut(&number);
        let Some(input) = delivery.and_then(|delivery| delivery.data_stream.as_mut()) else {
            return;
        };
        input.read = input.have.min(input.read + u64::from(bytes));
        let first = !std::mem::replace(&mut input.open, true);
        self.say_need(number, first);
    }

    /// Records that the application needs no more of the data.
    pub fn enough(&mut self, delivery: u64) {
        let number = delivery;
        let delivery = self.deliveries.get_mut(&number);
        let Some(input) = delivery.and_then(|delivery| delivery.data_stream.as_mut()) else {
            return;
        };
        input.open = true;
        if !input.ended && !std::mem::replace(&mut input.enough, true) {
            self.say_need(number, true);
        }
    }

    /// Sends NEED, if the broker is connected and the application has begun to read.
    pub(super) fn say_need(&mut self, number: u64, again: bool) {
        let Some(delivery) = self.deliveries.get(&number) else {
            return;
        };
        let Some((token, input)) = delivery.token.zip(delivery.data_stream.as_ref()) else {
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

    /// Sends a NEED that may be invalid.
    #[cfg(test)]
    pub(in crate::proto) fn say_need_for_test(&mut self, number: u64, need: Need) {
        if let Some(token) = self.deliveries.get(&number).and_then(|each| each.token) {
            self.transmits.push(WorkerMessage::Need { token, need });
        }
    }
}
