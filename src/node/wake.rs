//! Wakes the thread of JavaScript, and keeps its event loop alive.

use napi::bindgen_prelude::*;
use napi::threadsafe_function::{ThreadsafeFunction, ThreadsafeFunctionCallMode};
use napi::{Env, Status, sys};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

type WakeFunction = ThreadsafeFunction<(), (), (), Status, false, true>;

/// A JavaScript function that any thread may call during one run of a peer. It keeps the function,
/// and thus the peer, alive; it must be released with the last notice.
#[derive(Clone)]
pub(super) struct Wake {
    function: Arc<WakeFunction>,
    keeps_alive: Arc<AtomicBool>,
}

impl Wake {
    pub(super) fn new(function: &Function<'_, (), ()>) -> Result<Self> {
        let function = function
            .build_threadsafe_function::<()>()
            .weak::<true>()
            .build()?;
        Ok(Wake {
            function: Arc::new(function),
            keeps_alive: Arc::new(AtomicBool::new(false)),
        })
    }

    /// Calls the function on its thread. Several calls before it runs may become one.
    pub(super) fn wake(&self) {
        // Fails while the environment is being torn down; then nothing has to be woken.
        let _ = self
            .function
            .call((), ThreadsafeFunctionCallMode::NonBlocking);
    }

    /// Sets whether the event loop is kept alive.
    pub(super) fn keep_alive(&self, env: &Env, keep: bool) -> Result<()> {
        if self.keeps_alive.swap(keep, Ordering::Relaxed) == keep || self.function.aborted() {
            return Ok(());
        }
        // SAFETY: called on the function's own thread, and the function is not aborted.
        let status = unsafe {
            if keep {
                sys::napi_ref_threadsafe_function(env.raw(), self.function.raw())
            } else {
                sys::napi_unref_threadsafe_function(env.raw(), self.function.raw())
            }
        };
        match status {
            sys::Status::napi_ok => Ok(()),
            other => Err(Error::new(
                Status::from(other),
                "cannot change the keep-alive",
            )),
        }
    }
}
