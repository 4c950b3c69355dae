//! The replies of detached deliveries, whose broker was lost while the handler goes on, and of deliveries that had
//! ended shortly before the loss.
//!
//! A reply that the broker could not take is kept here as well, see [`on_hold`](super::on_hold).
//!
//! Each entry contains the last parts that were sent to a broker, and all later ones. They are claimed from the broker
//! of every new connection, which either resumes each, when it finds the client, or disclaims it.

use super::Worker;
use crate::proto::code::Code;
use crate::proto::link::BrokerLife;
use crate::wire::omdp::{ClaimExt, ClaimState, ReplyKind, WorkerMessage};
use crate::wire::{Body, Frame};
use std::collections::BTreeMap;

/// Maximum of ended replies, and of bytes of all replies; the [`log`](super::log) keeps as many bytes. A worker without a
/// connection gets no requests, so these are the replies to those that it had.
const MAX_ENDED: usize = 65_536;
pub(super) const MAX_BYTES: usize = 1024 * 1024 * 1024;

/// The number of parts before a reply that is lost. No client has received so many.
const LOST: u32 = u32::MAX;

#[derive(Debug)]
pub(super) struct Detached<F> {
    pub(super) client: F,
    pub(super) rid: F,
    /// The user of the request, as stated by the broker.
    pub(super) user: Option<Box<F>>,
    /// The broker that gave the request, and its token.
    pub(super) given: Option<(BrokerLife, u64)>,
    /// Number of parts before those kept here.
    pub(super) first: u32,
    pub(super) parts: Vec<Body<F>>,
    pub(super) end: Option<(ReplyKind, Body<F>)>,
    /// Whether it contains anything that was never sent to a broker, or that a broker did not take.
    pub(super) is_new: bool,
    /// Whether it was claimed on this connection.
    pub(super) claimed: bool,
    bytes: usize,
}

impl<F: Frame> Detached<F> {
    /// Claims the request, of which the worker has this number, and the broker this token if it gave it.
    pub(super) fn claim(&self, number: u64, token: Option<u64>) -> WorkerMessage<F> {
        let state = match self.end {
            Some(_) => ClaimState::Ended,
            None => ClaimState::Running,
        };
        WorkerMessage::Claim {
            client: self.client.clone(),
            rid: self.rid.clone(),
            ext: ClaimExt {
                state,
                number,
                token,
            },
            user: self.user.as_deref().cloned(),
        }
    }

    /// Creates the entry of a reply that has `sent` parts, of which `tail` are the last.
    pub(super) fn new(
        client: F,
        rid: F,
        user: Option<Box<F>>,
        sent: u32,
        tail: Vec<Body<F>>,
    ) -> Self {
        Detached {
            client,
            rid,
            user,
            given: None,
            first: sent - (tail.len() as u32).min(sent),
            bytes: tail.iter().map(|part| part.bytes.len()).sum(),
            parts: tail,
            end: None,
            is_new: false,
            claimed: false,
        }
    }

    /// Creates the entry of a reply that has ended and was not kept. The worker still claims the request, because an
    /// unclaimed request counts as not started. RESUME of it is refused.
    pub(super) fn without_body(client: F, rid: F, user: Option<Box<F>>) -> Self {
        let mut reply = Detached::new(client, rid, user, 0, Vec::new());
        reply.lose();
        reply
    }

    /// Drops what is kept of a reply. Returns the number of bytes.
    pub(super) fn lose(&mut self) -> usize {
        self.first = LOST;
        self.parts = Vec::new();
        let code = Body::json(F::from(Code::BrokerLost.to_json()));
        self.end = Some((ReplyKind::OwnError, code));
        std::mem::take(&mut self.bytes)
    }

    #[cfg(test)]
    pub(super) fn is_lost(&self) -> bool {
        self.first == LOST
    }

    pub(super) fn put_end(&mut self, kind: ReplyKind, body: Body<F>) {
        self.bytes += body.bytes.len();
        self.end = Some((kind, body));
    }

    /// The parts after the first `received`, if they are all here.
    pub(super) fn take_missing(&mut self, received: u32) -> Option<Vec<Body<F>>> {
        let at = received.checked_sub(self.first)? as usize;
        (at <= self.parts.len()).then(|| self.parts.split_off(at))
    }
}

/// Detached replies, by number of the delivery.
#[derive(Debug)]
pub(super) struct DetachedReplies<F> {
    replies: BTreeMap<u64, Detached<F>>,
    bytes: usize,
    /// Whether claims to the last broker would be incomplete, because a reply was given up that the broker believes
    /// to be here.
    pub(super) incomplete: bool,
}

impl<F> DetachedReplies<F> {
    pub(super) fn new() -> Self {
        DetachedReplies {
            replies: BTreeMap::new(),
            bytes: 0,
            incomplete: false,
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.replies.is_empty()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Detached<F>> {
        self.replies.values()
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = (u64, &mut Detached<F>)> {
        let replies = self.replies.iter_mut();
        replies.map(|(number, reply)| (*number, reply))
    }

    /// Number of replies that contain something that was never sent to a broker.
    pub(super) fn news(&self) -> usize {
        self.replies.values().filter(|reply| reply.is_new).count()
    }

    /// Whether there is any such reply.
    pub(super) fn has_news(&self) -> bool {
        self.replies.values().any(|reply| reply.is_new)
    }

    /// Number of replies that have not ended and were not claimed on this connection.
    pub(super) fn unclaimed(&self) -> usize {
        let replies = self.replies.values();
        replies
            .filter(|reply| !reply.claimed && reply.end.is_none())
            .count()
    }

    /// Marks all replies as not claimed after the loss of a connection.
    pub(super) fn unclaim(&mut self) {
        for reply in self.replies.values_mut() {
            reply.claimed = false;
        }
    }

    pub(super) fn take(&mut self, number: u64) -> Option<Detached<F>> {
        let reply = self.replies.remove(&number)?;
        self.bytes -= reply.bytes;
        Some(reply)
    }

    /// Removes and returns a reply that was claimed on this connection.
    pub(super) fn take_claimed(&mut self, number: u64) -> Option<Detached<F>> {
        self.replies.get(&number).filter(|reply| reply.claimed)?;
        self.take(number)
    }

    /// Removes the replies that were not claimed, and returns their numbers.
    pub(super) fn give_up(&mut self) -> Vec<u64> {
        let unclaimed = self.replies.iter().filter(|(_, reply)| !reply.claimed);
        let numbers: Vec<u64> = unclaimed.map(|(number, _)| *number).collect();
        for number in &numbers {
            self.take(*number);
        }
        numbers
    }

    #[cfg(any(test, feature = "fuzz"))]
    pub(super) fn running(&self) -> usize {
        let bytes: usize = self.replies.values().map(|reply| reply.bytes).sum();
        assert_eq!(bytes, self.bytes);
        let replies = self.replies.values();
        replies.filter(|reply| reply.end.is_none()).count()
    }

    #[cfg(any(test, feature = "fuzz"))]
    pub(super) fn has(&self, claimed: bool) -> bool {
        let mut replies = self.replies.values();
        replies.any(|reply| reply.claimed == claimed)
    }

    #[cfg(test)]
    pub(super) fn ended(&self) -> usize {
        let replies = self.replies.values();
        replies.filter(|reply| reply.end.is_some()).count()
    }
}

impl<F: Frame> DetachedReplies<F> {
    pub(super) fn insert(&mut self, number: u64, reply: Detached<F>) {
        self.bytes += reply.bytes;
        self.replies.insert(number, reply);
        while self.replies.len() > MAX_ENDED {
            let ended = self.replies.iter();
            let mut ended = ended.filter(|(at, reply)| reply.end.is_some() && **at != number);
            let Some(oldest) = ended.next().map(|(number, _)| *number) else {
                break;
            };
            self.take(oldest);
            self.incomplete = true;
        }
        if self.bytes > MAX_BYTES {
            self.shrink(number);
        }
    }

    /// Drops the oldest replies that have ended, except this one.
    #[cold]
    fn shrink(&mut self, number: u64) {
        for (at, reply) in &mut self.replies {
            if self.bytes <= MAX_BYTES {
                return;
            }
            if reply.end.is_some() && *at != number {
                self.bytes -= reply.lose();
            }
        }
    }

    /// Drops what is kept of a reply, but not the knowledge of it.
    fn lose(&mut self, number: u64) {
        if let Some(reply) = self.replies.get_mut(&number) {
            self.bytes -= reply.lose();
        }
    }

    /// Adds to a reply. Returns false if too much is kept.
    fn say(&mut self, number: u64, bytes: usize, put: impl FnOnce(&mut Detached<F>)) -> bool {
        let Some(reply) = self.replies.get_mut(&number) else {
            return true;
        };
        put(reply);
        reply.is_new = true;
        reply.bytes += bytes;
        self.bytes += bytes;
        self.bytes <= MAX_BYTES
    }
}

impl<F: Frame> Worker<F> {
    /// Keeps a part for the next broker.
    pub(super) fn keep_part(&mut self, number: u64, body: Body<F>) {
        let bytes = body.bytes.len();
        let fits = self
            .detached
            .say(number, bytes, |reply| reply.parts.push(body));
        if !fits {
            self.give_up_detached_one(number);
        }
    }

    /// Keeps the end of a delivery for the next broker.
    pub(super) fn keep_end(&mut self, number: u64, kind: ReplyKind, body: Body<F>) {
        let bytes = body.bytes.len();
        let end = (kind, body);
        let fits = self
            .detached
            .say(number, bytes, |reply| reply.end = Some(end));
        if !fits {
            self.give_up_detached_one(number);
        }
    }

    /// Gives up a reply when too much is kept. Its client will not learn the result.
    fn give_up_detached_one(&mut self, number: u64) {
        self.detached.lose(number);
        self.cancel_handler(number, Code::BrokerLost);
    }
}

#[cfg(test)]
mod tests;
