//! Recovery of requests that outlive a broker or a connection: what the broker does with the messages of peers that have
//! returned. [`claims`](super::claims) joins requests of a dead broker with the workers that have them,
//! [`recall`](super::recall) finds those that have not started, and [`detached`](super::detached) keeps peers for the
//! grace time.

use super::Broker;
use super::claims::{ClaimName, MAX_CLAIMS};
use super::incoming::IncomingRequest;
use super::keys::{ClientKey, RequestKey, WorkerKey};
use super::outcome::{End, text_of};
use super::replies::Repeated;
use super::requests::{Assigned, Cursors, ParkState, Request, Requests, State};
use super::returned::Resumed;
use super::tasks::PIECE;
use crate::proto::code::Code;
use crate::wire::omdp::{ClaimExt, ClaimState, Past, ReplyKind, ToClient, rids_to_frame};
use crate::wire::{Frame, Malformed};

impl<F: Frame> Broker<F> {
    /// Handles the RESUME of a request that an earlier broker had.
    pub(super) fn on_resume(&mut self, key: RequestKey, past: Past) {
        let Some(request) = self.cx.requests.get_mut(key) else {
            return;
        };
        // The earlier broker may have started it again.
        request.uncertain = request.retry > 0;
        if past.received > 0 {
            // The client has seen the beginning of this attempt.
            request.retry = 0;
        }
        if let Some((worker, ext)) = self.claims.take(&mut self.cx, &self.authorizer, key) {
            self.found(key, worker, ext);
        }
    }

    /// Handles a worker's claim of a request from an earlier broker.
    pub(super) fn on_claim(
        &mut self,
        worker: WorkerKey,
        client: &[u8],
        rid: &[u8],
        ext: ClaimExt,
        user: Option<F>,
    ) {
        if let Some(token) = ext.token {
            let request = self.cx.requests.by_token(token);
            return self.on_known_claim(worker, ext, request);
        }
        let Some(entry) = self.cx.workers.get(worker) else {
            return;
        };
        let name: ClaimName = (client.into(), rid.into(), entry.service);
        if entry.claims >= MAX_CLAIMS || self.claims.contains(&name) {
            return self.cx.disclaim(worker, ext);
        }
        let user: Option<Box<[u8]>> = user.map(|user| Box::from(&*user));
        let asked = self.cx.clients.find(client);
        let asked =
            asked.and_then(|client| self.cx.clients.request(client, rid, &self.cx.requests));
        if let Some(key) = asked
            && self.cx.awaits_claim(worker, key)
        {
            // The worker has claimed the request before, and its connection broke before it was told to resume.
            return self.on_known_claim(worker, ext, Some(key));
        }
        if let Some(key) = asked
            && self.cx.fits(&self.authorizer, key, worker, user.as_deref())
        {
            return self.found(key, worker, ext);
        }
        if let Err(over) = self.claims.add(&mut self.cx, name, worker, ext, user) {
            self.cx.disclaim(worker, ext);
            let id = self.cx.workers.get(worker).map(|entry| entry.id.clone());
            return self.over_limit(&id.unwrap_or_else(|| client.into()), over);
        }
        self.line_up(worker);
    }

    /// Joins a resumed request and its claim.
    fn found(&mut self, key: RequestKey, worker: WorkerKey, ext: ClaimExt) {
        let now = self.cx.now;
        let Some(request) = self.cx.requests.get_mut(key) else {
            return;
        };
        let State::Searching(search) = &request.state else {
            return;
        };
        let (received, read) = (search.received, search.read);
        self.cx.deadlines.cancel(search.timer);
        request.extend(now);
        let (client, service) = (request.client, request.service);
        let rids = rids_to_frame([&*request.rid]);
        if ext.state == ClaimState::NotStarted {
            return self.rejoin(|broker, cursors| broker.wait_again(key, cursors));
        }
        self.cx.leave_queue(key);
        if let Some(entry) = self.cx.workers.get(worker)
            && entry.service != service
            && let Some(asked) = self.cx.asked(key)
        {
            let home = entry.service;
            self.cx.adopt(key, home, &asked);
            self.cx.services.release(service);
        }
        if let Some(request) = self.cx.requests.get_mut(key) {
            request.state = State::Assigned(Assigned {
                // A started request is not requeued when its worker leaves.
                begun: true,
                parts: received,
                read,
                ..Assigned::new(worker, now)
            });
        }
        self.cx.send_client(client, ToClient::Resumed { rids });
        if let Some(entry) = self.cx.workers.get_mut(worker) {
            entry.running.push_back(key);
            entry.bytes += self.cx.requests.bytes(key);
        }
        self.line_up(worker);
        self.cx.let_resume(worker, key, ext.number);
    }

    /// Ends a search in which no worker has claimed the request in time.
    pub(super) fn search_due(&mut self, key: RequestKey) {
        let request = self.cx.requests.get(key);
        if request.is_some_and(|request| matches!(request.state, State::Searching(_))) {
            self.not_found(key);
        }
    }

    /// Retries a request of which is unknown whether it ran, if its policy permits and no part of its reply has
    /// arrived. Otherwise ends it.
    fn not_found(&mut self, key: RequestKey) {
        let Some(request) = self.cx.requests.get(key) else {
            return;
        };
        let (client, service) = (request.client, request.service);
        let rids = rids_to_frame([&*request.rid]);
        if !self.cx.may_retry(key) {
            return self.end(key, End::Failed(Code::BrokerLost));
        }
        self.cx.leave_queue(key);
        self.cx.send_client(client, ToClient::Resumed { rids });
        if self.count_retry(key) {
            self.rejoin(|broker, cursors| broker.requeue_at(key, Some(cursors)));
        }
        self.dispatch(service);
    }

    /// Puts requests back by arrival, one in each of several turns. They mostly come in their order.
    fn rejoin<T>(&mut self, put: impl FnOnce(&mut Self, &mut Cursors) -> T) -> T {
        let mut cursors = std::mem::take(&mut self.rejoined);
        let result = put(self, &mut cursors);
        cursors.shorten();
        self.rejoined = cursors;
        result
    }

    /// Disclaims a claim for which no client has resumed the request in time.
    pub(super) fn claim_due(&mut self, at: usize) {
        let (worker, ext) = self.claims.drop(&mut self.cx, at);
        self.cx.disclaim(worker, ext);
        self.line_up(worker);
        self.dispatch_for(worker);
    }

    /// Ends the search for a request that has not started. Only workers that were lost before can have had it, and
    /// then it may be retried.
    pub(super) fn never_started(&mut self, key: RequestKey, cursors: &mut Cursors) {
        if let Some(request) = self.cx.requests.get(key)
            && let State::Searching(search) = &request.state
        {
            self.cx.deadlines.cancel(search.timer);
            self.wait_again(key, cursors);
        }
    }

    /// Ends the search for a request that cannot have started, because the earlier broker had no workers.
    pub(super) fn cannot_have_started(&mut self, key: RequestKey) {
        self.rejoin(|broker, cursors| broker.never_started(key, cursors));
    }

    /// Queues a request that has not started after a search, to its place by arrival. Its client is told that the request
    /// is parked: should this broker die too, the request has not started before it was released.
    fn wait_again(&mut self, key: RequestKey, cursors: &mut Cursors) {
        let now = self.cx.now;
        let Some(request) = self.cx.requests.get_mut(key) else {
            return;
        };
        request.extend(now);
        let client = request.client;
        let is_fail_fast = request.is_fail_fast();
        let rids: F = rids_to_frame([&*request.rid]);
        self.cx.leave_queue(key);
        let message = ToClient::Resumed { rids: rids.clone() };
        self.cx.send_client(client, message);
        self.requeue_at(key, Some(cursors));
        let Some(request) = self.cx.requests.get(key) else {
            return;
        };
        let home = request.service;
        if is_fail_fast && self.cx.services.get_mut(home).workers == 0 {
            return self.end(key, End::Failed(Code::NoWorker));
        }
        if matches!(request.state, State::Queued(_))
            && self
                .cx
                .clients
                .get(client)
                .is_some_and(|client| client.parks())
        {
            let queue = &mut self.cx.services.get_mut(home).queue;
            queue.set_park(key, ParkState::Parked, now, &mut self.cx.requests);
            self.cx.send_client(client, ToClient::Parked { rids });
        }
        self.dispatch(home);
    }

    /// Handles the RESUME of a request that this broker may have received on an earlier connection.
    pub(super) fn resume_known(
        &mut self,
        client: ClientKey,
        mut request: IncomingRequest<F>,
        past: Past,
    ) -> Result<Resumed<F>, Malformed> {
        let rid = request.head.rid.clone();
        if let Some(key) = self.cx.clients.request(client, &rid, &self.cx.requests) {
            let entry = self.cx.clients.get(client).ok_or(Malformed::Name)?;
            if entry.absence.is_some() {
                // From a connection that is already known to be broken: the client resumes it on the next one.
                return Ok(Resumed::Done);
            }
            if !self.cx.clients.resume(client, key, &self.cx.requests) {
                return Err(Malformed::Name);
            }
            self.cx.send_resumed(client, &rid);
            let parts = self.cx.requests.get(key).map_or(0, Request::parts);
            let repeated = self
                .replies
                .send_lost(&mut self.cx, client, &rid, past.received);
            let has_gap = match repeated {
                Repeated::UpTo(next) => next < parts,
                Repeated::Ended => false,
                Repeated::Incomplete => true,
            };
            match has_gap {
                // The handler may go on, but the client would not notice that parts are missing.
                true => self.end(key, End::Failed(Code::BrokerLost)),
                false => self.go_on(key, past),
            }
            return Ok(Resumed::Done);
        }
        match self
            .replies
            .send_lost(&mut self.cx, client, &rid, past.received)
        {
            Repeated::UpTo(next) if next == past.received => {}
            Repeated::Ended => return Ok(Resumed::Done),
            _ => return Ok(self.lost_reply(client, rid)),
        }
        let started = self
            .cx
            .clients
            .get(client)
            .and_then(|each| each.started.as_ref());
        let Some(started) = started.filter(|_| past.here) else {
            return Ok(Resumed::Unknown(request));
        };
        let left = started.get(&*rid).copied();
        if past.received > 0 || left.is_some() {
            // The client was given up after a worker had the request.
            let asked = u16::from(request.terms.retry);
            let left = left.map_or(asked, |left| left.min(asked));
            if past.received > 0 || left == 0 {
                return Ok(self.lost_reply(client, rid));
            }
            request.terms.retry = u8::try_from(left - 1).unwrap_or(u8::MAX);
            request.retried = 1;
        }
        self.cx.send_resumed(client, &rid);
        Ok(Resumed::New(request))
    }

    /// Tells a client that the reply to a request which is not in the tables any more is lost.
    fn lost_reply(&mut self, client: ClientKey, rid: F) -> Resumed<F> {
        let code = text_of(Code::BrokerLost);
        self.cx.counters.count(Code::BrokerLost);
        self.replies
            .pass_reply(&mut self.cx, client, rid, 0, ReplyKind::OwnError, code);
        Resumed::Done
    }

    /// Continues a resumed request: a client that resumes a request also releases it, and states how much it has
    /// read.
    fn go_on(&mut self, key: RequestKey, past: Past) {
        let now = self.cx.now;
        let Some(request) = self.cx.requests.get_mut(key) else {
            return;
        };
        request.extend(now);
        let service = request.service;
        match &mut request.state {
            State::Queued(queued) if queued.park().may_start() => {}
            State::Queued(_) => {
                let queue = &mut self.cx.services.get_mut(service).queue;
                queue.set_park(key, ParkState::Released, now, &mut self.cx.requests);
                self.parking.watch(&mut self.cx, key);
                self.dispatch(service);
            }
            State::SetAside(_) => {
                self.cx.leave_queue(key);
                self.rejoin(|broker, cursors| broker.requeue_at(key, Some(cursors)));
                self.dispatch(service);
            }
            State::Addressed | State::Gathering(_) | State::Reclaimed(_) => {}
            State::Searching(search) => {
                search.received = past.received;
                search.read = past.read;
            }
            State::Assigned(assigned) => {
                let lost = past.read.saturating_sub(assigned.read);
                if lost > 0 {
                    self.cx
                        .give_credit(key, u32::try_from(lost).unwrap_or(u32::MAX));
                }
            }
        }
    }

    /// Handles a worker's claim of a request that this broker gave it on an earlier connection.
    pub(super) fn on_known_claim(
        &mut self,
        key: WorkerKey,
        ext: ClaimExt,
        request: Option<RequestKey>,
    ) {
        let request = request.filter(|&request| self.cx.requests.worker(request) == Some(key));
        let unclaimed = self
            .cx
            .workers
            .get_mut(key)
            .and_then(|w| w.unclaimed.as_mut());
        if let Some(request) = request
            && let token = self.cx.requests.token(request)
            && self.cx.on_hold.has(token)
        {
            if let Some(unclaimed) = unclaimed {
                unclaimed.requests.remove(&request);
            }
            return self.on_held_claim(key, token, ext);
        }
        let (Some(request), Some(unclaimed)) = (request, unclaimed) else {
            return self.cx.disclaim(key, ext);
        };
        if ext.state == ClaimState::NotStarted {
            unclaimed.not_started.insert(request);
            return;
        }
        if !unclaimed.requests.remove(&request) {
            return self.cx.disclaim(key, ext);
        }
        self.cx.let_resume(key, request, ext.number);
    }

    /// Ends the claims of a returned worker: it has made all (`complete`), or their time is over. A request that it
    /// has not claimed never reached it, unless it is known to have started; one that it claimed as not started is
    /// requeued as well.
    pub(super) fn end_of_claims(&mut self, key: WorkerKey, complete: bool) {
        let Some(worker) = self.cx.workers.get_mut(key) else {
            return;
        };
        let Some(unclaimed) = worker.unclaimed.take() else {
            return;
        };
        let running: Vec<RequestKey> = worker.running.iter().collect();
        let is_unclaimed = |request: &&RequestKey| unclaimed.requests.contains(request);
        let has_not_started = |requests: &Requests<F>, request| {
            unclaimed.not_started.contains(&request) || complete && !requests.has_begun(request)
        };
        if unclaimed.requests.len() > PIECE {
            let requests = running.iter().filter(is_unclaimed).map(|&request| {
                let not_started = has_not_started(&self.cx.requests, request);
                (request, !not_started || self.cx.requests.parts(request) > 0)
            });
            let requests = requests.collect();
            let task = self.take_back(key, requests);
            self.start(task);
            self.line_up(key);
            return self.dispatch_for(key);
        }
        let mut lost = Vec::new();
        // In reverse, so that the first request ends up at the front.
        for &request in running.iter().filter(is_unclaimed).rev() {
            let sent = self.cx.requests.get_mut(request).and_then(|request| {
                let assigned = request.assigned_mut()?;
                Some(assigned.parts)
            });
            let not_started = has_not_started(&self.cx.requests, request);
            self.cx.free_slot(key, request);
            if not_started && sent == Some(0) {
                self.requeue(request);
            } else if !self.retry(request) {
                lost.push(request);
            }
        }
        for request in lost {
            self.end(request, End::Failed(Code::WorkerLost));
        }
        self.line_up(key);
        self.dispatch_for(key);
    }

    /// Handles DENIED: a worker never had these requests.
    pub(super) fn on_denied(&mut self, key: WorkerKey, tokens: impl Iterator<Item = u64>) {
        let cx = &mut self.cx;
        let denied = tokens.filter_map(|token| cx.deny(key, token)).collect();
        self.put_back(denied);
    }
}
