//! Dispatch: from the queue to a worker.

use super::Broker;
use super::context::Context;
use super::forgotten::started;
use super::keys::{ClientKey, RequestKey, ServiceKey, WorkerKey};
use super::outcome::End;
use super::requests::{Content, Cursors};
use super::routing::CHOICES;
use super::tasks::{PIECE, Task};
use super::unparking::Released;
use super::workers::{HANDOVER, MAX_HANDED};
use crate::proto::code::Code;
use crate::wire::omdp::{RequestExtra, ToWorker};
use crate::wire::{Dialect, Frame};
use std::sync::Arc;

/// Fronts of lanes that are tried in one unit of work.
const TRIED: usize = 16;

/// Maximum of requests that are given to workers in one piece.
const PAIRED: usize = 512;

/// Requests that are given to workers without being counted as work.
const FEW: usize = 8;

/// Units of work of one message after which no further requests are given to workers: that is done in later turns.
const FULL: u32 = 2 * PIECE as u32;

/// Maximum of parked requests that are set aside for one message, because their client did not answer.
const SET_ASIDE: usize = 128;

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
    fn what_it_lacks(&self, key: WorkerKey, request: RequestKey) -> Option<Code> {
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
    fn note_start(&mut self, key: RequestKey) {
        if let Some(request) = self.requests.get(key)
            && let Some(client) = self.clients.get_mut(request.client)
            && client.is_looked_at
        {
            let known = client.started.get_or_insert_default();
            known.extend(started(request));
        }
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
}

impl<F: Frame> Broker<F> {
    /// Pairs waiting requests with workers that have room, the least recently used worker first.
    pub(super) fn dispatch(&mut self, service: ServiceKey) {
        if self.stopping {
            return;
        }
        let mut room = SET_ASIDE;
        loop {
            if self.cx.work > FULL || !self.pair(service) {
                self.look_later(service);
                break;
            }
            if !(self.parking.ask_ahead(&mut self.cx, service, &mut room)
                || self.cx.services.spreads && self.cx.take_over(service))
            {
                break;
            }
        }
        if room < SET_ASIDE || self.cx.services.is_special(service) {
            self.end_look(service, room);
        }
    }

    /// Ends the look for the next requests of a service. `room` is what is left of [`SET_ASIDE`].
    #[cold]
    fn end_look(&mut self, service: ServiceKey, room: usize) {
        self.cx.watch_rate(service);
        let (tried, is_left) = self.cx.services.end_look(service);
        let looked_at = self.cx.services.take_looked_at(service);
        self.cx
            .count_work((SET_ASIDE - room) / 2 + tried / TRIED + looked_at / CHOICES);
        let Some(entry) = self.cx.services.find_mut(service) else {
            return;
        };
        if room == 0
            && let Some(lanes) = entry.queue.lanes_mut()
        {
            lanes.ask_again();
        }
        if is_left || room == 0 {
            self.look_later(service);
        }
    }

    /// Has the next requests of a service be looked for in a later turn.
    #[cold]
    fn look_later(&mut self, service: ServiceKey) {
        let Some(entry) = self.cx.services.find_mut(service) else {
            return;
        };
        let name = entry.name.clone();
        if self.tasks.note_look(service, &name) {
            self.put_off(Task::Look { service, name });
        }
    }

    /// Goes on with the look for the next requests of a service whose lanes are too many.
    pub(super) fn look_on(&mut self, service: ServiceKey, name: &Arc<[u8]>) {
        self.tasks.begin_look(service, name);
        if self.cx.services.is_entry(service, name) {
            if let Some(lanes) = self.cx.services.get_mut(service).queue.lanes_mut() {
                lanes.begin_rest();
            }
            self.dispatch(service);
        }
    }

    pub(super) fn dispatch_for(&mut self, key: WorkerKey) {
        if let Some(worker) = self.cx.workers.get(key) {
            self.dispatch(worker.service);
        }
    }

    /// Gives waiting requests to workers with room. Those of a client that is gone end: a client that returns resumes them
    /// as requests that have not started. Returns false if more may be left.
    fn pair(&mut self, service: ServiceKey) -> bool {
        let mut room = PIECE;
        let mut left = PAIRED;
        while left > 0
            && let Some((request, worker)) = self.cx.services.pair(
                self.cx.now,
                service,
                &mut self.cx.requests,
                &mut self.cx.workers,
            )
        {
            left -= 1;
            let are_leaving = self.cx.clients.are_leaving();
            if are_leaving && self.cx.is_of_leaving(request) {
                if room == 0 {
                    // The end of the request, which follows, dispatches again.
                    self.requeue(request);
                    self.cx.withdraw(worker);
                    self.line_up(worker);
                    break;
                }
                room -= 1;
                self.cx.give(worker, request);
                self.end_unsent(request, worker, End::Cancelled);
            } else if self.hand_over(worker, request) {
                if are_leaving {
                    self.cx.note_start(request);
                }
                self.line_up(worker);
            }
        }
        if left < PAIRED - FEW {
            self.cx.count_work((PAIRED - left) / 2);
        }
        left > 0
    }

    /// Sends an assigned request to its worker. Returns false if the worker does not accept it (too large, or a
    /// stream), so that it has ended, or if it is kept back.
    pub(super) fn hand_over(&mut self, worker: WorkerKey, request: RequestKey) -> bool {
        let may_keep_back = self.roster.keeps_back() || !self.cx.on_hold.is_empty();
        if may_keep_back && self.keep_back(worker, request) {
            return false;
        }
        self.cx.give(worker, request);
        if let Some(code) = self.cx.what_it_lacks(worker, request) {
            self.end_unsent(request, worker, End::Failed(code));
            return false;
        }
        if self.cx.may_be_of_pigato(worker) {
            self.cx.send_pigato_request(worker, request);
        } else if let Some(message) = self.request_for(worker, request)
            && let Some(entry) = self.cx.workers.get(worker)
        {
            self.cx.out.send_worker(entry, message);
        }
        true
    }

    /// Puts a request back to the front of its queue, or to its place there after a rejection.
    pub(super) fn requeue(&mut self, key: RequestKey) {
        self.requeue_at(key, None);
    }

    /// As [`requeue`](Self::requeue); with cursors, to its place by arrival.
    pub(super) fn requeue_at(&mut self, key: RequestKey, cursors: Option<&mut Cursors>) {
        if self.cx.requests.routing(key).is_some() && self.readdress(key) {
            return;
        }
        // A request for a pattern or a range goes back to its own name when the last worker for it has left.
        let routing = self.cx.requests.routing(key);
        let is_guest = routing.is_some_and(|routing| routing.asked.is_some());
        let has_moved = (is_guest || self.cx.services.have_homes()) && self.cx.go_home(key);
        if let Some(request) = self.cx.requests.get(key) {
            let home = request.service;
            self.cx.route(key);
            let keeps_place = self.cx.was_rejected(key);
            let service = self.cx.services.get_mut(home);
            let one = [key].into_iter();
            let requests = &mut self.cx.requests;
            // Requests that one worker rejects come back one by one, in order. Each keeps its place by arrival.
            let mut own = keeps_place.then(Cursors::default);
            match cursors.or(own.as_mut()) {
                Some(cursors) => {
                    service.queue.merge(one, requests, cursors);
                    self.cx.count_work(cursors.take_work());
                }
                None => service.queue.push_front(key, requests),
            }
            self.parking.watch(&mut self.cx, key);
            if self.cx.is_for_nobody(key) {
                return self.end_for_nobody(key);
            }
            if has_moved {
                self.dispatch(home);
            }
        }
    }

    /// The message with a request, in the form that the worker understands.
    fn request_for(&self, key: WorkerKey, request: RequestKey) -> Option<ToWorker<F>> {
        let worker = self.cx.workers.get(key)?;
        let entry = self.cx.requests.get(request)?;
        let client = &self.cx.clients.get(entry.client)?.id;
        let Content { mut body, opts } = entry.content.clone();
        if worker.dialect == Dialect::Omdp {
            body = body.into_value();
        }
        let extra = worker.hello.as_ref().map(|hello| RequestExtra {
            opts: opts.unwrap_or_else(|| F::from(&[][..])),
            token: self.cx.requests.token(request),
            retried: entry.retried,
            stream: entry.data_stream.is_some(),
            left_ms: entry.left_ms(self.cx.now).filter(|_| hello.deadlines),
            user: self.authorizer.user_frame(client).map(Box::new),
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

    /// Moves a worker to the line where it belongs, after it has got the copies for which it has room.
    pub(super) fn line_up(&mut self, key: WorkerKey) {
        let worker = self.cx.workers.get(key);
        if worker.is_some_and(|worker| worker.addressed.is_some()) {
            self.give_addressed(key);
        }
        self.cx.line_up(key);
    }

    pub(super) fn parking_due(&mut self) {
        let (parking, cx) = (&mut self.parking, &mut self.cx);
        for service in parking.due(cx) {
            self.dispatch(service);
        }
    }

    pub(super) fn on_go(&mut self, client: ClientKey, frame: &[u8]) {
        let (parking, cx) = (&mut self.parking, &mut self.cx);
        let Released { services, back } = parking.release(cx, client, frame);
        self.cx.count_work(frame.len() / 64);
        self.put_back(back);
        for service in services {
            self.dispatch(service);
        }
    }

    pub(super) fn rate_due(&mut self, service: ServiceKey) {
        if let Some(entry) = self.cx.services.find_mut(service)
            && let Some(limiter) = entry.limiter_mut()
        {
            limiter.timer = None;
            if std::mem::take(&mut limiter.copies_wait) {
                let serving = self.cx.workers.serving(service).clone();
                self.cx.count_work(serving.len() / CHOICES);
                for key in serving {
                    self.line_up(key);
                }
            }
            self.dispatch(service);
            self.cx.services.release(service);
        }
    }
}
