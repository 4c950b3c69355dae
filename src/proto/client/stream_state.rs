//! The state of a stream that is a request's data, on the client's side.
//!
//! By NEED the worker states how much it has received and how much may be sent, both as offsets from the beginning of
//! the stream. A chunk is kept until the worker is known to have it.
//!
//! The application has a [`WINDOW`] of its own, in units that it counts itself. It starts with the worker's first
//! NEED, and chunks that are no longer kept are given back as credit. So no more than a window is kept, however the
//! two count.

use crate::proto::flow::{self, WINDOW};
use crate::wire::omdp::Need;
use crate::wire::{Body, Frame};
use std::collections::VecDeque;

#[derive(Debug)]
struct Chunk<F> {
    body: Body<F>,
    /// The cost of the chunk as counted by the application.
    counted: u32,
}

impl<F: Frame> Chunk<F> {
    fn cost(&self) -> u64 {
        flow::cost(&self.body).into()
    }
}

/// The state of the stream.
#[derive(Debug)]
pub(in crate::proto) struct DataStream<F> {
    /// Chunks that the worker may not have, the oldest first.
    kept: VecDeque<Chunk<F>>,
    /// The offset of the first kept chunk.
    first: u64,
    /// Number of kept chunks that were sent, and the offset of the next one.
    sent: usize,
    at: u64,
    /// The offset up to which chunks may be sent.
    limit: u64,
    /// Whether the application has ended the stream, and whether the end has been sent.
    ended: bool,
    end_sent: bool,
    /// Whether the worker has stated on this connection where to continue.
    open: bool,
    /// Whether the application has received its window.
    begun: bool,
    /// Whether the worker needs no more.
    enough: bool,
}

impl<F: Frame> DataStream<F> {
    pub(in crate::proto::client) fn new() -> Self {
        DataStream {
            kept: VecDeque::new(),
            first: 0,
            sent: 0,
            at: 0,
            limit: 0,
            ended: false,
            end_sent: false,
            open: false,
            begun: false,
            enough: false,
        }
    }

    /// Waits for the next statement of the worker, after the connection was lost or the request is searched for.
    pub(in crate::proto::client) fn close(&mut self) {
        self.open = false;
    }

    /// Drops the chunks before offset `have`. Returns their cost as counted by the application, or `None` if the
    /// offset is not between two chunks.
    fn advance(&mut self, have: u64) -> Option<u64> {
        let mut counted = 0;
        while self.first < have {
            let chunk = self.kept.pop_front()?;
            self.first += chunk.cost();
            counted += u64::from(chunk.counted);
            self.sent = self.sent.saturating_sub(1);
        }
        self.at = self.at.max(self.first);
        (self.first == have).then_some(counted)
    }

    /// The next chunk that may be sent, or the end (without a body), with its offset.
    pub(in crate::proto::client) fn next(&mut self) -> Option<(u64, Option<Body<F>>)> {
        if !self.open || self.enough || self.end_sent {
            return None;
        }
        let at = self.at;
        if let Some(chunk) = self.kept.get(self.sent) {
            if at >= self.limit {
                return None;
            }
            self.at += chunk.cost();
            self.sent += 1;
            return Some((at, Some(chunk.body.clone())));
        }
        self.end_sent = self.ended;
        self.ended.then_some((at, None))
    }

    /// Whether the application may add chunks: neither side has ended the stream.
    pub(in crate::proto::client) fn goes_on(&self) -> bool {
        !self.ended && !self.enough
    }

    /// Adds a chunk; `counted` is its cost as counted by the application.
    pub(in crate::proto::client) fn add(&mut self, body: Body<F>, counted: u32) {
        self.kept.push_back(Chunk { body, counted });
    }

    /// The application has ended the stream.
    pub(in crate::proto::client) fn end(&mut self) {
        self.ended = true;
    }

    /// Whether the application has ended the stream, and the end could not be sent yet.
    pub(in crate::proto::client) fn keeps_the_end(&self) -> bool {
        self.ended && !self.end_sent && !self.enough
    }

    /// Whether the worker needs no more.
    pub(in crate::proto::client) fn needs_no_more(&self) -> bool {
        self.enough
    }

    /// Applies NEED. Returns the credit for the application, if any; the outer `None` means that the offset is
    /// invalid.
    pub(in crate::proto::client) fn take(&mut self, need: Need) -> Option<Option<u64>> {
        if need.have > self.at && !need.again {
            return None;
        }
        if self.enough {
            return Some(None);
        }
        if need.again {
            // Chunks sent after this offset may be lost.
            self.at = self.first;
            self.sent = 0;
            self.end_sent = false;
            self.open = true;
        }
        // An outdated statement contains nothing new.
        let mut credit = match need.have < self.first {
            true if need.again => return None,
            true => 0,
            false => self.advance(need.have)?,
        };
        self.limit = self.limit.max(need.limit);
        if !std::mem::replace(&mut self.begun, true) {
            credit += u64::from(WINDOW);
        }
        if need.enough {
            self.enough = true;
            self.kept.clear();
            self.sent = 0;
            self.first = self.at;
            return Some(None);
        }
        Some((credit > 0).then_some(credit))
    }

    #[cfg(any(test, feature = "fuzz"))]
    pub(in crate::proto::client) fn audit(&self) {
        let costs = |chunks: usize| -> u64 { self.kept.iter().take(chunks).map(Chunk::cost).sum() };
        assert!(self.sent <= self.kept.len());
        assert_eq!(self.at, self.first + costs(self.sent));
        assert!(!self.end_sent || self.sent == self.kept.len());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::flow::OVERHEAD;

    const COUNTED: u32 = 7;
    const COST: u64 = 10 + OVERHEAD as u64;

    fn need(have: u64, limit: u64, again: bool) -> Need {
        Need {
            have,
            limit,
            again,
            enough: false,
        }
    }

    /// A stream of three chunks.
    fn stream() -> DataStream<Vec<u8>> {
        let mut input = DataStream::new();
        for _ in 0..3 {
            input.add(Body::json(vec![b'1'; 10]), COUNTED);
        }
        input
    }

    /// The offsets of what may be sent now.
    fn offsets(input: &mut DataStream<Vec<u8>>) -> Vec<u64> {
        let sent = std::iter::from_fn(|| input.next())
            .map(|(at, _)| at)
            .collect();
        input.audit();
        sent
    }

    #[test]
    fn nothing_is_sent_before_the_worker_asks_and_no_more_than_it_asks_for() {
        let mut input = stream();
        assert!(offsets(&mut input).is_empty());
        let window = Some(Some(u64::from(WINDOW)));
        assert_eq!(input.take(need(0, COST + 1, true)), window);
        assert_eq!(offsets(&mut input), [0, COST]);
        let read = Some(Some(u64::from(COUNTED)));
        assert_eq!(input.take(need(COST, 9 * COST, false)), read);
        assert_eq!(offsets(&mut input), [2 * COST]);
        input.end();
        assert_eq!(offsets(&mut input), [3 * COST]);
    }

    #[test]
    fn after_the_loss_of_a_connection_what_the_worker_does_not_have_is_sent_again() {
        let mut input = stream();
        input.take(need(0, 9 * COST, true));
        assert_eq!(offsets(&mut input).len(), 3);
        input.close();
        input.add(Body::json(vec![b'1'; 10]), COUNTED);
        assert!(offsets(&mut input).is_empty());
        input.take(need(COST, 9 * COST, true));
        assert_eq!(offsets(&mut input), [COST, 2 * COST, 3 * COST]);
    }

    #[test]
    fn an_offset_that_was_not_sent_or_is_within_a_chunk_is_invalid() {
        for have in [1, COST - 1, 3 * COST + 1] {
            let mut input = stream();
            input.take(need(0, 9 * COST, true));
            offsets(&mut input);
            assert_eq!(input.take(need(have, 9 * COST, false)), None, "{have}");
        }
        let mut input = stream();
        input.take(need(0, 9 * COST, true));
        offsets(&mut input);
        input.take(need(COST, 9 * COST, false));
        assert_eq!(input.take(need(0, COST, false)), Some(None));
        assert_eq!(input.take(need(0, COST, true)), None);
    }

    #[test]
    fn a_worker_that_needs_no_more_gets_no_more() {
        let mut input = stream();
        input.take(need(0, 9 * COST, true));
        let enough = Need {
            enough: true,
            ..need(0, 9 * COST, false)
        };
        assert_eq!(input.take(enough), Some(None));
        assert!(input.needs_no_more() && !input.goes_on());
        assert!(offsets(&mut input).is_empty());
    }
}
