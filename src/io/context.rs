//! The one libzmq context of the process, for as long as anybody has a socket.
//!
//! One for all threads of JavaScript, so that `inproc://` connects any two of them. It is made for
//! the first socket and terminated after the last, so that an idle process holds no thread and no
//! descriptor of libzmq.

use super::Error;
use super::zap::Handler;
use std::collections::BTreeSet;
use std::ffi::{CStr, CString, c_int, c_void};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::thread;
use std::time::Duration;
use tokio::sync::{Notify, OnceCell};

/// libzmq's own default of 1023 would be the first limit that a process with many clients meets.
const MAX_SOCKETS: c_int = 65_535;

/// A share in the context. The last one to go terminates it.
#[derive(Debug)]
pub(super) struct Context {
    raw: *mut c_void,
    /// Inproc addresses that were connected to, and the socket that is to bind them in the end.
    bindings: Mutex<InprocBindings>,
    /// Once somebody needs it. It has a socket, but no share: it ends when the context does.
    zap: OnceCell<Handler>,
}

// SAFETY: libzmq contexts are thread-safe; the socket in `bindings` is used under its lock.
unsafe impl Send for Context {}
// SAFETY: as above.
unsafe impl Sync for Context {}

/// A connection to an inproc address that nobody binds keeps its socket from ending, so libzmq
/// binds them all when a context is terminated, each with a socket of its own, and aborts the
/// process where there is no descriptor left for that. So one socket is held ready to do it.
#[derive(Debug)]
struct InprocBindings {
    binder: *mut c_void,
    addresses: BTreeSet<CString>,
}

impl InprocBindings {
    fn dissolve(&mut self) {
        for address in std::mem::take(&mut self.addresses) {
            // SAFETY: the socket is open, since it is made before the first address is kept; the
            // string ends in NUL. An address that somebody has bound already needs nothing.
            unsafe { zmq_sys::zmq_bind(self.binder, address.as_ptr()) };
        }
        if !self.binder.is_null() {
            // SAFETY: the socket is open, and nobody uses it after this.
            unsafe { zmq_sys::zmq_close(self.binder) };
            self.binder = std::ptr::null_mut();
        }
    }
}

#[derive(Debug)]
struct Registry {
    current: Weak<Context>,
    /// Contexts that are not terminated yet, the current one included.
    alive: usize,
}

static REGISTRY: Mutex<Registry> = Mutex::new(Registry {
    current: Weak::new(),
    alive: 0,
});
static TERMINATED: Condvar = Condvar::new();
static TERMINATED_ASYNC: Notify = Notify::const_new();

fn registry() -> MutexGuard<'static, Registry> {
    // Nothing that runs under the lock can leave it half-changed.
    REGISTRY.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Context {
    pub(super) fn acquire() -> Result<Arc<Context>, Error> {
        let mut registry = registry();
        if let Some(context) = registry.current.upgrade() {
            return Ok(context);
        }
        // SAFETY: no preconditions; null is checked.
        let raw = unsafe { zmq_sys::zmq_ctx_new() };
        if raw.is_null() {
            return Err(Error::last("cannot make a context"));
        }
        // SAFETY: a fresh context.
        unsafe { zmq_sys::zmq_ctx_set(raw, zmq_sys::ZMQ_MAX_SOCKETS as c_int, MAX_SOCKETS) };
        let bindings = Mutex::new(InprocBindings {
            binder: std::ptr::null_mut(),
            addresses: BTreeSet::new(),
        });
        let context = Arc::new(Context {
            raw,
            bindings,
            zap: OnceCell::new(),
        });
        registry.current = Arc::downgrade(&context);
        registry.alive += 1;
        Ok(context)
    }

    /// The handler that decides who is let in, which runs from now on.
    pub(super) async fn zap(&self) -> Result<&Handler, Error> {
        self.zap.get_or_try_init(|| Handler::start(self.raw)).await
    }

    pub(super) fn as_raw(&self) -> *mut c_void {
        self.raw
    }

    /// Takes note that a socket connects to this inproc address, which may never be bound.
    pub(super) fn will_connect(&self, address: &CStr) -> Result<(), Error> {
        let mut bindings = self.bindings.lock().unwrap_or_else(PoisonError::into_inner);
        if bindings.binder.is_null() {
            // SAFETY: the context is alive; null is checked.
            let binder = unsafe { zmq_sys::zmq_socket(self.raw, zmq_sys::ZMQ_PAIR as c_int) };
            if binder.is_null() {
                return Err(Error::last("cannot make a socket"));
            }
            bindings.binder = binder;
        }
        if !bindings.addresses.contains(address) {
            bindings.addresses.insert(address.into());
        }
        Ok(())
    }
}

impl Drop for Context {
    fn drop(&mut self) {
        self.bindings
            .get_mut()
            .unwrap_or_else(PoisonError::into_inner)
            .dissolve();
        struct Raw(*mut c_void);
        // SAFETY: libzmq contexts are thread-safe.
        unsafe impl Send for Raw {}
        let raw = Raw(self.raw);
        let terminate = move || {
            let Raw(raw) = { raw };
            // SAFETY: the last share is gone, and with it the last socket. The call waits until
            // what was sent has left, at most as long as the sockets may linger; a signal may
            // interrupt it.
            while unsafe { zmq_sys::zmq_ctx_term(raw) } == -1 {
                // SAFETY: reads a thread-local number.
                if unsafe { zmq_sys::zmq_errno() } != zmq_sys::errno::EINTR {
                    break;
                }
            }
            registry().alive -= 1;
            TERMINATED.notify_all();
            TERMINATED_ASYNC.notify_waiters();
        };
        // It may wait, so it must not hold up a reactor. Without a thread to spare it does.
        let shared = Arc::new(Mutex::new(Some(terminate)));
        let theirs = shared.clone();
        let run = move || {
            let terminate = theirs.lock().unwrap_or_else(PoisonError::into_inner).take();
            if let Some(terminate) = terminate {
                terminate();
            }
        };
        if thread::Builder::new()
            .name("omdp-term".into())
            .spawn(run)
            .is_err()
        {
            let terminate = shared.lock().unwrap_or_else(PoisonError::into_inner).take();
            if let Some(terminate) = terminate {
                terminate();
            }
        }
    }
}

impl Registry {
    /// Whether a context that nobody uses any more is still being terminated.
    fn is_terminating(&self) -> bool {
        self.alive > usize::from(self.current.strong_count() > 0)
    }
}

/// Waits until every context without a socket is terminated, so that what was sent has left the
/// process, or until `patience` ends.
pub fn quiesce(patience: Duration) {
    let _ = TERMINATED
        .wait_timeout_while(registry(), patience, |registry| registry.is_terminating())
        .unwrap_or_else(PoisonError::into_inner);
}

/// The same for a driver that has just closed its socket: a process may end once it is told so.
/// Where others still have sockets there is nothing to wait for, and nothing is known.
pub(super) async fn flushed() {
    loop {
        // Before the look, so that a termination in between is not missed.
        let terminated = TERMINATED_ASYNC.notified();
        if !registry().is_terminating() {
            return;
        }
        terminated.await;
    }
}
