//! Dispatch: from the queue to a worker.

use super::Broker;
use super::keys::{RequestKey, ServiceKey, WorkerKey};
use super::requests::Content;
use super::workers::{HANDOVER, MAX_HANDED};
use crate::proto::Time;
use crate::proto::code::Code;
use crate::wire::omdp::{RequestExtra, ToWorker};
use crate::wire::{Dialect, Frame};

impl<F: Frame> Broker<F> {
    /// Pairs waiting requests with workers that have room, the least recently used worker first.
    pub(super) fn dispatch(&mut self, now: Time, service: ServiceKey) {
        if self.stopping {
            return;
        }
        loop {
            self.pair(now, service);
            if !(self.ask_ahead(now, service) || self.services.spreads && self.take_over(service)) {
                break;
            }
        }
    }

    pub(super) fn dispatch_for(&mut self, now: Time, key: WorkerKey) {
        if let Some(worker) = self.workers.get(key) {
            self.dispatch(now, worker.service);
        }
    }

    fn pair(&mut self, now: Time, service: ServiceKey) {
        while let Some((request, worker)) = self.services.pair(
            now,
            service,
            &mut self.requests,
            &mut self.workers,
            &self.config.policies,
        ) {
            if self.hand_over(now, worker, request) {
                self.line_up(worker);
            }
        }
        if self.services.is_limited(service) {
            self.watch_rate(now, service);
        }
    }

    /// Sends an assigned request to its worker. Returns false if the worker does not accept it (too large, or a
    /// stream), so that it has ended, or if it is kept back because its client is behind.
    pub(super) fn hand_over(&mut self, now: Time, worker: WorkerKey, request: RequestKey) -> bool {
        if self.roster.keeps_back() && self.keep_back(worker, request) {
            return false;
        }
        self.give(worker, request);
        if let Some(code) = self.what_it_lacks(worker, request) {
            self.end_unsent(now, request, worker, code);
            return false;
        }
        if self.may_be_of_pigato(worker) {
            self.send_pigato_request(worker, request);
        } else if let Some(message) = self.request_for(now, worker, request) {
            self.send_worker(worker, message);
        }
        true
    }

    /// The code of the reason for which the worker cannot take the request: the data exceed the maximum of its hello,
    /// or are a stream and its hello does not support streams.
    fn what_it_lacks(&self, key: WorkerKey, request: RequestKey) -> Option<Code> {
        let entry = self.requests.get(request)?;
        let hello = self.workers.get(key)?.hello.as_ref();
        if hello.is_some_and(|hello| !hello.takes(entry.content.body.bytes.len())) {
            return Some(Code::RequestTooLarge);
        }
        let lacks_streams = entry.input.is_some() && !hello.is_some_and(|hello| hello.streams);
        lacks_streams.then_some(Code::NoStreams)
    }

    /// Takes a request out of its queue. The caller gives it a new place or ends it.
    pub(super) fn leave_queue(&mut self, key: RequestKey) {
        if let Some(request) = self.requests.get(key) {
            let service = self.services.get_mut(request.service);
            service.queue.leave(key, &mut self.requests);
        }
    }

    /// Puts a request back to the front of its queue, or to its place there after a rejection.
    pub(super) fn requeue(&mut self, now: Time, key: RequestKey) {
        if self.requests.routing(key).is_some() && self.readdress(now, key) {
            return;
        }
        let has_moved = self.services.have_homes() && self.go_home(key);
        if let Some(request) = self.requests.get(key) {
            let home = request.service;
            self.route(key);
            let keeps_place = self.was_rejected(key);
            let service = self.services.get_mut(home);
            match keeps_place {
                // Requests that one worker rejects come back one by one, in order. Each keeps its place by arrival.
                true => service.queue.merge([key].into_iter(), &mut self.requests),
                false => service.queue.push_front(key, &mut self.requests),
            }
            self.watch(now, key);
            if self.is_for_nobody(key) {
                return self.end_for_nobody(now, key);
            }
            if has_moved {
                self.dispatch(now, home);
            }
        }
    }

    /// The message with a request, in the form that the worker understands.
    fn request_for(&self, now: Time, key: WorkerKey, request: RequestKey) -> Option<ToWorker<F>> {
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
            retried: entry.retried,
            stream: entry.input.is_some(),
            left_ms: entry.left_ms(now).filter(|_| hello.deadlines),
            user: self.user_frame(client).map(Box::new),
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

    /// Accounts a request to its worker.
    fn give(&mut self, key: WorkerKey, request: RequestKey) {
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

    pub(super) fn free_slot(&mut self, key: WorkerKey, request: RequestKey) {
        if let Some(worker) = self.workers.get_mut(key) {
            if worker.running.remove(request) {
                worker.bytes -= self.requests.bytes(request);
            }
            if let Some(unclaimed) = &mut worker.unclaimed {
                unclaimed.requests.remove(&request);
            }
        }
    }

    /// Moves a worker to the line where it belongs, if it has room.
    pub(super) fn line_up(&mut self, key: WorkerKey) {
        let Some(mut worker) = self.workers.get_mut(key) else {
            return;
        };
        if worker.addressed.is_some() {
            self.give_addressed(key);
            match self.workers.get_mut(key) {
                Some(again) => worker = again,
                None => return,
            }
        }
        let line = worker.line();
        if worker.position.map(|position| position.line) == line {
            return;
        }
        if let Some(position) = worker.position.take() {
            self.services.leave_line(worker.service, position);
        }
        worker.position = line.map(|line| self.services.line_up(worker.service, line, key));
    }
}
