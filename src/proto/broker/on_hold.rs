//! Replies on hold: a client is away, or takes its replies more slowly than its workers send them. What the broker
//! keeps for it is bounded, and no reply is given up for that reason. Beyond the bound a reply stays at its worker:
//!
//! | state   | meaning                                                      | next                              |
//! |---------|--------------------------------------------------------------|-----------------------------------|
//! | Asked   | HOLD was sent, or the worker has returned. Messages of the reply are dropped | Claimed by CLAIM  |
//! | Claimed | the worker keeps the reply                                   | Coming by RESUME, when there is room |
//! | Coming  | the broker has asked for it                                  | taken, or put on hold again       |
//!
//! HOLD precedes each acknowledgement that counts a dropped message, so the worker still has it. If the connection of
//! the worker is lost, the worker claims the request anew, as all others.
//!
//! As long as any reply to a client is on hold, the client's other requests are kept back. So what its workers keep is
//! bounded by the requests that they have.

use super::Broker;
use super::context::Context;
use super::keys::{ClientKey, RequestKey, WorkerKey};
use super::tasks::PIECE;
use super::workers::Worker;
use crate::proto::table::Table;
use crate::wire::omdp::{ClaimExt, ClaimState, ReplyKind, ToWorker};
use crate::wire::{Body, Dialect, Frame};
use std::collections::VecDeque;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Asked,
    /// With the worker's number for it.
    Claimed(u64),
    Coming,
}

/// A reply on hold.
#[derive(Debug, Clone, Copy)]
struct Reply {
    client: ClientKey,
    /// The worker, and the serial number of its registration.
    worker: (WorkerKey, u64),
    /// The size of the message that was dropped.
    bytes: usize,
    stage: Stage,
    /// Whether its handler has ended, so that it takes no room of its worker.
    rests: bool,
}

/// The replies on hold for one client.
#[derive(Debug, Default)]
struct Queue {
    /// Tokens of those that are claimed, in order, each once. Some may have ended.
    claimed: VecDeque<u64>,
    /// Bytes of those that are coming.
    coming: usize,
    replies: usize,
}

/// All replies on hold, by the token of their requests.
#[derive(Debug, Default)]
pub(super) struct OnHold {
    replies: Table<u64, Reply>,
    clients: Table<ClientKey, Queue>,
    /// Clients for which there may be room now.
    touched: Vec<ClientKey>,
}

impl OnHold {
    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.replies.is_empty()
    }

    #[inline]
    pub(super) fn has_touched(&self) -> bool {
        !self.touched.is_empty()
    }

    pub(super) fn has(&self, token: u64) -> bool {
        self.replies.contains_key(&token)
    }

    pub(super) fn has_any_for(&self, client: ClientKey) -> bool {
        self.clients.contains_key(&client)
    }

    /// Bytes of the replies that are coming for a client.
    fn coming(&self, client: ClientKey) -> usize {
        self.clients.get(&client).map_or(0, |queue| queue.coming)
    }

    fn add(&mut self, token: u64, reply: Reply) {
        self.clients.entry(reply.client).or_default().replies += 1;
        self.replies.insert(token, reply);
    }

    /// Changes the stage of a reply. Of those that are claimed, only the first can get another one.
    fn turn(&mut self, token: u64, stage: Stage) {
        let Some(reply) = self.replies.get_mut(&token) else {
            return;
        };
        let Some(queue) = self.clients.get_mut(&reply.client) else {
            return;
        };
        let was_claimed = matches!(reply.stage, Stage::Claimed(_));
        if reply.stage == Stage::Coming {
            queue.coming -= reply.bytes;
        }
        match stage {
            Stage::Coming => queue.coming += reply.bytes,
            // A worker that has returned claims it anew, and a lying one does so at any time.
            Stage::Claimed(_) if !was_claimed => queue.claimed.push_back(token),
            Stage::Claimed(_) | Stage::Asked => {}
        }
        reply.stage = stage;
        if was_claimed && !matches!(stage, Stage::Claimed(_)) {
            debug_assert_eq!(queue.claimed.front(), Some(&token));
            queue.claimed.pop_front();
        }
    }

    fn remove(&mut self, token: u64) -> Option<Reply> {
        let reply = self.replies.remove(&token)?;
        if let Some(queue) = self.clients.get_mut(&reply.client) {
            if reply.stage == Stage::Coming {
                queue.coming -= reply.bytes;
            }
            queue.replies -= 1;
            self.touched.push(reply.client);
        }
        Some(reply)
    }

    /// The next reply that its worker keeps for a client, with its number there.
    fn next(&mut self, client: ClientKey) -> Option<(u64, Reply, u64)> {
        let queue = self.clients.get_mut(&client)?;
        while let Some(&token) = queue.claimed.front() {
            if let Some(&reply) = self.replies.get(&token)
                && let Stage::Claimed(number) = reply.stage
            {
                return Some((token, reply, number));
            }
            queue.claimed.pop_front();
        }
        None
    }

    /// Forgets a client without such replies. Returns false if it has some, or is not known.
    fn forget(&mut self, client: ClientKey) -> bool {
        let is_done = self
            .clients
            .get(&client)
            .is_some_and(|queue| queue.replies == 0);
        if is_done {
            self.clients.remove(&client);
        }
        is_done
    }
}

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

    /// Counts a reply whose handler has ended, or no longer.
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
}

impl<F: Frame> Broker<F> {
    /// Puts a reply on hold if there is no room for its next message, or drops the message of one that is on hold.
    /// Returns false if the message is to be passed on.
    #[cold]
    pub(super) fn puts_on_hold(
        &mut self,
        worker: WorkerKey,
        key: RequestKey,
        kind: ReplyKind,
        body: &Body<F>,
    ) -> bool {
        let token = self.cx.requests.token(key);
        match self.cx.on_hold.replies.get(&token).map(|reply| reply.stage) {
            None => {}
            Some(Stage::Coming) => {
                self.cx.drop_hold(token);
                self.line_up(worker);
            }
            // With such an error the worker also answers HOLD if it no longer has the reply.
            Some(Stage::Asked | Stage::Claimed(_)) => return kind != ReplyKind::OwnError,
        }
        let bytes = body.bytes.len();
        // A rejection is not passed on, and the request goes to another worker at once.
        if bytes < self.cx.config.hold_from || kind == ReplyKind::Rejected {
            return false;
        }
        let Some((client, number)) = self.cx.can_hold(worker, key) else {
            return false;
        };
        let coming = self.cx.on_hold.coming(client);
        let logs = &mut self.replies.logs;
        // A reply that is too large for the log is sent without a copy if it would be the only one.
        let is_only = logs.bytes(client) == 0 && self.cx.is_here(client);
        if logs.has_room(&mut self.cx, client, bytes, coming) || is_only {
            return false;
        }
        let now = self.cx.now;
        if let Some(request) = self.cx.requests.get_mut(key) {
            request.extend(now);
            if let Some(assigned) = request.assigned_mut() {
                // It must not start again because its worker does not claim it.
                assigned.begun = true;
            }
        }
        self.cx.send_worker(worker, ToWorker::Hold { token });
        let reply = Reply {
            client,
            worker: (worker, number),
            bytes,
            stage: Stage::Asked,
            rests: false,
        };
        self.cx.on_hold.add(token, reply);
        true
    }

    /// Handles the claim of a request whose reply is on hold.
    pub(super) fn on_held_claim(&mut self, worker: WorkerKey, token: u64, ext: ClaimExt) {
        let Some(&reply) = self.cx.on_hold.replies.get(&token) else {
            return;
        };
        let rests = ext.state == ClaimState::Ended;
        self.cx.rest(reply, rests);
        if let Some(reply) = self.cx.on_hold.replies.get_mut(&token) {
            reply.rests = rests;
        }
        self.cx.on_hold.turn(token, Stage::Claimed(ext.number));
        self.take_up(reply.client);
        self.line_up(worker);
        self.dispatch_for(worker);
    }

    /// Asks for replies on hold as far as there is room for them. If none is left, the other requests of the client go
    /// on. Of very many, each that arrives lets further ones be asked for.
    #[cold]
    pub(super) fn take_up(&mut self, client: ClientKey) {
        let mut left = PIECE;
        while left > 0
            && self.cx.is_here(client)
            && let Some((token, reply, number)) = self.cx.on_hold.next(client)
        {
            let request = self.cx.requests.by_token(token);
            if self.cx.is_to_be_claimed(reply, request) {
                self.cx.on_hold.turn(token, Stage::Asked);
                continue;
            }
            let coming = self.cx.on_hold.coming(client);
            let logs = &mut self.replies.logs;
            let is_only = logs.bytes(client) + coming == 0;
            if !logs.has_room(&mut self.cx, client, reply.bytes, coming) && !is_only {
                break;
            }
            left -= 1;
            self.cx.on_hold.turn(token, Stage::Coming);
            if let Some(key) = request {
                self.cx.let_resume(reply.worker.0, key, number);
            }
        }
        self.cx.count_work((PIECE - left) / 2);
        if self.cx.on_hold.forget(client) {
            self.release_kept_back(client);
        }
    }

    /// Asks for further replies after some that were on hold have arrived or ended in this turn.
    #[cold]
    pub(super) fn take_up_touched(&mut self) {
        for client in std::mem::take(&mut self.cx.on_hold.touched) {
            self.take_up(client);
        }
    }
}

impl<F: Frame> Broker<F> {
    /// Checks the table against the requests and workers.
    #[cfg(any(test, feature = "fuzz"))]
    pub(super) fn audit_on_hold(&self) {
        use std::collections::HashSet;
        let on_hold = &self.cx.on_hold;
        assert!(on_hold.touched.is_empty(), "room is used at once");
        for (token, reply) in &on_hold.replies {
            let key = self.cx.requests.by_token(*token).expect("it is known");
            let worker = self.cx.requests.worker(key);
            let is_lost = worker.is_none() || self.cx.workers.get(reply.worker.0).is_none();
            assert!(is_lost || worker == Some(reply.worker.0));
            let request = self.cx.requests.get(key);
            assert!(request.is_some_and(|request| request.client == reply.client));
        }
        for (client, queue) in &on_hold.clients {
            let replies = on_hold.replies.values();
            let replies = replies.filter(|reply| reply.client == *client);
            assert_eq!(replies.clone().count(), queue.replies);
            assert!(
                queue.replies > 0,
                "nothing is kept back without a reply on hold"
            );
            let claimed: HashSet<u64> = queue.claimed.iter().copied().collect();
            assert_eq!(
                claimed.len(),
                queue.claimed.len(),
                "each is in the queue once"
            );
            let coming = replies.filter(|reply| reply.stage == Stage::Coming);
            assert_eq!(coming.map(|reply| reply.bytes).sum::<usize>(), queue.coming);
        }
        for (key, worker) in self.cx.workers.iter_keys() {
            let resting = on_hold.replies.values();
            let resting = resting.filter(|r| r.rests && r.worker == (key, worker.number));
            assert_eq!(resting.count(), worker.resting);
        }
    }
}
