//! From the worker to the client: whose reply it is, and the form in which it is passed on.

use super::Broker;
use super::requests::{Place, RequestKey};
use super::workers::WorkerKey;
use crate::proto::Time;
use crate::proto::flow;
use crate::wire::ext::Pace as Told;
use crate::wire::omdp::{ReplyKind, ToClient, error_for_old};
use crate::wire::{Body, Dialect, Frame};

impl<F: Frame> Broker<F> {
    pub(super) fn on_reply(
        &mut self,
        now: Time,
        key: WorkerKey,
        request: Option<RequestKey>,
        kind: ReplyKind,
        body: Body<F>,
        pace: Option<Told>,
    ) {
        // Only the worker that was given a request may answer it.
        let request =
            request.filter(|&request| self.requests.place(request) == Some(Place::Worker(key)));
        let Some(request) = request else {
            self.guard.refusals.strays += 1;
            return;
        };
        if self.is_given_up(now, key, request, kind, &body) {
            return;
        }
        self.pass_on(now, request, kind, body);
        if kind.is_last() {
            match kind.is_error() {
                true => self.counters.failures += 1,
                false => self.counters.replies += 1,
            }
            if let Some(told) = pace {
                self.on_pace(now, key, request, told);
            }
            self.free_slot(key, request);
            self.forget_request(request);
            if let Some(worker) = self.workers.get_mut(key) {
                worker.pace.end();
            }
            self.line_up(key);
            self.dispatch_for(now, key);
        }
    }

    /// The request that a reply without a token names. 0.0.92 passes ids through UTF-8, so they
    /// come back as what that made of them.
    pub(super) fn running_by_name(
        &self,
        key: WorkerKey,
        client: &[u8],
        rid: &[u8],
    ) -> Option<RequestKey> {
        let worker = self.workers.get(key)?;
        worker.running.iter().copied().find(|&request| {
            self.requests.get(request).is_some_and(|request| {
                same_text(rid, &request.name_without_token())
                    && self
                        .clients
                        .get(request.client)
                        .is_some_and(|c| same_text(client, &c.id))
            })
        })
    }

    /// The end of a request that ended for its client meanwhile: a 0.0.92 worker is free again. Not
    /// so of one that it took with it from an earlier connection.
    pub(super) fn release_old_worker(
        &mut self,
        now: Time,
        key: WorkerKey,
        client: &[u8],
        rid: &[u8],
    ) {
        if let Some(worker) = self.workers.get_mut(key)
            && let Some(owed) = &worker.busy_for_nobody
            && same_text(client, &owed.client)
            && same_text(rid, &owed.rid)
        {
            worker.busy_for_nobody = None;
            self.line_up(key);
            self.dispatch_for(now, key);
        }
    }

    /// A worker's reply to the client, in the form that the client understands.
    pub(super) fn pass_on(&mut self, now: Time, key: RequestKey, kind: ReplyKind, body: Body<F>) {
        let Some(request) = self.requests.get_mut(key) else {
            return;
        };
        if kind == ReplyKind::Partial {
            self.counters.partials += 1;
            // Its client has seen the beginning of this attempt.
            request.retry = 0;
        }
        request.begun = true;
        if let Some(timeout) = request.timeout {
            request.deadline = now + timeout;
        }
        let cost = flow::cost(&body);
        self.reply(key, kind, body);
        if kind == ReplyKind::Partial {
            self.owe(key, cost);
        }
    }

    pub(super) fn reply(&mut self, key: RequestKey, kind: ReplyKind, body: Body<F>) {
        let Some(request) = self.requests.get(key) else {
            return;
        };
        let (client, rid) = (request.client, request.rid.clone());
        let Some(entry) = self.clients.get(client) else {
            return;
        };
        let extended = entry.extended;
        if let Dialect::Mdp(dialect) = entry.dialect {
            return self.reply_mdp(dialect, key, kind, body);
        }
        let mut body = body.into_value();
        if !extended {
            // A null partial ends the stream of a 0.0.92 client before its final, which kills it.
            if kind == ReplyKind::Partial && body.is_null() {
                return;
            }
            if kind.is_error() {
                body = Body::json(error_for_old(body.into_json()));
            }
        }
        let message = ToClient::Reply {
            kind,
            rid,
            body,
            extended,
        };
        self.send_client(client, message);
    }
}

/// Whether `echoed` is `original`, or what a decoder of UTF-8 makes of it.
fn same_text(echoed: &[u8], original: &[u8]) -> bool {
    echoed == original || echoed == String::from_utf8_lossy(original).as_bytes()
}
