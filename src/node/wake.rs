//! Wakes the thread of JavaScript, and keeps its event loop alive.

use napi::bindgen_prelude::*;
use napi::threadsafe_function::{ThreadsafeFunction, ThreadsafeFunctionCallMode};
use napi::{Env, Status, check_status, sys};
use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;

/// A function that is called to wake a peer.
type Woken = FunctionRef<(), ()>;

/// A function that calls its argument.
pub type Call<'env> = Function<'env, Argument, ()>;

type Caller = ThreadsafeFunction<Arc<Woken>, (), Argument, Status, false, true>;

/// The value of a function.
pub struct Argument(sys::napi_value);

impl ToNapiValue for Argument {
    unsafe fn to_napi_value(_env: sys::napi_env, argument: Self) -> Result<sys::napi_value> {
        Ok(argument.0)
    }
}

/// The wake-ups of an environment. At each wake-up the event loop visits every thread-safe function, so all peers share
/// one.
pub(super) struct Wakes {
    caller: Arc<Caller>,
    env: sys::napi_env,
    /// How many runs keep the event loop alive.
    holds: Cell<usize>,
}

impl Wakes {
    pub(super) fn new(env: &Env, call: &Call<'_>) -> Result<Self> {
        let caller = call
            .build_threadsafe_function::<Arc<Woken>>()
            .weak::<true>()
            .build_callback(|context| {
                let woken = context.value.borrow_back(&context.env)?;
                Ok(Argument(woken.raw()))
            })?;
        Ok(Wakes {
            caller: Arc::new(caller),
            env: env.raw(),
            holds: Cell::new(0),
        })
    }

    /// Keeps the event loop alive for one run more, or no longer for one.
    fn hold(&self, more: bool) -> Result<()> {
        let before = self.holds.get();
        let now = match more {
            true => before + 1,
            false => before.saturating_sub(1),
        };
        self.holds.set(now);
        if (before > 0) == (now > 0) || self.caller.aborted() {
            return Ok(());
        }
        // SAFETY: called on the function's own thread, and the function is not aborted, so that its environment lives.
        check_status!(unsafe {
            if more {
                sys::napi_ref_threadsafe_function(self.env, self.caller.raw())
            } else {
                sys::napi_unref_threadsafe_function(self.env, self.caller.raw())
            }
        })
    }
}

/// The wake-ups of one run of a peer. They keep the function alive, which has a weak reference to the peer.
pub(super) struct Wake {
    wakes: Rc<Wakes>,
    woken: Arc<Woken>,
    keeps_alive: Cell<bool>,
}

impl Wake {
    pub(super) fn new(wakes: Rc<Wakes>, woken: &Function<'_, (), ()>) -> Result<Self> {
        Ok(Wake {
            wakes,
            woken: Arc::new(woken.create_ref()?),
            keeps_alive: Cell::new(false),
        })
    }

    /// What any thread may call, so that the function is called on its thread. Several calls before it runs may become
    /// one. It must be dropped with the last notice.
    pub(super) fn waker(&self) -> impl Fn() + Send + Sync + use<> {
        let (caller, woken) = (self.wakes.caller.clone(), self.woken.clone());
        move || {
            // Fails while the environment is being torn down; then nothing has to be woken.
            let _ = caller.call(woken.clone(), ThreadsafeFunctionCallMode::NonBlocking);
        }
    }

    /// Sets whether the event loop is kept alive.
    pub(super) fn keep_alive(&self, keep: bool) -> Result<()> {
        match self.keeps_alive.replace(keep) == keep {
            true => Ok(()),
            false => self.wakes.hold(keep),
        }
    }
}

impl Drop for Wake {
    fn drop(&mut self) {
        // Only an environment that ends refuses this.
        let _ = self.keep_alive(false);
    }
}
