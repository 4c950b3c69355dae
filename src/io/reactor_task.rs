//! A task of the present reactor that ends with its handle.

use super::context::Lingering;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::task::AbortHandle;

/// The handle. The task closes its descriptors in a later turn of the reactor than the one in which the handle is
/// dropped. Code that has to know that they are closed calls [`flushed`](super::context::flushed).
pub(super) struct ReactorTask {
    task: AbortHandle,
    /// Dropped when the task is.
    ending: Arc<Mutex<Option<Lingering>>>,
}

impl ReactorTask {
    pub(super) fn spawn(work: impl Future<Output = ()> + 'static) -> Self {
        let ending = Arc::default();
        let held = Arc::clone(&ending);
        let task = tokio::task::spawn_local(async move {
            let _held = held;
            work.await;
        });
        let task = task.abort_handle();
        ReactorTask { task, ending }
    }
}

impl Drop for ReactorTask {
    fn drop(&mut self) {
        let mut ending = self.ending.lock().unwrap_or_else(PoisonError::into_inner);
        *ending = Some(Lingering::begin());
        self.task.abort();
    }
}
