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
use super::homes::COMPARED;
use super::keys::{AccountKey, RequestKey, ServiceKey, WorkerKey};
use super::piece::PIECE;
use super::principal::is_same_user;
use super::requests::{Search, State};
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
    /// The account of the worker, of which the claim is a holder, and the bytes that it was charged.
    account: AccountKey,
    charged: usize,
    /// Void: its worker left, or claims again. A void claim is ignored, and removed with its timer at the latest,
    /// because there may be very many at once.
    is_void: bool,
    /// The neighbours among the claims of its worker.
    prev: Option<usize>,
    next: Option<usize>,
}

/// Claims of requests that no client has resumed yet.
#[derive(Debug, Default)]
pub(super) struct Claims {
    slab: Slab<Claim>,
    /// The service is part of the name, so that a worker of another service cannot block a claim.
    names: BTreeMap<ClaimName, usize>,
    /// The latest claim of each worker that has any.
    latest: BTreeMap<WorkerKey, usize>,
}

impl Claims {
    #[cfg(any(test, feature = "fuzz"))]
    pub(super) fn timers(&self) -> impl Iterator<Item = TimerKey> {
        self.slab.iter().map(|(_, claim)| claim.timer)
    }

    #[cfg(any(test, feature = "fuzz"))]
    pub(super) fn len(&self) -> usize {
        assert_eq!(self.slab.len(), self.names.len());
        self.slab.iter().filter(|(_, claim)| !claim.is_void).count()
    }

    /// The account and the charge of each claim.
    #[cfg(any(test, feature = "fuzz"))]
    pub(super) fn charges(&self) -> impl Iterator<Item = (AccountKey, usize)> {
        let claims = self.slab.iter();
        claims.map(|(_, claim)| (claim.account, claim.charged))
    }

    #[cfg(any(test, feature = "fuzz"))]
    pub(super) fn running_of(&self, worker: WorkerKey) -> usize {
        let claims = self.slab.iter().filter(|(_, claim)| claim.worker == worker);
        claims
            .filter(|(_, claim)| !claim.is_void)
            .filter(|(_, claim)| claim.ext.state == ClaimState::Running)
            .count()
    }

    /// Removes a claim. The caller updates the worker's line. `None` if it was void.
    pub(super) fn drop<F: Frame>(
        &mut self,
        cx: &mut Context<F>,
        at: usize,
    ) -> Option<(WorkerKey, ClaimExt)> {
        let claim = self.slab.remove(at);
        self.names.remove(&claim.name);
        cx.deadlines.cancel(claim.timer);
        cx.accounts.close(claim.account, claim.charged);
        if claim.is_void {
            return None;
        }
        match claim.next.and_then(|next| self.slab.get_mut(next)) {
            Some(next) => next.prev = claim.prev,
            None => {
                match claim.prev {
                    Some(prev) => self.latest.insert(claim.worker, prev),
                    None => self.latest.remove(&claim.worker),
                };
            }
        }
        if let Some(prev) = claim.prev.and_then(|prev| self.slab.get_mut(prev)) {
            prev.next = claim.next;
        }
        if let Some(worker) = cx.workers.get_mut(claim.worker) {
            worker.claims -= 1;
            worker.claimed_running -= usize::from(claim.ext.state == ClaimState::Running);
        }
        Some((claim.worker, claim.ext))
    }

    /// Removes the claims of a worker that leaves or has returned. Very many only become void.
    pub(super) fn drop_all<F: Frame>(&mut self, cx: &mut Context<F>, worker: WorkerKey) {
        let mut left = PIECE;
        while left > 0
            && let Some(&at) = self.latest.get(&worker)
        {
            self.drop(cx, at);
            left -= 1;
        }
        let mut next = self.latest.remove(&worker);
        while let Some(claim) = next.and_then(|at| self.slab.get_mut(at)) {
            claim.is_void = true;
            next = claim.prev;
        }
        if let Some(worker) = cx.workers.get_mut(worker) {
            worker.claims = 0;
            worker.claimed_running = 0;
        }
    }

    /// Claims of requests that this client made as this user, at most [`PIECE`] of them.
    pub(super) fn of_client(&self, client: &[u8], user: Option<&[u8]>) -> Vec<usize> {
        let first: ClaimName = (client.into(), Box::default(), ServiceKey(0));
        let names = self.names.range(first..);
        let names = names.take_while(|((id, ..), _)| **id == *client);
        let is_of_user = |claim: &Claim| is_same_user(claim.user.as_deref(), user);
        let counts = |claim: &Claim| !claim.is_void && is_of_user(claim);
        let names = names.filter(|(_, at)| self.slab.get(**at).is_some_and(counts));
        names.take(PIECE).map(|(_, &at)| at).collect()
    }

    /// Whether there is a claim of this name. One that is void makes room for another.
    pub(super) fn contains<F: Frame>(&mut self, cx: &mut Context<F>, name: &ClaimName) -> bool {
        let Some(&at) = self.names.get(name) else {
            return false;
        };
        let is_void = self.slab.get(at).is_some_and(|claim| claim.is_void);
        if is_void {
            self.drop(cx, at);
        }
        !is_void
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
            && !self.contains(cx, &name)
            && let Some(asked) = cx.asked(key)
        {
            cx.count_work(cx.services.comparisons(&asked) / COMPARED);
            for home in cx.services.all_homes(&asked) {
                name.2 = home;
                if self.contains(cx, &name) {
                    break;
                }
            }
        }
        let at = *self.names.get(&name)?;
        let Claim { worker, user, .. } = self.slab.get(at).filter(|claim| !claim.is_void)?;
        match cx.fits(authorizer, key, *worker, user.as_deref()) {
            true => self.drop(cx, at),
            false => None,
        }
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
        let Some(id) = cx.workers.get(worker).map(|entry| entry.id.clone()) else {
            return Ok(());
        };
        let charged = ENTRY + name.0.len() + name.1.len() + user.as_ref().map_or(0, |u| u.len());
        let account = cx.open_account(&id);
        if let Err(over) = cx.accounts.charge(account, charged) {
            cx.accounts.close(account, 0);
            return Err(over);
        }
        let Some(entry) = cx.workers.get_mut(worker) else {
            return Ok(());
        };
        entry.claims += 1;
        entry.claimed_running += usize::from(ext.state == ClaimState::Running);
        let at = self.slab.vacant_key();
        let until = cx.now + cx.config.grace();
        let prev = self.latest.insert(worker, at);
        if let Some(prev) = prev.and_then(|prev| self.slab.get_mut(prev)) {
            prev.next = Some(at);
        }
        self.slab.insert(Claim {
            name: name.clone(),
            worker,
            ext,
            user,
            timer: cx.deadlines.set(until, Timer::Claim(at)),
            account,
            charged,
            is_void: false,
            prev,
            next: None,
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
            && is_same_user(user.as_deref(), claimed)
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

#[cfg(test)]
mod tests;
