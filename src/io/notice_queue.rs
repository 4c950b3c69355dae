//! The queue between a reactor and a reader: notices, offers, and one wake-up for each batch.

use super::slots::{AHEAD, Slots};
use super::sync::{Arc, Mutex, MutexGuard};
pub use crate::proto::machine::Offer;
use std::collections::VecDeque;
use std::sync::PoisonError;

/// Events beyond this number are dropped if they are not fetched: they only inform.
pub(super) const MAX_EVENTS: usize = 4096;

/// A queue that a driver fills and another thread empties. The reader is woken when there is an
/// entry for it, and not again before its next look.
pub struct NoticeQueue<N> {
    state: Mutex<Queue<N>>,
    slots: Arc<Slots>,
    wake: Box<dyn Fn() + Send + Sync>,
}

/// The entries that wait for the reader.
pub struct Queue<N> {
    notices: VecDeque<N>,
    /// Shown offers precede the others, and taken ones precede all.
    offers: VecDeque<Waiting<N>>,
    slots: Arc<Slots>,
    /// The reader's remaining room for offers at its last look.
    room: usize,
    signalled: bool,
}

/// An offer, and the slot in which it is shown.
struct Waiting<N> {
    offer: Offer,
    notice: N,
    slot: Option<usize>,
}

impl<N> Waiting<N> {
    /// Takes the offer back, unless the reader has taken it. Returns whether it did.
    fn take_back(&self, slots: &Slots) -> bool {
        self.slot.is_none_or(|slot| slots.take_back(slot))
    }
}

/// The result of a reader's look.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Taken {
    /// Whether further notices did not fit. The reader is not woken for them.
    pub more: bool,
    /// The number of taken offers.
    pub offers: usize,
    /// The number of shown offers: the last notices of the batch.
    pub shown: usize,
}

impl<N> Queue<N> {
    /// Appends a notice.
    pub fn push(&mut self, notice: N) {
        self.notices.push_back(notice);
    }

    /// Appends an offer.
    pub fn offer(&mut self, offer: Offer, notice: N) {
        self.offers.push_back(Waiting {
            offer,
            notice,
            slot: None,
        });
    }

    /// Removes an offer. Returns false if it was taken or never existed.
    pub fn withdraw(&mut self, id: u64) -> bool {
        let mut offers = self.offers.iter();
        match offers.position(|waiting| waiting.offer.id == id) {
            Some(at) if self.offers[at].take_back(&self.slots) => self.offers.remove(at).is_some(),
            _ => false,
        }
    }

    /// Ends the last show: removes taken offers, and returns the others to the queue.
    fn end_show(&mut self) {
        let slots = &self.slots;
        let taken = |waiting: &Waiting<N>| waiting.slot.is_some_and(|slot| slots.is_taken(slot));
        while self.offers.front().is_some_and(taken) {
            self.offers.pop_front();
        }
        for waiting in &mut self.offers {
            match waiting.slot.take() {
                Some(slot) => slots.take_back(slot),
                None => break,
            };
        }
    }

    /// The number of waiting notices.
    pub fn len(&self) -> usize {
        self.notices.len()
    }

    /// Whether no notice waits.
    pub fn is_empty(&self) -> bool {
        self.notices.is_empty()
    }

    fn has_news(&self) -> bool {
        !self.notices.is_empty() || (self.room > 0 && !self.offers.is_empty())
    }
}

impl<N> NoticeQueue<N> {
    /// Makes a queue. `wake` is called on the thread that changes the entries, and must not access
    /// the queue.
    pub fn new(wake: impl Fn() + Send + Sync + 'static) -> Self {
        NoticeQueue::with_slots(wake, Arc::default())
    }

    /// Makes a queue whose reader takes offers through `slots`.
    pub fn with_slots(wake: impl Fn() + Send + Sync + 'static, slots: Arc<Slots>) -> Self {
        NoticeQueue {
            state: Mutex::new(Queue {
                notices: VecDeque::new(),
                offers: VecDeque::new(),
                slots: slots.clone(),
                room: usize::MAX,
                signalled: false,
            }),
            slots,
            wake: Box::new(wake),
        }
    }

    /// Changes the entries. The reader gets one wake-up for all changes.
    pub fn update(&self, change: impl FnOnce(&mut Queue<N>)) {
        let mut state = self.lock();
        change(&mut state);
        if state.has_news() && !state.signalled {
            state.signalled = true;
            drop(state);
            (self.wake)();
        }
    }

    /// Changes the entries without a wake-up. Returns whether one is due; an [`update`](Self::update) gives it.
    pub fn update_later(&self, change: impl FnOnce(&mut Queue<N>)) -> bool {
        let mut state = self.lock();
        change(&mut state);
        state.has_news() && !state.signalled
    }

    /// Appends one notice.
    pub fn push(&self, notice: N) {
        self.update(|queue| queue.push(notice));
    }

    /// The number of waiting notices.
    pub fn len(&self) -> usize {
        self.lock().notices.len()
    }

    /// The number of waiting offers.
    pub fn offers(&self) -> usize {
        let state = self.lock();
        let shown = state.offers.iter().map_while(|waiting| waiting.slot);
        let taken = shown.filter(|&slot| self.slots.is_taken(slot));
        state.offers.len() - taken.count()
    }

    /// Whether no notice waits.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Moves up to `max` notices into `into`, including up to `room` offers.
    pub fn take(&self, max: usize, room: usize, into: &mut Vec<N>) -> Taken {
        take(&mut self.lock(), max, room, into)
    }

    /// Takes notices as [`take`](Self::take) does. If the offers fill `room`, shows up to `ahead`
    /// more, in slots from the first on.
    pub fn take_and_show(&self, max: usize, room: usize, ahead: usize, into: &mut Vec<N>) -> Taken
    where
        N: Clone,
    {
        let mut state = self.lock();
        let taken = take(&mut state, max, room, into);
        if taken.more || taken.offers < room {
            return taken;
        }
        let shown = ahead
            .min(AHEAD)
            .min(max - into.len())
            .min(state.offers.len());
        for (slot, waiting) in state.offers.iter_mut().take(shown).enumerate() {
            waiting.slot = Some(slot);
            self.slots.show(slot);
            into.push(waiting.notice.clone());
        }
        Taken { shown, ..taken }
    }

    /// Takes back the latest offers until no more than `limit` of `outstanding` taken or offered
    /// entries are left, or no offer that is returnable and `wanted`. Returns them in the order of
    /// their creation.
    pub fn retract(
        &self,
        outstanding: usize,
        limit: usize,
        wanted: impl Fn(u64) -> bool,
    ) -> Vec<u64> {
        let mut state = self.lock();
        let mut excess = outstanding.saturating_sub(limit);
        let mut back = Vec::new();
        for at in (0..state.offers.len()).rev() {
            if excess == 0 {
                break;
            }
            let waiting = &state.offers[at];
            let Offer { id, returnable } = waiting.offer;
            if returnable && wanted(id) && waiting.take_back(&self.slots) {
                state.offers.remove(at);
                back.push(id);
                excess -= 1;
            }
        }
        back.reverse();
        back
    }

    fn lock(&self) -> MutexGuard<'_, Queue<N>> {
        // No code under the lock can leave the queue inconsistent.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn take<N>(state: &mut Queue<N>, max: usize, room: usize, into: &mut Vec<N>) -> Taken {
    state.end_show();
    let count = max.min(state.notices.len());
    into.extend(state.notices.drain(..count));
    let count = room.min(max - count).min(state.offers.len());
    into.extend(state.offers.drain(..count).map(|waiting| waiting.notice));
    state.room = room - count;
    state.signalled = state.has_news();
    Taken {
        more: state.signalled,
        offers: count,
        shown: 0,
    }
}

#[cfg(test)]
#[path = "notice_queue/tests.rs"]
mod tests;
