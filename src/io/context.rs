//! The libzmq context of the process, which exists while there is a socket.
//!
//! All threads of JavaScript share it, so that `inproc://` connects any two of them. It is created
//! for the first socket and terminated after the last, so that an idle process has no thread and no
//! descriptor of libzmq.

use super::Error;
use super::zap::handle::Handler;
use std::collections::BTreeSet;
use std::ffi::{CStr, CString, c_int, c_void};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::thread;
use std::time::Duration;
use tokio::sync::{Notify, OnceCell};

/// Maximum number of sockets. libzmq's default of 1023 would limit a process with many clients.
const MAX_SOCKETS: c_int = 65_535;

/// A share in the context. Dropping the last share terminates it.
#[derive(Debug)]
pub(super) struct Context {
    raw: *mut c_void,
    /// Connected inproc addresses, and the socket that binds them at the end.
    bindings: Mutex<InprocBindings>,
    /// The handler, once it is needed. It has a socket but no share: it ends with the context.
    zap: OnceCell<Handler>,
}

// SAFETY: libzmq contexts are thread-safe; the socket in `bindings` is used under its lock.
unsafe impl Send for Context {}
// SAFETY: as above.
unsafe impl Sync for Context {}

/// A connection to an unbound inproc address keeps its socket alive. libzmq binds all such
/// addresses when a context is terminated, each with a new socket, and aborts the process if no
/// descriptor is left. This socket is therefore reserved for that task.
#[derive(Debug)]
struct InprocBindings {
    binder: *mut c_void,
    addresses: BTreeSet<CString>,
}

impl InprocBindings {
    fn dissolve(&mut self) {
        for address in std::mem::take(&mut self.addresses) {
            // SAFETY: the socket is open, because it is created before the first address is stored;
            // the string ends in NUL. Binding fails harmlessly if the address is bound already.
            unsafe { zmq_sys::zmq_bind(self.binder, address.as_ptr()) };
        }
        if !self.binder.is_null() {
            // SAFETY: the socket is open and not used afterwards.
            unsafe { zmq_sys::zmq_close(self.binder) };
            self.binder = std::ptr::null_mut();
        }
    }
}

#[derive(Debug)]
struct Registry {
    current: Weak<Context>,
    /// Contexts that are not yet terminated, including the current one.
    alive: usize,
    /// See [`Lingering`].
    lingering: usize,
}

/// Something that ends soon: a closed connection outside of libzmq that still sends, or the thread
/// of a context that has ended.
pub(super) struct Lingering(());

impl Lingering {
    pub(super) fn begin() -> Self {
        registry().lingering += 1;
        Lingering(())
    }
}

impl Drop for Lingering {
    fn drop(&mut self) {
        registry().lingering -= 1;
        tell_ended();
    }
}

static REGISTRY: Mutex<Registry> = Mutex::new(Registry {
    current: Weak::new(),
    alive: 0,
    lingering: 0,
});
static TERMINATED: Condvar = Condvar::new();
static TERMINATED_ASYNC: Notify = Notify::const_new();

fn registry() -> MutexGuard<'static, Registry> {
    // No code under the lock can leave the registry inconsistent.
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
            return Err(Error::last("cannot create a context"));
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

    /// The ZAP handler; `start` makes it on first use.
    pub(super) async fn zap(
        &self,
        start: impl AsyncFnOnce(*mut c_void) -> Result<Handler, Error>,
    ) -> Result<&Handler, Error> {
        self.zap.get_or_try_init(|| start(self.raw)).await
    }

    /// The ZAP handler, if it was started.
    pub(super) fn started_zap(&self) -> Option<&Handler> {
        self.zap.get()
    }

    pub(super) fn as_raw(&self) -> *mut c_void {
        self.raw
    }

    /// Registers an inproc address that a socket connects to and that may never be bound.
    pub(super) fn will_connect(&self, address: &CStr) -> Result<(), Error> {
        let mut bindings = self.bindings.lock().unwrap_or_else(PoisonError::into_inner);
        if bindings.binder.is_null() {
            // SAFETY: the context is alive; null is checked.
            let binder = unsafe { zmq_sys::zmq_socket(self.raw, zmq_sys::ZMQ_PAIR as c_int) };
            if binder.is_null() {
                return Err(Error::last("cannot create a socket"));
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
            // SAFETY: the last share is dropped, and with it the last socket. The call waits until
            // sent messages have left, at most for the linger time of the sockets; a signal may
            // interrupt it.
            while unsafe { zmq_sys::zmq_ctx_term(raw) } == -1 {
                // SAFETY: reads a thread-local number.
                if unsafe { zmq_sys::zmq_errno() } != zmq_sys::errno::EINTR {
                    break;
                }
            }
            registry().alive -= 1;
            tell_ended();
        };
        // It may wait, so it must not block a reactor, unless no thread can be started.
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
    /// Whether an unused context is still being terminated, or a closed connection still sends.
    fn is_terminating(&self) -> bool {
        self.lingering > 0 || self.alive > usize::from(self.current.strong_count() > 0)
    }
}

fn tell_ended() {
    TERMINATED.notify_all();
    TERMINATED_ASYNC.notify_waiters();
}

/// Waits until every context without a socket is terminated and closed connections have sent the
/// rest, so that sent messages have left the process, or until `patience` has passed.
pub fn quiesce(patience: Duration) {
    let _ = TERMINATED
        .wait_timeout_while(registry(), patience, |registry| registry.is_terminating())
        .unwrap_or_else(PoisonError::into_inner);
}

/// Waits as [`quiesce`] does, for a driver that has just closed its socket: a process may end as
/// soon as its caller is told. While other sockets exist, it does not wait, because the context
/// stays alive.
pub(super) async fn flushed() {
    loop {
        // The order prevents that a termination between the check and the wait is missed.
        let terminated = TERMINATED_ASYNC.notified();
        if !registry().is_terminating() {
            return;
        }
        terminated.await;
    }
}
