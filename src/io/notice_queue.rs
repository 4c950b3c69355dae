//! The way out of the reactor: a queue of notices, offers beside it, and a wake-up a batch.

use super::claims::{AHEAD, Claims};
use super::sync::{Arc, Mutex, MutexGuard};
pub use crate::proto::machine::Offer;
use std::collections::VecDeque;
use std::sync::PoisonError;

/// Events that nobody fetches are dropped past this: they tell, they do not decide.
pub(super) const MAX_EVENTS: usize = 4096;

/// A queue that a driver fills and another thread empties. The reader is woken when there is
/// something for it to take, and not again before it has looked.
pub struct NoticeQueue<N> {
    state: Mutex<Queue<N>>,
    claims: Arc<Claims>,
    wake: Box<dyn Fn() + Send + Sync>,
}

/// What waits for the reader.
pub struct Queue<N> {
    notices: VecDeque<N>,
    /// Those that are shown stand first; those among them that were claimed, in front of all.
    offers: VecDeque<Waiting<N>>,
    claims: Arc<Claims>,
    /// How many more offers the reader has room for, as it said when it last looked.
    room: usize,
    signalled: bool,
}

/// An offer, and where it is shown.
struct Waiting<N> {
    offer: Offer,
    notice: N,
    slot: Option<usize>,
}

impl<N> Waiting<N> {
    /// Whether it is nobody's from now on.
    fn take_back(&self, claims: &Claims) -> bool {
        self.slot.is_none_or(|slot| claims.take_back(slot))
    }
}

/// What became of the reader's batch.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Taken {
    /// Whether there are notices that did not fit. Nobody wakes the reader for them.
    pub more: bool,
    /// How many offers it has taken.
    pub offers: usize,
    /// How many more it was shown: the last notices of the batch.
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

    /// Drops an offer. False if it was taken, or never was there.
    pub fn withdraw(&mut self, id: u64) -> bool {
        let mut offers = self.offers.iter();
        match offers.position(|waiting| waiting.offer.id == id) {
            Some(at) if self.offers[at].take_back(&self.claims) => self.offers.remove(at).is_some(),
            _ => false,
        }
    }

    /// Ends the last show: what was claimed is taken, and the rest waits as before.
    fn end_show(&mut self) {
        let claims = &self.claims;
        let claimed =
            |waiting: &Waiting<N>| waiting.slot.is_some_and(|slot| claims.is_claimed(slot));
        while self.offers.front().is_some_and(claimed) {
            self.offers.pop_front();
        }
        for waiting in &mut self.offers {
            match waiting.slot.take() {
                Some(slot) => claims.take_back(slot),
                None => break,
            };
        }
    }

    /// How many notices wait.
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
    /// `wake` is called from the reactor's thread, and must not call back into the queue.
    pub fn new(wake: impl Fn() + Send + Sync + 'static) -> Self {
        NoticeQueue::with_claims(wake, Arc::default())
    }

    /// The same, for a reader that claims offers.
    pub fn with_claims(wake: impl Fn() + Send + Sync + 'static, claims: Arc<Claims>) -> Self {
        NoticeQueue {
            state: Mutex::new(Queue {
                notices: VecDeque::new(),
                offers: VecDeque::new(),
                claims: claims.clone(),
                room: usize::MAX,
                signalled: false,
            }),
            claims,
            wake: Box::new(wake),
        }
    }

    /// Changes what waits; the reader learns of it in one wake-up.
    pub fn update(&self, change: impl FnOnce(&mut Queue<N>)) {
        let mut state = self.lock();
        change(&mut state);
        if state.has_news() && !state.signalled {
            state.signalled = true;
            drop(state);
            (self.wake)();
        }
    }

    /// Appends one notice.
    pub fn push(&self, notice: N) {
        self.update(|queue| queue.push(notice));
    }

    /// How many notices wait.
    pub fn len(&self) -> usize {
        self.lock().notices.len()
    }

    /// How many offers wait.
    pub fn offers(&self) -> usize {
        let state = self.lock();
        let shown = state.offers.iter().map_while(|waiting| waiting.slot);
        let claimed = shown.filter(|&slot| self.claims.is_claimed(slot));
        state.offers.len() - claimed.count()
    }

    /// Whether no notice waits.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Moves up to `max` notices into `into`, offers among them for as long as there is `room`.
    pub fn take(&self, max: usize, room: usize, into: &mut Vec<N>) -> Taken {
        take(&mut self.lock(), max, room, into)
    }

    /// The same; if the room is full then, up to `ahead` more offers are shown, in slots from the first on.
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
            self.claims.show(slot);
            into.push(waiting.notice.clone());
        }
        Taken { shown, ..taken }
    }

    /// Takes back the latest offers until, of `outstanding` things taken or offered, only `limit`
    /// are left, or no offer that is returnable and `wanted`. Gives them in the order in which they
    /// were made.
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
            if returnable && wanted(id) && waiting.take_back(&self.claims) {
                state.offers.remove(at);
                back.push(id);
                excess -= 1;
            }
        }
        back.reverse();
        back
    }

    fn lock(&self) -> MutexGuard<'_, Queue<N>> {
        // Nothing that runs under the lock leaves the queue half-changed.
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
