//! What a worker says about its requests: parts, finals and errors, and what is wrong with them.

use super::context::Context;
use super::flow::Overrun;
use super::keys::{RequestKey, WorkerKey};
use super::metrics::COUNTS;
use super::outcome::{End, text_of};
use super::requests::State;
use super::{Broker, Departure};
use crate::proto::code::Code;
use crate::proto::flow;
use crate::wire::ext::Pace as Told;
use crate::wire::omdp::{ReplyKind, ToWorker};
use crate::wire::{Body, Frame};

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
}

impl<F: Frame> Broker<F> {
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
            self.cx.refusals.strays += 1;
            return;
        };
        if self.is_given_up(key, request, kind, &body) {
            return;
        }
        if (body.bytes.len() >= self.cx.config.hold_from || !self.cx.on_hold.is_empty())
            && self.is_on_hold(key, request, kind, &body)
        {
            return;
        }
        if kind == ReplyKind::Rejected {
            return self.on_reject(key, request, &body);
        }
        let (mut kind, mut body) = (kind, body);
        let is_too_large = !self.cx.client_takes(request, &body) || body.has_too_many_frames();
        if kind != ReplyKind::OwnError && is_too_large {
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

    /// Whether the message is not passed on, because its reply stays at the worker.
    #[cold]
    fn is_on_hold(
        &mut self,
        worker: WorkerKey,
        key: RequestKey,
        kind: ReplyKind,
        body: &Body<F>,
    ) -> bool {
        if self.cx.ends_hold(key) {
            self.line_up(worker);
        }
        self.replies
            .puts_on_hold(&mut self.cx, worker, key, kind, body)
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
            assigned.begin();
        }
        request.extend(self.cx.now);
        let cost = flow::cost(&body);
        self.replies.reply(&mut self.cx, key, kind, body);
        if let Some(assigned) = self.cx.requests.get_mut(key).and_then(|r| r.assigned_mut()) {
            assigned.add_part();
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

    /// Ends a request whose client does not read while its worker knows no windows, or has more credit than the client
    /// can have read.
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
            self.put_to_work(key);
        }
    }
}

/// Whether `echoed` is `original`, or its decoding as UTF-8 with replacement characters.
fn same_text(echoed: &[u8], original: &[u8]) -> bool {
    echoed == original || echoed == String::from_utf8_lossy(original).as_bytes()
}
