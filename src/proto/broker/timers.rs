//! What the broker does when a deadline has passed.

use super::absence::Absence;
use super::grace::{GraceEnd, Looked};
use super::keys::{ClientKey, RequestKey, ServiceKey, Timer, WorkerKey};
use super::liveness::patience;
use super::outcome::End;
use super::requests::State;
use super::routing::CHOICES;
use super::tasks::Task;
use super::{Broker, Departure};
use crate::proto::Time;
use crate::proto::code::Code;
use crate::wire::omdp::{ToClient, ToWorker};
use crate::wire::{Dialect, Frame};

/// Maximum of deadlines that are handled before messages are handled again, so that a million requests that expire at
/// once do not delay messages.
const MAX_DUE: u32 = 256;

impl<F: Frame> Broker<F> {
    /// Must be called at [`next_deadline`](Self::next_deadline), after messages that have already arrived, so that a
    /// message in time does not count as silence. If very many deadlines have passed, some may be left; the next
    /// deadline is then already past.
    pub fn handle_timeout(&mut self, now: Time) {
        self.cx.now = now;
        let mut room = MAX_DUE;
        while room > 0 {
            let Some(timer) = self.cx.deadlines.pop_due(now) else {
                return;
            };
            match timer {
                Timer::Request(key) => self.request_due(key),
                Timer::Worker(key) => self.worker_due(key),
                Timer::Client(key) => self.client_due(key),
                Timer::Question(id) => self.question_due(id),
                Timer::Parking => self.parking_due(),
                Timer::Tasks => self.tasks_due(),
                Timer::Claim(at) => self.claim_due(at),
                Timer::Search(key) => self.search_due(key),
                Timer::Rate(key) => self.rate_due(key),
                Timer::Roster => self.roster_due(),
                Timer::GivenUp => self.given_up.due(&mut self.cx),
            }
            room = room.saturating_sub(self.take_work().saturating_add(1));
        }
    }

    /// When to call [`handle_timeout`](Self::handle_timeout).
    pub fn next_deadline(&self) -> Option<Time> {
        self.cx.deadlines.next()
    }

    /// Sends a heartbeat that is due, or gives up a worker that was silent for too long.
    fn worker_due(&mut self, key: WorkerKey) {
        let now = self.cx.now;
        let Some(worker) = self.cx.workers.get_mut(key) else {
            return;
        };
        worker.timer = None;
        if let Some(absence) = worker.absence {
            if absence.until <= now && !self.cx.prolongs_absence(key) {
                return self.worker_did_not_return(key);
            }
            if absence.retries_at.is_some_and(|at| at <= now) {
                self.retry_early(key);
            }
            return self.cx.arm_worker(key);
        }
        if worker
            .beats
            .is_silent(now, patience(&self.cx.config, worker))
        {
            self.cx.send_worker(key, ToWorker::Disconnect);
            return self.detach_or_remove_worker(key, Departure::Silence);
        }
        let (beats, grace) = (worker.beats, self.cx.config.reconnect_grace);
        let unclaimed = worker.unclaimed.as_mut();
        let overdue = unclaimed.is_some_and(|each| each.is_over(now, beats.silence(now), grace));
        if worker.beats.take(now, self.cx.config.heartbeat) {
            let beat = match self.cx.take_ack(key) {
                Some(ack) => self.cx.ack_for(key, ack),
                None => ToWorker::Heartbeat,
            };
            self.cx.send_worker(key, beat);
        }
        if overdue {
            self.end_of_claims(key, false);
        }
        self.cx.arm_worker(key);
    }

    /// Sends a heartbeat that is due, or gives up a client that was silent for too long.
    fn client_due(&mut self, key: ClientKey) {
        let now = self.cx.now;
        let Some(client) = self.cx.clients.get_mut(key) else {
            return;
        };
        client.timer = None;
        if let Some(absence) = client.absence {
            if absence.until <= now {
                return self.end_grace(key);
            }
            return self.cx.arm_client(key);
        }
        if client.hello.is_none() && !client.cut_off {
            // A client of 0.0.92 that was heard again has no liveness timer; its requests have timeouts.
            return;
        }
        let patience = self.cx.config.patience(client.hello.as_ref());
        if client.beats.is_silent(now, patience) {
            if client.is_extended() {
                self.cx.send_client(key, ToClient::Disconnect);
            }
            return self.detach_or_lose_client(key, Departure::Silence);
        }
        if client.hello.is_some() && client.beats.take(now, self.cx.config.heartbeat) {
            self.roster.beat(&mut self.cx, key);
        }
        self.cx.arm_client(key);
    }

    /// Gives the requests with `retry` of a detached worker to another worker, if there is one.
    fn retry_early(&mut self, key: WorkerKey) {
        let retried = self.cx.early_retries(key);
        if self.phase.is_stopping() || retried.is_empty() {
            return;
        }
        if let Some(task) = self.take_back(key, retried) {
            return self.put_off(task);
        }
        self.dispatch_for(key);
    }

    /// Removes a detached worker at the end of the grace time.
    fn worker_did_not_return(&mut self, key: WorkerKey) {
        if let Some(worker) = self.cx.workers.get(key)
            && let Some(Absence { why, .. }) = worker.absence
        {
            let id = worker.id.clone();
            self.remove_worker(key, why);
            self.forget_peer(&id);
        }
    }

    /// Ends the grace time of an absent client. Very many requests are looked at in pieces.
    fn end_grace(&mut self, key: ClientKey) {
        let Some(mut look) = GraceEnd::new(&mut self.cx, key) else {
            return;
        };
        if look.is_long() {
            return self.put_off(Task::GraceEnd(Box::new(look)));
        }
        while self.look_at_ending(&mut look) {}
    }

    /// Does a piece of the end of a grace time. Returns false after the last one.
    pub(super) fn look_at_ending(&mut self, look: &mut GraceEnd) -> bool {
        let key = look.client;
        match look.go_on(&mut self.cx, &self.replies.logs) {
            Looked::More => return true,
            Looked::Over => {}
            Looked::Lingers(all, running) => {
                self.start(Task::Withdrawn { all, running });
                let client = self.cx.clients.get(key);
                if client.is_some_and(|client| client.timer.is_none()) {
                    self.cx.arm_client(key);
                }
            }
            Looked::Lost => {
                if let Some(client) = self.cx.clients.get(key)
                    && let Some(Absence { why, .. }) = client.absence
                {
                    let id = client.id.clone();
                    self.lose_client_with(key, why, std::mem::take(&mut look.started));
                    self.forget_peer(&id);
                }
            }
        }
        false
    }

    /// Ends a request whose deadline has passed, or sets the timer again if a sign of life has
    /// moved the deadline.
    fn request_due(&mut self, key: RequestKey) {
        let now = self.cx.now;
        let Some(request) = self.cx.requests.get_mut(key) else {
            return;
        };
        let client = self.cx.clients.get(request.client);
        let is_mdp = client.is_some_and(|client| matches!(client.dialect, Dialect::Mdp(_)));
        if !request.is_waiting() && is_mdp {
            // The limit of an MDP request is the broker's, and only for waiting. While the request
            // runs, the timer stays set for the case that it waits again.
            request.extend(now);
        }
        let Some(deadline) = &mut request.deadline else {
            return;
        };
        if deadline.at() > now {
            deadline.timer = self.cx.deadlines.set(deadline.at(), Timer::Request(key));
            return;
        }
        self.end(key, End::Failed(Code::ClientTimeout));
    }

    fn parking_due(&mut self) {
        let (parking, cx) = (&mut self.parking, &mut self.cx);
        for service in parking.due(cx) {
            self.dispatch(service);
        }
    }

    fn rate_due(&mut self, service: ServiceKey) {
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

    /// Ends a search in which no worker has claimed the request in time.
    fn search_due(&mut self, key: RequestKey) {
        let request = self.cx.requests.get(key);
        if request.is_some_and(|request| matches!(request.state, State::Searching(_))) {
            self.not_found(key);
        }
    }

    /// Disclaims a claim: no client has resumed the request in time, or its client does not want it.
    pub(super) fn claim_due(&mut self, at: usize) {
        let Some((worker, ext)) = self.claims.drop(&mut self.cx, at) else {
            return;
        };
        self.cx.disclaim(worker, ext);
        self.put_to_work(worker);
    }

    fn roster_due(&mut self) {
        for worker in self.roster.due(&mut self.cx) {
            self.put_to_work(worker);
        }
    }
}
