//! The log of a worker: replies to the broker of this connection that may have to be sent again.
//!
//! A reply is kept until the broker has acknowledged it, and until a message of the broker arrives at least [`KEEP`]
//! later: a broker that dies may not have passed on what it had received.
//!
//! Replies are kept in segments. The youngest is closed when it is full or [`KEEP`] old, and a segment is
//! dropped as a whole, so a reply costs no more than its copy. Segments age only with messages of the broker,
//! because a silent broker may be dead.

mod segment;
mod taken;

use super::detached::Detached;
use crate::proto::Time;
use crate::wire::{Body, Frame};
pub(super) use segment::Ended;
use segment::{MAX_ENTRIES, Segment, cut};
use std::collections::VecDeque;
use std::time::Duration;
pub(super) use taken::Unacknowledged;

/// A broker that sends a message this long after a reply was sent has passed the reply on. Long compared with the
/// delay of a broker that is not overloaded, short because the memory grows with it.
pub const KEEP: Duration = Duration::from_millis(250);

/// Maximum of parts in all closed segments.
const MAX_ALL_ENTRIES: usize = 64 * MAX_ENTRIES;

/// The maxima of bytes.
#[derive(Debug, Clone, Copy)]
struct Most {
    /// While the oldest replies are acknowledged. They are needed only if the broker dies.
    acknowledged: usize,
    /// While the oldest replies are not acknowledged. Most of their bytes wait at the transport too, which shares them,
    /// so it would save little to drop them.
    unacknowledged: usize,
}

const MOST: Most = Most {
    acknowledged: 256 * 1024 * 1024,
    unacknowledged: super::detached::MAX_BYTES,
};

/// Maximum of replies that are known to have ended, without their bodies.
const MAX_DROPPED: usize = 65_536;

/// The number for entries without a delivery.
const NO_DELIVERY: u64 = u64::MAX;

/// A reply that has ended, with the token of its request.
pub(super) type Finished<F> = (u64, Detached<F>);

#[derive(Debug)]
pub(super) struct Log<F> {
    /// The segment that is written to.
    youngest: Segment<F>,
    /// The closed segments, the oldest first; none is empty.
    closed: VecDeque<Segment<F>>,
    /// A cleared segment, for reuse.
    spare: Option<Segment<F>>,
    /// Numbers of parts that were dropped, and that were acknowledged.
    forgotten: u64,
    acknowledged: u64,
    /// When the youngest segment is to be closed. Set while there is any entry.
    due: Option<Time>,
    /// Replies whose end was dropped before it was acknowledged, in order, each with the number of parts up to its end.
    dropped: VecDeque<(u64, u64, Finished<F>)>,
    /// Whether more of these were dropped than are remembered.
    overflowed: bool,
    most: Most,
}

impl<F> Log<F> {
    pub(super) const fn new() -> Self {
        Log::with(MOST)
    }

    const fn with(most: Most) -> Self {
        Log {
            most,
            youngest: Segment::new(),
            closed: VecDeque::new(),
            spare: None,
            forgotten: 0,
            acknowledged: 0,
            due: None,
            dropped: VecDeque::new(),
            overflowed: false,
        }
    }

    #[cfg(any(test, feature = "fuzz"))]
    pub(super) fn len(&self) -> usize {
        let closed = self.closed.iter().map(|each| each.entries.len());
        let count = closed.sum::<usize>() + self.youngest.entries.len();
        assert_eq!(self.due.is_some(), count > 0);
        assert!(self.closed.iter().all(|each| !each.entries.is_empty()));
        count
    }

    /// Counts acknowledged parts.
    pub(super) fn acknowledge(&mut self, messages: u32) {
        self.acknowledged += u64::from(messages);
        while self
            .dropped
            .front()
            .is_some_and(|(at, ..)| *at <= self.acknowledged)
        {
            self.dropped.pop_front();
        }
    }

    /// Lets segments age after a message of the broker.
    pub(super) fn heard(&mut self, now: Time) {
        if self.due.is_some_and(|due| due <= now) {
            self.age(now);
        }
    }

    #[cold]
    fn age(&mut self, now: Time) {
        self.close_youngest();
        while let Some(oldest) = self.closed.front()
            && self.forgotten + oldest.entries.len() as u64 <= self.acknowledged
            && oldest
                .entries
                .last()
                .is_none_or(|last| last.at + KEEP <= now)
        {
            self.forget_oldest();
        }
        if self.closed.is_empty() {
            // Releases the memory, which may not be needed again.
            self.youngest = Segment::new();
            self.spare = None;
            self.due = None;
        } else {
            self.due = Some(now + KEEP);
        }
    }

    fn close_youngest(&mut self) {
        if self.youngest.entries.is_empty() {
            return;
        }
        let next = self.spare.take().unwrap_or_else(Segment::new);
        self.closed
            .push_back(std::mem::replace(&mut self.youngest, next));
    }

    fn forget_oldest(&mut self) {
        if let Some(mut oldest) = self.closed.pop_front() {
            self.forgotten += oldest.entries.len() as u64;
            oldest.entries.clear();
            oldest.text.clear();
            oldest.shared = 0;
            self.spare = Some(oldest);
        }
    }
}

impl<F: Frame> Log<F> {
    /// Closes the youngest segment when it is full.
    #[cold]
    fn turn(&mut self, now: Time) {
        self.age(now);
        let mut bytes: usize = self.closed.iter().map(Segment::bytes).sum();
        let mut entries: usize = self.closed.iter().map(|each| each.entries.len()).sum();
        while let Some(oldest) = self.closed.front() {
            let is_acknowledged = self.forgotten + oldest.entries.len() as u64 <= self.acknowledged;
            let most = match is_acknowledged {
                true => self.most.acknowledged,
                false => self.most.unacknowledged,
            };
            if bytes <= most && entries < MAX_ALL_ENTRIES {
                return;
            }
            bytes -= oldest.bytes();
            entries -= oldest.entries.len();
            self.note_dropped();
            self.forget_oldest();
        }
    }

    /// Remembers which replies end in the oldest segment and are not acknowledged.
    fn note_dropped(&mut self) {
        let Some(oldest) = self.closed.front() else {
            return;
        };
        let mut text = &oldest.text[..];
        for (entry, at) in oldest.entries.iter().zip(self.forgotten + 1..) {
            let ids = entry.cut_ids(&mut text);
            cut::<F>(&mut text, entry.len);
            let Some((end, client, rid, user)) = ids else {
                continue;
            };
            if at <= self.acknowledged || entry.number == NO_DELIVERY {
                continue;
            }
            if self.dropped.len() == MAX_DROPPED {
                self.overflowed = true;
                return;
            }
            let reply = Detached::without_body(client, rid, user.map(Box::new));
            let entry = (at, entry.number, (end.token, reply));
            self.dropped.push_back(entry);
        }
    }

    pub(super) fn part(&mut self, now: Time, number: u64, body: &Body<F>) {
        self.room(now);
        self.youngest.put(now, number, None, body);
    }

    /// Adds an entry that is never sent again, because acknowledgements count all replies.
    pub(super) fn skip(&mut self, now: Time) {
        self.part(now, NO_DELIVERY, &Body::json(F::from(&[][..])));
    }

    pub(super) fn end(&mut self, now: Time, number: u64, ended: Ended<'_>, body: &Body<F>) {
        self.room(now);
        let end = self.youngest.put_ids(ended);
        self.youngest.put(now, number, Some(end), body);
    }

    fn room(&mut self, now: Time) {
        if self.youngest.is_full() {
            self.turn(now);
        }
        if self.due.is_none() {
            self.due = Some(now + KEEP);
        }
    }
}

#[cfg(test)]
mod tests;
