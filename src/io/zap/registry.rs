//! The authenticators of the brokers that run in this process, by their ZAP domains.

use super::authenticator::Authenticator;
use super::handle::{Answer, Handler, Outcome};
use super::request::{AuthNotice, Verdict};
use crate::io::Error;
use crate::io::context::Context;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The authenticator of a running broker, and the receiver of its notices.
pub(super) struct Entry {
    pub(super) authenticator: Arc<Authenticator>,
    pub(super) tell: Box<dyn Fn(AuthNotice) + Send + Sync>,
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
    /// Before the context, which awaits its end.
    handler: Arc<Handler>,
    _context: Arc<Context>,
}

impl Registration {
    /// Registers an authenticator. The handler runs when this completes.
    pub(in crate::io) async fn new(
        authenticator: Arc<Authenticator>,
        tell: impl Fn(AuthNotice) + Send + Sync + 'static,
    ) -> Result<Self, Error> {
        let context = Context::acquire()?;
        let handler = context.zap(super::start).await?;
        let domain = authenticator.domain().to_owned();
        let tell = Box::new(tell);
        entries().push((
            domain.clone(),
            Arc::new(Entry {
                authenticator,
                tell,
            }),
        ));
        Ok(Registration {
            domain,
            handler,
            _context: context,
        })
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
