//! Answers to a peer that has returned, about requests that this broker knows; see [`recovery`](super::recovery).

use super::absence::Unclaimed;
use super::context::Context;
use super::incoming::IncomingRequest;
use super::keys::{ClientKey, RequestKey, ServiceKey, WorkerKey};
use super::outcome::text_of;
use super::parking::Parking;
use super::replies::{Repeated, Replies};
use super::requests::{ParkState, State};
use crate::proto::code::Code;
use crate::wire::omdp::{
    ClaimExt, ClaimState, Past, ReplyKind, ResumeExt, ToClient, ToWorker, rids_to_frame,
};
use crate::wire::{Frame, Malformed};

/// The result of a RESUME.
#[derive(Debug)]
pub(super) enum Resumed<F> {
    /// The request has ended, and its reply was sent again. Or the connection is broken, and its client will resume it on
    /// the next one.
    Done,
    /// The request is here, and goes on.
    GoesOn(RequestKey),
    /// The request is here, but the client would not notice that parts of its reply are missing.
    Broken(RequestKey),
    /// The request never arrived, or had not started when its client was given up. It is admitted as a new one, and
    /// the client is told.
    New(IncomingRequest<F>),
    /// The request is unknown to this broker.
    Unknown(IncomingRequest<F>),
}

impl<F: Frame> Replies<F> {
    /// Handles the RESUME of a request that this broker may have received on an earlier connection. Sends again what the
    /// client lacks of its reply.
    pub(super) fn resume(
        &mut self,
        cx: &mut Context<F>,
        client: ClientKey,
        mut request: IncomingRequest<F>,
        past: Past,
    ) -> Result<Resumed<F>, Malformed> {
        let rid = request.head.rid.clone();
        if let Some(key) = cx.clients.request(client, &rid, &cx.requests) {
            return self.resume_open(cx, client, key, past);
        }
        match self.send_lost(cx, client, &rid, past.received) {
            Repeated::UpTo(next) if next == past.received => {}
            Repeated::Ended => return Ok(Resumed::Done),
            _ => return Ok(self.lost_reply(cx, client, rid)),
        }
        let known = cx.clients.get(client);
        let started = known.and_then(|client| client.started.as_ref());
        let Some(started) = started.filter(|_| past.here) else {
            return Ok(Resumed::Unknown(request));
        };
        let left = started.get(&*rid).copied();
        if past.received > 0 || left.is_some() {
            // The client was given up after a worker had the request.
            let asked = u16::from(request.terms.retry);
            let left = left.map_or(asked, |left| left.min(asked));
            if past.received > 0 || left == 0 {
                return Ok(self.lost_reply(cx, client, rid));
            }
            request.terms.retry = u8::try_from(left - 1).unwrap_or(u8::MAX);
            request.retried = 1;
        }
        cx.send_resumed(client, &rid);
        Ok(Resumed::New(request))
    }

    /// As [`resume`](Self::resume), of a request that has not ended.
    fn resume_open(
        &mut self,
        cx: &mut Context<F>,
        client: ClientKey,
        key: RequestKey,
        past: Past,
    ) -> Result<Resumed<F>, Malformed> {
        let entry = cx.clients.get(client).ok_or(Malformed::Name)?;
        if entry.absence.is_some() {
            return Ok(Resumed::Done);
        }
        let Some(request) = cx.requests.get(key) else {
            return Ok(Resumed::Done);
        };
        let (rid, parts) = (request.rid.clone(), request.parts());
        if !cx.clients.resume(client, key, &cx.requests) {
            return Err(Malformed::Name);
        }
        cx.send_resumed(client, &rid);
        Ok(match self.send_lost(cx, client, &rid, past.received) {
            Repeated::UpTo(next) if next < parts => Resumed::Broken(key),
            Repeated::Incomplete => Resumed::Broken(key),
            Repeated::UpTo(_) | Repeated::Ended => Resumed::GoesOn(key),
        })
    }

    /// Tells a client that the reply to a request which is not in the tables any more is lost.
    fn lost_reply(&mut self, cx: &mut Context<F>, client: ClientKey, rid: F) -> Resumed<F> {
        let code = text_of(Code::BrokerLost);
        cx.counters.count(Code::BrokerLost);
        self.pass_reply(cx, client, rid, 0, ReplyKind::OwnError, code);
        Resumed::Done
    }
}

impl<F: Frame> Context<F> {
    pub(super) fn send_resumed(&mut self, client: ClientKey, rid: &[u8]) {
        let rids = rids_to_frame([rid]);
        self.send_client(client, ToClient::Resumed { rids });
    }

    /// Continues a resumed request: a client that resumes a request also releases it, and states how much it has
    /// read. Returns the service to dispatch if the request can start now; one that was set aside is still so.
    pub(super) fn go_on(
        &mut self,
        parking: &mut Parking,
        key: RequestKey,
        past: Past,
    ) -> Option<ServiceKey> {
        let now = self.now;
        let request = self.requests.get_mut(key)?;
        request.extend(now);
        let service = request.service;
        match &mut request.state {
            State::Queued(queued) if queued.park().may_start() => {}
            State::Queued(_) => {
                let queue = &mut self.services.get_mut(service).queue;
                queue.set_park(key, ParkState::Released, now, &mut self.requests);
                parking.watch(self, key);
                return Some(service);
            }
            State::SetAside(_) => return Some(service),
            State::Addressed(_) | State::Gathering(_) | State::Reclaimed(_) => {}
            State::Searching(search) => {
                search.received = past.received;
                search.read = past.read;
            }
            State::Assigned(assigned) => {
                let lost = past.read.saturating_sub(assigned.read);
                if lost > 0 {
                    // The connection has lost this credit.
                    self.has_read(key, u32::try_from(lost).unwrap_or(u32::MAX));
                }
            }
        }
        None
    }

    /// Handles a worker's claim of a request that this broker gave it on an earlier connection. Returns the client of the
    /// request if its reply is on hold, so that it may be asked for.
    pub(super) fn claim_known(
        &mut self,
        key: WorkerKey,
        ext: ClaimExt,
        request: Option<RequestKey>,
    ) -> Option<ClientKey> {
        let request = request.filter(|&request| self.requests.worker(request) == Some(key));
        let worker = self.workers.get_mut(key);
        let unclaimed = worker.and_then(|worker| worker.unclaimed.as_mut());
        if let Some(request) = request
            && let token = self.requests.token(request)
            && self.on_hold.has(token)
        {
            if let Some(unclaimed) = unclaimed {
                unclaimed.requests.remove(&request);
            }
            return self.claim_held(token, ext);
        }
        let Some((request, unclaimed)) = request.zip(unclaimed) else {
            self.disclaim(key, ext);
            return None;
        };
        if ext.state == ClaimState::NotStarted {
            unclaimed.not_started.insert(request);
        } else if unclaimed.requests.remove(&request) {
            self.let_resume(key, request, ext.number);
        } else {
            self.disclaim(key, ext);
        }
        None
    }

    /// The requests that a worker has not claimed at the end of its claims, in order, each with whether it may have
    /// started. A request has not started if the worker claimed it as not started. Nor has an unclaimed one if the
    /// worker has claimed all (`complete`) and the request is not known to have started: it never reached the worker.
    pub(super) fn unclaimed(
        &mut self,
        key: WorkerKey,
        complete: bool,
    ) -> Option<Vec<(RequestKey, bool)>> {
        let worker = self.workers.get_mut(key)?;
        let Unclaimed {
            requests,
            not_started,
            ..
        } = worker.unclaimed.take()?;
        let running = worker.running.iter();
        let unclaimed = running.filter(|request| requests.contains(request));
        let unclaimed = unclaimed.map(|request| {
            let is_known = not_started.contains(&request);
            let has_not_started = is_known || complete && !self.requests.has_begun(request);
            (
                request,
                !has_not_started || self.requests.parts(request) > 0,
            )
        });
        Some(unclaimed.collect())
    }

    /// Whether the worker has returned and this broker waits for its claim of this request.
    pub(super) fn awaits_claim(&self, key: WorkerKey, request: RequestKey) -> bool {
        let worker = self.workers.get(key);
        let unclaimed = worker.and_then(|worker| worker.unclaimed.as_ref());
        unclaimed.is_some_and(|unclaimed| unclaimed.requests.contains(&request))
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
        assigned.begin();
        if !gives_credit {
            // The worker is told that all was read, even what still waits for the client.
            assigned.beyond = u32::MAX;
        }
        let ext = ResumeExt {
            number,
            token,
            received: assigned.parts(),
            read: if gives_credit {
                assigned.read
            } else {
                u64::MAX
            },
        };
        self.send_worker(key, ToWorker::Resume(ext));
    }
}
