//! A task of the present reactor that ends with its handle.

use super::context::Lingering;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::task::AbortHandle;

/// The handle. The task closes its descriptors in a later turn of the reactor than the one in which the handle is
/// dropped; what has to know waits for that, see [`flushed`](super::context::flushed).
pub(super) struct Task {
    task: AbortHandle,
    /// Dropped when the task is.
    ending: Arc<Mutex<Option<Lingering>>>,
}

impl Task {
    pub(super) fn spawn(work: impl Future<Output = ()> + 'static) -> Self {
        let ending = Arc::default();
        let held = Arc::clone(&ending);
        let task = tokio::task::spawn_local(async move {
            let _held = held;
            work.await;
        });
        let task = task.abort_handle();
        Task { task, ending }
    }
}

impl Drop for Task {
    fn drop(&mut self) {
        let mut ending = self.ending.lock().unwrap_or_else(PoisonError::into_inner);
        *ending = Some(Lingering::begin());
        self.task.abort();
    }
}
