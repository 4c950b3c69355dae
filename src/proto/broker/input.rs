//! Streams that are the data of requests: chunks go from the client to the worker that has the request,
//! and NEED, by which the worker asks for them, the other way.
//!
//! Nothing of them is kept here. A client sends only what the worker has asked for, so no more than a
//! window of each stream is under way; and only what follows on what was passed on last goes on, so that what
//! was lost with a connection leaves no gap: the worker, when it is there again, says where to go on.

use super::Broker;
use super::ends::End;
use super::keys::{ClientKey, RequestKey, WorkerKey};
use crate::proto::Time;
use crate::proto::code::Code;
use crate::proto::flow;
use crate::wire::omdp::{Need, ToClient, ToWorker};
use crate::wire::{Body, Frame};

/// What is known of a stream.
#[derive(Debug, Default)]
pub(super) struct Input {
    /// Where the next chunk begins; unknown until the worker has said so, and when it wants no more.
    next: Option<u64>,
    /// How much the worker has asked for in all.
    limit: u64,
}

impl<F: Frame> Broker<F> {
    /// A client has more of the data of a request. One that has ended meanwhile crossed this on the way.
    pub(super) fn on_chunk(
        &mut self,
        now: Time,
        client: ClientKey,
        rid: &[u8],
        body: Body<F>,
        (at, last): (u64, bool),
    ) {
        let Some(key) = self.clients.request(client, rid, &self.requests) else {
            return;
        };
        let Some(request) = self.requests.get_mut(key) else {
            return;
        };
        let worker = request.worker();
        let Some((input, worker)) = request.input.as_mut().zip(worker) else {
            return;
        };
        if input.next != Some(at) {
            return;
        }
        let Some(entry) = self.workers.get(worker) else {
            return;
        };
        // It never arrives there; where to go on is said when the worker is back.
        if entry.absence.is_some() {
            input.next = None;
            return;
        }
        if !last {
            if at >= input.limit {
                return self.on_flood(now, client, key);
            }
            let hello = entry.hello.as_ref();
            if !hello.is_some_and(|hello| hello.takes(body.bytes.len())) {
                return self.end(now, key, End::Failed(Code::RequestTooLarge));
            }
            input.next = Some(at.saturating_add(flow::cost(&body).into()));
        } else {
            input.next = None;
        }
        request.extend(now);
        let meter = &mut self.services.get_mut(request.service).meter;
        meter.bytes_in += body.bytes.len() as u64;
        let token = self.requests.token(key);
        let message = ToWorker::Chunk {
            token,
            body,
            at,
            last,
        };
        self.send_worker(worker, message);
    }

    /// A client sends more than its worker has asked for.
    #[cold]
    fn on_flood(&mut self, now: Time, client: ClientKey, key: RequestKey) {
        if let Some(id) = self.clients.get(client).map(|client| client.id.clone()) {
            self.report_bad(&id, "more than its window");
        }
        self.end(now, key, End::Failed(Code::Aborted));
    }

    /// A client does not know what its worker needs, because a connection was lost.
    pub(super) fn on_ask_need(&mut self, client: ClientKey, rid: &[u8]) {
        if let Some(key) = self.clients.request(client, rid, &self.requests)
            && let Some(request) = self.requests.get(key)
            && request.input.is_some()
            && let Some(worker) = request.worker()
        {
            let token = self.requests.token(key);
            self.send_worker(worker, ToWorker::AskNeed { token });
        }
    }

    /// A worker wants more of the data of a request.
    pub(super) fn on_need(&mut self, now: Time, worker: WorkerKey, token: u64, need: Need) {
        let key = self.requests.by_token(token);
        let key = key.filter(|&key| self.requests.worker(key) == Some(worker));
        let Some((key, request)) = key.and_then(|key| Some((key, self.requests.get_mut(key)?)))
        else {
            self.authorizer.refusals.strays += 1;
            return;
        };
        let Some(input) = &mut request.input else {
            return;
        };
        input.limit = input.limit.max(need.limit);
        if need.enough {
            input.next = None;
        } else if need.again {
            input.next = Some(need.have);
        }
        if let Some(assigned) = request.assigned_mut() {
            assigned.begun = true;
        }
        request.extend(now);
        let Some(request) = self.requests.get(key) else {
            return;
        };
        let (client, rid) = (request.client, request.rid.clone());
        self.send_client(client, ToClient::Need { rid, need });
    }
}
