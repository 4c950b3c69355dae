//! Replies that had ended before their broker was lost, and may be lost with it.
//!
//! Each is claimed from a broker that comes after, if that is another process. A client that has its
//! reply does not ask for it, so mostly the answer is that nobody asks. They are nothing that this
//! worker works on: they take no room, and no drain waits for them.

use super::recent::{Ended, Finished};
use super::{Worker, recent};
use crate::proto::Time;
use crate::proto::code::Code;
use crate::wire::omdp::{ClaimExt, ClaimState, ReplyKind, ResumeExt, WorkerMessage};
use crate::wire::{Body, Frame};
use std::collections::BTreeMap;

/// More are forgotten, those that ended first before the others.
const MAX_LATE: usize = 2 * recent::MAX_WORDS;

/// The same in bytes; the last is kept in any case.
const MAX_BYTES: usize = 2 * recent::MAX_BYTES;

#[derive(Debug)]
struct Reply<F> {
    finished: Finished<F>,
    /// The broker of this connection was told.
    claimed: bool,
    bytes: usize,
}

#[derive(Debug)]
pub(super) struct Late<F> {
    replies: BTreeMap<u64, Reply<F>>,
    bytes: usize,
}

impl<F> Late<F> {
    pub(super) fn new() -> Self {
        Late {
            replies: BTreeMap::new(),
            bytes: 0,
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.replies.is_empty()
    }

    pub(super) fn clear(&mut self) {
        *self = Late::new();
    }

    /// The broker that they were claimed from is lost, too.
    pub(super) fn unclaim(&mut self) {
        for reply in self.replies.values_mut() {
            reply.claimed = false;
        }
    }

    /// Forgets those that no broker was told of.
    pub(super) fn give_up(&mut self) {
        self.replies.retain(|_, reply| reply.claimed);
        self.bytes = self.replies.values().map(|reply| reply.bytes).sum();
    }

    #[cfg(any(test, feature = "fuzz"))]
    pub(super) fn audit(&self) {
        let bytes: usize = self.replies.values().map(|reply| reply.bytes).sum();
        assert_eq!(bytes, self.bytes);
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.replies.len()
    }

    #[cfg(any(test, feature = "fuzz"))]
    pub(super) fn has(&self, claimed: bool) -> bool {
        let mut replies = self.replies.values();
        replies.any(|reply| reply.claimed == claimed)
    }

    fn remove(&mut self, number: u64) -> Option<Finished<F>> {
        let replies = &mut self.replies;
        let reply = match replies.get(&number) {
            Some(reply) if reply.claimed => replies.remove(&number)?,
            _ => return None,
        };
        self.bytes -= reply.bytes;
        Some(reply.finished)
    }
}

impl<F: Frame> Late<F> {
    pub(super) fn add(&mut self, number: u64, finished: Finished<F>) {
        let tail: usize = finished.tail.iter().map(|part| part.bytes.len()).sum();
        let bytes = finished.body.bytes.len() + tail;
        let reply = Reply {
            finished,
            claimed: false,
            bytes,
        };
        self.bytes += bytes;
        self.replies.insert(number, reply);
        while self.replies.len() > MAX_LATE || (self.bytes > MAX_BYTES && self.replies.len() > 1) {
            let (_, first) = self.replies.pop_first().expect("there are many");
            self.bytes -= first.bytes;
        }
    }

    pub(super) fn claim(&mut self, mut send: impl FnMut(WorkerMessage<F>)) {
        for (&number, reply) in &mut self.replies {
            if std::mem::replace(&mut reply.claimed, true) {
                continue;
            }
            let Finished {
                client, rid, user, ..
            } = &reply.finished;
            send(WorkerMessage::Claim {
                client: client.clone(),
                rid: rid.clone(),
                ext: ClaimExt {
                    state: ClaimState::Ended,
                    number,
                },
                user: user.clone(),
            });
        }
    }
}

impl<F: Frame> Worker<F> {
    /// Its client was found. False if there is no such reply.
    pub(super) fn resume_late(&mut self, now: Time, ext: ResumeExt) -> bool {
        let Some(finished) = self.resume.late.remove(ext.number) else {
            return false;
        };
        let Finished {
            client,
            rid,
            user,
            sent,
            mut tail,
            kind,
            body,
        } = finished;
        let Some(missing) = missing(sent, ext.received, tail.len()) else {
            self.refuse_to_resume(ext.token);
            return true;
        };
        for part in tail.drain(tail.len() - missing..) {
            self.repeat(now, ext.number, ext.token, (&client, &rid), part);
        }
        let ended = Ended {
            client: &client,
            rid: &rid,
            user: user.as_deref(),
            sent,
            kind,
        };
        self.resume.recent.end(now, ext.number, ended, &body);
        self.transmits.push(WorkerMessage::Reply {
            kind,
            client,
            rid,
            body,
            token: Some(ext.token),
            pace: None,
        });
        true
    }

    /// Says a part once more, which counts as said already.
    pub(super) fn repeat(
        &mut self,
        now: Time,
        number: u64,
        token: u64,
        (client, rid): (&F, &F),
        body: Body<F>,
    ) {
        self.resume.recent.part(now, number, &body);
        self.transmits.push(WorkerMessage::Reply {
            kind: ReplyKind::Partial,
            client: client.clone(),
            rid: rid.clone(),
            body,
            token: Some(token),
            pace: None,
        });
    }

    /// The token says which request is meant.
    pub(super) fn refuse_to_resume(&mut self, token: u64) {
        let nobody = F::from(&b"-"[..]);
        self.transmits.push(WorkerMessage::Reply {
            kind: ReplyKind::OwnError,
            client: nobody.clone(),
            rid: nobody,
            body: Body::json(F::from(Code::BrokerLost.to_json())),
            token: Some(token),
            pace: None,
        });
    }

    /// Nobody asks for it. False if there is no such reply.
    pub(super) fn drop_late(&mut self, number: u64) -> bool {
        self.resume.late.remove(number).is_some()
    }
}

/// How many of the last parts the client has not, if they were kept.
pub(super) fn missing(sent: u32, received: u32, kept: usize) -> Option<usize> {
    let missing = sent.checked_sub(received)? as usize;
    (missing <= kept).then_some(missing)
}
