//! Dispatch: from the queue to a worker.

use super::Broker;
use super::keys::{RequestKey, ServiceKey, WorkerKey};
use super::outcome::End;
use super::piece::PIECE;
use super::relocation::{Moved, Relocation};
use super::requests::{Cursors, Request};
use super::routing::CHOICES;
use super::tasks::Task;
use crate::proto::code::Code;
use crate::wire::Frame;
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

impl<F: Frame> Broker<F> {
    /// Pairs waiting requests with workers that have room, the least recently used worker first.
    pub(super) fn dispatch(&mut self, service: ServiceKey) {
        if self.phase.is_stopping() {
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

    /// Makes a later turn look for the next requests of a service.
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

    /// Moves a worker to the line where it belongs, and gives it requests if it has room.
    pub(super) fn put_to_work(&mut self, key: WorkerKey) {
        self.line_up(key);
        self.dispatch_for(key);
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
                self.end_unsent(request, End::Cancelled);
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
        if may_keep_back && self.cx.keep_back(worker, request) {
            self.line_up(worker);
            return false;
        }
        self.cx.give(worker, request);
        if let Some(code) = self.cx.what_it_lacks(worker, request) {
            self.end_unsent(request, End::Failed(code));
            return false;
        }
        if self.cx.may_be_of_pigato(worker) {
            self.cx.send_pigato_request(worker, request);
        } else if let Some(message) = self.cx.request_for(&self.authorizer, worker, request)
            && let Some(entry) = self.cx.workers.get(worker)
        {
            self.cx.out.send_worker(entry, message);
        }
        true
    }

    /// Rearranges requests after a worker of the service has come or gone. `moves`: requests may move to other
    /// services, or from them if it `gathers`. Returns false if the rest is done in later turns.
    pub(super) fn rearrange(&mut self, service: ServiceKey, moves: bool, gathers: bool) -> bool {
        let entry = self.cx.services.get_mut(service);
        let queue = &entry.queue;
        let is_concerned = queue.has_lanes()
            || entry.workers == 0 && queue.has_fail_fast()
            || moves && (gathers || queue.first().is_some());
        is_concerned.then(|| self.begin_relocation(service, gathers)) != Some(false)
    }

    #[cold]
    fn begin_relocation(&mut self, service: ServiceKey, gathers: bool) -> bool {
        let goes_on = self.cx.services.is_relocating(service);
        self.cx.services.begin_relocation(service);
        if goes_on {
            return false;
        }
        let mut relocation = Relocation::new(&mut self.cx, service, gathers);
        // Few requests are done at once.
        let is_left = self.relocate(&mut relocation, 2 * PIECE);
        if is_left {
            self.put_off(Task::Relocation(relocation));
        }
        !is_left
    }

    /// Does a piece of a relocation. Returns false after the last one.
    pub(super) fn relocate_more(&mut self, relocation: &mut Relocation) -> bool {
        let is_left = self.relocate(relocation, PIECE);
        if !is_left && let Some(service) = relocation.service(&self.cx) {
            self.after_rearrangement(service);
        }
        is_left
    }

    /// Moves some requests, and ends those for which no worker is left.
    fn relocate(&mut self, relocation: &mut Relocation, units: usize) -> bool {
        if let Some(Moved { tokens, homes }) = relocation.go_on(&mut self.cx, units) {
            for token in tokens {
                if let Some(key) = self.cx.requests.by_token(token) {
                    self.end_unplaceable(key);
                }
            }
            for home in homes {
                self.after_rearrangement(home);
            }
        }
        relocation.is_left(&mut self.cx)
    }

    /// Starts requests that have the service as their home now.
    pub(super) fn after_rearrangement(&mut self, service: ServiceKey) {
        self.dispatch(service);
        self.cx.services.release(service);
    }

    /// Puts a request back to the front of its queue, or to its place there after a rejection.
    pub(super) fn requeue(&mut self, key: RequestKey) {
        self.requeue_at(key, None);
    }

    /// As [`requeue`](Self::requeue); with cursors, to its place by arrival.
    pub(super) fn requeue_at(&mut self, key: RequestKey, cursors: Option<&mut Cursors>) {
        let request = self.cx.requests.get(key);
        if request.is_some_and(Request::is_copy)
            && let Some(is_there) = self.cx.readdress(key)
        {
            if !is_there {
                self.end(key, End::Failed(Code::WorkerLost));
            }
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

    /// Moves a worker to the line where it belongs, after it has got the copies for which it has room.
    pub(super) fn line_up(&mut self, key: WorkerKey) {
        let worker = self.cx.workers.get(key);
        if worker.is_some_and(|worker| worker.addressed.is_some()) {
            self.give_addressed(key);
        }
        self.cx.line_up(key);
    }

    /// Sends a worker the copies of fan-outs for which it has room.
    #[cold]
    fn give_addressed(&mut self, key: WorkerKey) {
        // If it stops, clients may have left for another broker.
        while !self.phase.is_stopping()
            && let Some(copy) = self.cx.next_copy(key)
        {
            self.hand_over(key, copy);
        }
    }
}
