//! Recovery of requests that outlive a broker.
//!
//! A new broker knows nothing of its predecessor. Clients resume the requests that they had sent, and workers claim
//! those that they had been given. This module joins the two by the names that the earlier broker used: the client's
//! identity and its id of the request.
//!
//! | first  | then              | result                                                      |
//! |--------|-------------------|-------------------------------------------------------------|
//! | RESUME | CLAIM, running or ended | the request is assigned to the worker, which is told to resume |
//! | RESUME | CLAIM, not started | the request is queued                                      |
//! | CLAIM  | RESUME            | as above                                                    |
//! | RESUME | nothing           | unknown whether it ran: see [`Broker::not_found`]           |
//! | CLAIM  | nothing           | DISCLAIM: no client wants the request                       |
//!
//! No request runs twice: a resumed request is given only to the worker that claims it, unless that worker states
//! that it had not started. No request has two such workers: a broker gives a request to a second worker only after
//! the first has returned it, or was lost, which ends that attempt.

use super::accounts::ENTRY;
use super::ends::End;
use super::keys::{RequestKey, ServiceKey, WorkerKey};
use super::requests::{Assigned, Search, State};
use super::{Broker, RoutingId, Timer};
use crate::proto::Time;
use crate::proto::code::Code;
use crate::proto::deadlines::TimerKey;
use crate::wire::Frame;
use crate::wire::omdp::{ClaimExt, ClaimState, Past, ToClient, ToWorker, rids_to_frame};
use slab::Slab;
use std::collections::HashMap;
use std::time::Duration;

/// Maximum of claims of one worker. Further ones are disclaimed.
const MAX_CLAIMS: usize = 65_536;

/// The client's identity, its id of the request, and the service.
type ClaimName = (RoutingId, Box<[u8]>, ServiceKey);

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
    names: HashMap<ClaimName, usize>,
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

    fn remove(&mut self, at: usize) -> Claim {
        let claim = self.slab.remove(at);
        self.names.remove(&claim.name);
        claim
    }
}

impl<F: Frame> Broker<F> {
    /// Starts the search for a resumed request, which will get the key `key`.
    pub(super) fn new_search(&mut self, now: Time, key: RequestKey, past: Past) -> Search {
        let wait = Duration::from_millis(past.wait_ms.into()).min(self.config.grace());
        Search {
            timer: self.deadlines.set(now + wait, Timer::Search(key)),
            received: past.received,
            read: past.read,
            recall: None,
        }
    }

    /// Handles the RESUME of a request that an earlier broker had.
    pub(super) fn on_resume(&mut self, now: Time, key: RequestKey, past: Past) {
        let Some(request) = self.requests.get_mut(key) else {
            return;
        };
        // The earlier broker may have started it again.
        request.uncertain = request.retry > 0;
        if past.received > 0 {
            // The client has seen the beginning of this attempt.
            request.retry = 0;
        }
        let Some(client) = self.clients.get(request.client) else {
            return;
        };
        let mut name = (client.id.clone(), Box::from(&*request.rid), request.service);
        if self.services.have_homes()
            && !self.claims.names.contains_key(&name)
            && let Some(asked) = self.asked(key)
        {
            for home in self.services.all_homes(&asked) {
                name.2 = home;
                if self.claims.names.contains_key(&name) {
                    break;
                }
            }
        }
        if let Some(&at) = self.claims.names.get(&name)
            && let Some(Claim { worker, user, .. }) = self.claims.slab.get(at)
            && self.fits(key, *worker, user.as_deref())
        {
            let claim = self.drop_claim(at);
            self.found(now, key, claim.worker, claim.ext);
        }
    }

    /// Handles a worker's claim of a request from an earlier broker.
    pub(super) fn on_claim(
        &mut self,
        now: Time,
        worker: WorkerKey,
        client: &[u8],
        rid: &[u8],
        ext: ClaimExt,
        user: Option<F>,
    ) {
        if let Some(token) = ext.token {
            let request = self.requests.by_token(token);
            return self.on_known_claim(worker, ext, request);
        }
        let Some(entry) = self.workers.get(worker) else {
            return;
        };
        let name: ClaimName = (client.into(), rid.into(), entry.service);
        if entry.claims >= MAX_CLAIMS || self.claims.names.contains_key(&name) {
            return self.disclaim(worker, ext);
        }
        let user: Option<Box<[u8]>> = user.map(|user| Box::from(&*user));
        let asked = self.clients.find(client);
        let asked = asked.and_then(|client| self.clients.request(client, rid, &self.requests));
        if let Some(key) = asked
            && self.awaits_claim(worker, key)
        {
            // The worker has claimed the request before, and its connection broke before it was told to resume.
            return self.on_known_claim(worker, ext, Some(key));
        }
        if let Some(key) = asked
            && self.fits(key, worker, user.as_deref())
        {
            return self.found(now, key, worker, ext);
        }
        let charged = ENTRY + client.len() + rid.len() + user.as_ref().map_or(0, |u| u.len());
        if let Some(entry) = self.workers.get(worker)
            && let Err(over) = self.accounts.charge(entry.account, charged)
        {
            let id = entry.id.clone();
            self.disclaim(worker, ext);
            return self.over_limit(now, &id, over);
        }
        let at = self.claims.slab.vacant_key();
        let until = now + self.config.grace();
        self.claims.slab.insert(Claim {
            name: name.clone(),
            worker,
            ext,
            user,
            timer: self.deadlines.set(until, Timer::Claim(at)),
            charged,
        });
        self.claims.names.insert(name, at);
        if let Some(entry) = self.workers.get_mut(worker) {
            entry.claims += 1;
            entry.claimed_running += usize::from(ext.state == ClaimState::Running);
        }
        self.line_up(worker);
    }

    /// Whether a claim is about this request. A worker can claim only requests of its own service, and only for the
    /// user whose request it was.
    fn fits(&self, key: RequestKey, worker: WorkerKey, claimed: Option<&[u8]>) -> bool {
        let (Some(request), Some(worker)) = (self.requests.get(key), self.workers.get(worker))
        else {
            return false;
        };
        let user = self
            .clients
            .get(request.client)
            .and_then(|client| self.user_frame(&client.id));
        let serves = request.service == worker.service
            || self
                .asked(key)
                .is_some_and(|asked| self.services.may_serve(worker.service, &asked));
        matches!(request.state, State::Searching(_))
            && serves
            && name_of(user.as_deref()) == name_of(claimed)
    }

    /// Joins a resumed request and its claim.
    fn found(&mut self, now: Time, key: RequestKey, worker: WorkerKey, ext: ClaimExt) {
        let Some(request) = self.requests.get_mut(key) else {
            return;
        };
        let State::Searching(search) = &request.state else {
            return;
        };
        let (received, read) = (search.received, search.read);
        self.deadlines.cancel(search.timer);
        request.extend(now);
        let (client, service) = (request.client, request.service);
        let rids = rids_to_frame([&*request.rid]);
        if ext.state == ClaimState::NotStarted {
            return self.wait_again(now, key);
        }
        self.leave_queue(key);
        if let Some(entry) = self.workers.get(worker)
            && entry.service != service
            && let Some(asked) = self.asked(key)
        {
            let home = entry.service;
            self.adopt(key, home, &asked);
            self.services.release(service);
        }
        if let Some(request) = self.requests.get_mut(key) {
            request.state = State::Assigned(Assigned {
                // A started request is not requeued when its worker leaves.
                begun: true,
                parts: received,
                read,
                ..Assigned::new(worker, now)
            });
        }
        self.send_client(client, ToClient::Resumed { rids });
        if let Some(entry) = self.workers.get_mut(worker) {
            entry.running.push_back(key);
            entry.bytes += self.requests.bytes(key);
        }
        self.line_up(worker);
        self.let_resume(worker, key, ext.number);
    }

    /// Cancels the search for a request that has ended.
    pub(super) fn forget_search(&mut self, state: &State) {
        if let State::Searching(search) = state {
            self.deadlines.cancel(search.timer);
        }
    }

    /// Ends a search in which no worker has claimed the request in time.
    pub(super) fn search_due(&mut self, now: Time, key: RequestKey) {
        let request = self.requests.get(key);
        if request.is_some_and(|request| matches!(request.state, State::Searching(_))) {
            self.not_found(now, key);
        }
    }

    /// Retries a request of which is unknown whether it ran, if its policy permits and no part of its reply has
    /// arrived. Otherwise ends it.
    fn not_found(&mut self, now: Time, key: RequestKey) {
        let Some(request) = self.requests.get(key) else {
            return;
        };
        let (client, service) = (request.client, request.service);
        let rids = rids_to_frame([&*request.rid]);
        if !self.may_retry(key) {
            return self.end(now, key, End::Failed(Code::BrokerLost));
        }
        self.leave_queue(key);
        self.send_client(client, ToClient::Resumed { rids });
        self.retry(now, key);
        self.dispatch(now, service);
    }

    /// Disclaims a claim for which no client has resumed the request in time.
    pub(super) fn claim_due(&mut self, now: Time, at: usize) {
        let claim = self.drop_claim(at);
        self.disclaim(claim.worker, claim.ext);
        self.line_up(claim.worker);
        self.dispatch_for(now, claim.worker);
    }

    /// Removes a claim. The caller updates the worker's line.
    fn drop_claim(&mut self, at: usize) -> Claim {
        let claim = self.claims.remove(at);
        self.deadlines.cancel(claim.timer);
        if let Some(worker) = self.workers.get_mut(claim.worker) {
            self.accounts.credit(worker.account, claim.charged);
            worker.claims -= 1;
            worker.claimed_running -= usize::from(claim.ext.state == ClaimState::Running);
        }
        claim
    }

    pub(super) fn disclaim(&mut self, worker: WorkerKey, ext: ClaimExt) {
        if ext.state != ClaimState::NotStarted {
            let numbers = F::from(&ext.number.to_be_bytes()[..]);
            self.send_worker(worker, ToWorker::Disclaim { numbers });
        }
    }

    /// Removes the claims of a worker that leaves.
    pub(super) fn drop_claims(&mut self, worker: WorkerKey) {
        let claims = self.claims.slab.iter();
        let claims = claims.filter(|(_, claim)| claim.worker == worker);
        let claims: Vec<usize> = claims.map(|(at, _)| at).collect();
        for at in claims {
            self.drop_claim(at);
        }
    }
}

/// The name in a user frame, without the metadata, which may have changed since.
fn name_of(user: Option<&[u8]>) -> Option<&[u8]> {
    user?.split(|byte| *byte == 0).next()
}
