//! Detached peers: extended peers whose connection ended without a goodbye. A peer may live and return within the
//! grace time; until then nothing of it is given up.
//!
//! | peer   | while it is detached                                    | when it returns                         |
//! |--------|---------------------------------------------------------|-----------------------------------------|
//! | client | its requests go on, replies are kept                    | RESUME for the requests that it wants; the others are cancelled |
//! | worker | it keeps its requests; those with `retry` soon go to another worker | CLAIM for the requests that it has; the others had not started |
//!
//! A peer is recognized by its life, which is its session without the number of the connection. Another life with the
//! same identity ends the first. A peer that returns before the end of its old connection was noticed is treated in
//! the same way.

use super::absence::{Absence, Unclaimed};
use super::displaced::life;
use super::heartbeats::Heartbeats;
use super::keys::{ClientKey, RequestKey, WorkerKey};
use super::requests::{Request, State};
use super::workers::Worker;
use super::{Broker, Departure};
use crate::proto::Time;
use crate::wire::{Frame, Hello};
use std::collections::HashSet;
use std::time::Duration;

/// How long a request with `retry` waits for its worker to return: the time of one or two reconnects.
const RETRY_AFTER: Duration = Duration::from_millis(300);

/// Whether a peer with this hello can be recognized when it returns.
fn may_return(hello: Option<&Hello>) -> bool {
    hello.is_some_and(|hello| !life(&hello.session).is_empty())
}

impl<F: Frame> Broker<F> {
    /// Detaches a worker whose connection has ended. Returns false if it cannot return.
    pub(super) fn detach_worker(&mut self, now: Time, key: WorkerKey, why: Departure) -> bool {
        let grace = self.config.reconnect_grace;
        let Some(worker) = self.workers.get_mut(key) else {
            return false;
        };
        if grace.is_zero() || !may_return(worker.hello.as_ref()) {
            return false;
        }
        // Each undeliverable message reports the end of the connection again.
        if worker.absence.is_none() {
            let until = now + grace + self.config.delay(why, worker.hello.as_ref());
            let retries_at = Some(now + RETRY_AFTER).filter(|&at| at < until);
            worker.absence = Some(Absence {
                since: now,
                until,
                why,
                retries_at,
            });
            worker.unclaimed = None;
            worker.unacknowledged.take();
            self.drop_claims(key);
            self.line_up(key);
            self.arm_worker(key);
        }
        true
    }

    /// Handles the first message on a connection with this name. If a worker has the name, the transport has taken it
    /// from the worker's connection, and the worker is detached. Clients' names are not public, so they are not kept.
    pub fn handle_new_connection(&mut self, now: Time, peer: &[u8]) {
        if let Some(key) = self.workers.find(peer) {
            self.detach_worker(now, key, Departure::Replaced);
        }
    }

    /// Whether the worker keeps its name although another life wants it: it is connected, or may still return.
    pub(super) fn keeps_worker(&mut self, now: Time, key: WorkerKey) -> bool {
        let Some(worker) = self.workers.get(key) else {
            return false;
        };
        match worker.absence {
            Some(absence) => absence.may_come_back(now),
            None => self.detach_worker(now, key, Departure::Replaced),
        }
    }

    /// Reattaches a worker that has returned on a new connection.
    pub(super) fn reattach_worker(&mut self, now: Time, key: WorkerKey, hello: Hello) {
        let beats = Heartbeats::new(now, self.config.heartbeat);
        let until = now + self.config.reconnect_grace;
        self.drop_claims(key);
        if let Some(worker) = self.workers.get_mut(key) {
            worker.hello = Some(hello.without_about());
            worker.absence = None;
            worker.unclaimed = Some(Unclaimed {
                requests: worker.running.iter().collect(),
                not_started: HashSet::new(),
                until,
            });
            worker.unacknowledged.take();
            worker.pace = Default::default();
            worker.beats = beats;
        }
        self.line_up(key);
        self.arm_worker(key);
        self.welcome_worker(key);
    }

    /// Detaches a client whose connection has ended. Returns false if it cannot return.
    pub(super) fn detach_client(&mut self, now: Time, key: ClientKey, why: Departure) -> bool {
        let grace = self.config.reconnect_grace;
        let Some(client) = self.clients.get_mut(key) else {
            return false;
        };
        if grace.is_zero() || !may_return(client.hello.as_ref()) {
            return false;
        }
        if client.absence.is_none() {
            let until = now + grace + self.config.delay(why, client.hello.as_ref());
            client.absence = Some(Absence {
                since: now,
                until,
                why,
                retries_at: None,
            });
            client.unresumed.clear();
            self.logs.lose(key);
            self.arm_client(key);
        }
        true
    }

    /// Reattaches a client that has returned on a new connection.
    pub(super) fn reattach_client(&mut self, now: Time, key: ClientKey, hello: Hello) {
        let beats = Heartbeats::new(now, self.config.heartbeat);
        if let Some(client) = self.clients.get_mut(key) {
            client.hello = Some(hello.without_about());
            client.absence = None;
            // The copies of a fan-out go on with it.
            let is_copy = |key| self.requests.get(key).is_some_and(Request::is_copy);
            let own = client.requests.iter().copied();
            client.unresumed = own.filter(|&key| !is_copy(key)).collect();
            if !client.log_is_incomplete {
                client.started.get_or_insert_default();
            }
            client.is_mute = false;
            client.congested = false;
            client.beats = beats;
        }
        self.logs.lose(key);
        self.arm_client(key);
        self.welcome_client(key);
    }

    /// Gives the requests with `retry` of a detached worker to another worker, if there is one. Replies of the
    /// detached worker to these requests are ignored if it returns.
    pub(super) fn retry_early(&mut self, now: Time, key: WorkerKey) {
        let Some(worker) = self.workers.get_mut(key) else {
            return;
        };
        if let Some(absence) = &mut worker.absence {
            absence.retries_at = None;
        }
        let service = worker.service;
        let running: Vec<RequestKey> = worker.running.iter().collect();
        let is_other = |other: &Worker| other.service == service && other.absence.is_none();
        if self.stopping || !self.workers.iter().any(is_other) {
            return;
        }
        // In reverse, so that the first request ends up at the front.
        for request in running.into_iter().rev() {
            if self.may_retry(request) {
                self.free_slot(key, request);
                self.retry(now, request);
            }
        }
        self.dispatch(now, service);
    }

    /// Removes a detached worker at the end of the grace time.
    pub(super) fn worker_did_not_return(&mut self, now: Time, key: WorkerKey) {
        if let Some(worker) = self.workers.get(key)
            && let Some(Absence { why, .. }) = worker.absence
        {
            let id = worker.id.clone();
            self.remove_worker(now, key, why);
            self.forget_peer(&id);
        }
    }

    /// Removes a detached client at the end of the grace time.
    pub(super) fn client_did_not_return(&mut self, now: Time, key: ClientKey) {
        if let Some(client) = self.clients.get(key)
            && let Some(Absence { why, .. }) = client.absence
        {
            let id = client.id.clone();
            self.lose_client(now, key, why);
            self.forget_peer(&id);
        }
    }

    /// Ends the grace time of a detached client whose reply log is too large.
    #[cold]
    pub(super) fn end_absence(&mut self, key: ClientKey) {
        if let Some(client) = self.clients.get_mut(key) {
            client.absence = Some(Absence {
                since: Time::ZERO,
                until: Time::ZERO,
                why: Departure::Slow,
                retries_at: None,
            });
            self.arm_client(key);
        }
    }

    /// Remembers which requests of a client that is given up may have started. If it returns nevertheless, the others
    /// can simply start.
    pub(super) fn remember_started(&mut self, key: ClientKey) {
        let Some(client) = self.clients.get_mut(key) else {
            return;
        };
        let Some(hello) = client.hello.as_ref().filter(|_| !client.log_is_incomplete) else {
            return;
        };
        let mut started = client.started.take().unwrap_or_default();
        started.extend(self.logs.rids(key).map(|rid| (Box::from(rid), u16::MAX)));
        let requests = client
            .requests
            .iter()
            .filter_map(|&key| self.requests.get(key));
        let waiting = |state: &State| matches!(state, State::Queued(_) | State::SetAside(_));
        let left = requests.filter_map(|request| {
            let left = u16::from(request.retry);
            let left = match (waiting(&request.state), request.retried) {
                (true, 0) => return None,
                // `retried` already includes the attempt that it waits for.
                (true, _) => left + 1,
                (false, _) => left,
            };
            Some((Box::from(&*request.rid), left))
        });
        started.extend(left);
        self.forgotten
            .add(&hello.session, client.id.clone(), started);
    }

    /// Forgets the principal of a peer that has no entry any more.
    pub(super) fn forget_peer(&mut self, id: &[u8]) {
        if self.workers.find(id).is_none() && self.clients.find(id).is_none() {
            self.forget_principal(id);
        }
    }

    /// Removes the peer of an identity that another principal has taken over. It cannot return.
    pub(super) fn remove_peer(&mut self, now: Time, peer: &[u8]) {
        if let Some(key) = self.workers.find(peer) {
            self.remove_worker(now, key, Departure::Replaced);
        }
        if let Some(key) = self.clients.find(peer) {
            self.lose_client(now, key, Departure::Replaced);
        }
        self.forget_principal(peer);
    }
}
