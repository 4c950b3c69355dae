//! Streams that are the data of requests. Chunks go from the client to the worker that has the request, and NEED, by
//! which the worker asks for chunks, goes the other way.
//!
//! The broker keeps no chunks. A client sends only what the worker has asked for, so at most a window of each stream
//! is under way. Only the chunk that follows the last one is passed on, so that a lost connection leaves no gap: a
//! worker that returns states where to continue.

use super::Broker;
use super::ends::End;
use super::keys::{ClientKey, RequestKey, WorkerKey};
use crate::proto::Time;
use crate::proto::code::Code;
use crate::proto::flow;
use crate::wire::omdp::{Need, ToClient, ToWorker};
use crate::wire::{Body, Frame};

impl<F: Frame> Broker<F> {
    /// Handles a chunk. The request may have ended: its end and the chunk have crossed.
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
        if !input.is_next(at) {
            return;
        }
        let Some(entry) = self.workers.get(worker) else {
            return;
        };
        // The chunk cannot arrive there. The worker states where to continue when it returns.
        if entry.absence.is_some() {
            input.pause();
            return;
        }
        if !last {
            if !input.was_asked_for(at) {
                return self.on_flood(now, client, key);
            }
            let hello = entry.hello.as_ref();
            if !hello.is_some_and(|hello| hello.takes(body.bytes.len())) {
                return self.end(now, key, End::Failed(Code::RequestTooLarge));
            }
            input.pass(flow::cost(&body));
        } else {
            input.pause();
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

    /// Ends a request whose client sends more than the worker has asked for.
    #[cold]
    fn on_flood(&mut self, now: Time, client: ClientKey, key: RequestKey) {
        if let Some(id) = self.clients.get(client).map(|client| client.id.clone()) {
            self.report_bad(&id, "more than its window");
        }
        self.end(now, key, End::Failed(Code::Aborted));
    }

    /// Asks the worker for its need on behalf of a client that lost a connection.
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

    /// Handles a worker's NEED and passes it to the client.
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
        input.need(need);
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
