//! MDP peers. They are clients and workers of the broker like all others; this module has the differences of their
//! protocol.
//!
//! | from   | message                   | what the broker does                                    |
//! |--------|---------------------------|---------------------------------------------------------|
//! | client | REQUEST                   | assigns an id, queues it under its service, dispatches  |
//! | worker | READY                     | registers the worker, sends no answer                   |
//! | worker | READY, registered; `mmi.…` | DISCONNECT, removes the worker                         |
//! | worker | PARTIAL, FINAL for the client of its request | passes it on                         |
//! | worker | FINAL for another client  | DISCONNECT, removes the worker                          |
//! | worker | PARTIAL for another client | drops it: a known worker sends one after each FINAL    |
//! | worker | other, not registered     | DISCONNECT once, then nothing until its READY           |
//! | any    | a message of another dialect than that of its entry | drops it; a worker: DISCONNECT |
//!
//! An MDP worker has one request at a time, so the client's address identifies the request.

use super::context::Context;
use super::keys::{RequestKey, WorkerKey};
use super::replies::Replies;
use super::{Broker, Departure, Outgoing, mmi};
use crate::wire::mdp::{
    ClientReply, Dialect as Mdp, ToWorker, WorkerMessage, reply_frames, reply_of,
};
use crate::wire::omdp::{self, ReplyKind};
use crate::wire::{Body, Dialect, Frame};

impl<F: Frame> Broker<F> {
    /// Whether the peer has an entry of another dialect. A worker with one is removed.
    pub(super) fn is_mixed(&mut self, from: &[u8], dialect: Dialect) -> bool {
        // Fast path of the usual case: a network without MDP.
        if dialect == Dialect::Omdp && self.cx.workers.mdp == 0 && self.last_rid == 0 {
            return false;
        }
        if let Some(key) = self.cx.workers.find(from)
            && self.cx.workers.get(key).is_some_and(|worker| {
                !worker.dialect.is_like(dialect)
                    || dialect == Dialect::Pigato && worker.hello.is_some()
            })
        {
            self.expel(key);
            return true;
        }
        let client = self
            .cx
            .clients
            .find(from)
            .and_then(|key| self.cx.clients.get(key));
        client.is_some_and(|client| {
            !client.dialect.is_like(dialect) || dialect == Dialect::Pigato && client.is_extended()
        })
    }

    pub(super) fn on_mdp_worker(
        &mut self,
        from: &[u8],
        dialect: Mdp,
        message: WorkerMessage<F>,
    ) -> Result<(), &'static str> {
        let known = self.cx.workers.find(from);
        if let Some(worker) = known.and_then(|key| self.cx.workers.get_mut(key)) {
            worker.beats.heard(self.cx.now);
        }
        match (message, known) {
            (WorkerMessage::Ready { .. }, Some(key)) => {
                self.expel(key);
                return Err("unexpected command");
            }
            (WorkerMessage::Ready { service }, None) if mmi::is_reserved(&service) => {
                self.disconnect(from, dialect);
                return Err("reserved service");
            }
            (WorkerMessage::Ready { service }, None) => {
                self.expelled.remove(from);
                let Some(key) = self.register(from, Dialect::Mdp(dialect), &service, None) else {
                    self.disconnect(from, dialect);
                    return Ok(());
                };
                self.put_to_work(key);
            }
            (WorkerMessage::Reply { last, client, body }, Some(key)) => {
                return self.on_mdp_reply(key, last, &client, body);
            }
            (WorkerMessage::Disconnect, Some(key)) => {
                self.remove_worker(key, Departure::Goodbye);
            }
            (WorkerMessage::Heartbeat, Some(_)) | (WorkerMessage::Disconnect, None) => {}
            (_, None) => {
                self.disconnect(from, dialect);
                return Err("unexpected command");
            }
        }
        Ok(())
    }

    fn on_mdp_reply(
        &mut self,
        key: WorkerKey,
        last: bool,
        client: &[u8],
        body: Vec<F>,
    ) -> Result<(), &'static str> {
        let Some(worker) = self.cx.workers.get(key) else {
            return Ok(());
        };
        // A reply to a request that has ended.
        let owed = worker.busy_for_nobody.front();
        if owed.is_some_and(|owed| *owed.client == *client) {
            if last {
                self.release_mdp_worker(key);
            }
            return Ok(());
        }
        let request = worker.running.front().filter(|&request| {
            let asking = self.cx.requests.get(request).map(|request| request.client);
            let asking = asking.and_then(|client| self.cx.clients.get(client));
            asking.is_some_and(|asking| *asking.id == *client)
        });
        match request {
            Some(_) => {
                let (kind, body) = reply_of(last, body);
                self.on_reply(key, request, kind, body, None);
                Ok(())
            }
            None => {
                self.cx.refusals.strays += 1;
                match last {
                    true => {
                        self.expel(key);
                        Err("unexpected command")
                    }
                    false => Err("a partial for an unknown client"),
                }
            }
        }
    }

    fn release_mdp_worker(&mut self, key: WorkerKey) {
        if let Some(worker) = self.cx.workers.get_mut(key) {
            worker.busy_for_nobody.clear();
            self.put_to_work(key);
        }
    }

    /// Removes a worker that violated the protocol.
    pub(super) fn expel(&mut self, key: WorkerKey) {
        self.cx.send_worker(key, omdp::ToWorker::Disconnect);
        if let Some(worker) = self.cx.workers.get(key) {
            self.expelled.insert(&worker.id.clone());
        }
        self.remove_worker(key, Departure::Protocol);
    }

    /// Sends DISCONNECT, once, to a worker that is not registered.
    pub(super) fn disconnect(&mut self, from: &[u8], dialect: Mdp) {
        if self.expelled.insert(from) {
            let message = Outgoing::MdpWorker(dialect, ToWorker::Disconnect);
            self.cx.out.send_plain(from, message);
        }
    }
}

impl<F: Frame> Replies<F> {
    /// Sends a reply, or a part of it, to an MDP client.
    pub(super) fn reply_mdp(
        &mut self,
        cx: &mut Context<F>,
        dialect: Mdp,
        key: RequestKey,
        kind: ReplyKind,
        body: Body<F>,
    ) {
        let body = match dialect.has_partials() {
            true => Some(reply_frames(kind, body)),
            false => self.collected.add(key, kind, body),
        };
        let Some(request) = cx.requests.get(key) else {
            return;
        };
        let Some((body, client)) = body.zip(cx.clients.get(request.client)) else {
            return;
        };
        let reply = ClientReply {
            last: kind.is_last(),
            service: Some(F::from(&*cx.asked_name(request))),
            body,
        };
        let message = Outgoing::MdpClient(dialect, reply);
        cx.out.send_plain(client.id.clone(), message);
    }
}
