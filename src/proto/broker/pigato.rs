//! PIGATO peers. Most of their protocol is that of 0.0.92; this module has the differences.
//!
//! | from   | message               | what the broker does                                         |
//! |--------|-----------------------|--------------------------------------------------------------|
//! | client | REQUEST               | see `admission`; replies have the form of the latest request |
//! | client | HEARTBEAT             | answers it, unless the client said hello: 0.0.92 ignores it  |
//! | client | HEARTBEAT for a worker | counts as the worker's own, if peers are not authenticated  |
//! | worker | READY                 | registers it, before its dialect is known                    |
//! | worker | HEARTBEAT with a status | it speaks PIGATO; the status is its room                   |
//! | worker | HEARTBEAT without status, reply of 0.0.92 | it is of 0.0.92                          |
//! | worker | PARTIAL, FINAL, REJECT | it speaks PIGATO; passed on                                 |
//! | worker | other, not registered | DISCONNECT, and the worker starts over                       |
//!
//! In PIGATO, a service that ends with `*` is a pattern. When the broker learns that the worker of such a service speaks
//! PIGATO, it registers the worker again, for the pattern.
//!
//! Until its dialect is known, a worker gets one request at a time, in a form that both dialects can read, and no
//! message that would break a worker of either.

use super::context::Context;
use super::keys::{RequestKey, WorkerKey};
use super::replies::Replies;
use super::{Broker, Departure, Outgoing};
use crate::wire::omdp::ReplyKind;
use crate::wire::pigato::{self, ClientMessage, PeerMessage, ToClient, ToWorker, WorkerMessage};
use crate::wire::trace_context::without_trace_context;
use crate::wire::{Body, Dialect, Frame};

/// Maximum of requests for which a worker's heartbeat is answered.
const MAX_BEATS: usize = 1024;

impl<F: Frame> Context<F> {
    /// Sends a request to a worker that speaks PIGATO, or may.
    #[cold]
    pub(super) fn send_pigato_request(&mut self, key: WorkerKey, request: RequestKey) {
        let Some((worker, entry)) = self.workers.get(key).zip(self.requests.get(request)) else {
            return;
        };
        let Some(client) = self.clients.get(entry.client) else {
            return;
        };
        let client = F::from(&*client.id);
        let rid = entry.name_without_token();
        let data = entry.content.body.clone().into_json();
        let opts = entry.content.opts.clone().filter(|opts| !opts.is_empty());
        let opts = opts.unwrap_or_else(|| F::from(&b"{}"[..]));
        let message = match worker.dialect {
            Dialect::Pigato => ToWorker::Request {
                client,
                service: F::from(&*self.asked_name(entry)),
                rid,
                data,
                opts: Some(opts),
            },
            // It may be of 0.0.92.
            _ => ToWorker::EitherRequest {
                client,
                rid,
                data,
                opts: without_trace_context(&opts).map_or(opts, F::from),
            },
        };
        self.send_pigato(key, message);
    }

    fn send_pigato(&mut self, key: WorkerKey, message: ToWorker<F>) {
        if let Some(worker) = self.workers.get(key) {
            let message = Outgoing::PigatoWorker(message);
            self.out.send_plain(worker.id.clone(), message);
        }
    }

    /// Answers the heartbeat of a client that may speak PIGATO. Without answers it would take its broker for dead.
    #[cold]
    pub(super) fn answer_beat(&mut self, from: &[u8]) {
        let client = self.clients.find(from);
        let client = client.and_then(|key| self.clients.get(key));
        if client
            .is_none_or(|client| client.dialect.is_like(Dialect::Pigato) && !client.is_extended())
        {
            let message = Outgoing::PigatoClient(ToClient::Heartbeat);
            self.out.send_plain(from, message);
        }
    }

    /// Whether the worker has no hello and is not known to be of 0.0.92.
    #[inline]
    pub(super) fn may_be_of_pigato(&self, key: WorkerKey) -> bool {
        self.workers.get(key).is_some_and(|worker| {
            worker.hello.is_none()
                && !worker.is_old
                && worker.dialect.is_like(Dialect::Pigato)
                && self.config.dialects.contains(Dialect::Pigato)
        })
    }

    pub(super) fn is_of_pigato(&self, key: WorkerKey) -> bool {
        let worker = self.workers.get(key);
        worker.is_some_and(|worker| worker.dialect == Dialect::Pigato)
    }

    /// Records that the worker has sent what only workers of 0.0.92 send, unless its dialect is known already.
    pub(super) fn note_sign_of_0_0_92(&mut self, key: WorkerKey) {
        if let Some(worker) = self.workers.get_mut(key) {
            worker.is_old = worker.hello.is_none() && worker.dialect == Dialect::Omdp;
        }
    }

    /// The request named in a reply of a 0.0.92 worker.
    pub(super) fn running_of_old(
        &mut self,
        key: WorkerKey,
        client: &[u8],
        rid: &[u8],
    ) -> Option<RequestKey> {
        self.note_sign_of_0_0_92(key);
        self.running_by_name(key, client, rid)
    }

    /// Confirms a worker's requests, which it would give up after three intervals without confirmation.
    fn beat_requests(&mut self, key: WorkerKey) {
        let Some(worker) = self.workers.get(key) else {
            return;
        };
        let running: Vec<RequestKey> = worker.running.iter().take(MAX_BEATS).collect();
        for request in running {
            let Some(request) = self.requests.get(request) else {
                continue;
            };
            let Some(client) = self.clients.get(request.client) else {
                continue;
            };
            let client = F::from(&*client.id);
            let rid = request.name_without_token();
            self.send_pigato(key, ToWorker::RequestHeartbeat { client, rid });
        }
    }
}

impl<F: Frame> Broker<F> {
    #[cold]
    pub(super) fn on_pigato(&mut self, from: &[u8], message: PeerMessage<F>) {
        match message {
            PeerMessage::Client(ClientMessage::WorkerHeartbeat { worker }) => {
                self.hear_worker_through_client(&worker);
            }
            // Messages with an equivalent in OMDP were decoded as such.
            PeerMessage::Client(_) => {}
            PeerMessage::Worker(message) => match self.cx.workers.find(from) {
                Some(key) => self.on_pigato_worker(key, message),
                None => self.cx.send_away(from),
            },
        }
    }

    /// Handles a client's statement that a worker lives, which is too busy to send heartbeats.
    fn hear_worker_through_client(&mut self, worker: &[u8]) {
        if self.authorizer.is_on() {
            return;
        }
        let worker = self.cx.workers.find(worker);
        if let Some(worker) = worker.and_then(|key| self.cx.workers.get_mut(key))
            && worker.hello.is_none()
            && worker.dialect.is_like(Dialect::Pigato)
        {
            worker.beats.heard(self.cx.now);
        }
    }

    fn on_pigato_worker(&mut self, key: WorkerKey, message: WorkerMessage<F>) {
        let Some(worker) = self.cx.workers.get_mut(key) else {
            return;
        };
        worker.beats.heard(self.cx.now);
        if std::mem::replace(&mut worker.dialect, Dialect::Pigato) != Dialect::Pigato {
            worker.is_old = false;
            self.cx.send_pigato(key, ToWorker::Welcome);
        }
        let Some(key) = self.widen(key) else {
            return;
        };
        match message {
            WorkerMessage::Heartbeat { status } => self.on_status(key, status.as_deref()),
            WorkerMessage::Reply {
                kind,
                client,
                rid,
                data,
                opts,
            } => {
                self.replies.opts = opts.filter(|opts| !pigato::is_nothing(opts));
                self.on_named_reply(key, &client, &rid, kind, pigato::body(data));
                self.replies.opts = None;
            }
            WorkerMessage::Reject {
                client,
                rid,
                reason,
                ..
            } => {
                let kind = ReplyKind::Rejected;
                self.on_named_reply(key, &client, &rid, kind, pigato::body(reason));
            }
            // Decoded as messages of OMDP.
            WorkerMessage::Ready { .. } | WorkerMessage::Disconnect => {}
        }
        // Also what waits for the pattern, if the worker is registered for it now.
        self.dispatch_for(key);
    }

    /// Registers an idle worker for the pattern that its service is in PIGATO, unless it is registered so. Returns its
    /// key; `None` if its account is over its limit.
    fn widen(&mut self, key: WorkerKey) -> Option<WorkerKey> {
        let worker = self.cx.workers.get(key)?;
        let (id, service) = (worker.id.clone(), self.cx.services.name(worker.service));
        let is_pattern = self.cx.services.is_pattern(worker.service);
        if is_pattern || !pigato::is_pattern(&service) || !worker.running.is_empty() {
            return Some(key);
        }
        self.remove_worker(key, Departure::Replaced);
        let new = self.register_for(&id, Dialect::Pigato, (&service, true), None);
        match new {
            Some(key) => self.line_up(key),
            None => self.cx.send_away(&id),
        }
        new
    }

    fn on_status(&mut self, key: WorkerKey, status: Option<&[u8]>) {
        let room = status.and_then(pigato::status);
        if let Some((room, worker)) = room.zip(self.cx.workers.get_mut(key)) {
            worker.room = usize::try_from(room).unwrap_or(usize::MAX);
        }
        self.cx.send_pigato(key, ToWorker::Heartbeat);
        self.cx.beat_requests(key);
        self.line_up(key);
    }

    fn on_named_reply(
        &mut self,
        key: WorkerKey,
        client: &[u8],
        rid: &[u8],
        kind: ReplyKind,
        body: Body<F>,
    ) {
        let request = self.cx.running_by_name(key, client, rid);
        if request.is_none() && kind.is_last() {
            self.release_old_worker(key, client, rid);
        }
        self.on_reply(key, request, kind, body, None);
    }
}

impl<F: Frame> Replies<F> {
    /// Sends a reply, or a part of it, to a PIGATO client.
    #[cold]
    pub(super) fn reply_pigato(
        &mut self,
        cx: &mut Context<F>,
        key: RequestKey,
        kind: ReplyKind,
        body: Body<F>,
    ) {
        let opts = self.opts.take();
        let Some(request) = cx.requests.get(key) else {
            return;
        };
        let Some(client) = cx.clients.get(request.client) else {
            return;
        };
        if let Some(reply) = ToClient::reply(kind, request.rid.clone(), body, opts) {
            let message = Outgoing::PigatoClient(reply);
            cx.out.send_plain(client.id.clone(), message);
        }
    }
}
