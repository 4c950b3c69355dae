//! A segment of the log: parts and ends of replies, whose short bodies and ids share one text.

use crate::proto::Time;
use crate::wire::omdp::ReplyKind;
use crate::wire::{Body, Encoding, Frame};

/// Maximum of parts in a segment.
pub(super) const MAX_ENTRIES: usize = 1000;

/// Bytes of a segment before the next begins. The last part may exceed it by any size.
pub(super) const MAX_BYTES: usize = 8 * 1024 * 1024;

/// Longer bodies are shared, see [`Frame`]; shorter ones are copied into a common text, without an allocation.
pub(super) const COPIED: usize = 1024;

/// A part of a reply, or its end.
#[derive(Debug)]
pub(super) struct Entry<F> {
    pub(super) number: u64,
    pub(super) at: Time,
    pub(super) end: Option<End>,
    pub(super) encoding: Encoding,
    /// `None`: the body is in the segment's text.
    pub(super) shared: Option<F>,
    pub(super) len: u32,
}

/// The end of a reply. In the text, the client, the rid and the user precede the body.
#[derive(Debug, Clone, Copy)]
pub(super) struct End {
    pub(super) kind: ReplyKind,
    pub(super) token: u64,
    pub(super) sent: u32,
    pub(super) client: u32,
    pub(super) rid: u32,
    pub(super) user: Option<u32>,
}

/// The end of a reply, for the log.
#[derive(Debug, Clone, Copy)]
pub(in crate::proto::worker) struct Ended<'a> {
    pub(in crate::proto::worker) client: &'a [u8],
    pub(in crate::proto::worker) rid: &'a [u8],
    pub(in crate::proto::worker) user: Option<&'a [u8]>,
    pub(in crate::proto::worker) token: u64,
    pub(in crate::proto::worker) sent: u32,
    pub(in crate::proto::worker) kind: ReplyKind,
}

impl<F: Frame> Entry<F> {
    /// Takes the ids from the text, if this is the end of a reply.
    pub(super) fn cut_ids(&self, text: &mut &[u8]) -> Option<(End, F, F, Option<F>)> {
        self.end.map(|end| {
            let (client, rid) = (cut(text, end.client), cut(text, end.rid));
            (end, client, rid, end.user.map(|len| cut(text, len)))
        })
    }
}

/// Takes the first bytes of a text.
pub(super) fn cut<F: Frame>(text: &mut &[u8], len: u32) -> F {
    let (head, rest) = text.split_at(len as usize);
    *text = rest;
    F::from(head)
}

#[derive(Debug)]
pub(super) struct Segment<F> {
    pub(super) entries: Vec<Entry<F>>,
    pub(super) text: Vec<u8>,
    pub(super) shared: usize,
}

impl<F> Segment<F> {
    pub(super) const fn new() -> Self {
        Segment {
            entries: Vec::new(),
            text: Vec::new(),
            shared: 0,
        }
    }

    pub(super) fn bytes(&self) -> usize {
        self.text.len() + self.shared
    }

    pub(super) fn is_full(&self) -> bool {
        self.entries.len() >= MAX_ENTRIES || self.bytes() >= MAX_BYTES
    }
}

impl<F: Frame> Segment<F> {
    /// Adds the ids of a reply; `put` with the returned end must follow.
    pub(super) fn put_ids(&mut self, ended: Ended<'_>) -> End {
        let Ended {
            client,
            rid,
            user,
            token,
            sent,
            kind,
        } = ended;
        let text = &mut self.text;
        text.extend_from_slice(client);
        text.extend_from_slice(rid);
        text.extend_from_slice(user.unwrap_or_default());
        End {
            kind,
            token,
            sent,
            client: client.len() as u32,
            rid: rid.len() as u32,
            user: user.map(|user| user.len() as u32),
        }
    }

    pub(super) fn put(&mut self, at: Time, number: u64, end: Option<End>, body: &Body<F>) {
        let Segment {
            entries,
            text,
            shared,
        } = self;
        let bytes = &body.bytes;
        let is_shared = bytes.len() > COPIED;
        if is_shared {
            *shared += bytes.len();
        } else {
            text.extend_from_slice(bytes);
        }
        entries.push(Entry {
            number,
            at,
            end,
            encoding: body.encoding,
            shared: is_shared.then(|| bytes.clone()),
            len: if is_shared { 0 } else { bytes.len() as u32 },
        });
    }
}
