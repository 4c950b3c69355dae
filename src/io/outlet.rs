//! The way out of the reactor: a queue of notices, offers beside it, and a wake-up a batch.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Events that nobody fetches are dropped past this: they tell, they do not decide.
pub(super) const MAX_EVENTS: usize = 4096;

/// Something that the reader takes when it has room for it, and that can be taken back until then.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Offer {
    /// Its name.
    pub id: u64,
    /// Whether it may be taken back.
    pub returnable: bool,
}

/// A queue that a driver fills and another thread empties. The reader is woken when there is
/// something for it to take, and not again before it has looked.
pub struct Outlet<N> {
    state: Mutex<Queue<N>>,
    wake: Box<dyn Fn() + Send + Sync>,
}

/// What waits for the reader.
pub struct Queue<N> {
    notices: VecDeque<N>,
    offers: VecDeque<(Offer, N)>,
    /// How many more offers the reader has room for, as it said when it last looked.
    room: usize,
    signalled: bool,
}

/// What became of the reader's batch.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Taken {
    /// Whether there are notices that did not fit. Nobody wakes the reader for them.
    pub more: bool,
    /// How many offers it has taken.
    pub offers: usize,
}

impl<N> Queue<N> {
    /// Appends a notice.
    pub fn push(&mut self, notice: N) {
        self.notices.push_back(notice);
    }

    /// Appends an offer.
    pub fn offer(&mut self, offer: Offer, notice: N) {
        self.offers.push_back((offer, notice));
    }

    /// Drops an offer. False if it was taken, or never was there.
    pub fn withdraw(&mut self, id: u64) -> bool {
        let at = self.offers.iter().position(|(offer, _)| offer.id == id);
        at.and_then(|at| self.offers.remove(at)).is_some()
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

impl<N> Outlet<N> {
    /// `wake` is called from the reactor's thread, and must not call back into the outlet.
    pub fn new(wake: impl Fn() + Send + Sync + 'static) -> Self {
        Outlet {
            state: Mutex::new(Queue {
                notices: VecDeque::new(),
                offers: VecDeque::new(),
                room: usize::MAX,
                signalled: false,
            }),
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
        self.lock().offers.len()
    }

    /// Whether no notice waits.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Moves up to `max` notices into `into`, offers among them for as long as there is `room`.
    pub fn take(&self, max: usize, room: usize, into: &mut Vec<N>) -> Taken {
        let mut state = self.lock();
        let count = max.min(state.notices.len());
        into.extend(state.notices.drain(..count));
        let count = room.min(max - count).min(state.offers.len());
        into.extend(state.offers.drain(..count).map(|(_, notice)| notice));
        state.room = room - count;
        state.signalled = state.has_news();
        Taken {
            more: state.signalled,
            offers: count,
        }
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
            let offer = &state.offers[at].0;
            if offer.returnable && wanted(offer.id) {
                back.extend(state.offers.remove(at).map(|(offer, _)| offer.id));
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

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    fn outlet() -> (Outlet<u64>, impl Fn() -> usize) {
        let wakes = Arc::new(AtomicUsize::new(0));
        let counter = wakes.clone();
        let outlet = Outlet::new(move || {
            counter.fetch_add(1, Ordering::Relaxed);
        });
        (outlet, move || wakes.load(Ordering::Relaxed))
    }

    fn offer(outlet: &Outlet<u64>, ids: std::ops::Range<u64>) {
        outlet.update(|queue| {
            for id in ids {
                let returnable = id != 0;
                queue.offer(Offer { id, returnable }, id);
            }
        });
    }

    #[test]
    fn one_wake_up_a_batch() {
        let (outlet, wakes) = outlet();
        outlet.update(|_| {});
        assert_eq!(wakes(), 0);
        outlet.push(1);
        outlet.push(2);
        outlet.push(3);
        assert_eq!(wakes(), 1);

        let mut got = Vec::new();
        assert!(outlet.take(2, 9, &mut got).more);
        outlet.push(4);
        assert_eq!(wakes(), 1, "the reader knows that more is there");
        assert!(!outlet.take(9, 9, &mut got).more);
        assert_eq!(got, [1, 2, 3, 4]);
        outlet.push(5);
        assert_eq!(wakes(), 2);
    }

    #[test]
    fn offers_wait_for_room() {
        let (outlet, wakes) = outlet();
        offer(&outlet, 1..4);
        assert_eq!(wakes(), 1);
        let mut got = Vec::new();
        let left = outlet.take(9, 1, &mut got);
        assert_eq!(got, [1]);
        assert_eq!((left.more, left.offers), (false, 1));
        offer(&outlet, 4..5);
        assert_eq!(wakes(), 1, "the reader has no room");
        outlet.push(100);
        assert_eq!(wakes(), 2, "but a notice needs none");
        outlet.take(9, 2, &mut got);
        assert_eq!(got, [1, 100, 2, 3]);
    }

    #[test]
    fn offers_can_be_taken_back_until_they_are_taken() {
        let (outlet, _) = outlet();
        offer(&outlet, 0..6);
        let mut got = Vec::new();
        outlet.take(9, 1, &mut got);
        assert_eq!(got, [0]);
        assert_eq!(outlet.retract(6, 3, |id| id != 4), [2, 3, 5]);
        outlet.update(|queue| assert!(queue.withdraw(4) && !queue.withdraw(0)));
        assert_eq!(outlet.retract(2, 0, |_| true), [1]);
        offer(&outlet, 0..1);
        assert_eq!(outlet.retract(1, 0, |_| true), [0; 0], "not returnable");
    }
}
