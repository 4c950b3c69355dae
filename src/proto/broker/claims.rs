//! Recovery of requests that outlive a broker.
//!
//! A new broker knows nothing of its predecessor. Clients resume the requests that they had sent, and workers claim
//! those that they had been given. The broker joins the two by the names that the earlier broker used: the client's
//! identity and its id of the request.
//!
//! | first  | then              | result                                                      |
//! |--------|-------------------|-------------------------------------------------------------|
//! | RESUME | CLAIM, running or ended | the request is assigned to the worker, which is told to resume |
//! | RESUME | CLAIM, not started | the request is queued                                      |
//! | CLAIM  | RESUME            | as above                                                    |
//! | RESUME | nothing           | unknown whether it ran: it is retried, if that is permitted, or ends |
//! | CLAIM  | nothing           | DISCLAIM: no client wants the request                       |
//!
//! A client that has resumed all its requests wants no others, so their claims do not wait for it.
//!
//! No request runs twice: a resumed request is given only to the worker that claims it, unless that worker states
//! that it had not started. No request has two such workers: a broker gives a request to a second worker only after
//! the first has returned it, or was lost, which ends that attempt.

use super::access::Authorizer;
use super::accounts::{ENTRY, OverLimit};
use super::context::Context;
use super::keys::{RequestKey, ServiceKey, WorkerKey};
use super::requests::{Search, State};
use super::tasks::PIECE;
use super::{RoutingId, Timer};
use crate::proto::deadlines::TimerKey;
use crate::wire::Frame;
use crate::wire::omdp::{ClaimExt, ClaimState, Past, ToWorker};
use slab::Slab;
use std::collections::BTreeMap;
use std::time::Duration;

/// Maximum of claims of one worker. Further ones are disclaimed.
pub(super) const MAX_CLAIMS: usize = 65_536;

/// The client's identity, its id of the request, and the service.
pub(super) type ClaimName = (RoutingId, Box<[u8]>, ServiceKey);

#[derive(Debug)]
struct Claim {
    name: ClaimName,
    worker: WorkerKey,
    ext: ClaimExt,
    /// The user of the request, as the earlier broker stated it.
    user: Option<Box<[u8]>>,
    timer: TimerKey,
    /// Bytes that the worker's account was charged.
    charged: usize,
}

/// Claims of requests that no client has resumed yet.
#[derive(Debug, Default)]
pub(super) struct Claims {
    slab: Slab<Claim>,
    /// The service is part of the name, so that a worker of another service cannot block a claim.
    names: BTreeMap<ClaimName, usize>,
}

impl Claims {
    #[cfg(any(test, feature = "fuzz"))]
    pub(super) fn timers(&self) -> impl Iterator<Item = TimerKey> {
        self.slab.iter().map(|(_, claim)| claim.timer)
    }

    #[cfg(any(test, feature = "fuzz"))]
    pub(super) fn len(&self) -> usize {
        assert_eq!(self.slab.len(), self.names.len());
        self.slab.len()
    }

    /// The worker and the charge of each claim.
    #[cfg(any(test, feature = "fuzz"))]
    pub(super) fn charges(&self) -> impl Iterator<Item = (WorkerKey, usize)> {
        self.slab
            .iter()
            .map(|(_, claim)| (claim.worker, claim.charged))
    }

    #[cfg(any(test, feature = "fuzz"))]
    pub(super) fn running_of(&self, worker: WorkerKey) -> usize {
        let claims = self.slab.iter().filter(|(_, claim)| claim.worker == worker);
        claims
            .filter(|(_, claim)| claim.ext.state == ClaimState::Running)
            .count()
    }

    /// Removes a claim. The caller updates the worker's line.
    pub(super) fn drop<F: Frame>(
        &mut self,
        cx: &mut Context<F>,
        at: usize,
    ) -> (WorkerKey, ClaimExt) {
        let claim = self.slab.remove(at);
        self.names.remove(&claim.name);
        cx.deadlines.cancel(claim.timer);
        if let Some(worker) = cx.workers.get_mut(claim.worker) {
            cx.accounts.release(worker.account, claim.charged);
            worker.claims -= 1;
            worker.claimed_running -= usize::from(claim.ext.state == ClaimState::Running);
        }
        (claim.worker, claim.ext)
    }

    /// Removes the claims of a worker that leaves.
    pub(super) fn drop_all<F: Frame>(&mut self, cx: &mut Context<F>, worker: WorkerKey) {
        let claims = self.slab.iter();
        let claims = claims.filter(|(_, claim)| claim.worker == worker);
        let claims: Vec<usize> = claims.map(|(at, _)| at).collect();
        for at in claims {
            self.drop(cx, at);
        }
    }

    /// Claims of requests of this client, at most [`PIECE`] of them.
    pub(super) fn of_client(&self, client: &[u8]) -> Vec<usize> {
        let first: ClaimName = (client.into(), Box::default(), ServiceKey(0));
        let names = self.names.range(first..);
        let names = names.take_while(|((id, ..), _)| **id == *client);
        names.take(PIECE).map(|(_, &at)| at).collect()
    }

    pub(super) fn contains(&self, name: &ClaimName) -> bool {
        self.names.contains_key(name)
    }

    /// Removes and returns the claim of a resumed request, if there is one.
    pub(super) fn take<F: Frame>(
        &mut self,
        cx: &mut Context<F>,
        authorizer: &Authorizer<F>,
        key: RequestKey,
    ) -> Option<(WorkerKey, ClaimExt)> {
        let request = cx.requests.get(key)?;
        let client = cx.clients.get(request.client)?;
        let mut name = (client.id.clone(), Box::from(&*request.rid), request.service);
        if cx.services.have_homes()
            && !self.contains(&name)
            && let Some(asked) = cx.asked(key)
        {
            for home in cx.services.all_homes(&asked) {
                name.2 = home;
                if self.contains(&name) {
                    break;
                }
            }
        }
        let at = *self.names.get(&name)?;
        let Claim { worker, user, .. } = self.slab.get(at)?;
        cx.fits(authorizer, key, *worker, user.as_deref())
            .then(|| self.drop(cx, at))
    }

    /// Keeps a claim until the client resumes the request. Keeps nothing if a limit would be exceeded.
    pub(super) fn add<F: Frame>(
        &mut self,
        cx: &mut Context<F>,
        name: ClaimName,
        worker: WorkerKey,
        ext: ClaimExt,
        user: Option<Box<[u8]>>,
    ) -> Result<(), OverLimit> {
        let Some(entry) = cx.workers.get_mut(worker) else {
            return Ok(());
        };
        let charged = ENTRY + name.0.len() + name.1.len() + user.as_ref().map_or(0, |u| u.len());
        cx.accounts.charge(entry.account, charged)?;
        entry.claims += 1;
        entry.claimed_running += usize::from(ext.state == ClaimState::Running);
        let at = self.slab.vacant_key();
        let until = cx.now + cx.config.grace();
        self.slab.insert(Claim {
            name: name.clone(),
            worker,
            ext,
            user,
            timer: cx.deadlines.set(until, Timer::Claim(at)),
            charged,
        });
        self.names.insert(name, at);
        Ok(())
    }
}

impl<F: Frame> Context<F> {
    /// Whether a claim is about this request. A worker can claim only requests of its own service, and only for the
    /// user whose request it was.
    pub(super) fn fits(
        &self,
        authorizer: &Authorizer<F>,
        key: RequestKey,
        worker: WorkerKey,
        claimed: Option<&[u8]>,
    ) -> bool {
        let (Some(request), Some(worker)) = (self.requests.get(key), self.workers.get(worker))
        else {
            return false;
        };
        let user = self
            .clients
            .get(request.client)
            .and_then(|client| authorizer.user_frame(&client.id));
        let serves = request.service == worker.service
            || self
                .asked(key)
                .is_some_and(|asked| self.services.may_serve(worker.service, &asked));
        matches!(request.state, State::Searching(_))
            && serves
            && name_of(user.as_deref()) == name_of(claimed)
    }

    /// Cancels the search for a request that has ended.
    pub(super) fn forget_search(&mut self, state: &State) {
        if let State::Searching(search) = state {
            self.deadlines.cancel(search.timer);
        }
    }

    /// Starts the search for a resumed request, which will get the key `key`.
    pub(super) fn new_search(&mut self, key: RequestKey, past: Past) -> Search {
        let wait = Duration::from_millis(past.wait_ms.into()).min(self.config.grace());
        Search {
            timer: self.deadlines.set(self.now + wait, Timer::Search(key)),
            received: past.received,
            read: past.read,
            recall: None,
        }
    }

    pub(super) fn disclaim(&mut self, worker: WorkerKey, ext: ClaimExt) {
        if ext.state != ClaimState::NotStarted {
            let numbers = F::from(&ext.number.to_be_bytes()[..]);
            self.send_worker(worker, ToWorker::Disclaim { numbers });
        }
    }
}

/// The name in a user frame, without the metadata, which may have changed since.
fn name_of(user: Option<&[u8]>) -> Option<&[u8]> {
    user?.split(|byte| *byte == 0).next()
}
