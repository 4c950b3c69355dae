//! Replies: from a worker to the client, in the form of the client's dialect.

use super::collected::Collected;
use super::context::Context;
use super::incoming::RequestHead;
use super::keys::{ClientKey, RequestKey};
use super::reply_log::{Entry, OVERHEAD, ReplyLogs, continued};
use super::requests::{CopyOf, Request};
use super::{Outgoing, Transmit, fanout};
use crate::wire::omdp::{Ack, ReplyKind, ToClient, error_for_old};
use crate::wire::{Body, Dialect, Frame};
use crate::wire::{mdp, pigato};

/// What was sent again of a reply.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Repeated {
    /// All parts before this one, and the reply goes on.
    UpTo(u32),
    /// Everything, with the end.
    Ended,
    /// Nothing: parts were dropped from the log, and the client would not notice that they are missing.
    Incomplete,
}

/// Sends replies to clients, each in the form of its dialect.
#[derive(Debug)]
pub(super) struct Replies<F> {
    pub(super) logs: ReplyLogs<F>,
    pub(super) collected: Collected<F>,
    /// The options that a PIGATO worker sent with the reply that is being passed on.
    pub(super) opts: Option<F>,
}

impl<F: Frame> Replies<F> {
    pub(super) fn new() -> Self {
        Replies {
            logs: ReplyLogs::new(),
            collected: Collected::default(),
            opts: None,
        }
    }

    /// Sends a reply to the client of an admitted request, in the client's dialect.
    pub(super) fn reply(
        &mut self,
        cx: &mut Context<F>,
        key: RequestKey,
        kind: ReplyKind,
        body: Body<F>,
    ) {
        let Some(request) = cx.requests.get(key) else {
            return;
        };
        if let Some(copy) = request.copy_of() {
            let copy = copy.clone();
            return self.pass_answer(cx, copy, kind, body);
        }
        let Some(client) = cx.clients.get(request.client) else {
            return;
        };
        if client.leaving {
            return;
        }
        match client.dialect {
            Dialect::Omdp => {}
            Dialect::Mdp(dialect) => return self.reply_mdp(cx, dialect, key, kind, body),
            Dialect::Pigato => return self.reply_pigato(cx, key, kind, body),
        }
        let (client_key, rid, part) = (request.client, request.rid.clone(), request.parts());
        if kind.is_error() && client.knows_places() {
            cx.tell_worker(key);
        }
        let Some(client) = cx.clients.get(client_key) else {
            return;
        };
        let is_resuming = !client.unresumed.is_empty();
        let is_away = client.absence.is_some() || is_resuming;
        if is_away || client.is_behind {
            cx.keep_at_worker(key);
        }
        if is_resuming && cx.clients.is_unresumed(key, &cx.requests) {
            let entry = Entry {
                rid,
                part,
                kind,
                body,
            };
            return self.keep(cx, client_key, entry);
        }
        self.pass_reply(cx, client_key, rid, part, kind, body);
    }

    /// Passes the final answer or the failure of a copy to the client, as a partial. Partials of workers are not
    /// passed on.
    #[cold]
    pub(super) fn pass_answer(
        &mut self,
        cx: &mut Context<F>,
        copy: CopyOf,
        kind: ReplyKind,
        body: Body<F>,
    ) {
        let Some(key) = cx.requests.by_token(copy.whole) else {
            return;
        };
        let body = fanout::item(&copy.worker, kind, body.into_value());
        if let Some(request) = cx.requests.get_mut(key) {
            request.extend(cx.now);
            // Its bytes are counted with the copy's reply.
            cx.services.get_mut(request.service).meter.partials += 1;
        }
        cx.counters.partials += 1;
        self.reply(cx, key, ReplyKind::Partial, body);
        let request = cx.requests.get_mut(key);
        if let Some(gathering) = request.and_then(Request::gathering_mut) {
            gathering.parts = gathering.parts.saturating_add(1);
        }
    }

    /// Sends a reply to a client of OMDP, unless it is detached. The reply is kept until the client acknowledges it.
    pub(super) fn pass_reply(
        &mut self,
        cx: &mut Context<F>,
        key: ClientKey,
        rid: F,
        part: u32,
        kind: ReplyKind,
        body: Body<F>,
    ) {
        let Some(client) = cx.clients.get(key) else {
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
                return self.keep(cx, key, entry);
            }
            if !self.logs.sent(key, entry) && !self.logs.stretch(cx, key) {
                self.shorten_log(cx, key);
            }
        }
        let Some(client) = cx.clients.get(key) else {
            return;
        };
        let Some(message) = reply_to(client.is_extended(), rid, kind, body) else {
            return;
        };
        cx.out.send(Transmit {
            to: client.id.clone(),
            message: Outgoing::Client(message),
            packed: client.packs(),
        });
    }

    /// Keeps a message for a client that cannot receive it now. A message for which there is no room is lost, and no
    /// others.
    pub(super) fn keep(&mut self, cx: &mut Context<F>, key: ClientKey, entry: Entry<F>) {
        let rid = entry.rid.clone();
        if self.logs.keep(key, entry) || self.logs.stretch(cx, key) {
            return;
        }
        self.logs.drop_last(key, &rid);
        if let Some(client) = cx.clients.get_mut(key)
            && !client.log_is_incomplete
        {
            // Not charged: there are no more of these than requests that the client has made.
            let started = client.started.get_or_insert_default();
            started.insert(Box::from(&*rid), u16::MAX);
        }
    }

    /// Drops the oldest messages from the log of a client that acknowledges too little. If its connection breaks before
    /// they have arrived, these replies are lost, but no others.
    #[cold]
    fn shorten_log(&mut self, cx: &mut Context<F>, key: ClientKey) {
        let rids = self.logs.drop_oldest(key);
        self.logs.release(cx, key);
        let Some(client) = cx.clients.get_mut(key) else {
            return;
        };
        let bytes = rids.iter().map(|rid| rid.len() + OVERHEAD).sum();
        if client.log_is_incomplete || cx.accounts.charge(client.account, bytes).is_err() {
            // This broker can no longer tell what a broken connection has lost.
            client.log_is_incomplete = true;
            client.started = None;
            return;
        }
        client.charged += bytes;
        let started = client.started.get_or_insert_default();
        started.extend(rids.into_iter().map(|rid| (rid, u16::MAX)));
    }

    /// Replies to a request that is not in the tables.
    pub(super) fn respond(
        &mut self,
        cx: &mut Context<F>,
        from: &[u8],
        head: RequestHead<F>,
        kind: ReplyKind,
        body: Body<F>,
    ) {
        let message = match head.dialect {
            Dialect::Omdp => {
                let client = cx.clients.find(from);
                if let Some(client) = client
                    && cx
                        .clients
                        .get(client)
                        .is_some_and(|each| each.acknowledges())
                {
                    return self.pass_reply(cx, client, head.rid, 0, kind, body);
                }
                let extended = client.is_some_and(|client| cx.clients.is_extended(client));
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
        if let Some(message) = message {
            cx.out.send_plain(from, message);
        }
    }

    /// Sends the parts of a reply that the client has not received.
    pub(super) fn send_lost(
        &mut self,
        cx: &mut Context<F>,
        client: ClientKey,
        rid: &[u8],
        received: u32,
    ) -> Repeated {
        let entries = self.logs.take(client, rid);
        let Some(next) = continued(&entries, received) else {
            return Repeated::Incomplete;
        };
        let mut repeated = Repeated::UpTo(next);
        for entry in entries {
            let Entry {
                rid,
                part,
                kind,
                body,
            } = entry;
            if kind.is_last() {
                repeated = Repeated::Ended;
            }
            if part >= received || kind.is_last() {
                self.pass_reply(cx, client, rid, part, kind, body);
            }
        }
        repeated
    }

    /// Drops the messages that a client has received from its log.
    pub(super) fn acknowledge(&mut self, cx: &mut Context<F>, client: ClientKey, ack: Ack) {
        self.logs.acknowledge(client, ack.messages);
        self.logs.release(cx, client);
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
