//! Requests that outlive a broker.
//!
//! A broker that begins knows nothing of what another one had. Its clients ask it to find what they
//! had sent, its workers claim what they had been given; here the two are brought together by the
//! names that the other broker went by: the client's, and its id of the request.
//!
//! | comes first | then              | what happens                                                |
//! |-------------|-------------------|-------------------------------------------------------------|
//! | RESUME      | CLAIM, running or ended | the request is this worker's; the worker is told so   |
//! | RESUME      | CLAIM, not started | the request is queued                                      |
//! | CLAIM       | RESUME            | the same                                                    |
//! | RESUME      | nothing           | nobody can know whether it ran: [`Broker::not_found`]       |
//! | CLAIM       | nothing           | the worker is told that nobody asks                         |
//!
//! Nothing runs twice: a request that is asked for is given to nobody but who claims it, unless who
//! had it says that it had not started. It can't have two such: a broker gives a request to a second
//! worker only after the first has given it back, or has been lost with the request's end.

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

/// One worker has no more claims than that; it is told that nobody asks for the others.
const MAX_CLAIMS: usize = 65_536;

/// The client, its id of the request, and the service.
type ClaimName = (RoutingId, Box<[u8]>, ServiceKey);

#[derive(Debug)]
struct Claim {
    name: ClaimName,
    worker: WorkerKey,
    ext: ClaimExt,
    /// Whose request it was, by the word of the broker that died.
    user: Option<Box<[u8]>>,
    timer: TimerKey,
    /// What the account of the worker was charged.
    charged: usize,
}

/// What workers claim and no client has asked for yet.
#[derive(Debug, Default)]
pub(super) struct Claims {
    slab: Slab<Claim>,
    /// By the service too: a worker of another service must not stand in the way.
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

    /// By which worker, and what it was charged.
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
    /// The search for a request that a client resumes, under the key that it will have.
    pub(super) fn new_search(&mut self, now: Time, key: RequestKey, past: Past) -> Search {
        let wait = Duration::from_millis(past.wait_ms.into()).min(self.config.grace());
        Search {
            timer: self.deadlines.set(now + wait, Timer::Search(key)),
            received: past.received,
            read: past.read,
        }
    }

    /// A client asks for a request that it had sent to a broker that died.
    pub(super) fn on_resume(&mut self, now: Time, key: RequestKey, past: Past) {
        let Some(request) = self.requests.get_mut(key) else {
            return;
        };
        // The broker that died may have had it start again.
        request.uncertain = request.retry > 0;
        if past.received > 0 {
            // Its client has seen the beginning of this attempt.
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

    /// A worker has, or had, a request of a broker that died.
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
            return self.on_known_claim(worker, ext, token);
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

    /// Whether it is this request that the claim is about. A worker answers for its own service
    /// alone, and to the user alone whose request it was given.
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

    /// Brings the two together.
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
        self.leave_queue(key);
        if ext.state == ClaimState::NotStarted {
            self.send_client(client, ToClient::Resumed { rids });
            // It waits like any other.
            if self.services.have_homes() {
                self.go_home(key);
            }
            let home = self.requests.get(key).map_or(service, |r| r.service);
            return self.enqueue(now, key, home);
        }
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
                // It has started: a worker that goes now does not give it back.
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

    /// A request has ended that may have been searched for.
    pub(super) fn forget_search(&mut self, state: &State) {
        if let State::Searching(search) = state {
            self.deadlines.cancel(search.timer);
        }
    }

    /// No worker has claimed it in time.
    pub(super) fn search_due(&mut self, now: Time, key: RequestKey) {
        let request = self.requests.get(key);
        if request.is_some_and(|request| matches!(request.state, State::Searching(_))) {
            self.not_found(now, key);
        }
    }

    /// Whether it ran can't be known: it runs again if it may, and no part of its reply has come.
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

    /// No client has asked for it in time.
    pub(super) fn claim_due(&mut self, now: Time, at: usize) {
        let claim = self.drop_claim(at);
        self.disclaim(claim.worker, claim.ext);
        self.line_up(claim.worker);
        self.dispatch_for(now, claim.worker);
    }

    /// Forgets a claim; the worker's lines are the caller's business.
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

    /// A worker goes, and its claims with it.
    pub(super) fn drop_claims(&mut self, worker: WorkerKey) {
        let claims = self.claims.slab.iter();
        let claims = claims.filter(|(_, claim)| claim.worker == worker);
        let claims: Vec<usize> = claims.map(|(at, _)| at).collect();
        for at in claims {
            self.drop_claim(at);
        }
    }
}

/// Of a user: without what else is known of it, which may have changed since.
fn name_of(user: Option<&[u8]>) -> Option<&[u8]> {
    user?.split(|byte| *byte == 0).next()
}
