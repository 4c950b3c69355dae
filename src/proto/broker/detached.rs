//! Detached peers: extended peers whose connection ended without a goodbye. A peer may live and return within the
//! grace time, which is longer after a reset or silence, and for a distant peer; until then nothing of it is given up.
//!
//! | peer   | while it is detached                                    | when it returns                         |
//! |--------|---------------------------------------------------------|-----------------------------------------|
//! | client | its requests go on, replies are kept                    | RESUME for the requests that it wants; the others are cancelled |
//! | worker | it keeps its requests; those with `retry` soon go to another worker | CLAIM for the requests that it has; the others had not started |
//!
//! A peer is recognized by its life, which is its session without the number of the connection. Another life with the
//! same identity ends the first. A peer that returns before the end of its old connection was noticed is treated in
//! the same way.

use super::Departure;
use super::absence::{Absence, LINGER, Unclaimed};
use super::claims::Claims;
use super::context::Context;
use super::heartbeats::Heartbeats;
use super::keys::{ClientKey, WorkerKey};
use super::reply_log::ReplyLogs;
use super::rids::Rids;
use super::session::life;
use super::workers::Worker;
use crate::wire::{Frame, Hello};
use std::collections::HashSet;
use std::time::Duration;

/// How long a request with `retry` waits for its worker to return: the time of one or two reconnects.
const RETRY_AFTER: Duration = Duration::from_millis(300);

/// Whether a peer with this hello can be recognized when it returns.
fn may_return(hello: Option<&Hello>) -> bool {
    hello.is_some_and(|hello| !life(&hello.session).is_empty())
}

impl<F: Frame> Context<F> {
    /// The absence of a peer that goes now; `None` if it cannot return. A process that ends was heard shortly before. A
    /// peer that was silent before the end of its connection is treated as silent, because the network may not carry
    /// its next connection either.
    fn absence(&self, why: Departure, hello: Option<&Hello>, beats: Heartbeats) -> Option<Absence> {
        let grace = self.config.reconnect_grace;
        if grace.is_zero() || !may_return(hello) {
            return None;
        }
        let grace = grace + beats.distance();
        let mut absence = Absence {
            since: self.now,
            until: self.now + grace + self.config.delay(why, hello),
            why,
            retries_at: None,
            prolonged: false,
        };
        let interval = hello.map_or(0, |hello| hello.heartbeat_ms);
        let most = Duration::from_millis(interval.saturating_mul(3) / 2);
        let has_ended = matches!(why, Departure::Connection | Departure::Broken);
        if has_ended && beats.silence(self.now) > most {
            absence.why = Departure::Silence;
            let silent_at = beats.silent_at(self.config.patience(hello));
            let late = silent_at + grace + self.config.delay(absence.why, hello);
            // The heartbeat of a hello may be of any length.
            absence.until = absence.until.max(late.min(self.now + LINGER));
        }
        Some(absence)
    }

    /// Detaches a worker whose connection has ended. Returns false if it cannot return.
    pub(super) fn detach_worker(
        &mut self,
        claims: &mut Claims,
        key: WorkerKey,
        why: Departure,
    ) -> bool {
        let now = self.now;
        let Some(worker) = self.workers.get(key) else {
            return false;
        };
        let hello = worker.hello.as_ref();
        let Some(mut absence) = self.absence(why, hello, worker.beats) else {
            return false;
        };
        // A client is told of the loss of a worker once, so the worker gets the time that it may need.
        absence.until = absence.until + self.config.unnoticed_loss(absence.why, hello);
        // Each undeliverable message reports the end of the connection again.
        if worker.absence.is_none_or(|before| before.knew_less(why))
            && let Some(worker) = self.workers.get_mut(key)
        {
            let retries_at = Some(now + RETRY_AFTER).filter(|&at| at < absence.until);
            worker.absence = Some(Absence {
                retries_at,
                ..absence
            });
            worker.unclaimed = None;
            worker.owes_no_acknowledgement();
            claims.drop_all(self, key);
            self.line_up(key);
            self.arm_worker(key);
        }
        true
    }

    /// Whether the worker keeps its name although another life wants it: it is connected, or may still return.
    pub(super) fn keeps_worker(&mut self, claims: &mut Claims, key: WorkerKey) -> bool {
        let Some(worker) = self.workers.get(key) else {
            return false;
        };
        match worker.absence {
            Some(absence) => absence.may_come_back(self.now),
            None => self.detach_worker(claims, key, Departure::Replaced),
        }
    }

    /// Reattaches a worker that has returned on a new connection.
    pub(super) fn reattach_worker(&mut self, claims: &mut Claims, key: WorkerKey, hello: Hello) {
        let now = self.now;
        let (interval, grace) = (self.config.heartbeat, self.config.reconnect_grace);
        claims.drop_all(self, key);
        if let Some(worker) = self.workers.get_mut(key) {
            worker.hello = Some(hello.without_about());
            worker.absence = None;
            let until = now + grace + worker.beats.distance();
            worker.unclaimed = Some(Unclaimed {
                requests: worker.running.iter().collect(),
                not_started: HashSet::new(),
                until,
                next: until,
            });
            worker.owes_no_acknowledgement();
            // What waited for the earlier connection does not wait for this one.
            worker.congested = false;
            worker.handed = 0;
            worker.pace = Default::default();
            worker.beats = worker.beats.of_return(now, interval);
        }
        self.line_up(key);
        self.arm_worker(key);
        self.welcome_worker(key);
    }

    /// Detaches a client whose connection has ended. Returns false if it cannot return.
    pub(super) fn detach_client(
        &mut self,
        logs: &mut ReplyLogs<F>,
        key: ClientKey,
        why: Departure,
    ) -> bool {
        let Some(client) = self.clients.get(key) else {
            return false;
        };
        let Some(absence) = self.absence(why, client.hello.as_ref(), client.beats) else {
            return false;
        };
        if client.absence.is_none_or(|before| before.knew_less(why))
            && let Some(client) = self.clients.get_mut(key)
        {
            client.absence = Some(absence);
            client.unresumed = Rids::default();
            client.has_resumed = false;
            client.has_said_all = false;
            logs.lose(key);
            self.arm_client(key);
        }
        true
    }

    /// Reattaches a client that has returned on a new connection.
    pub(super) fn reattach_client(
        &mut self,
        logs: &mut ReplyLogs<F>,
        key: ClientKey,
        hello: Hello,
    ) {
        let (now, interval) = (self.now, self.config.heartbeat);
        if let Some(client) = self.clients.get_mut(key) {
            client.hello = Some(hello.without_about());
            client.absence = None;
            if !client.log_is_incomplete {
                client.started.get_or_insert_default();
            }
            client.has_resumed = false;
            client.has_said_all = false;
            client.did_not_release = false;
            client.congested = false;
            client.beats = client.beats.of_return(now, interval);
        }
        self.clients.begin_return(key);
        logs.lose(key);
        self.arm_client(key);
        self.await_workers_of(key);
    }

    /// Gives the workers whose absence was prolonged for a client that has returned the grace time to return as well.
    fn await_workers_of(&mut self, key: ClientKey) {
        let grace = self.now + self.config.reconnect_grace;
        let is_prolonged =
            |worker: &Worker| worker.absence.is_some_and(|absence| absence.prolonged);
        let requests = self.clients.get(key).map(|client| &client.requests);
        // Without such a worker no request has to be looked at.
        if requests.is_none_or(|requests| requests.is_empty())
            || !self.workers.iter().any(is_prolonged)
        {
            return;
        }
        let requests = requests.map(|requests| requests.iter());
        let mut prolonged: Vec<WorkerKey> = Vec::new();
        for request in requests.into_iter().flatten() {
            let worker = self.requests.worker(request);
            if let Some(key) = worker
                && let Some(worker) = self.workers.get_mut(key)
                && let Some(absence) = worker.absence.as_mut().filter(|absence| absence.prolonged)
            {
                let until = grace + worker.beats.distance();
                if std::mem::replace(&mut absence.until, until) != until {
                    prolonged.push(key);
                }
            }
        }
        for key in prolonged {
            self.arm_worker(key);
        }
    }

    /// Extends the absence of a worker while all clients of its requests are absent as well: nobody could be told that
    /// it is lost. Returns false if the absence is over.
    pub(super) fn prolongs_absence(&mut self, key: WorkerKey) -> bool {
        let (now, grace) = (self.now, self.config.reconnect_grace);
        let Some(worker) = self.workers.get_mut(key) else {
            return false;
        };
        let span = grace + worker.beats.distance();
        let mut clients = worker
            .running
            .iter()
            .filter_map(|request| self.clients.get(self.requests.get(request)?.client))
            .peekable();
        if clients.peek().is_none() || clients.any(|client| client.absence.is_none()) {
            return false;
        }
        let absence = worker.absence.as_mut();
        absence.is_some_and(|absence| absence.prolong(now, span))
    }
}
