//! Recovery of requests that outlive a broker or a connection: what the broker does with the messages of peers that have
//! returned. [`claims`](super::claims) joins requests of a dead broker with the workers that have them,
//! [`recall`](super::recall) finds those that have not started, and [`detached`](super::detached) keeps peers for the
//! grace time.

use super::Broker;
use super::claims::{ClaimName, MAX_CLAIMS};
use super::keys::{ClientKey, RequestKey, WorkerKey};
use super::outcome::End;
use super::principal::is_same_user;
use super::recall::Returned;
use super::requests::{Assigned, Cursors, ParkState, State};
use super::tasks::{Cancellation, Task};
use crate::proto::code::Code;
use crate::wire::Frame;
use crate::wire::omdp::{ClaimExt, ClaimState, Past, ToClient, rids_to_frame};

impl<F: Frame> Broker<F> {
    /// Handles the end of a worker's claims, with which it states its earlier brokers.
    pub(super) fn on_lives(&mut self, key: WorkerKey, lives: Vec<(Box<str>, u64)>) {
        match self.recalls.set_lives(&mut self.cx, key, lives) {
            Ok(true) => self.ask(Returned::Worker(key)),
            Ok(false) => {}
            Err((id, over)) => self.over_limit(&id, over),
        }
    }

    /// Asks workers for requests of an earlier broker.
    fn ask(&mut self, returned: Returned) {
        if let Some(asking) = self.recalls.begin(returned) {
            self.start(Task::Ask(Box::new(asking)));
        }
    }

    /// Handles the RESUME of a request that an earlier broker had.
    pub(super) fn on_resume(&mut self, key: RequestKey, past: Past) {
        let Some(request) = self.cx.requests.get_mut(key) else {
            return;
        };
        // The earlier broker may have started it again.
        if request.retry > 0 {
            request.attempts.note_unknown();
        }
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
        if entry.claims >= MAX_CLAIMS || self.claims.contains(&mut self.cx, &name) {
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
        let owner = self.cx.clients.find(client);
        let owner = owner.and_then(|client| self.cx.clients.get(client));
        if owner.is_some_and(|client| client.has_resumed) {
            // Another user may have the name meanwhile.
            let resumed_by = self.authorizer.user_frame(client);
            if is_same_user(resumed_by.as_deref(), user.as_deref()) {
                return self.cx.disclaim(worker, ext);
            }
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
            // A started request is not requeued when its worker leaves.
            let assigned = Assigned::resumed(worker, now, received, read);
            request.state = State::Assigned(assigned);
        }
        self.cx.send_client(client, ToClient::Resumed { rids });
        if let Some(entry) = self.cx.workers.get_mut(worker) {
            entry.running.push_back(key);
            entry.bytes += self.cx.requests.bytes(key);
        }
        self.line_up(worker);
        self.cx.let_resume(worker, key, ext.number);
    }

    /// Retries a request of which is unknown whether it ran, if its policy permits and no part of its reply has
    /// arrived. Otherwise ends it.
    pub(super) fn not_found(&mut self, key: RequestKey) {
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

    /// Handles a worker's claim of a request that this broker gave it on an earlier connection.
    fn on_known_claim(&mut self, worker: WorkerKey, ext: ClaimExt, request: Option<RequestKey>) {
        if let Some(client) = self.cx.claim_known(worker, ext, request) {
            self.take_up(client);
            self.put_to_work(worker);
        }
    }

    /// Ends the claims of a returned worker: it has made all (`complete`), or their time is over.
    pub(super) fn end_of_claims(&mut self, key: WorkerKey, complete: bool) {
        if let Some(unclaimed) = self.cx.unclaimed(key, complete) {
            if let Some(task) = self.take_back(key, unclaimed) {
                self.start(task);
            }
            self.put_to_work(key);
        }
    }

    /// Asks for replies on hold for which there is room. See [`on_hold`](super::on_hold).
    pub(super) fn take_up(&mut self, client: ClientKey) {
        let kept_back = self.replies.take_up(&mut self.cx, client);
        self.put_back(kept_back);
    }

    /// Asks for further replies after some that were on hold have arrived or ended in this turn.
    #[cold]
    pub(super) fn take_up_touched(&mut self) {
        for client in self.cx.on_hold.take_touched() {
            self.take_up(client);
        }
    }

    /// Continues a resumed request.
    pub(super) fn go_on(&mut self, key: RequestKey, past: Past) {
        let Some(service) = self.cx.go_on(&mut self.parking, key, past) else {
            return;
        };
        let state = self.cx.requests.get(key).map(|request| &request.state);
        if matches!(state, Some(State::SetAside(_))) {
            self.cx.leave_queue(key);
            self.rejoin(|broker, cursors| broker.requeue_at(key, Some(cursors)));
        }
        self.dispatch(service);
    }

    /// Cancels the requests that a client has not resumed at the end of its RESUMEs. Those of a connection that is
    /// already known to be broken were not answered, so nothing is forgotten.
    pub(super) fn on_all_resumed(&mut self, key: ClientKey) {
        let client = self.cx.clients.get(key);
        if client.is_none_or(|client| client.absence.is_some()) {
            return;
        }
        self.replies.logs.forget_lost(key);
        self.replies.logs.release(&mut self.cx, key);
        let Some(client) = self.cx.clients.get_mut(key) else {
            return;
        };
        client.has_said_all = true;
        let (unresumed, returned) = (client.unresumed.iter().collect(), client.returned);
        let rest = Cancellation::new(key, unresumed);
        self.start(Task::Unresumed { rest, returned });
        self.ask(Returned::Client(key));
        self.take_up(key);
        self.disclaim_unwanted(key);
    }

    /// Disclaims the requests of a client that it does not want, since it has resumed all others. Those of another user,
    /// who had the name before, are not its own. A RESUME that waits for
    /// an authorization may be of any of them.
    fn disclaim_unwanted(&mut self, key: ClientKey) {
        let Some(client) = self.cx.clients.get_mut(key) else {
            return;
        };
        if self.authorizer.keeps_message_of(&client.id) {
            return;
        }
        client.has_resumed = true;
        let user = self.authorizer.user_frame(&client.id);
        let unwanted = self.claims.of_client(&client.id, user.as_deref());
        self.cx.count_work(unwanted.len());
        for at in unwanted {
            self.claim_due(at);
        }
    }

    /// Handles DENIED: a worker never had these requests.
    pub(super) fn on_denied(&mut self, key: WorkerKey, tokens: impl Iterator<Item = u64>) {
        let cx = &mut self.cx;
        let denied = tokens.filter_map(|token| cx.deny(key, token)).collect();
        self.put_back(denied);
    }
}
