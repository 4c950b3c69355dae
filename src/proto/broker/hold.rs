//! Which replies stay at their workers, and when they are asked for: both depend on the room in the reply log.

use super::context::Context;
use super::keys::{ClientKey, RequestKey, WorkerKey};
use super::on_hold::{Reply, Stage};
use super::piece::PIECE;
use super::replies::Replies;
use super::workers::Worker;
use crate::wire::omdp::{ClaimExt, ClaimState, ReplyKind, ToWorker};
use crate::wire::{Body, Dialect, Frame};

impl<F: Frame> Context<F> {
    /// Removes what is on hold of a request that ends, or that its worker has no longer.
    #[cold]
    pub(super) fn drop_hold(&mut self, token: u64) {
        let Some(reply) = self.on_hold.remove(token) else {
            return;
        };
        self.rest(reply, false);
        if let Stage::Claimed(number) = reply.stage
            && self.holder(reply).is_some()
        {
            let numbers = F::from(&number.to_be_bytes()[..]);
            self.send_worker(reply.worker.0, ToWorker::Disclaim { numbers });
        }
    }

    /// The worker of a reply, unless it is gone.
    fn holder(&mut self, reply: Reply) -> Option<&mut Worker> {
        let (key, number) = reply.worker;
        let worker = self.workers.get_mut(key);
        worker.filter(|worker| worker.number == number)
    }

    /// Whether the worker of a reply is away, or has returned and not claimed the request again.
    fn is_to_be_claimed(&mut self, reply: Reply, request: Option<RequestKey>) -> bool {
        let awaits = request.is_some_and(|key| self.awaits_claim(reply.worker.0, key));
        let worker = self.holder(reply);
        awaits || worker.is_none_or(|worker| worker.absence.is_some())
    }

    /// Counts a reply whose handler has ended (`rests`), or ends that.
    fn rest(&mut self, reply: Reply, rests: bool) {
        if reply.rests != rests
            && let Some(worker) = self.holder(reply)
        {
            match rests {
                true => worker.resting += 1,
                false => worker.resting -= 1,
            }
        }
    }

    fn is_here(&self, client: ClientKey) -> bool {
        let client = self.clients.get(client);
        client.is_some_and(|client| client.absence.is_none() && !client.leaving)
    }

    /// Whether the reply to a request can stay at this worker.
    fn can_hold(&self, worker: WorkerKey, key: RequestKey) -> Option<(ClientKey, u64)> {
        let request = self.requests.get(key)?;
        let client = self.clients.get(request.client)?;
        let is_its_own = !request.is_copy() && client.dialect == Dialect::Omdp;
        let takes_part = is_its_own && client.acknowledges() && !client.leaving;
        let worker = self.workers.get(worker)?;
        let holds = worker.hello.as_ref().is_some_and(|hello| hello.holds);
        (takes_part && holds).then_some((request.client, worker.number))
    }

    /// Handles a message of a reply that the broker has asked for. Returns false if it is no such message; otherwise the
    /// caller updates the worker's line.
    pub(super) fn ends_hold(&mut self, key: RequestKey) -> bool {
        let token = self.requests.token(key);
        let is_coming = self.on_hold.stage(token) == Some(Stage::Coming);
        if is_coming {
            self.drop_hold(token);
        }
        is_coming
    }

    /// Handles the claim of a request whose reply is on hold. Returns the client for which there may be room.
    pub(super) fn claim_held(&mut self, token: u64, ext: ClaimExt) -> Option<ClientKey> {
        let rests = ext.state == ClaimState::Ended;
        let reply = self.on_hold.set_rests(token, rests)?;
        self.rest(reply, rests);
        self.on_hold.turn(token, Stage::Claimed(ext.number));
        Some(reply.client)
    }
}

impl<F: Frame> Replies<F> {
    /// Puts a reply on hold if there is no room for its next message, or drops the message of one that is on hold.
    /// Returns false if the message is to be passed on.
    #[cold]
    pub(super) fn puts_on_hold(
        &mut self,
        cx: &mut Context<F>,
        worker: WorkerKey,
        key: RequestKey,
        kind: ReplyKind,
        body: &Body<F>,
    ) -> bool {
        let token = cx.requests.token(key);
        if cx.on_hold.has(token) {
            // With such an error the worker also answers HOLD if it no longer has the reply.
            return kind != ReplyKind::OwnError;
        }
        let bytes = body.bytes.len();
        // A rejection is not passed on, and the request goes to another worker at once.
        if bytes < cx.config.hold_from || kind == ReplyKind::Rejected {
            return false;
        }
        let Some((client, number)) = cx.can_hold(worker, key) else {
            return false;
        };
        let coming = cx.on_hold.coming(client);
        // A reply that is too large for the log is sent without a copy if it would be the only one.
        let is_only = self.logs.bytes(client) == 0 && cx.is_here(client);
        if self.logs.admits(cx, client, bytes, coming, is_only) {
            return false;
        }
        let now = cx.now;
        if let Some(request) = cx.requests.get_mut(key) {
            request.extend(now);
            if let Some(assigned) = request.assigned_mut() {
                // It must not start again because its worker does not claim it.
                assigned.begin();
            }
        }
        cx.send_worker(worker, ToWorker::Hold { token });
        let reply = Reply {
            client,
            worker: (worker, number),
            bytes,
            stage: Stage::Asked,
            rests: false,
        };
        cx.on_hold.add(token, reply);
        true
    }

    /// Asks for replies on hold as far as there is room for them. If none is left, the other requests of the client go
    /// on: those that were kept back are returned. Of very many, each that arrives lets further ones be asked for.
    #[cold]
    pub(super) fn take_up(&mut self, cx: &mut Context<F>, client: ClientKey) -> Vec<RequestKey> {
        let mut left = PIECE;
        while left > 0
            && cx.is_here(client)
            && let Some((token, reply, number)) = cx.on_hold.next(client)
        {
            let request = cx.requests.by_token(token);
            if cx.is_to_be_claimed(reply, request) {
                cx.on_hold.turn(token, Stage::Asked);
                continue;
            }
            let coming = cx.on_hold.coming(client);
            let is_only = self.logs.bytes(client) + coming == 0;
            if !self.logs.admits(cx, client, reply.bytes, coming, is_only) {
                break;
            }
            left -= 1;
            cx.on_hold.turn(token, Stage::Coming);
            if let Some(key) = request {
                cx.let_resume(reply.worker.0, key, number);
            }
        }
        if cx.on_hold.coming(client) == 0 {
            // A reply that had room may have ended without its data.
            self.logs.release(cx, client);
        }
        cx.count_work((PIECE - left) / 2);
        match cx.on_hold.forget(client) {
            true => cx.kept_back(client),
            false => Vec::new(),
        }
    }
}
