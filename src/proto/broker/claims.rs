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

use super::clients::ClientKey;
use super::requests::{Content, Place, RequestKey};
use super::workers::WorkerKey;
use super::{Broker, RoutingId, Timer};
use crate::proto::code::Code;
use crate::proto::deadlines::TimerKey;
use crate::proto::{Terms, Time};
use crate::wire::Frame;
use crate::wire::omdp::{ClaimExt, ClaimState, Past, ResumeExt, ToClient, ToWorker, rids_to_frame};
use slab::Slab;
use std::collections::HashMap;
use std::time::Duration;

/// One worker has no more claims than that; it is told that nobody asks for the others.
const MAX_CLAIMS: usize = 65_536;

#[derive(Debug)]
struct Claim {
    client: RoutingId,
    rid: Box<[u8]>,
    worker: WorkerKey,
    ext: ClaimExt,
    /// Whose request it was, by the word of the broker that died.
    user: Option<Box<[u8]>>,
    timer: TimerKey,
}

/// A request that is looked for.
#[derive(Debug)]
struct Search {
    timer: TimerKey,
    received: u32,
    read: u64,
}

/// What is claimed and what is looked for, while the other side has not come.
#[derive(Debug, Default)]
pub(super) struct Claims {
    slab: Slab<Claim>,
    names: HashMap<(RoutingId, Box<[u8]>), usize>,
    searches: HashMap<RequestKey, Search>,
}

impl Claims {
    #[cfg(any(test, feature = "fuzz"))]
    pub(super) fn timers(&self) -> impl Iterator<Item = TimerKey> {
        let claims = self.slab.iter().map(|(_, claim)| claim.timer);
        claims.chain(self.searches.values().map(|search| search.timer))
    }

    #[cfg(any(test, feature = "fuzz"))]
    pub(super) fn len(&self) -> usize {
        assert_eq!(self.slab.len(), self.names.len());
        self.slab.len()
    }

    #[cfg(any(test, feature = "fuzz"))]
    pub(super) fn is_sought(&self, key: RequestKey) -> bool {
        self.searches.contains_key(&key)
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
        self.names
            .remove(&(claim.client.clone(), claim.rid.clone()));
        claim
    }
}

impl<F: Frame> Broker<F> {
    /// A client asks for a request that it had sent to a broker that died.
    pub(super) fn on_resume(
        &mut self,
        now: Time,
        client: ClientKey,
        (service, rid): (&[u8], F),
        content: Content<F>,
        terms: Terms,
        past: Past,
    ) {
        let name = self
            .clients
            .get(client)
            .map(|client| (client.id.clone(), Box::from(&*rid)));
        self.counters.requests += 1;
        let service = self.services.require(service);
        let key = self.insert_request(now, client, service, rid, content, terms);
        self.enter_aside(key);
        if let Some(request) = self.requests.get_mut(key) {
            request.place = Place::Sought;
            // The broker that died may have had it start again.
            request.uncertain = terms.retry > 0;
            if past.received > 0 {
                // Its client has seen the beginning of this attempt.
                request.retry = 0;
            }
        }
        let wait = Duration::from_millis(past.wait_ms.into()).min(self.config.grace());
        let timer = self.deadlines.set(now + wait, Timer::Search(key));
        let search = Search {
            timer,
            received: past.received,
            read: past.read,
        };
        self.claims.searches.insert(key, search);
        let claim = name.and_then(|name| self.claims.names.get(&name).copied());
        if let Some(at) = claim
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
        let name: (RoutingId, Box<[u8]>) = (client.into(), rid.into());
        let known = self
            .workers
            .get(worker)
            .is_none_or(|worker| worker.claims >= MAX_CLAIMS)
            || self.claims.names.contains_key(&name);
        if known {
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
        let at = self.claims.slab.vacant_key();
        let until = now + self.config.grace();
        self.claims.slab.insert(Claim {
            client: name.0.clone(),
            rid: name.1.clone(),
            worker,
            ext,
            user,
            timer: self.deadlines.set(until, Timer::Claim(at)),
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
        request.place == Place::Sought
            && request.service == worker.service
            && name_of(user.as_deref()) == name_of(claimed)
    }

    /// Brings the two together.
    fn found(&mut self, now: Time, key: RequestKey, worker: WorkerKey, ext: ClaimExt) {
        let Some(search) = self.claims.searches.remove(&key) else {
            return;
        };
        self.deadlines.cancel(search.timer);
        let Some(request) = self.requests.get_mut(key) else {
            return;
        };
        if let Some(timeout) = request.timeout {
            request.deadline = now + timeout;
        }
        let (client, service) = (request.client, request.service);
        let rids = rids_to_frame([&*request.rid]);
        self.leave_aside(key);
        self.send_client(client, ToClient::Resumed { rids });
        if ext.state == ClaimState::NotStarted {
            // It waits like any other.
            return self.enqueue(now, key, service);
        }
        if let Some(request) = self.requests.get_mut(key) {
            request.place = Place::Worker(worker);
            request.given = now;
            // It has started: a worker that goes now does not give it back.
            request.begun = true;
        }
        if let Some(entry) = self.workers.get_mut(worker) {
            entry.running.push_back(key);
            entry.bytes += self.requests.bytes(key);
        }
        self.line_up(worker);
        let ext = ResumeExt {
            number: ext.number,
            token: self.requests.token(key),
            received: search.received,
            read: match self.clients.get(client) {
                Some(client) if client.gives_credit() => search.read,
                _ => u64::MAX,
            },
        };
        self.send_worker(worker, ToWorker::Resume(ext));
    }

    /// A request that is looked for ends, or was found.
    pub(super) fn forget_search(&mut self, key: RequestKey) {
        if self.claims.searches.is_empty() {
            return;
        }
        if let Some(search) = self.claims.searches.remove(&key) {
            self.deadlines.cancel(search.timer);
        }
    }

    /// No worker has claimed it in time.
    pub(super) fn search_due(&mut self, now: Time, key: RequestKey) {
        if self.claims.searches.remove(&key).is_some() {
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
            return self.end_request(now, key, Code::BrokerLost);
        }
        self.leave_aside(key);
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
            worker.claims -= 1;
            worker.claimed_running -= usize::from(claim.ext.state == ClaimState::Running);
        }
        claim
    }

    fn disclaim(&mut self, worker: WorkerKey, ext: ClaimExt) {
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
            let claim = self.claims.remove(at);
            self.deadlines.cancel(claim.timer);
        }
    }
}

/// Of a user: without what else is known of it, which may have changed since.
fn name_of(user: Option<&[u8]>) -> Option<&[u8]> {
    user?.split(|byte| *byte == 0).next()
}
