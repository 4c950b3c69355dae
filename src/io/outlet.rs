//! The way out of the reactor: a queue of notices, and a wake-up a batch.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// A queue that a driver fills and another thread empties. The reader is woken when the queue
/// becomes non-empty, and not again before it has taken everything.
pub struct Outlet<N> {
    state: Mutex<State<N>>,
    wake: Box<dyn Fn() + Send + Sync>,
}

struct State<N> {
    queue: VecDeque<N>,
    signalled: bool,
}

impl<N> Outlet<N> {
    /// `wake` is called from the reactor's thread, and must not call back into the outlet.
    pub fn new(wake: impl Fn() + Send + Sync + 'static) -> Self {
        Outlet {
            state: Mutex::new(State {
                queue: VecDeque::new(),
                signalled: false,
            }),
            wake: Box::new(wake),
        }
    }

    /// Appends notices; the reader learns of them in one wake-up.
    pub fn push_all(&self, notices: impl Iterator<Item = N>) {
        let mut state = self.lock();
        state.queue.extend(notices);
        if !state.queue.is_empty() && !state.signalled {
            state.signalled = true;
            drop(state);
            (self.wake)();
        }
    }

    /// Appends one notice.
    pub fn push(&self, notice: N) {
        self.push_all(std::iter::once(notice));
    }

    /// How many notices wait.
    pub fn len(&self) -> usize {
        self.lock().queue.len()
    }

    /// Whether none waits.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Moves up to `max` notices into `into`. False once nothing is left, after which the next
    /// notice wakes the reader again; a reader that was told true must come back by itself.
    pub fn take(&self, max: usize, into: &mut Vec<N>) -> bool {
        let mut state = self.lock();
        let count = max.min(state.queue.len());
        into.extend(state.queue.drain(..count));
        state.signalled = !state.queue.is_empty();
        state.signalled
    }

    fn lock(&self) -> MutexGuard<'_, State<N>> {
        // Nothing that runs under the lock leaves the queue half-changed.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    #[test]
    fn one_wake_up_a_batch() {
        let wakes = Arc::new(AtomicUsize::new(0));
        let counter = wakes.clone();
        let outlet = Outlet::new(move || {
            counter.fetch_add(1, Ordering::Relaxed);
        });
        outlet.push_all(std::iter::empty());
        assert_eq!(wakes.load(Ordering::Relaxed), 0);
        outlet.push(1);
        outlet.push_all([2, 3].into_iter());
        assert_eq!(wakes.load(Ordering::Relaxed), 1);

        let mut got = Vec::new();
        assert!(outlet.take(2, &mut got));
        outlet.push(4);
        assert_eq!(wakes.load(Ordering::Relaxed), 1, "the reader knows that more is there");
        assert!(!outlet.take(9, &mut got));
        assert_eq!(got, [1, 2, 3, 4]);
        outlet.push(5);
        assert_eq!(wakes.load(Ordering::Relaxed), 2);
    }
}
