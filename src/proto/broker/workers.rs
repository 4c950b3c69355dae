//! Workers: who is registered for what, what each has in its hands, and whether it lives.

use super::pace::Pace;
use super::requests::{Content, Place, RequestKey};
use super::services::{Line, ServiceKey, Turn};
use super::{
    Broker, BrokerConfig, BrokerEvent, Departure, Outgoing, RoutingId, Timer, Transmit, mmi,
};
use crate::proto::Time;
use crate::proto::deadlines::TimerKey;
use crate::proto::table::Table;
use crate::wire::ext::Pace as Told;
use crate::wire::omdp::{ReplyKind, RequestExtra, ToWorker, WorkerMessage, tokens};
use crate::wire::{Body, Dialect, Frame, Hello, Malformed};
use slab::Slab;
use std::collections::VecDeque;
use std::time::Duration;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct WorkerKey(usize);

#[derive(Debug)]
pub(super) struct Worker {
    pub(super) id: RoutingId,
    pub(super) service: ServiceKey,
    /// What it speaks. The rest of what is said here of workers of 0.0.92 holds for those of MDP.
    pub(super) dialect: Dialect,
    /// What it said of itself; `None` for a worker of 0.0.92.
    pub(super) hello: Option<Hello>,
    /// The requests it was given and has not ended, in that order. It works on the first of them;
    /// what exceeds its concurrency it was given ahead of need, and may give back.
    pub(super) running: VecDeque<RequestKey>,
    /// What these hold, in bytes.
    pub(super) bytes: usize,
    pace: Pace,
    /// Requests that it brought from a broker that died, and that nobody has asked for yet.
    pub(super) claims: usize,
    /// Those of them that it works on.
    pub(super) claimed_running: usize,
    /// A 0.0.92 worker can't be told that a request was cancelled: it is busy until it ends it.
    pub(super) busy_for_nobody: Option<Owed>,
    /// Its place in one of the lines of its service, while it can take a request.
    pub(super) turn: Option<Turn>,
    pub(super) last_heard: Time,
    next_beat: Time,
    pub(super) timer: Option<TimerKey>,
}

/// A request that has ended for everybody but the 0.0.92 worker that works on it.
#[derive(Debug)]
pub(super) struct Owed {
    pub(super) client: RoutingId,
    pub(super) rid: Box<[u8]>,
}

/// A worker that holds so many bytes is given nothing ahead of need: large requests would fill its
/// connection, for which it would be taken for one that does not read.
const MAX_AHEAD: usize = 1024 * 1024;

impl Worker {
    fn capacity(&self) -> usize {
        match self.hello.as_ref().and_then(|hello| hello.concurrency) {
            None => 1,
            Some(n) => usize::try_from(n).unwrap_or(usize::MAX),
        }
    }

    /// The line that it belongs into, if it can take a request: for now, or ahead of need.
    pub(super) fn line(&self) -> Option<Line> {
        let load = self.running.len() + self.claimed_running;
        if self.busy_for_nobody.is_some() {
            return None;
        }
        if load < self.capacity() {
            return Some(Line::Idle);
        }
        let prefetch = self.hello.as_ref().and_then(|hello| hello.prefetch)?;
        let ahead = self.pace.ahead().min(prefetch as usize);
        let fits = load - self.capacity() < ahead && self.bytes < MAX_AHEAD;
        fits.then_some(Line::Busy)
    }
}

#[derive(Debug, Default)]
pub(super) struct Workers {
    slab: Slab<Worker>,
    ids: Table<RoutingId, usize>,
    /// How many of them speak MDP.
    pub(super) mdp: usize,
}

impl Workers {
    pub(super) fn find(&self, id: &[u8]) -> Option<WorkerKey> {
        self.ids.get(id).map(|&key| WorkerKey(key))
    }

    pub(super) fn get(&self, key: WorkerKey) -> Option<&Worker> {
        self.slab.get(key.0)
    }

    pub(super) fn get_mut(&mut self, key: WorkerKey) -> Option<&mut Worker> {
        self.slab.get_mut(key.0)
    }

    pub(super) fn keys(&self) -> Vec<WorkerKey> {
        self.slab.iter().map(|(key, _)| WorkerKey(key)).collect()
    }

    pub(super) fn len(&self) -> usize {
        self.slab.len()
    }
}

impl<F: Frame> Broker<F> {
    pub(super) fn on_worker(
        &mut self,
        now: Time,
        from: &[u8],
        message: WorkerMessage<F>,
    ) -> Result<(), Malformed> {
        let held = self.workers.find(from);
        if let Some(key) = held
            && let Some(worker) = self.workers.get_mut(key)
        {
            worker.last_heard = now;
        }
        match (message, held) {
            (WorkerMessage::Ready { service, hello }, held) => {
                let hello = hello.map(|hello| Hello::parse(&hello)).transpose()?;
                if mmi::is_reserved(&service) {
                    if let Some(key) = held {
                        self.remove_worker(now, key, Departure::Protocol);
                    }
                    self.refuse(from);
                    self.report_bad(from, "reserved service");
                    return Ok(());
                }
                self.on_ready(now, from, held, &service, hello);
            }
            (WorkerMessage::Disconnect, None) => {}
            (_, None) => self.refuse(from),
            (
                WorkerMessage::Reply {
                    kind,
                    client,
                    rid,
                    body,
                    token,
                    pace,
                },
                Some(key),
            ) => {
                let request = match token {
                    Some(token) => self.requests.by_token(token),
                    None => self.running_by_name(key, &client, &rid),
                };
                if request.is_none() && kind.is_last() {
                    self.release_old_worker(now, key, &client, &rid);
                }
                self.on_reply(now, key, request, kind, body, pace);
            }
            (WorkerMessage::Heartbeat, Some(key)) => {
                if self.workers.get(key).is_some_and(|w| w.hello.is_none()) {
                    self.beat_old_worker(key);
                }
            }
            (WorkerMessage::Return { tokens: frame }, Some(key)) => {
                self.on_return(now, key, tokens(&frame));
            }
            (
                WorkerMessage::Claim {
                    client,
                    rid,
                    ext,
                    user,
                },
                Some(key),
            ) => self.on_claim(now, key, &client, &rid, ext, user),
            (WorkerMessage::Disconnect, Some(key)) => {
                // So that one of ours can wait until its goodbye was heard.
                if self.workers.get(key).is_some_and(|w| w.hello.is_some()) {
                    self.send_worker(key, ToWorker::Disconnect);
                }
                self.remove_worker(now, key, Departure::Goodbye);
            }
        }
        Ok(())
    }

    /// A worker of 0.0.92 hears of us at its own pace, whatever pace that is; and that its request
    /// is still wanted, which it would doubt after three intervals.
    fn beat_old_worker(&mut self, key: WorkerKey) {
        let running = self
            .workers
            .get(key)
            .and_then(|w| w.running.front().copied());
        let message = running
            .and_then(|request| self.requests.get(request))
            .and_then(|request| {
                let client = F::from(&*self.clients.get(request.client)?.id);
                let rid = request.name_without_token();
                Some(ToWorker::RequestHeartbeat { client, rid })
            });
        self.send_worker(key, message.unwrap_or(ToWorker::Heartbeat));
    }

    #[inline(never)]
    fn on_ready(
        &mut self,
        now: Time,
        from: &[u8],
        held: Option<WorkerKey>,
        service: &[u8],
        hello: Option<Hello>,
    ) {
        if let Some(key) = held {
            let same_life = match (&hello, self.workers.get(key).map(|w| &w.hello)) {
                (Some(new), Some(Some(old))) => {
                    !new.session.is_empty() && new.session == old.session
                }
                _ => false,
            };
            if same_life {
                return self.update_worker(now, key, hello);
            }
            let Some(new) = hello.as_ref().map(|hello| hello.session.clone()) else {
                // As 0.0.92 did: a second READY is a protocol error, the worker starts over.
                self.send_worker(key, ToWorker::Disconnect);
                self.remove_worker(now, key, Departure::Protocol);
                return;
            };
            let old = self.workers.get(key).and_then(|w| w.hello.as_ref());
            let old = old.map_or(String::new(), |hello| hello.session.clone());
            // Its connection took the place of the holder's, whoever it is.
            self.remove_worker(now, key, Departure::Replaced);
            if self.displaced.contains(from, &new) {
                let session = F::from(new.as_bytes());
                let message = Outgoing::Worker(ToWorker::NameTaken { session });
                return self.transmits.push(Transmit::plain(from.into(), message));
            }
            self.displaced.note(from, &old, &new);
        }
        let key = self.register(now, from, Dialect::Omdp, service, hello);
        if self.workers.get(key).is_some_and(|w| w.hello.is_some()) {
            let hello = self.config.hello().to_frame();
            self.send_worker(key, ToWorker::Welcome { hello });
        }
        self.line_up(key);
        self.dispatch_for(now, key);
    }

    pub(super) fn register(
        &mut self,
        now: Time,
        from: &[u8],
        dialect: Dialect,
        service: &[u8],
        hello: Option<Hello>,
    ) -> WorkerKey {
        let service_key = self.services.require(service);
        self.services.get_mut(service_key).workers += 1;
        let id: RoutingId = from.into();
        let next_beat = now + self.config.heartbeat;
        let key = self.workers.slab.insert(Worker {
            id: id.clone(),
            service: service_key,
            dialect,
            hello,
            running: VecDeque::new(),
            bytes: 0,
            pace: Pace::default(),
            claims: 0,
            claimed_running: 0,
            busy_for_nobody: None,
            turn: None,
            last_heard: now,
            next_beat,
            timer: None,
        });
        self.workers.ids.insert(id, key);
        self.workers.mdp += usize::from(dialect != Dialect::Omdp);
        let key = WorkerKey(key);
        self.arm_worker(key);
        self.events.push(BrokerEvent::WorkerReady {
            worker: from.into(),
            service: service.into(),
        });
        key
    }

    /// Takes what a registered worker says anew of itself; what it runs is left alone.
    fn update_worker(&mut self, now: Time, key: WorkerKey, hello: Option<Hello>) {
        if let Some(worker) = self.workers.get_mut(key) {
            worker.hello = hello;
        }
        self.line_up(key);
        self.dispatch_for(now, key);
    }

    /// Someone who is not registered speaks as a worker: it is told to begin at the beginning.
    pub(super) fn refuse(&mut self, from: &[u8]) {
        self.transmits.push(Transmit::plain(
            from.into(),
            Outgoing::Worker(ToWorker::Disconnect),
        ));
    }

    /// The request that a reply without a token names. 0.0.92 passes ids through UTF-8, so they
    /// come back as what that made of them.
    fn running_by_name(&self, key: WorkerKey, client: &[u8], rid: &[u8]) -> Option<RequestKey> {
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
        let request = request.filter(|&request| self.place_of(request) == Some(Place::Worker(key)));
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

    /// The worker says how long it took for this one, and for those before.
    #[cold]
    fn on_pace(&mut self, now: Time, key: WorkerKey, request: RequestKey, told: Told) {
        let given = self.requests.get(request).map(|request| request.given);
        if let (Some(given), Some(worker)) = (given, self.workers.get_mut(key)) {
            worker.pace.told(now, given, told);
        }
    }

    #[cold]
    fn on_started_return(&mut self, key: WorkerKey) {
        // Its client has a part of the reply, and must not get that twice.
        if let Some(worker) = self.workers.get(key).map(|worker| worker.id.clone()) {
            self.report_bad(&worker, "return of a started request");
        }
    }

    /// Requests that the worker has not started, and will not: back to the front of the queue.
    #[inline(never)]
    fn on_return(&mut self, now: Time, key: WorkerKey, tokens: impl Iterator<Item = u64>) {
        let tokens: Vec<u64> = tokens.collect();
        // From the last to the first, so that the first is at the very front in the end.
        for token in tokens.into_iter().rev() {
            let Some(request) = self.requests.by_token(token) else {
                continue;
            };
            if self.place_of(request) != Some(Place::Worker(key)) {
                self.guard.refusals.strays += 1;
                continue;
            }
            if self.has_begun(request) {
                self.on_started_return(key);
                continue;
            }
            self.free_slot(key, request);
            self.requeue(now, request);
        }
        if let Some(worker) = self.workers.get_mut(key) {
            worker.pace.stall();
        }
        self.line_up(key);
        self.dispatch_for(now, key);
    }

    pub(super) fn has_begun(&self, request: RequestKey) -> bool {
        self.requests
            .get(request)
            .is_some_and(|request| request.begun)
    }

    pub(super) fn place_of(&self, request: RequestKey) -> Option<Place> {
        self.requests.get(request).map(|request| request.place)
    }

    /// The end of a request that ended for its client meanwhile: a 0.0.92 worker is free again. Not
    /// so of one that it took with it from an earlier connection.
    fn release_old_worker(&mut self, now: Time, key: WorkerKey, client: &[u8], rid: &[u8]) {
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

    pub(super) fn free_slot(&mut self, key: WorkerKey, request: RequestKey) {
        if let Some(worker) = self.workers.get_mut(key) {
            // Replies come in the order of the requests, as good as always.
            let at = worker
                .running
                .iter()
                .position(|&running| running == request);
            if at.and_then(|at| worker.running.remove(at)).is_some() {
                worker.bytes -= self.requests.bytes(request);
            }
        }
    }

    /// Puts the worker into the line of its service that it belongs into, if any.
    pub(super) fn line_up(&mut self, key: WorkerKey) {
        let Some(worker) = self.workers.slab.get_mut(key.0) else {
            return;
        };
        let line = worker.line();
        if worker.turn.map(|turn| turn.line) == line {
            return;
        }
        if let Some(turn) = worker.turn.take() {
            self.services.leave_line(worker.service, turn);
        }
        worker.turn = line.map(|line| self.services.line_up(worker.service, line, key));
    }

    /// It is given a request now.
    pub(super) fn give(&mut self, key: WorkerKey, request: RequestKey) {
        if let Some(worker) = self.workers.get_mut(key) {
            worker.turn = None;
            worker.running.push_back(request);
            worker.bytes += self.requests.bytes(request);
        }
    }

    pub(super) fn dispatch_for(&mut self, now: Time, key: WorkerKey) {
        if let Some(worker) = self.workers.get(key) {
            self.dispatch(now, worker.service);
        }
    }

    /// Forgets a worker, and sees to what it had in its hands.
    pub(super) fn remove_worker(&mut self, now: Time, key: WorkerKey, why: Departure) {
        let Some(worker) = self.workers.slab.try_remove(key.0) else {
            return;
        };
        self.workers.ids.remove(&worker.id);
        self.workers.mdp -= usize::from(worker.dialect != Dialect::Omdp);
        self.cancel_timer(worker.timer);
        if let Some(turn) = worker.turn {
            self.services.leave_line(worker.service, turn);
        }
        if worker.claims > 0 {
            self.drop_claims(key);
        }
        // A worker of ours says goodbye after everything that it started has ended.
        let not_started = why == Departure::Goodbye && worker.hello.is_some();
        let lost = self.reclaim(now, key, worker.running.iter().copied(), not_started);
        let service = self.services.get_mut(worker.service);
        service.workers -= 1;
        self.events.push(BrokerEvent::WorkerGone {
            worker: (&*worker.id).into(),
            service: (&*service.name).into(),
            why,
            lost,
        });
        self.dispatch(now, worker.service);
        if !self.services.release(worker.service) {
            self.end_impatient(now, worker.service);
        }
    }

    fn arm_worker(&mut self, key: WorkerKey) {
        let Some(worker) = self.workers.slab.get_mut(key.0) else {
            return;
        };
        let silent_at = worker.last_heard + patience(&self.config, worker);
        let at = worker.next_beat.min(silent_at);
        worker.timer = Some(self.deadlines.set(at, Timer::Worker(key)));
    }

    /// One timer a worker: the next heartbeat to it, or the end of the patience with it.
    pub(super) fn worker_due(&mut self, now: Time, key: WorkerKey) {
        let Some(worker) = self.workers.get_mut(key) else {
            return;
        };
        worker.timer = None;
        if now.since(worker.last_heard) >= patience(&self.config, worker) {
            self.send_worker(key, ToWorker::Disconnect);
            return self.remove_worker(now, key, Departure::Silence);
        }
        if worker.next_beat <= now {
            worker.next_beat = now + self.config.heartbeat;
            self.send_worker(key, ToWorker::Heartbeat);
        }
        self.arm_worker(key);
    }

    /// What a worker is to get for a request, in the form that it understands.
    pub(super) fn request_for(&self, key: WorkerKey, request: RequestKey) -> Option<ToWorker<F>> {
        let worker = self.workers.get(key)?;
        let entry = self.requests.get(request)?;
        let client = &self.clients.get(entry.client)?.id;
        let Content { mut body, opts } = entry.content.clone();
        if worker.dialect == Dialect::Omdp {
            body = body.into_value();
        }
        let extra = worker.hello.is_some().then(|| RequestExtra {
            opts: opts.unwrap_or_else(|| F::from(&[][..])),
            token: self.requests.token(request),
            retried: entry.retried,
            user: self.user_frame(client),
        });
        let rid = match &extra {
            Some(_) => entry.rid.clone(),
            None => entry.name_without_token(),
        };
        Some(ToWorker::Request {
            client: F::from(&**client),
            rid,
            body,
            extra,
        })
    }
}

/// How long a worker may be silent.
fn patience(config: &BrokerConfig, worker: &Worker) -> Duration {
    let patience = config.patience(worker.hello.as_ref());
    let busy = worker.busy_for_nobody.is_some() || !worker.running.is_empty();
    match worker.dialect {
        Dialect::Mdp(_) if busy => patience.max(config.busy_timeout),
        _ => patience,
    }
}

/// Whether `echoed` is `original`, or what a decoder of UTF-8 makes of it.
fn same_text(echoed: &[u8], original: &[u8]) -> bool {
    echoed == original || echoed == String::from_utf8_lossy(original).as_bytes()
}
