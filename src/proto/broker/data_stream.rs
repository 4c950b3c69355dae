//! Streams that are the data of requests. Chunks go from the client to the worker that has the request, and NEED, by
//! which the worker asks for chunks, goes the other way.
//!
//! The broker keeps no chunks. A client sends only what the worker has asked for, so at most a window of each stream
//! is under way. Only the chunk that follows the last one is passed on, so that a lost connection leaves no gap: a
//! worker that returns states where to continue.

use super::context::Context;
use super::keys::{ClientKey, RequestKey, WorkerKey};
use crate::proto::code::Code;
use crate::proto::flow;
use crate::wire::omdp::{Need, ToClient, ToWorker};
use crate::wire::{Body, Frame};

impl<F: Frame> Context<F> {
    /// Passes a chunk to the worker. The request may have ended: its end and the chunk have crossed. Returns the request
    /// and the code with which it has to end, if the chunk violates a limit.
    pub(super) fn pass_chunk(
        &mut self,
        client: ClientKey,
        rid: &[u8],
        body: Body<F>,
        (at, last): (u64, bool),
    ) -> Option<(RequestKey, Code)> {
        let key = self.clients.request(client, rid, &self.requests)?;
        let request = self.requests.get_mut(key)?;
        let worker = request.worker()?;
        let input = request
            .data_stream
            .as_mut()
            .filter(|input| input.is_next(at))?;
        let entry = self.workers.get(worker)?;
        // The chunk cannot arrive there. The worker states where to continue when it returns.
        if entry.absence.is_some() {
            input.pause();
            return None;
        }
        if !last {
            if !input.was_asked_for(at) {
                self.report_flood(client);
                return Some((key, Code::Aborted));
            }
            let hello = entry.hello.as_ref();
            if !hello.is_some_and(|hello| hello.takes(body.bytes.len())) {
                return Some((key, Code::RequestTooLarge));
            }
            input.pass(flow::cost(&body));
        } else {
            input.pause();
        }
        request.extend(self.now);
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
        None
    }

    /// Reports a client that sends more than the worker has asked for.
    #[cold]
    fn report_flood(&mut self, client: ClientKey) {
        if let Some(id) = self.clients.get(client).map(|client| client.id.clone()) {
            self.report_bad(&id, "more than its window");
        }
    }

    /// Asks the worker for its need on behalf of a client that lost a connection.
    pub(super) fn on_ask_need(&mut self, client: ClientKey, rid: &[u8]) {
        if let Some(key) = self.clients.request(client, rid, &self.requests)
            && let Some(request) = self.requests.get(key)
            && request.data_stream.is_some()
            && let Some(worker) = request.worker()
        {
            let token = self.requests.token(key);
            self.send_worker(worker, ToWorker::AskNeed { token });
        }
    }

    /// Handles a worker's NEED and passes it to the client.
    pub(super) fn on_need(&mut self, worker: WorkerKey, token: u64, need: Need) {
        let key = self.requests.by_token(token);
        let key = key.filter(|&key| self.requests.worker(key) == Some(worker));
        let Some((key, request)) = key.and_then(|key| Some((key, self.requests.get_mut(key)?)))
        else {
            self.refusals.strays += 1;
            return;
        };
        let Some(input) = &mut request.data_stream else {
            return;
        };
        input.need(need);
        if let Some(assigned) = request.assigned_mut() {
            assigned.begin();
        }
        request.extend(self.now);
        let Some(request) = self.requests.get(key) else {
            return;
        };
        let (client, rid) = (request.client, request.rid.clone());
        self.send_client(client, ToClient::Need { rid, need });
    }
}
