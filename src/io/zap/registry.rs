//! The handler of the process, and the authenticators of its brokers by their ZAP domains.

use super::authenticator::Authenticator;
use super::handle::{Answer, Handler, Outcome};
use super::request::{AuthNotice, Verdict};
use crate::io::Error;
use crate::io::context::Context;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

/// The authenticator of a running broker, and the receiver of its notices.
pub(super) struct Entry {
    pub(super) authenticator: Arc<Authenticator>,
    pub(super) tell: Box<dyn Fn(AuthNotice) + Send + Sync>,
}

/// The handler, while a broker needs it. As its handle has a share in the context, there is one handler for a context.
static RUNNING: tokio::sync::Mutex<Weak<Handler>> = tokio::sync::Mutex::const_new(Weak::new());

async fn handler() -> Result<Arc<Handler>, Error> {
    let mut running = RUNNING.lock().await;
    if let Some(handler) = running.upgrade() {
        return Ok(handler);
    }
    let handler = Arc::new(super::start(Context::acquire()?).await?);
    *running = Arc::downgrade(&handler);
    Ok(handler)
}

static ENTRIES: Mutex<Vec<(String, Arc<Entry>)>> = Mutex::new(Vec::new());

fn entries() -> MutexGuard<'static, Vec<(String, Arc<Entry>)>> {
    // No code under the lock can leave the list inconsistent.
    ENTRIES.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The authenticator of a domain, if its broker runs.
pub(super) fn find(domain: &str) -> Option<Arc<Entry>> {
    let entries = entries();
    let found = entries.iter().find(|(known, _)| known == domain);
    found.map(|(_, entry)| entry.clone())
}

/// The registration of an authenticator at the handler, until it is dropped.
pub(in crate::io) struct Registration {
    domain: String,
    handler: Arc<Handler>,
}

impl Registration {
    /// Registers an authenticator. The handler runs when this completes.
    pub(in crate::io) async fn new(
        authenticator: Arc<Authenticator>,
        tell: impl Fn(AuthNotice) + Send + Sync + 'static,
    ) -> Result<Self, Error> {
        let handler = handler().await?;
        let domain = authenticator.domain().to_owned();
        let tell = Box::new(tell);
        entries().push((
            domain.clone(),
            Arc::new(Entry {
                authenticator,
                tell,
            }),
        ));
        Ok(Registration { domain, handler })
    }

    /// Answers [`AuthNotice::Authenticate`].
    pub(in crate::io) fn answer(&self, ticket: u64, verdict: Verdict) {
        self.handler.send(Answer {
            ticket,
            verdict: Outcome::Asked(verdict),
        });
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        entries().retain(|(domain, _)| *domain != self.domain);
    }
}
