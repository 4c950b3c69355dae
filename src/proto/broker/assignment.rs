//! The assignment of a request to a worker: the worker's line and what it has, and the message with the request.

use super::access::Authorizer;
use super::context::Context;
use super::given_up_clients::started;
use super::keys::{RequestKey, WorkerKey};
use super::requests::Content;
use super::workers::{HANDOVER, MAX_HANDED};
use crate::proto::code::Code;
use crate::wire::omdp::{RequestExtra, ToWorker};
use crate::wire::{Dialect, Frame};

impl<F: Frame> Context<F> {
    /// Moves a worker to the line where it belongs, if it has room.
    pub(super) fn line_up(&mut self, key: WorkerKey) {
        let Some(worker) = self.workers.get_mut(key) else {
            return;
        };
        let line = worker.line();
        if worker.position.map(|position| position.line) == line {
            return;
        }
        if let Some(position) = worker.position.take() {
            self.services.leave_line(worker.service, position);
        }
        worker.position =
            line.map(|line| (self.services).line_up(worker.service, line, key, &self.requests));
    }

    /// The code of the reason for which the worker cannot take the request: the data exceed the maximum of its hello,
    /// or are a stream and its hello does not support streams.
    pub(super) fn what_it_lacks(&self, key: WorkerKey, request: RequestKey) -> Option<Code> {
        let entry = self.requests.get(request)?;
        let hello = self.workers.get(key)?.hello.as_ref();
        if hello.is_some_and(|hello| !hello.takes(entry.content.body.bytes.len())) {
            return Some(Code::RequestTooLarge);
        }
        let lacks_streams =
            entry.data_stream.is_some() && !hello.is_some_and(|hello| hello.streams);
        lacks_streams.then_some(Code::NoStreams)
    }

    /// Takes a request out of its queue. The caller gives it a new place or ends it.
    pub(super) fn leave_queue(&mut self, key: RequestKey) {
        if let Some(request) = self.requests.get(key) {
            let service = self.services.get_mut(request.service);
            service.queue.leave(key, &mut self.requests);
        }
    }

    /// Notes that a worker which was assigned a request does not get it.
    pub(super) fn withdraw(&mut self, key: WorkerKey) {
        if let Some(worker) = self.workers.get_mut(key) {
            worker.position = None;
        }
    }

    /// Whether the client of a request is gone, and its requests end in pieces.
    #[cold]
    pub(super) fn is_of_leaving(&self, key: RequestKey) -> bool {
        let request = self.requests.get(key);
        let client = request.and_then(|request| self.clients.get(request.client));
        client.is_some_and(|client| client.leaving)
    }

    /// Notes that a request was given to a worker, if those of its client are looked at: it may have been among those
    /// that had not started.
    #[cold]
    pub(super) fn note_start(&mut self, key: RequestKey) {
        if let Some(request) = self.requests.get(key)
            && let Some(client) = self.clients.get_mut(request.client)
            && client.is_looked_at
        {
            let known = client.started.get_or_insert_default();
            known.extend(started(request));
        }
    }

    /// Accounts a request to its worker.
    pub(super) fn give(&mut self, key: WorkerKey, request: RequestKey) {
        if let Some(worker) = self.workers.get_mut(key) {
            worker.position = None;
            worker.running.push_back(request);
            let bytes = self.requests.bytes(request);
            worker.bytes += bytes;
            worker.handed += bytes + HANDOVER;
            if worker.handed >= MAX_HANDED {
                self.workers.unflushed.push(key);
            }
        }
    }

    /// Ends the accounting of a request to its worker.
    pub(super) fn unassign(&mut self, key: WorkerKey, request: RequestKey) {
        if !self.on_hold.is_empty() {
            self.drop_hold(self.requests.token(request));
        }
        if let Some(worker) = self.workers.get_mut(key) {
            if worker.running.remove(request) {
                worker.bytes -= self.requests.bytes(request);
            }
            if let Some(unclaimed) = &mut worker.unclaimed {
                unclaimed.requests.remove(&request);
            }
        }
    }

    /// The message with a request, in the form that the worker understands.
    pub(super) fn request_for(
        &self,
        authorizer: &Authorizer<F>,
        key: WorkerKey,
        request: RequestKey,
    ) -> Option<ToWorker<F>> {
        let worker = self.workers.get(key)?;
        let entry = self.requests.get(request)?;
        let client = &self.clients.get(entry.client)?.id;
        let Content { mut body, opts } = entry.content.clone();
        if worker.dialect == Dialect::Omdp {
            body = body.into_value();
        }
        let extra = worker.hello.as_ref().map(|hello| RequestExtra {
            opts: opts.unwrap_or_else(|| F::from(&[][..])),
            token: self.requests.token(request),
            retried: entry.attempts.count(),
            stream: entry.data_stream.is_some(),
            left_ms: entry.left_ms(self.now).filter(|_| hello.deadlines),
            user: authorizer.user_frame(client).map(Box::new),
            service: entry.routing.as_ref().and_then(|routing| {
                let asked = routing.asked.as_deref()?;
                Some(Box::new(F::from(asked)))
            }),
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
