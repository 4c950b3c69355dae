//! The stream that is a request's data, on the client's side.
//!
//! By NEED the worker states how much it has received and how much may be sent, both as offsets from the beginning of
//! the stream. A chunk is kept until the worker is known to have it. So a stream whose broker was lost continues
//! where it was: when the request has been found, this side asks for NEED again and sends what follows.
//!
//! The application has a [`WINDOW`] of its own, in units that it counts itself. It starts with the worker's first
//! NEED, and chunks that are no longer kept are given back as credit. So no more than a window is kept, however the
//! two count.

use super::pending::{Pending, Stage};
use super::request::Tell;
use super::{Client, ClientNotice};
use crate::proto::Time;
use crate::proto::code::Code;
use crate::proto::flow::{self, WINDOW};
use crate::wire::omdp::{ClientMessage, Need};
use crate::wire::{Body, Frame, Malformed};
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
pub(in crate::proto) struct Input<F> {
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

impl<F: Frame> Input<F> {
    pub(super) fn new() -> Self {
        Input {
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
    pub(super) fn close(&mut self) {
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
    fn next(&mut self) -> Option<(u64, Option<Body<F>>)> {
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

    #[cfg(any(test, feature = "fuzz"))]
    pub(super) fn audit(&self) {
        let costs = |chunks: usize| -> u64 { self.kept.iter().take(chunks).map(Chunk::cost).sum() };
        assert!(self.sent <= self.kept.len());
        assert_eq!(self.at, self.first + costs(self.sent));
        assert!(!self.end_sent || self.sent == self.kept.len());
    }
}

impl<F: Frame> Client<F> {
    /// Adds a chunk to a request's data; `counted` is its cost as counted by the application. A chunk that is too
    /// large ends the request.
    pub fn chunk(&mut self, now: Time, id: u64, body: Body<F>, counted: u32) {
        let takes = self
            .link
            .peer()
            .is_none_or(|broker| broker.takes(body.bytes.len()));
        let Some(request) = self.requests.get_mut(&id) else {
            return;
        };
        request.extend(now);
        let Some(input) = request
            .input
            .as_mut()
            .filter(|input| !input.ended && !input.enough)
        else {
            return;
        };
        if !takes {
            self.forget(id, Tell::Cancelled);
            return self.fail(id, Code::RequestTooLarge);
        }
        input.kept.push_back(Chunk { body, counted });
        self.flush_input(id);
    }

    /// Ends the stream of a request's data.
    pub fn end_input(&mut self, now: Time, id: u64) {
        if let Some(request) = self.requests.get_mut(&id)
            && let Some(input) = request.input.as_mut()
        {
            input.ended = true;
            request.extend(now);
            self.flush_input(id);
        }
    }

    /// Handles a worker's NEED.
    pub(super) fn on_need(&mut self, now: Time, rid: &[u8], need: Need) {
        let Some(id) = self.parse_rid(rid) else {
            return;
        };
        let Some(request) = self
            .requests
            .get_mut(&id)
            .filter(|each| each.stage.is_with_broker())
        else {
            return;
        };
        if request.input.is_none() {
            return self.notices.push(ClientNotice::Fault(Malformed::Extension));
        }
        let found = matches!(request.stage, Stage::Resuming { .. });
        request.stage = Stage::Sent;
        request.extend(now);
        let knew = request.input.as_ref().is_some_and(|input| input.enough);
        let taken = take_need(request, need);
        self.link.answered();
        let Some(credit) = taken else {
            // The stream cannot continue at this offset.
            self.notices.push(ClientNotice::Fault(Malformed::Extension));
            self.forget(id, Tell::Cancelled);
            return self.fail(id, Code::BrokerLost);
        };
        if let Some(bytes) = credit {
            self.notices.push(ClientNotice::Credit { id, bytes });
        }
        if need.enough && !knew {
            self.notices.push(ClientNotice::Enough { id });
        }
        if found {
            self.tell_read(id);
            if !need.again {
                self.ask_need(id);
            }
        }
        self.flush_input(id);
    }

    /// Asks where to continue after the request was found again.
    pub(super) fn ask_need(&mut self, id: u64) {
        if let Some(request) = self.requests.get_mut(&id)
            && let Some(input) = request.input.as_mut()
        {
            input.close();
            let rid = self.rid(id);
            self.transmits.push(ClientMessage::AskNeed { rid });
        }
    }

    fn flush_input(&mut self, id: u64) {
        let rid = self.rid(id);
        let Some(request) = self.requests.get_mut(&id) else {
            return;
        };
        let Some(input) = request.input.as_mut() else {
            return;
        };
        if !matches!(request.stage, Stage::Sent) {
            return;
        }
        while let Some((at, body)) = input.next() {
            self.transmits.push(ClientMessage::Chunk {
                rid: rid.clone(),
                last: body.is_none(),
                body: body.unwrap_or_else(|| Body::json(F::from(&[][..]))),
                at,
            });
        }
    }
}

/// Applies NEED. Returns the credit for the application, if any; the outer `None` means that the offset is invalid.
fn take_need<F: Frame>(request: &mut Pending<F>, need: Need) -> Option<Option<u64>> {
    let input = request.input.as_mut()?;
    if need.have > input.at && !need.again {
        return None;
    }
    if input.enough {
        return Some(None);
    }
    if need.again {
        // Chunks sent after this offset may be lost.
        input.at = input.first;
        input.sent = 0;
        input.end_sent = false;
        input.open = true;
    }
    // An outdated statement contains nothing new.
    let mut credit = match need.have < input.first {
        true if need.again => return None,
        true => 0,
        false => input.advance(need.have)?,
    };
    input.limit = input.limit.max(need.limit);
    if !std::mem::replace(&mut input.begun, true) {
        credit += u64::from(WINDOW);
    }
    if need.enough {
        input.enough = true;
        input.kept.clear();
        input.sent = 0;
        input.first = input.at;
        return Some(None);
    }
    Some((credit > 0).then_some(credit))
}
