//! Messages of a returned peer about requests that this broker knows, see [`detached`](super::detached).

use super::Broker;
use super::ends::End;
use super::incoming::IncomingRequest;
use super::keys::{ClientKey, RequestKey, WorkerKey};
use super::reply_log::Entry;
use super::requests::{ParkState, State};
use super::roster::stamp;
use super::workers::Worker;
use crate::proto::Time;
use crate::proto::code::Code;
use crate::wire::omdp::{
    Ack, ClaimExt, ClaimState, Past, ReplyKind, ResumeExt, ToClient, ToWorker, rids_to_frame,
};
use crate::wire::{Body, Frame, Malformed};
use std::cmp::Reverse;

/// The result of a RESUME.
#[derive(Debug)]
pub(super) enum Resumed<F> {
    /// The request was found, or has ended.
    Done,
    /// The request never arrived, or had not started when its client was given up. It is admitted as a new one, and
    /// the client is told.
    New(IncomingRequest<F>),
    /// The request is unknown to this broker.
    Unknown(IncomingRequest<F>),
}

impl<F: Frame> Broker<F> {
    /// Handles the RESUME of a request that this broker may have received on an earlier connection.
    pub(super) fn resume_known(
        &mut self,
        now: Time,
        client: ClientKey,
        mut request: IncomingRequest<F>,
        past: Past,
    ) -> Result<Resumed<F>, Malformed> {
        let rid = request.head.rid.clone();
        if let Some(key) = self.clients.request(client, &rid, &self.requests) {
            let entry = self.clients.get_mut(client).ok_or(Malformed::Name)?;
            if entry.absence.is_some() {
                // From a connection that is already known to be broken: the client resumes it on the next one.
                return Ok(Resumed::Done);
            }
            if !entry.unresumed.remove(&key) {
                return Err(Malformed::Name);
            }
            self.send_resumed(client, &rid);
            self.send_lost(client, &rid, past.received);
            self.go_on(now, key, past);
            return Ok(Resumed::Done);
        }
        if self.send_lost(client, &rid, past.received) {
            return Ok(Resumed::Done);
        }
        let started = self
            .clients
            .get(client)
            .and_then(|each| each.started.as_ref());
        let Some(started) = started.filter(|_| past.here) else {
            return Ok(Resumed::Unknown(request));
        };
        let left = started.get(&*rid).copied();
        if past.received > 0 || left.is_some() {
            // The client was given up after a worker had the request.
            let asked = u16::from(request.terms.retry);
            let left = left.map_or(asked, |left| left.min(asked));
            if past.received > 0 || left == 0 {
                let code = Body::json(F::from(Code::BrokerLost.to_json()));
                self.counters.count(Code::BrokerLost);
                self.pass_reply(client, rid, 0, ReplyKind::OwnError, code);
                return Ok(Resumed::Done);
            }
            request.terms.retry = u8::try_from(left - 1).unwrap_or(u8::MAX);
            request.retried = 1;
        }
        self.send_resumed(client, &rid);
        Ok(Resumed::New(request))
    }

    pub(super) fn send_resumed(&mut self, client: ClientKey, rid: &[u8]) {
        let rids = rids_to_frame([rid]);
        self.send_client(client, ToClient::Resumed { rids });
    }

    /// Sends the parts of a reply that the client has not received. Returns true if they included the end.
    fn send_lost(&mut self, client: ClientKey, rid: &[u8], received: u32) -> bool {
        let mut ended = false;
        for entry in self.logs.take(client, rid) {
            let Entry {
                rid,
                part,
                kind,
                body,
            } = entry;
            if part >= received || kind.is_last() {
                ended |= kind.is_last();
                self.pass_reply(client, rid, part, kind, body);
            }
        }
        ended
    }

    /// Continues a resumed request: a client that resumes a request also releases it, and states how much it has
    /// read.
    fn go_on(&mut self, now: Time, key: RequestKey, past: Past) {
        let Some(request) = self.requests.get_mut(key) else {
            return;
        };
        request.extend(now);
        let service = request.service;
        match &mut request.state {
            State::Queued(queued) if queued.park().may_start() => {}
            State::Queued(_) => {
                let queue = &mut self.services.get_mut(service).queue;
                queue.set_park(key, ParkState::Released, now, &mut self.requests);
                self.watch(now, key);
                self.dispatch(now, service);
            }
            State::SetAside(_) => {
                self.leave_queue(key);
                self.requeue(now, key);
                self.dispatch(now, service);
            }
            State::Addressed | State::Gathering(_) => {}
            State::Searching(search) => {
                search.received = past.received;
                search.read = past.read;
            }
            State::Assigned(assigned) => {
                let lost = past.read.saturating_sub(assigned.read);
                if lost > 0 {
                    self.pay(key, u32::try_from(lost).unwrap_or(u32::MAX));
                }
            }
        }
    }

    /// Cancels the requests that a client has not resumed at the end of its RESUMEs. Those of a connection that is
    /// already known to be broken were not answered, so nothing is forgotten.
    pub(super) fn on_all_resumed(&mut self, now: Time, key: ClientKey) {
        let client = self.clients.get(key);
        if client.is_none_or(|client| client.absence.is_some()) {
            return;
        }
        self.logs.forget_lost(key);
        self.credit_log(key);
        let Some(client) = self.clients.get_mut(key) else {
            return;
        };
        let mut rest: Vec<RequestKey> = std::mem::take(&mut client.unresumed).into_iter().collect();
        // The order of `drop_client`.
        rest.sort_unstable_by_key(|&request| {
            let is_running = self.requests.worker(request).is_some();
            (is_running, Reverse(self.requests.token(request)))
        });
        for request in rest {
            self.end(now, request, End::Cancelled);
        }
        self.ask_for_client(key);
    }

    /// Whether the worker has returned and this broker waits for its claim of this request.
    pub(super) fn awaits_claim(&self, key: WorkerKey, request: RequestKey) -> bool {
        let worker = self.workers.get(key);
        let unclaimed = worker.and_then(|worker| worker.unclaimed.as_ref());
        unclaimed.is_some_and(|unclaimed| unclaimed.requests.contains(&request))
    }

    /// Handles a worker's claim of a request that this broker gave it on an earlier connection.
    pub(super) fn on_known_claim(
        &mut self,
        key: WorkerKey,
        ext: ClaimExt,
        request: Option<RequestKey>,
    ) {
        let request = request.filter(|&request| self.requests.worker(request) == Some(key));
        let unclaimed = self.workers.get_mut(key).and_then(|w| w.unclaimed.as_mut());
        let (Some(request), Some(unclaimed)) = (request, unclaimed) else {
            return self.disclaim(key, ext);
        };
        if ext.state == ClaimState::NotStarted {
            unclaimed.not_started.insert(request);
            return;
        }
        if !unclaimed.requests.remove(&request) {
            return self.disclaim(key, ext);
        }
        self.let_resume(key, request, ext.number);
    }

    /// Tells a worker to resume its reply, and from which part on.
    pub(super) fn let_resume(&mut self, key: WorkerKey, request: RequestKey, number: u64) {
        let token = self.requests.token(request);
        let Some(entry) = self.requests.get_mut(request) else {
            return;
        };
        let gives_credit = self
            .clients
            .get(entry.client)
            .is_some_and(|client| client.gives_credit());
        let Some(assigned) = entry.assigned_mut() else {
            return;
        };
        assigned.begun = true;
        let ext = ResumeExt {
            number,
            token,
            received: assigned.parts,
            read: if gives_credit {
                assigned.read
            } else {
                u64::MAX
            },
        };
        self.send_worker(key, ToWorker::Resume(ext));
    }

    /// Ends the claims of a returned worker: it has made all (`complete`), or their time is over. A request that it
    /// has not claimed never reached it; one that it claimed as not started is requeued as well.
    pub(super) fn end_of_claims(&mut self, now: Time, key: WorkerKey, complete: bool) {
        let Some(worker) = self.workers.get_mut(key) else {
            return;
        };
        let Some(unclaimed) = worker.unclaimed.take() else {
            return;
        };
        let running: Vec<RequestKey> = worker.running.iter().collect();
        let is_unclaimed = |request: &&RequestKey| unclaimed.requests.contains(request);
        let mut lost = Vec::new();
        // In reverse, so that the first request ends up at the front.
        for &request in running.iter().filter(is_unclaimed).rev() {
            let sent = self.requests.get_mut(request).and_then(|request| {
                let assigned = request.assigned_mut()?;
                Some(assigned.parts)
            });
            let not_started = complete || unclaimed.not_started.contains(&request);
            self.free_slot(key, request);
            if not_started && sent == Some(0) {
                self.requeue(now, request);
            } else if !self.retry(now, request) {
                lost.push(request);
            }
        }
        for request in lost {
            self.end(now, request, End::Failed(Code::WorkerLost));
        }
        self.line_up(key);
        self.dispatch_for(now, key);
    }

    /// Counts a reply for the acknowledgement. A worker keeps its replies until they are acknowledged.
    pub(super) fn acknowledge(&mut self, key: WorkerKey, bytes: usize) {
        let worker = self.workers.get_mut(key);
        if let Some(worker) = worker.filter(|worker| worker.hello.is_some())
            && worker.unacknowledged.count(bytes)
            && let Some(ack) = worker.unacknowledged.take()
        {
            let message = self.ack_for(key, ack);
            self.send_worker(key, message);
        }
    }

    /// Adds the time to an acknowledgement, for workers that record it.
    pub(super) fn ack_for(&self, key: WorkerKey, ack: Ack) -> ToWorker<F> {
        let worker = self.workers.get(key);
        let is_asked = worker.is_some_and(Worker::is_asked);
        let stamp = is_asked.then(|| stamp(self.now));
        ToWorker::Ack { ack, stamp }
    }

    pub(super) fn on_ack(&mut self, client: ClientKey, ack: Ack) {
        self.logs.acknowledge(client, ack.messages);
        self.credit_log(client);
    }
}
