//! Replies: from a worker to the client, in the form of the client's dialect.

use super::ends::{End, text_of};
use super::incoming::RequestHead;
use super::keys::{ClientKey, RequestKey, WorkerKey};
use super::reply_log::Entry;
use super::requests::State;
use super::{Broker, Outgoing, Transmit};
use crate::proto::Time;
use crate::proto::code::Code;
use crate::proto::flow;
use crate::wire::ext::Pace as Told;
use crate::wire::omdp::{ReplyKind, ToClient, error_for_old};
use crate::wire::{Body, Dialect, Frame, mdp, pigato};

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
        // Only the worker that was given the request may answer it.
        let request = request.filter(|&request| self.requests.worker(request) == Some(key));
        let Some(request) = request else {
            self.authorizer.refusals.strays += 1;
            return;
        };
        if self.is_given_up(now, key, request, kind, &body) {
            return;
        }
        if kind == ReplyKind::Rejected {
            return self.on_reject(now, key, request, &body);
        }
        let (mut kind, mut body) = (kind, body);
        if kind != ReplyKind::OwnError && !self.client_takes(request, &body) {
            let code = Code::ReplyTooLarge;
            if !kind.is_last() {
                return self.end(now, request, End::Failed(code));
            }
            (kind, body) = (ReplyKind::OwnError, text_of(code));
        }
        if !kind.is_last() {
            if !self.is_overrun(now, key, request) {
                self.pass_on(now, request, kind, body);
            }
            return;
        }
        if let Some(told) = pace {
            self.on_pace(now, key, request, told);
        }
        self.end(now, request, End::Answered(kind, body));
    }

    /// Whether the body is within the maximum of the client's hello.
    fn client_takes(&self, key: RequestKey, body: &Body<F>) -> bool {
        let request = self.requests.get(key);
        let client = request.and_then(|request| self.clients.get(request.client));
        let hello = client.and_then(|client| client.hello.as_ref());
        hello.is_none_or(|hello| hello.takes(body.bytes.len()))
    }

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

    /// Frees a 0.0.92 worker that answers a request which has already ended for its client. A request that the worker
    /// brought from an earlier connection frees nothing.
    pub(super) fn release_old_worker(
        &mut self,
        now: Time,
        key: WorkerKey,
        client: &[u8],
        rid: &[u8],
    ) {
        if let Some(worker) = self.workers.get_mut(key)
            && let Some(at) = worker
                .busy_for_nobody
                .iter()
                .position(|owed| same_text(client, &owed.client) && same_text(rid, &owed.rid))
        {
            worker.busy_for_nobody.remove(at);
            self.line_up(key);
            self.dispatch_for(now, key);
        }
    }

    /// Passes a partial to the client.
    fn pass_on(&mut self, now: Time, key: RequestKey, kind: ReplyKind, body: Body<F>) {
        let Some(request) = self.requests.get_mut(key) else {
            return;
        };
        if request.is_copy() {
            return self.pass_over(now, key, &body);
        }
        self.counters.partials += 1;
        let meter = &mut self.services.get_mut(request.service).meter;
        meter.partials += 1;
        meter.bytes_out += body.bytes.len() as u64;
        // The client has seen the beginning of this attempt, so there must be no other.
        request.retry = 0;
        if let Some(assigned) = request.assigned_mut() {
            assigned.begun = true;
        }
        request.extend(now);
        let cost = flow::cost(&body);
        self.reply(key, kind, body);
        if let Some(assigned) = self.requests.get_mut(key).and_then(|r| r.assigned_mut()) {
            assigned.parts = assigned.parts.saturating_add(1);
        }
        self.owe(key, cost);
    }

    /// Sends a reply to the client of an admitted request, in the client's dialect.
    pub(super) fn reply(&mut self, key: RequestKey, kind: ReplyKind, body: Body<F>) {
        let Some(request) = self.requests.get(key) else {
            return;
        };
        if let Some(part) = request.part() {
            let part = part.clone();
            return self.pass_answer(part, kind, body);
        }
        let Some(client) = self.clients.get(request.client) else {
            return;
        };
        if client.leaving {
            return;
        }
        match client.dialect {
            Dialect::Omdp => {}
            Dialect::Mdp(dialect) => return self.reply_mdp(dialect, key, kind, body),
            Dialect::Pigato => return self.reply_pigato(key, kind, body),
        }
        let part = match &request.state {
            State::Assigned(assigned) => assigned.parts,
            State::Gathering(gathering) => gathering.parts,
            _ => 0,
        };
        let (client_key, rid) = (request.client, request.rid.clone());
        if kind.is_error() && client.knows_places() {
            self.tell_worker(key);
        }
        let Some(client) = self.clients.get(client_key) else {
            return;
        };
        if !client.unresumed.is_empty() && client.unresumed.contains(&key) {
            let entry = Entry {
                rid,
                part,
                kind,
                body,
            };
            if !self.logs.keep(client_key, entry) && !self.stretch_log(client_key) {
                self.give_up_log(client_key);
            }
            return;
        }
        self.pass_reply(client_key, rid, part, kind, body);
    }

    /// Sends a reply to a client of OMDP, unless it is detached. The reply is kept until the client acknowledges it.
    pub(super) fn pass_reply(
        &mut self,
        key: ClientKey,
        rid: F,
        part: u32,
        kind: ReplyKind,
        body: Body<F>,
    ) {
        let Some(client) = self.clients.get(key) else {
            return;
        };
        if client.acknowledges() {
            let entry = Entry {
                rid: rid.clone(),
                part,
                kind,
                body: body.clone(),
            };
            if client.absence.is_some() {
                if !self.logs.keep(key, entry) && !self.stretch_log(key) {
                    self.end_absence(key);
                }
                return;
            }
            if !self.logs.sent(key, entry) && !self.stretch_log(key) {
                self.give_up_log(key);
            }
        }
        let Some(client) = self.clients.get(key) else {
            return;
        };
        let Some(message) = reply_to(client.extended, rid, kind, body) else {
            return;
        };
        self.out.send(Transmit {
            to: client.id.clone(),
            message: Outgoing::Client(message),
            packed: client.packs(),
        });
    }

    /// Drops the log of a client that acknowledges nothing. If its connection breaks, this broker cannot tell what it
    /// lacks.
    #[cold]
    fn give_up_log(&mut self, key: ClientKey) {
        self.logs.clear(key);
        self.credit_log(key);
        if let Some(client) = self.clients.get_mut(key) {
            client.log_is_incomplete = true;
            client.started = None;
        }
    }

    /// Replies to a request that is not in the tables.
    pub(super) fn respond(
        &mut self,
        from: &[u8],
        head: RequestHead<F>,
        kind: ReplyKind,
        body: Body<F>,
    ) {
        let message = match head.dialect {
            Dialect::Omdp => {
                let client = self.clients.find(from);
                if let Some(client) = client
                    && self
                        .clients
                        .get(client)
                        .is_some_and(|each| each.acknowledges())
                {
                    return self.pass_reply(client, head.rid, 0, kind, body);
                }
                let extended = client.is_some_and(|client| self.clients.is_extended(client));
                reply_to(head.extended || extended, head.rid, kind, body).map(Outgoing::Client)
            }
            Dialect::Mdp(dialect) => {
                let reply = mdp::ClientReply {
                    last: true,
                    service: Some(head.service),
                    body: mdp::reply_frames(kind, body),
                };
                Some(Outgoing::MdpClient(dialect, reply))
            }
            Dialect::Pigato => {
                pigato::ToClient::reply(kind, head.rid, body, None).map(Outgoing::PigatoClient)
            }
        };
        self.out
            .send_all(message.map(|message| Transmit::plain(from.into(), message)));
    }
}

/// The reply in the form for a client of OMDP; `None` if it cannot be expressed.
fn reply_to<F: Frame>(
    extended: bool,
    rid: F,
    kind: ReplyKind,
    body: Body<F>,
) -> Option<ToClient<F>> {
    let mut body = body.into_value();
    if !extended {
        // A null partial ends the stream of a 0.0.92 client before its final, which crashes the client.
        if kind == ReplyKind::Partial && body.is_null() {
            return None;
        }
        if kind.is_error() {
            body = Body::json(error_for_old(body.into_json()));
        }
    }
    Some(ToClient::Reply {
        kind,
        rid,
        body,
        extended,
    })
}

/// Whether `echoed` is `original`, or its decoding as UTF-8 with replacement characters.
fn same_text(echoed: &[u8], original: &[u8]) -> bool {
    echoed == original || echoed == String::from_utf8_lossy(original).as_bytes()
}
