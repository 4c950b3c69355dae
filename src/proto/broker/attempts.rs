//! The attempts of a request: the answers of its worker, and the next attempt when the worker returns it or is lost.
//!
//! There is a further attempt only if the client permits it with `retry`, the previous worker was lost, and the client
//! has seen no part of the reply. A request that a worker returns or rejects has not started, so that this does not
//! count as an attempt.

use super::context::Context;
use super::flow::Overrun;
use super::keys::{RequestKey, WorkerKey};
use super::metrics::COUNTS;
use super::outcome::{End, text_of};
use super::requests::{Request, State};
use super::routing::CHOICES;
use super::tasks::PIECE;
use super::{Broker, BrokerEvent, Departure};
use crate::proto::code::Code;
use crate::proto::flow;
use crate::wire::ext::Pace as Told;
use crate::wire::omdp::{ReplyKind, ToWorker};
use crate::wire::{Body, Dialect, Frame};

/// Number of overruns after which a worker is removed.
const MOST_OVERRUNS: u32 = 3;

impl<F: Frame> Context<F> {
    /// The request named by a reply without a token. 0.0.92 decodes ids as UTF-8, so the echoed ids may contain
    /// replacement characters.
    pub(super) fn running_by_name(
        &self,
        key: WorkerKey,
        client: &[u8],
        rid: &[u8],
    ) -> Option<RequestKey> {
        let worker = self.workers.get(key)?;
        worker.running.iter().find(|&request| {
            self.requests.get(request).is_some_and(|request| {
                same_text(rid, &request.name_without_token())
                    && self
                        .clients
                        .get(request.client)
                        .is_some_and(|c| same_text(client, &c.id))
            })
        })
    }

    /// Whether the body is within the maximum of the client's hello.
    fn client_takes(&self, key: RequestKey, body: &Body<F>) -> bool {
        let request = self.requests.get(key);
        let client = request.and_then(|request| self.clients.get(request.client));
        let hello = client.and_then(|client| client.hello.as_ref());
        hello.is_none_or(|hello| hello.takes(body.bytes.len()))
    }

    /// Records a worker's report of the time for this request and the previous ones.
    #[cold]
    pub(super) fn on_pace(&mut self, key: WorkerKey, request: RequestKey, told: Told) {
        if let Some(State::Assigned(assigned)) = self.requests.get(request).map(|r| &r.state)
            && let Some(worker) = self.workers.get_mut(key)
        {
            worker.pace.told(self.now, assigned.given, told);
        }
    }

    pub(super) fn may_retry(&self, key: RequestKey) -> bool {
        self.requests
            .get(key)
            .is_some_and(|request| request.retry > 0)
    }
}

impl<F: Frame> Broker<F> {
    /// Puts a request whose worker was lost, and which may have started, back to the front of the
    /// queue for another attempt. Its deadline stays. Returns false if there must not be another
    /// attempt.
    pub(super) fn retry(&mut self, key: RequestKey) -> bool {
        let is_retried = self.count_retry(key);
        if is_retried {
            self.requeue(key);
        }
        is_retried
    }

    /// As [`retry`](Self::retry), for a caller that puts the request back to the queue.
    pub(super) fn count_retry(&mut self, key: RequestKey) -> bool {
        if self.stopped {
            return false;
        }
        let Some(request) = self
            .cx
            .requests
            .get_mut(key)
            .filter(|request| request.retry > 0)
        else {
            return false;
        };
        request.retry -= 1;
        request.retried += 1;
        self.cx.services.get_mut(request.service).meter.retried += 1;
        // Late replies to the earlier attempt have no request any more.
        self.cx.requests.renew_token(key);
        self.cx.counters.retried += 1;
        true
    }

    /// Handles the error `W_LOST` of a worker that had to stop before its request ended, or `B_LOST` of one that no
    /// longer has the reply. Returns true if the request is retried.
    pub(super) fn is_given_up(
        &mut self,
        worker: WorkerKey,
        request: RequestKey,
        kind: ReplyKind,
        body: &Body<F>,
    ) -> bool {
        if kind != ReplyKind::OwnError || !self.cx.may_retry(request) {
            return false;
        }
        let code = Code::from_json(&body.clone().into_value().bytes);
        if !matches!(code, Some(Code::WorkerLost | Code::BrokerLost)) {
            return false;
        }
        let Some(entry) = self.cx.workers.get(worker) else {
            return false;
        };
        if entry.hello.is_none() {
            // The worker cannot announce that it takes no more requests, and would be given this
            // one again.
            let (id, dialect) = (entry.id.clone(), entry.dialect);
            match dialect {
                Dialect::Mdp(dialect) => self.disconnect(&id, dialect),
                Dialect::Omdp | Dialect::Pigato => {
                    self.cx.send_worker(worker, ToWorker::Disconnect)
                }
            }
            self.remove_worker(worker, Departure::Goodbye);
            return true;
        }
        self.cx.free_slot(worker, request);
        self.retry(request);
        self.line_up(worker);
        self.dispatch_for(worker);
        true
    }

    pub(super) fn on_reply(
        &mut self,
        key: WorkerKey,
        request: Option<RequestKey>,
        kind: ReplyKind,
        body: Body<F>,
        pace: Option<Told>,
    ) {
        // Only the worker that was given the request may answer it.
        let request = request.filter(|&request| self.cx.requests.worker(request) == Some(key));
        let Some(request) = request else {
            self.cx.counters.refusals.strays += 1;
            return;
        };
        if self.is_given_up(key, request, kind, &body) {
            return;
        }
        if kind == ReplyKind::Rejected {
            return self.on_reject(key, request, &body);
        }
        let (mut kind, mut body) = (kind, body);
        if kind != ReplyKind::OwnError && !self.cx.client_takes(request, &body) {
            let code = Code::ReplyTooLarge;
            if !kind.is_last() {
                return self.end(request, End::Failed(code));
            }
            (kind, body) = (ReplyKind::OwnError, text_of(code));
        }
        if !kind.is_last() {
            return match self.cx.overrun(key, request) {
                None => self.pass_on(request, kind, body),
                Some(Overrun::OfWorker) => self.on_overrun(key, request),
                Some(Overrun::OfClient) => self.on_slow_reader(request),
            };
        }
        if let Some(told) = pace {
            self.cx.on_pace(key, request, told);
        }
        self.end(request, End::Answered(kind, body));
    }

    /// Passes a partial to the client.
    fn pass_on(&mut self, key: RequestKey, kind: ReplyKind, body: Body<F>) {
        let Some(request) = self.cx.requests.get_mut(key) else {
            return;
        };
        if request.is_copy() {
            return self.cx.pass_over(key, &body);
        }
        if COUNTS {
            self.cx.counters.partials += 1;
            let service = self.cx.services.get_mut(request.service);
            service.meter.passed_on(body.bytes.len());
        }
        // The client has seen the beginning of this attempt, so there must be no other.
        request.retry = 0;
        if let Some(assigned) = request.assigned_mut() {
            assigned.begun = true;
        }
        request.extend(self.cx.now);
        let cost = flow::cost(&body);
        self.replies.reply(&mut self.cx, key, kind, body);
        if let Some(assigned) = self.cx.requests.get_mut(key).and_then(|r| r.assigned_mut()) {
            assigned.parts = assigned.parts.saturating_add(1);
        }
        self.cx.count_unread(key, cost);
    }

    /// Handles a part beyond the window of a worker that announced to keep it.
    #[cold]
    fn on_overrun(&mut self, worker: WorkerKey, key: RequestKey) {
        self.end(key, End::Failed(Code::BadReply));
        let Some(entry) = self.cx.workers.get_mut(worker) else {
            return;
        };
        entry.overruns += 1;
        let (id, goes_on) = (entry.id.clone(), entry.overruns >= MOST_OVERRUNS);
        self.cx.report_bad(&id, "more than its window");
        if goes_on {
            self.cx.send_worker(worker, ToWorker::Disconnect);
            self.remove_worker(worker, Departure::Protocol);
        }
    }

    /// Ends a request whose client does not read while its worker knows no windows.
    #[cold]
    fn on_slow_reader(&mut self, key: RequestKey) {
        self.cx.counters.slow_peers += 1;
        if let Some(client) = self.cx.requests.get(key).map(|request| request.client)
            && !self.cx.clients.is_extended(client)
        {
            self.cx.tell_client_gone(client, Departure::Slow, 1);
        }
        self.end(key, End::Failed(Code::ClientSlow));
    }

    /// Frees a 0.0.92 worker that answers a request which has already ended for its client. A request that the worker
    /// brought from an earlier connection frees nothing.
    pub(super) fn release_old_worker(&mut self, key: WorkerKey, client: &[u8], rid: &[u8]) {
        if let Some(worker) = self.cx.workers.get_mut(key)
            && let Some(at) = worker
                .busy_for_nobody
                .iter()
                .position(|owed| same_text(client, &owed.client) && same_text(rid, &owed.rid))
        {
            worker.busy_for_nobody.remove(at);
            self.line_up(key);
            self.dispatch_for(key);
        }
    }

    /// Handles the rejection of a request by its worker. The request goes to another worker, and never to this one
    /// again.
    #[cold]
    pub(super) fn on_reject(&mut self, key: WorkerKey, request: RequestKey, reason: &Body<F>) {
        let Some(worker) = self.cx.workers.get(key) else {
            return;
        };
        let (number, id) = (worker.number, worker.id.clone());
        if self.cx.requests.is_bound(request) {
            let code = text_of(Code::Rejected);
            return self.end(request, End::Answered(ReplyKind::OwnError, code));
        }
        let Some(entry) = self.cx.requests.get_mut(request) else {
            return;
        };
        let routing = entry.routing.get_or_insert_default();
        if let Err(at) = routing.rejected.binary_search(&number) {
            routing.rejected.insert(at, number);
        }
        let is_pinned = routing.worker.is_some() || routing.part.is_some();
        let looks = routing.rejected.len() / CHOICES;
        let service = entry.service;
        self.cx.count_work(looks);
        self.cx.counters.rejected += 1;
        self.cx.services.get_mut(service).meter.rejected += 1;
        if let Some(worker) = self.cx.workers.get_mut(key) {
            worker.rejected += 1;
        }
        if self.cx.out.may_tell_fault(self.cx.now)
            && let Some(entry) = self.cx.requests.get(request)
        {
            self.cx.out.tell(BrokerEvent::RequestRejected {
                service: (&*self.cx.asked_name(entry)).into(),
                worker: (&*id).into(),
                reason: String::from_utf8_lossy(&reason.bytes).into(),
            });
        }
        if is_pinned || self.cx.is_fail_fast(request) && self.cx.is_rejected_by_all(request) {
            let code = text_of(Code::Rejected);
            return self.end(request, End::Answered(ReplyKind::OwnError, code));
        }
        // Late messages of this worker about the request are ignored.
        self.cx.requests.renew_token(request);
        self.cx.free_slot(key, request);
        self.requeue(request);
        self.line_up(key);
        self.dispatch_for(key);
    }

    /// Puts requests that the worker has not started back to the front of the queue.
    #[inline(never)]
    pub(super) fn on_return(&mut self, key: WorkerKey, tokens: impl Iterator<Item = u64>) {
        let tokens: Vec<u64> = tokens.collect();
        self.cx.count_work(tokens.len() / 4);
        let is_much = tokens.len() > PIECE;
        let mut returned = Vec::new();
        // In reverse, so that the first request ends up at the front.
        for token in tokens.into_iter().rev() {
            let Some(request) = self.cx.requests.by_token(token) else {
                continue;
            };
            if self.cx.requests.worker(request) != Some(key) {
                self.cx.counters.refusals.strays += 1;
                continue;
            }
            if self.cx.requests.has_begun(request) {
                self.on_started_return(key);
                continue;
            }
            let is_copy = self.cx.requests.get(request).is_some_and(Request::is_copy);
            if is_much && !is_copy {
                returned.push((request, false));
                continue;
            }
            self.cx.free_slot(key, request);
            self.requeue(request);
        }
        if !returned.is_empty() {
            let task = self.take_back(key, returned);
            self.start(task);
        }
        if let Some(worker) = self.cx.workers.get_mut(key) {
            worker.pace.stall();
        }
        self.line_up(key);
        self.dispatch_for(key);
    }

    #[cold]
    fn on_started_return(&mut self, key: WorkerKey) {
        // The client has a part of the reply and must not receive it again.
        if let Some(worker) = self.cx.workers.get(key).map(|worker| worker.id.clone()) {
            self.cx.report_bad(&worker, "return of a started request");
        }
    }
}

/// Whether `echoed` is `original`, or its decoding as UTF-8 with replacement characters.
fn same_text(echoed: &[u8], original: &[u8]) -> bool {
    echoed == original || echoed == String::from_utf8_lossy(original).as_bytes()
}
