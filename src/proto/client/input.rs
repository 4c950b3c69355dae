//! The stream that is a request's data, from its user's side.
//!
//! The worker says by NEED how much it has and how much may come, all counted from the beginning of the
//! stream. A chunk is kept until the worker is known to have it, so a stream whose broker was lost goes
//! on where it was: this side asks for NEED anew once the request is found, and sends what follows.
//!
//! The user has a [`WINDOW`] of its own, in what it counts itself: it begins when the worker first wants
//! something, and what is not kept any more comes back. So no more than that is kept, however the two count.

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
    /// What the user has counted for it.
    counted: u32,
}

impl<F: Frame> Chunk<F> {
    fn cost(&self) -> u64 {
        flow::cost(&self.body).into()
    }
}

/// What of a stream is here.
#[derive(Debug)]
pub(in crate::proto) struct Input<F> {
    /// What the worker may not have, the oldest first.
    kept: VecDeque<Chunk<F>>,
    /// What all chunks before the first of these cost.
    first: u64,
    /// How many of them were sent, and what those before the next cost.
    sent: usize,
    at: u64,
    /// How much may be sent in all.
    limit: u64,
    /// The user has said that nothing follows, and that was sent.
    ended: bool,
    end_sent: bool,
    /// The worker has said on this connection where to go on.
    open: bool,
    /// The user has its window.
    begun: bool,
    /// The worker wants nothing more.
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

    /// The connection is lost, or the request is looked for.
    pub(super) fn close(&mut self) {
        self.open = false;
    }

    /// Forgets what the worker has. Returns what the user had counted for it, or nothing if this is no
    /// place between two chunks.
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

    /// What may be sent now: the next chunk, or the end. With its place in the stream.
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
    /// The user has the next part of a request's data, which counts as much for it. One that can't be
    /// sent ends the request.
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

    /// The user has no more of a request's data.
    pub fn end_input(&mut self, now: Time, id: u64) {
        if let Some(request) = self.requests.get_mut(&id)
            && let Some(input) = request.input.as_mut()
        {
            input.ended = true;
            request.extend(now);
            self.flush_input(id);
        }
    }

    /// The worker's word about the data of a request.
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
            // The stream can't go on where this is.
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

    /// The request was found again: where its data go on is asked for.
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

/// How much more the user may give, if that has changed. None if there is no such place in the stream.
fn take_need<F: Frame>(request: &mut Pending<F>, need: Need) -> Option<Option<u64>> {
    let input = request.input.as_mut()?;
    if need.have > input.at && !need.again {
        return None;
    }
    if input.enough {
        return Some(None);
    }
    if need.again {
        // Whatever was sent behind that may be lost.
        input.at = input.first;
        input.sent = 0;
        input.end_sent = false;
        input.open = true;
    }
    // An older word that was overtaken has nothing new.
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
