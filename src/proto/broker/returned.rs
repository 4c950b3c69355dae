//! Answers to a peer that has returned, about requests that this broker knows; see [`recovery`](super::recovery).

use super::context::Context;
use super::incoming::IncomingRequest;
use super::keys::{ClientKey, RequestKey, WorkerKey};
use super::roster::stamp;
use super::workers::Worker;
use crate::wire::Frame;
use crate::wire::omdp::{Ack, ResumeExt, ToClient, ToWorker, rids_to_frame};

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

impl<F: Frame> Context<F> {
    pub(super) fn send_resumed(&mut self, client: ClientKey, rid: &[u8]) {
        let rids = rids_to_frame([rid]);
        self.send_client(client, ToClient::Resumed { rids });
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
}
