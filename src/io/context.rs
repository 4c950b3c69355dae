//! The libzmq context of the process, which exists while there is a socket.
//!
//! All threads of JavaScript share it, so that `inproc://` connects any two of them. It is created
//! for the first socket and terminated after the last, so that an idle process has no thread and no
//! descriptor of libzmq.

use super::Error;
use std::collections::BTreeSet;
use std::ffi::{CStr, CString, c_int, c_void};
use std::sync::{Arc, Condvar, LazyLock, Mutex, MutexGuard, PoisonError, Weak};
use std::thread;
use std::time::Duration;
use tokio::sync::watch;

/// Maximum number of sockets. libzmq's default of 1023 would limit a process with many clients.
const MAX_SOCKETS: c_int = 65_535;

/// The interval at which a driver checks whether closed sockets have released their descriptors.
const LOOK: Duration = Duration::from_millis(1);

/// How long it checks that: longer than sockets may linger.
const CLOSING_PATIENCE: Duration = Duration::from_millis(600);

/// A share in the context. Dropping the last share terminates it.
#[derive(Debug)]
pub(super) struct Context {
    raw: RawContext,
    /// The bound inproc addresses. A connection to an unbound address keeps its socket in libzmq, even after close.
    /// So the caller waits until the address is in this set.
    bound: Mutex<BTreeSet<CString>>,
}

/// libzmq's context, which may be used by any thread.
#[derive(Debug, Clone, Copy)]
struct RawContext(*mut c_void);

// SAFETY: libzmq contexts are thread-safe.
unsafe impl Send for RawContext {}
// SAFETY: as above.
unsafe impl Sync for RawContext {}

impl RawContext {
    fn as_ptr(self) -> *mut c_void {
        self.0
    }
}

/// Changes whenever an inproc address is bound.
static BOUND: LazyLock<watch::Sender<()>> = LazyLock::new(|| watch::Sender::new(()));

/// Tells when an inproc address is bound, from now on.
pub(super) fn watch_bound() -> watch::Receiver<()> {
    BOUND.subscribe()
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
/// of a handler that has ended.
#[derive(Debug)]
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
        // A small frame would keep the whole buffer in which it arrived, which no account is charged for. Large ones
        // never pass through that buffer.
        const ZERO_COPY: c_int = zmq_sys::ZMQ_ZERO_COPY_RECV as c_int;
        // SAFETY: a fresh context.
        unsafe {
            zmq_sys::zmq_ctx_set(raw, zmq_sys::ZMQ_MAX_SOCKETS as c_int, MAX_SOCKETS);
            zmq_sys::zmq_ctx_set(raw, ZERO_COPY, 0);
        };
        let context = Arc::new(Context {
            raw: RawContext(raw),
            bound: Mutex::default(),
        });
        registry.current = Arc::downgrade(&context);
        registry.alive += 1;
        Ok(context)
    }

    pub(super) fn as_ptr(&self) -> *mut c_void {
        self.raw.as_ptr()
    }

    /// Lets `bind` bind a socket to an inproc address.
    pub(super) fn bind_inproc<E>(
        &self,
        address: &CStr,
        bind: impl FnOnce() -> Result<(), E>,
    ) -> Result<(), E> {
        let mut bound = self.bound();
        bind()?;
        bound.insert(address.into());
        BOUND.send_replace(());
        Ok(())
    }

    /// Lets `connect` connect a socket to an inproc address, if it is bound. Returns whether it is.
    pub(super) fn connect_inproc<E>(
        &self,
        address: &CStr,
        connect: impl FnOnce() -> Result<(), E>,
    ) -> Result<bool, E> {
        let bound = self.bound();
        let is_bound = bound.contains(address);
        if is_bound {
            connect()?;
        }
        Ok(is_bound)
    }

    /// Lets `unbind` free an inproc address.
    pub(super) fn unbind_inproc(&self, address: &CStr, unbind: impl FnOnce()) {
        let mut bound = self.bound();
        unbind();
        bound.remove(address);
    }

    fn bound(&self) -> MutexGuard<'_, BTreeSet<CString>> {
        self.bound.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether a socket that was closed still has descriptors.
    fn is_closing(&self) -> bool {
        // SAFETY: the context is alive.
        unsafe { zmq_sys::zmq_sys_is_closing(self.raw.as_ptr()) != 0 }
    }
}

impl Drop for Context {
    fn drop(&mut self) {
        let raw = self.raw;
        let terminate = move || {
            // SAFETY: the last share is dropped, and with it the last socket. The call waits until
            // sent messages have left, at most for the linger time of the sockets; a signal may
            // interrupt it.
            while unsafe { zmq_sys::zmq_ctx_term(raw.as_ptr()) } == -1 {
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
}

/// Waits until every context without a socket is terminated and closed connections have sent the
/// rest, so that sent messages have left the process, or until `patience` has passed.
pub fn quiesce(patience: Duration) {
    let _ = TERMINATED
        .wait_timeout_while(registry(), patience, |registry| registry.is_terminating())
        .unwrap_or_else(PoisonError::into_inner);
}

/// Waits as [`quiesce`] does, for a driver that has just closed its socket: a process may end as
/// soon as its caller is told. While other sockets exist, the context stays alive: then it waits until libzmq has
/// closed the descriptors of the sockets that were closed.
///
/// It looks at intervals: another thread that notified it would keep the descriptors of its reactor for a moment.
pub(super) async fn flushed() {
    let mut patience = CLOSING_PATIENCE;
    let mut was_closed = false;
    loop {
        if registry().is_terminating() {
            tokio::time::sleep(LOOK).await;
            continue;
        }
        // Not while the registry is locked: this may be the last share.
        let current = registry().current.upgrade();
        let Some(context) = current else {
            return;
        };
        // libzmq removes a socket from its list right before it closes the last descriptor, so that the second look
        // counts.
        let is_closed = !context.is_closing();
        drop(context);
        if is_closed && was_closed || patience.is_zero() {
            return;
        }
        was_closed = is_closed;
        patience = patience.saturating_sub(LOOK);
        tokio::time::sleep(LOOK).await;
    }
}
