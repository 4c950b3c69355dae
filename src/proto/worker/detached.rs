//! Replies that no broker is known to have: of deliveries whose broker was lost while their user works
//! on, and of deliveries that had ended shortly before.
//!
//! Each has the last parts that were said to a broker, and whatever its user has said since. Every
//! broker that comes is told of them by CLAIM, and answers for each that the client was found, or that
//! nobody asks.

use super::Worker;
use crate::proto::code::Code;
use crate::proto::link::BrokerLife;
use crate::wire::omdp::ReplyKind;
use crate::wire::{Body, Frame};
use std::collections::BTreeMap;

/// How many replies that have ended are kept, and how many bytes of all.
const MAX_ENDED: usize = 65_536;
pub const MAX_BYTES: usize = 64 * 1024 * 1024;

#[derive(Debug)]
pub(super) struct Detached<F> {
    pub(super) client: F,
    pub(super) rid: F,
    /// Whose request it is, as the broker said.
    pub(super) user: Option<Box<F>>,
    /// The broker that gave it, and the token by which it did.
    pub(super) given: Option<(BrokerLife, u64)>,
    /// How many parts there were in front of those that are here.
    pub(super) first: u32,
    pub(super) parts: Vec<Body<F>>,
    pub(super) end: Option<(ReplyKind, Body<F>)>,
    /// Whether its user has said something that no broker was ever sent.
    is_new: bool,
    /// The broker of this connection was told.
    pub(super) claimed: bool,
    bytes: usize,
}

impl<F: Frame> Detached<F> {
    /// Of a reply that has had `sent` parts, with the last of them.
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

    pub(super) fn put_end(&mut self, kind: ReplyKind, body: Body<F>) {
        self.bytes += body.bytes.len();
        self.end = Some((kind, body));
    }

    /// The parts that a client with so many lacks, if they are all here.
    pub(super) fn take_missing(&mut self, received: u32) -> Option<Vec<Body<F>>> {
        let at = received.checked_sub(self.first)? as usize;
        (at <= self.parts.len()).then(|| self.parts.split_off(at))
    }
}

/// By the worker's number of the delivery.
#[derive(Debug)]
pub(super) struct DetachedReplies<F> {
    replies: BTreeMap<u64, Detached<F>>,
    bytes: usize,
    /// Whether the broker that was lost last would be told too little: something was given up that it
    /// believes to be here.
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

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = (u64, &mut Detached<F>)> {
        let replies = self.replies.iter_mut();
        replies.map(|(number, reply)| (*number, reply))
    }

    /// Whether a broker is to come for something that none was sent yet.
    pub(super) fn has_news(&self) -> bool {
        self.replies.values().any(|reply| reply.is_new)
    }

    /// How many are worked on that the broker of this connection was not told of.
    pub(super) fn unclaimed(&self) -> usize {
        let replies = self.replies.values();
        replies
            .filter(|reply| !reply.claimed && reply.end.is_none())
            .count()
    }

    /// The broker that they were claimed from is lost, too.
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

    /// One that the broker of this connection was told of.
    pub(super) fn take_claimed(&mut self, number: u64) -> Option<Detached<F>> {
        self.replies.get(&number).filter(|reply| reply.claimed)?;
        self.take(number)
    }

    /// Takes out those that no broker was told of.
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
        while self.replies.len() > MAX_ENDED || self.bytes > MAX_BYTES {
            let ended = self
                .replies
                .iter()
                .find(|(at, reply)| reply.end.is_some() && **at != number);
            let Some(oldest) = ended.map(|(number, _)| *number) else {
                return;
            };
            self.take(oldest);
            self.incomplete = true;
        }
    }

    /// Keeps what its user says. False if that is too much.
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
    /// Keeps a part for a broker to come.
    pub(super) fn keep_part(&mut self, number: u64, body: Body<F>) {
        let bytes = body.bytes.len();
        let fits = self
            .detached
            .say(number, bytes, |reply| reply.parts.push(body));
        if !fits {
            self.give_up_detached_one(number);
        }
    }

    /// Keeps the end of a delivery, which its user has no more.
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

    /// Too much is kept: its client ends up not knowing.
    fn give_up_detached_one(&mut self, number: u64) {
        self.detached.incomplete = true;
        self.cancel(number, Code::BrokerLost);
    }
}
