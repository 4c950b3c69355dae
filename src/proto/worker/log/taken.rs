//! Replies that are taken from the log: one reply, or everything that a lost broker may not have.

use super::segment::{self, Segment, cut};
use super::{Finished, KEEP, Log, NO_DELIVERY};
use crate::proto::Time;
use crate::proto::worker::detached::Detached;
use crate::wire::omdp::ReplyKind;
use crate::wire::{Body, Frame};
use std::collections::HashMap;
use std::time::Duration;

/// A broker that sends something this long after a rejection has handled the rejection, and given the request to another
/// worker, so the request is not claimed here. Acknowledgements may be withheld for much longer.
const HANDLED: Duration = Duration::from_secs(1);

/// The replies that a broker may not have, by delivery.
pub(in crate::proto::worker) struct Unacknowledged<F> {
    /// Replies that have ended, in order.
    pub(in crate::proto::worker) finished: Vec<(u64, Finished<F>)>,
    /// The last parts of the others.
    pub(in crate::proto::worker) parts: HashMap<u64, Vec<Body<F>>>,
    /// Whether it contains everything that the broker has not acknowledged.
    pub(in crate::proto::worker) complete: bool,
}

impl<F: Frame> Log<F> {
    /// The number of the delivery whose reply ended with this token.
    pub(in crate::proto::worker) fn number_of(&self, token: u64) -> Option<u64> {
        let segments = self.closed.iter().chain([&self.youngest]);
        let mut entries = segments.flat_map(|segment| &segment.entries);
        let end = entries.rfind(|entry| {
            entry.number != NO_DELIVERY && entry.end.is_some_and(|end| end.token == token)
        });
        end.map(|entry| entry.number)
    }

    /// Removes and returns the last parts of a reply, and its end, if that was sent. Their places stay, because
    /// acknowledgements count all replies.
    pub(in crate::proto::worker) fn take_reply(
        &mut self,
        number: u64,
    ) -> (Vec<Body<F>>, Option<Finished<F>>) {
        let (mut parts, mut finished) = (Vec::new(), None);
        for segment in self.closed.iter_mut().chain([&mut self.youngest]) {
            let is_in_it = |entry: &segment::Entry<F>| entry.number == number;
            if !segment.entries.iter().any(is_in_it) {
                // Most segments have nothing of it, and their texts need not be cut.
                continue;
            }
            let mut text = &segment.text[..];
            for entry in &mut segment.entries {
                let ids = entry.cut_ids(&mut text);
                let bytes = cut(&mut text, entry.len);
                if entry.number != number {
                    continue;
                }
                entry.number = NO_DELIVERY;
                let shared = entry.shared.take();
                segment.shared -= shared.as_ref().map_or(0, |bytes| bytes.len());
                let body = Body {
                    bytes: shared.unwrap_or(bytes),
                    encoding: entry.encoding,
                };
                let Some((end, client, rid, user)) = ids else {
                    parts.push(body);
                    continue;
                };
                let tail = std::mem::take(&mut parts);
                let mut reply = Detached::new(client, rid, user.map(Box::new), end.sent, tail);
                reply.put_end(end.kind, body);
                finished = Some((end.token, reply));
            }
        }
        (parts, finished)
    }

    /// Removes and returns everything that a broker, whose last message arrived at `heard`, may not have received or
    /// passed on.
    pub(in crate::proto::worker) fn take(&mut self, heard: Time) -> Unacknowledged<F> {
        let mut parts: HashMap<u64, Vec<Body<F>>> = HashMap::new();
        let Log {
            youngest,
            closed,
            mut forgotten,
            acknowledged,
            dropped,
            overflowed,
            ..
        } = std::mem::replace(self, Log::new());
        let dropped = dropped.into_iter();
        let mut finished: Vec<_> = dropped.map(|(_, number, reply)| (number, reply)).collect();
        for Segment { entries, text, .. } in closed.into_iter().chain([youngest]) {
            let mut text = &text[..];
            for entry in entries {
                let ids = entry.cut_ids(&mut text);
                let bytes = cut(&mut text, entry.len);
                let body = Body {
                    bytes: entry.shared.unwrap_or(bytes),
                    encoding: entry.encoding,
                };
                forgotten += 1;
                let is_acknowledged = forgotten <= acknowledged;
                let is_handled = entry.end.is_some_and(|end| {
                    end.kind == ReplyKind::Rejected && entry.at + HANDLED < heard
                });
                let is_old = is_acknowledged && entry.at + KEEP < heard || is_handled;
                if is_old || entry.number == NO_DELIVERY {
                    continue;
                }
                let Some((end, client, rid, user)) = ids else {
                    parts.entry(entry.number).or_default().push(body);
                    continue;
                };
                let tail = parts.remove(&entry.number).unwrap_or_default();
                let mut reply = Detached::new(client, rid, user.map(Box::new), end.sent, tail);
                reply.put_end(end.kind, body);
                finished.push((entry.number, (end.token, reply)));
            }
        }
        Unacknowledged {
            finished,
            parts,
            complete: !overflowed,
        }
    }
}
