//! Waking the thread of JavaScript, and keeping its event loop alive.

use crate::io;
use napi::bindgen_prelude::*;
use napi::threadsafe_function::{ThreadsafeFunction, ThreadsafeFunctionCallMode};
use napi::{Env, Status, sys};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

type WakeFunction = ThreadsafeFunction<(), (), (), Status, false, true>;

/// A function of JavaScript that any thread may call, for as long as one life of a peer lasts: it
/// holds the function, and so the peer, which must not outlive its last notice because of it.
#[derive(Clone)]
pub(super) struct Wake {
    function: Arc<WakeFunction>,
    keeps_alive: Arc<AtomicBool>,
}

impl Wake {
    pub(super) fn new(env: &Env, function: &Function<'_, (), ()>) -> Result<Self> {
        flush_at_exit(env)?;
        let function = function
            .build_threadsafe_function::<()>()
            .weak::<true>()
            .build()?;
        Ok(Wake {
            function: Arc::new(function),
            keeps_alive: Arc::new(AtomicBool::new(false)),
        })
    }

    /// Has the function called on its thread. Calls that come before it ran may be one.
    pub(super) fn wake(&self) {
        // Refused once the environment is being torn down, when nobody is left to be woken.
        let _ = self
            .function
            .call((), ThreadsafeFunctionCallMode::NonBlocking);
    }

    /// Whether the event loop is to go on although nothing else is left to do.
    pub(super) fn keep_alive(&self, env: &Env, keep: bool) -> Result<()> {
        if self.keeps_alive.swap(keep, Ordering::Relaxed) == keep || self.function.aborted() {
            return Ok(());
        }
        // SAFETY: called on the function's own thread, and it was not aborted.
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

/// What a peer said last, its goodbye or a worker's reply, may still be on its way when the event
/// loop ends; the environment waits for it, for a moment.
fn flush_at_exit(env: &Env) -> Result<()> {
    const PATIENCE: Duration = Duration::from_millis(500);

    struct Installed;
    if env.get_instance_data::<Installed>()?.is_some() {
        return Ok(());
    }
    env.set_instance_data(Installed, (), |_| {})?;
    env.add_env_cleanup_hook((), |()| {
        io::quiesce(PATIENCE);
    })?;
    Ok(())
}
