//! Reactor threads. Each runs its drivers on its own tokio runtime.

use super::Error;
use std::cell::RefCell;
use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::thread;
use tokio::runtime;
use tokio::sync::mpsc;
use tokio::task::LocalSet;

type Job = Box<dyn FnOnce() + Send>;

thread_local! {
    static AFTERWARDS: RefCell<Vec<Box<dyn FnOnce()>>> = const { RefCell::new(Vec::new()) };
}

/// Calls this when the driver, which has nothing else left to do, has ended; if it is the last one
/// of its thread, when the thread has closed its descriptors.
pub(super) fn afterwards(last: impl FnOnce() + 'static) {
    AFTERWARDS.with_borrow_mut(|all| all.push(Box::new(last)));
}

fn call_afterwards() {
    for last in AFTERWARDS.take() {
        last();
    }
}

/// A thread that runs drivers. Each driver holds a handle; the thread ends with the last one.
#[derive(Debug)]
pub(super) struct Reactor {
    jobs: mpsc::UnboundedSender<Job>,
}

impl Reactor {
    /// Starts a separate thread, for a broker, which may keep a core busy.
    pub(super) fn spawn(name: &str) -> Result<Arc<Reactor>, Error> {
        let runtime = runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| Error::from_os(&error, "cannot start a reactor"))?;
        let (jobs, mut inbox) = mpsc::unbounded_channel::<Job>();
        thread::Builder::new()
            .name(name.into())
            .spawn(move || {
                LocalSet::new().block_on(&runtime, async move {
                    while let Some(job) = inbox.recv().await {
                        job();
                    }
                });
                drop(runtime);
                call_afterwards();
            })
            .map_err(|error| Error::from_os(&error, "cannot start a reactor thread"))?;
        Ok(Arc::new(Reactor { jobs }))
    }

    /// The thread that all workers and clients share.
    pub(super) fn shared() -> Result<Arc<Reactor>, Error> {
        static SHARED: Mutex<Weak<Reactor>> = Mutex::new(Weak::new());
        let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(reactor) = shared.upgrade() {
            return Ok(reactor);
        }
        let reactor = Reactor::spawn("omdp-peers")?;
        *shared = Arc::downgrade(&reactor);
        Ok(reactor)
    }

    /// Makes a driver on this thread, where it remains.
    pub(super) fn drive<D>(self: Arc<Self>, driver: impl FnOnce() -> D + Send + 'static)
    where
        D: Future<Output = ()> + 'static,
    {
        let reactor = self.clone();
        let job = Box::new(move || {
            let driver = driver();
            tokio::task::spawn_local(async move {
                driver.await;
                // The thread must not end before. If this was its last driver, it ends now.
                match Arc::into_inner(reactor) {
                    Some(reactor) => drop(reactor),
                    None => call_afterwards(),
                }
            });
        });
        // Sending cannot fail: the thread lives as long as `self`.
        let _ = self.jobs.send(job);
    }
}
