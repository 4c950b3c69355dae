//! Replies to clients that cannot receive partials: the parts are collected, and sent in one message, in order, before
//! the data of the final.

use super::keys::RequestKey;
use crate::proto::code::Code;
use crate::proto::table::Table;
use crate::wire::mdp::reply_frames;
use crate::wire::omdp::ReplyKind;
use crate::wire::sizes::MAX_BODY_FRAMES;
use crate::wire::{Body, Frame};

/// Maximum of bytes that are collected for a reply.
const MOST: usize = 64 * 1024 * 1024;

/// The parts of one reply. Beyond [`MOST`] bytes, or more frames than a message may have, they are dropped, and only
/// counted.
#[derive(Debug)]
struct Parts<F> {
    frames: Vec<F>,
    bytes: usize,
    count: usize,
}

impl<F: Frame> Parts<F> {
    fn add(&mut self, frames: Vec<F>) {
        let bytes: usize = frames.iter().map(|frame| frame.len()).sum();
        self.bytes = self.bytes.saturating_add(bytes);
        self.count = self.count.saturating_add(frames.len());
        match self.is_too_large() {
            true => self.frames = Vec::new(),
            false => self.frames.extend(frames),
        }
    }

    fn is_too_large(&self) -> bool {
        self.bytes > MOST || self.count > MAX_BODY_FRAMES
    }
}

#[derive(Debug)]
pub(super) struct Collected<F>(Table<RequestKey, Parts<F>>);

impl<F> Default for Collected<F> {
    fn default() -> Self {
        Collected(Table::default())
    }
}

impl<F: Frame> Collected<F> {
    /// Collects a part, or returns the whole reply at its end. A final without data adds no frame to earlier parts,
    /// and an error replaces them.
    pub(super) fn add(
        &mut self,
        key: RequestKey,
        kind: ReplyKind,
        body: Body<F>,
    ) -> Option<Vec<F>> {
        if kind == ReplyKind::Partial {
            let parts = self.0.entry(key).or_insert(Parts {
                frames: Vec::new(),
                bytes: 0,
                count: 0,
            });
            parts.add(body.into_frames());
            return None;
        }
        let Some(mut parts) = self.0.remove(&key).filter(|_| !kind.is_error()) else {
            return Some(reply_frames(kind, body));
        };
        if !body.is_null() {
            parts.add(body.into_frames());
        }
        if parts.is_too_large() {
            let code = Body::json(F::from(Code::ReplyTooLarge.to_json()));
            return Some(code.into_error_frames(ReplyKind::OwnError));
        }
        Some(parts.frames)
    }

    /// Drops the parts of a request that has ended without a reply.
    #[inline]
    pub(super) fn forget(&mut self, key: RequestKey) {
        if !self.0.is_empty() {
            self.0.remove(&key);
        }
    }

    /// Number of replies of which parts are collected.
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: RequestKey = RequestKey(3);

    fn json(text: &str) -> Body<Vec<u8>> {
        Body::json(text.as_bytes().to_vec())
    }

    fn of_parts(parts: &[&str], kind: ReplyKind, last: &str) -> Vec<Vec<u8>> {
        let mut collected = Collected::default();
        for part in parts {
            assert_eq!(collected.add(KEY, ReplyKind::Partial, json(part)), None);
        }
        let reply = collected.add(KEY, kind, json(last));
        assert_eq!(collected.len(), 0);
        reply.expect("the reply has ended")
    }

    #[test]
    fn parts_come_in_order_before_the_data_of_the_final() {
        let whole = |texts: &[&str]| -> Vec<Vec<u8>> {
            let bodies = texts.iter().map(|text| json(text));
            bodies.flat_map(|body| body.into_frames()).collect()
        };
        assert_eq!(
            of_parts(&["1", "2"], ReplyKind::Final, "3"),
            whole(&["1", "2", "3"])
        );
        assert_eq!(of_parts(&["1"], ReplyKind::Final, "null"), whole(&["1"]));
    }

    #[test]
    fn an_error_replaces_the_parts() {
        assert_eq!(
            of_parts(&["1", "2"], ReplyKind::Error, "\"e\""),
            reply_frames(ReplyKind::Error, json("\"e\""))
        );
    }

    #[test]
    fn a_reply_that_is_too_long_ends_with_an_error() {
        let mut collected = Collected::default();
        let half = Body::json(vec![b'1'; MOST / 2 + 1]);
        for _ in 0..2 {
            assert_eq!(collected.add(KEY, ReplyKind::Partial, half.clone()), None);
        }
        let reply = collected.add(KEY, ReplyKind::Final, json("1"));
        let code = Body::json(Code::ReplyTooLarge.to_json());
        assert_eq!(reply, Some(code.into_error_frames(ReplyKind::OwnError)));
    }

    #[test]
    fn a_reply_of_more_frames_than_a_message_has_ends_with_an_error() {
        let empty = || Body {
            bytes: Vec::new(),
            encoding: crate::wire::Encoding::Opaque,
        };
        for (parts, is_too_large) in [(16_367, false), (16_368, true), (20_000, true)] {
            let mut collected = Collected::default();
            for _ in 0..parts {
                assert_eq!(collected.add(KEY, ReplyKind::Partial, empty()), None);
            }
            let reply = collected.add(KEY, ReplyKind::Final, empty());
            let reply = reply.expect("the reply has ended");
            let code = Body::json(Code::ReplyTooLarge.to_json());
            let error = code.into_error_frames(ReplyKind::OwnError);
            assert_eq!(reply == error, is_too_large, "{parts}");
            assert_eq!(reply.len() == parts + 1, !is_too_large, "{parts}");
        }
    }

    #[test]
    fn the_parts_of_an_ended_request_are_forgotten() {
        let mut collected = Collected::default();
        collected.add(KEY, ReplyKind::Partial, json("1"));
        collected.forget(KEY);
        assert_eq!(
            collected.add(KEY, ReplyKind::Final, json("2")),
            Some(reply_frames(ReplyKind::Final, json("2")))
        );
    }
}
