//! The end of peers: by a goodbye, by silence, by the end of a connection, or by a removal.

use super::absence::{Absence, LINGER};
use super::accounts::{OverLimit, Scope};
use super::clients::Client;
use super::forgotten::started_among;
use super::keys::{ClientKey, RequestKey, WorkerKey};
use super::leaving::{Ending, PIECE, Task, take_piece};
use super::liveness::patience;
use super::outcome::End;
use super::workers::Worker;
use super::{Broker, BrokerEvent, Departure, Timer};
use crate::proto::code::Code;
use crate::wire::omdp::{ToClient, ToWorker};
use crate::wire::{Dialect, Frame};
use std::time::Duration;

/// Maximum of requests that end at once with their client.
const AT_ONCE: usize = 32;

/// Requests of an absent client that are examined in one unit of work, at the end of its grace time.
const EXAMINED: usize = 8;

impl<F: Frame> Broker<F> {
    /// Removes a worker, and requeues or ends its requests.
    pub(super) fn remove_worker(&mut self, key: WorkerKey, why: Departure) {
        if self
            .cx
            .workers
            .get(key)
            .is_some_and(|worker| worker.claims > 0)
        {
            self.claims.drop_all(&mut self.cx, key);
        }
        let Some(mut worker) = self.cx.workers.remove(key) else {
            return;
        };
        self.cx.deadlines.cancel(worker.timer);
        if let Some(position) = worker.position {
            self.cx.services.leave_line(worker.service, position);
        }
        self.cx.accounts.close(worker.account, worker.charged);
        // An extended worker sends its goodbye after all started requests have ended.
        let not_started = why == Departure::Goodbye && worker.hello.is_some();
        self.cx.removed = Some((key, worker.id.clone()));
        let lost = self.reclaim(key, worker.running.iter(), not_started);
        self.cx.removed = None;
        if let Some(addressed) = worker.addressed.take() {
            self.end_addressed(addressed);
        }
        self.roster.remove(&mut self.cx, &worker);
        let service = worker.service;
        let name = self.cx.services.name(service);
        let may_move = self.cx.services.remove_worker(service);
        let is_done = self.rearrange(service, may_move, false);
        self.cx.out.tell(BrokerEvent::WorkerGone {
            worker: (&*worker.id).into(),
            service: (&*name).into(),
            why,
            lost,
        });
        if is_done {
            self.after_rearrangement(service);
        }
    }

    /// Detaches a worker that may return, or removes it.
    pub(super) fn detach_or_remove_worker(&mut self, key: WorkerKey, why: Departure) {
        if !self.cx.detach_worker(&mut self.claims, key, why) {
            self.remove_worker(key, why);
        }
    }

    /// Detaches a client that may return, or removes it.
    pub(super) fn detach_or_lose_client(&mut self, key: ClientKey, why: Departure) {
        if !self.cx.detach_client(&mut self.replies.logs, key, why) {
            self.lose_client(key, why);
        }
    }

    /// Removes a client that did not say goodbye, and reports it.
    pub(super) fn lose_client(&mut self, key: ClientKey, why: Departure) {
        let lost = self
            .cx
            .clients
            .get(key)
            .map_or(0, |client| client.requests.len());
        // Not reported without open requests: many clients simply end when they have their replies.
        if lost > 0 || why != Departure::Connection {
            self.cx.tell_client_gone(key, why, lost);
        }
        let user = match self.cx.clients.get(key) {
            Some(client) => self.authorizer.principal_of(&client.id),
            None => return,
        };
        let logs = &mut self.replies.logs;
        self.forgotten
            .remember(&mut self.cx, logs, key, (why, user));
        self.drop_client(key);
    }

    /// Removes a client and ends its requests.
    pub(super) fn drop_client(&mut self, key: ClientKey) {
        let mut requests: Vec<RequestKey> = match self.cx.clients.get(key) {
            Some(client) => client.requests.iter().collect(),
            None => return,
        };
        if requests.len() > AT_ONCE {
            self.cx.count_work(requests.len() / PIECE);
            self.roster.leave_behind(&mut self.cx, key);
            self.replies.logs.remove(key);
            let timer = self.cx.clients.detach(key);
            self.cx.deadlines.cancel(timer);
            // Many clients may leave at the same time.
            return self.put_off(Task::Gone {
                client: key,
                requests,
                running: Vec::new(),
            });
        }
        self.cx.count_work(requests.len());
        self.cx.requests.sort_to_end(&mut requests);
        for request in requests {
            self.end(request, End::Cancelled);
        }
        // A client of 0.0.92 was removed with its last request.
        let client = self.cx.clients.remove(key);
        self.close_client(client);
        self.replies.logs.remove(key);
    }

    /// Does the first piece of a task, and the rest in later turns.
    pub(super) fn start(&mut self, mut task: Task) {
        if self.has_more(&mut task) {
            self.put_off(task);
        }
    }

    /// Does a task in later turns.
    pub(super) fn put_off(&mut self, task: Task) {
        self.leaving.add(task);
        self.arm_leaving();
    }

    fn arm_leaving(&mut self) {
        if self.leaving.timer.is_none() && self.leaving.len() > 0 {
            // The next turn handles the messages that arrived meanwhile first.
            let at = self.cx.now + Duration::from_micros(1);
            self.leaving.timer = Some(self.cx.deadlines.set(at, Timer::Leaving));
        }
    }

    /// Does a piece of a task that was put off.
    pub(super) fn leaving_due(&mut self) {
        self.leaving.timer = None;
        self.cx.count_work(PIECE);
        let Some(mut task) = self.leaving.next() else {
            return;
        };
        if self.has_more(&mut task) {
            self.leaving.add(task);
        }
        self.arm_leaving();
    }

    /// Does a piece of a task. Returns false after the last one.
    fn has_more(&mut self, task: &mut Task) -> bool {
        match task {
            Task::Gone {
                client,
                requests,
                running,
            } => {
                if requests.is_empty() {
                    return self.end_running(*client, running);
                }
                for key in take_piece(requests).rev() {
                    let request = self.cx.requests.get(key);
                    if request.is_some_and(|request| request.client == *client) {
                        match self.cx.requests.worker(key) {
                            Some(_) => running.push(self.cx.requests.token(key)),
                            None => self.end(key, End::Cancelled),
                        }
                    }
                }
                if requests.is_empty() {
                    running.sort_unstable();
                }
                true
            }
            Task::Dismissed {
                client,
                requests,
                since,
                code,
            } => {
                for key in take_piece(requests) {
                    let request = self.cx.requests.get(key);
                    if request.is_some_and(|r| r.client == *client && r.arrived <= *since) {
                        self.end(key, End::Failed(*code));
                    }
                }
                !requests.is_empty()
            }
            Task::Withdrawn {
                client,
                requests,
                since,
                running,
            } => {
                let entry = self.cx.clients.get(*client);
                if entry.is_none_or(|client| client.absence.is_none()) {
                    return false;
                }
                for key in take_piece(requests) {
                    let request = self.cx.requests.get(key);
                    if request.is_some_and(|r| {
                        let is_meant = *running || r.has_never_started();
                        r.client == *client && r.arrived <= *since && is_meant
                    }) {
                        self.end(key, End::Cancelled);
                    }
                }
                !requests.is_empty()
            }
            Task::Unresumed {
                client,
                returned,
                requests,
                running,
            } => self.end_unresumed(*client, *returned, requests, running),
            Task::Ends { tokens, ending } => {
                for token in take_piece(tokens).rev() {
                    self.end_one_of(token, *ending);
                }
                !tokens.is_empty()
            }
            Task::Back { tokens } => {
                self.put_back_some(tokens);
                !tokens.is_empty()
            }
            Task::FanOut(fan_out) => self.fan_out(fan_out),
            Task::Relocation(relocation) => self.relocate_more(relocation),
            Task::Look { service, name } => {
                self.look_on(*service, name);
                false
            }
        }
    }

    /// Ends some running requests of a client that is gone, and removes the client after the last one.
    fn end_running(&mut self, client: ClientKey, running: &mut Vec<u64>) -> bool {
        for _ in 0..PIECE {
            let Some(token) = running.pop() else {
                let client = self.cx.clients.remove(client);
                self.close_client(client);
                return false;
            };
            self.end_one_of(token, Ending::Cancelled);
        }
        true
    }

    /// Releases what is held for a client that was removed from its table.
    pub(super) fn close_client(&mut self, client: Option<Client>) {
        if let Some(client) = client {
            self.cx.deadlines.cancel(client.timer);
            self.roster.close(&mut self.cx, client.heard);
            self.cx.accounts.close(client.account, client.charged);
        }
    }

    /// Counts and reports a charge that was refused, and removes the peer if there were too many.
    #[cold]
    pub(super) fn over_limit(&mut self, from: &[u8], over: OverLimit) {
        if self.cx.over_limit(from, over) {
            self.remove_over_limit(from);
        }
    }

    /// Removes a peer at once, and bans it unless other peers may have caused the refusal.
    pub(super) fn send_off(&mut self, from: &[u8], scope: Scope) {
        self.cx.ban(from, scope);
        self.remove_over_limit(from);
    }

    fn remove_over_limit(&mut self, from: &[u8]) {
        if let Some(key) = self.cx.workers.find(from) {
            self.cx.send_worker(key, ToWorker::Disconnect);
            self.remove_worker(key, Departure::OverLimit);
        }
        if let Some(key) = self.cx.clients.find(from) {
            self.dismiss(key, Departure::OverLimit, Code::QueueFull);
        }
    }

    /// Removes a client. A client that does not know DISCONNECT receives errors for its requests.
    pub(super) fn dismiss(&mut self, key: ClientKey, why: Departure, code: Code) {
        if self.cx.clients.is_extended(key) {
            self.cx.send_client(key, ToClient::Disconnect);
            return self.lose_client(key, why);
        }
        let Some(client) = self.cx.clients.get(key) else {
            return;
        };
        let requests: Vec<RequestKey> = client.requests.iter().collect();
        self.cx.count_work(requests.len().min(PIECE));
        self.cx.tell_client_gone(key, why, requests.len());
        self.start(Task::Dismissed {
            client: key,
            requests,
            since: self.cx.now,
            code,
        });
    }

    /// Sends a heartbeat that is due, or gives up a worker that was silent for too long.
    pub(super) fn worker_due(&mut self, key: WorkerKey) {
        let now = self.cx.now;
        let Some(worker) = self.cx.workers.get_mut(key) else {
            return;
        };
        worker.timer = None;
        if let Some(absence) = worker.absence {
            if absence.until <= now && !self.cx.holds_worker(key) {
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
            let beat = match worker.unacknowledged.take() {
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
    pub(super) fn client_due(&mut self, key: ClientKey) {
        let now = self.cx.now;
        let Some(client) = self.cx.clients.get_mut(key) else {
            return;
        };
        client.timer = None;
        if let Some(absence) = client.absence {
            if absence.until <= now {
                let requests = client.requests.len();
                self.cx.count_work(requests / EXAMINED);
                if !self.lets_linger(key) {
                    return self.client_did_not_return(key);
                }
            }
            return self.cx.arm_client(key);
        }
        if client.hello.is_none() && !client.cut_off {
            // A client of 0.0.92 that was heard again has no liveness timer; its requests have timeouts.
            return;
        }
        let patience = self.cx.config.patience(client.hello.as_ref());
        if client.beats.is_silent(now, patience) {
            if client.extended {
                self.cx.send_client(key, ToClient::Disconnect);
            }
            return self.detach_or_lose_client(key, Departure::Silence);
        }
        if client.hello.is_some() && client.beats.take(now, self.cx.config.heartbeat) {
            self.beat_client(key);
        }
        self.cx.arm_client(key);
    }

    /// Handles the end of a client's connection. An extended client registers anew when it returns. A client of
    /// 0.0.92 may go on waiting on a new connection, so it is kept until its permitted silence ends.
    pub(super) fn client_gone(&mut self, key: ClientKey) {
        let Some(client) = self.cx.clients.get_mut(key) else {
            return;
        };
        // An identity that begins with NUL was generated for the connection, and ends with it.
        let is_mdp = client.dialect != Dialect::Omdp;
        let is_bound = is_mdp && client.id.first() == Some(&0);
        // With authentication, every identity ends with its connection: the next one may belong to another user.
        if client.extended || is_bound || self.authorizer.is_on() {
            return self.lose_client(key, Departure::Connection);
        }
        // Each undeliverable reply reports the end again, which is no sign of life.
        if std::mem::replace(&mut client.cut_off, true) {
            return;
        }
        client.beats.heard(self.cx.now);
        if client.timer.is_none() {
            self.cx.arm_client(key);
        }
    }

    /// Gives the requests with `retry` of a detached worker to another worker, if there is one. Replies of the
    /// detached worker to these requests are ignored if it returns.
    pub(super) fn retry_early(&mut self, key: WorkerKey) {
        let Some(worker) = self.cx.workers.get_mut(key) else {
            return;
        };
        if let Some(absence) = &mut worker.absence {
            absence.retries_at = None;
        }
        let service = worker.service;
        let running: Vec<RequestKey> = worker.running.iter().collect();
        let is_other = |other: &Worker| other.service == service && other.absence.is_none();
        if self.stopping || !self.cx.workers.iter().any(is_other) {
            return;
        }
        if running.len() > PIECE {
            let retried = running.into_iter();
            let retried = retried.filter(|&request| self.cx.may_retry(request));
            let retried = retried.map(|request| (request, true)).collect();
            return self.take_back(key, retried);
        }
        // In reverse, so that the first request ends up at the front.
        for request in running.into_iter().rev() {
            if self.cx.may_retry(request) {
                self.cx.free_slot(key, request);
                self.retry(request);
            }
        }
        self.dispatch(service);
    }

    /// Removes a detached worker at the end of the grace time.
    pub(super) fn worker_did_not_return(&mut self, key: WorkerKey) {
        if let Some(worker) = self.cx.workers.get(key)
            && let Some(Absence { why, .. }) = worker.absence
        {
            let id = worker.id.clone();
            self.remove_worker(key, why);
            self.forget_peer(&id);
        }
    }

    /// Lets requests of an absent client go on at the end of its grace time, and withdraws the others. Returns false if
    /// nothing goes on.
    ///
    /// The process of a silent client has not ended, or the end of the connection would have been reported: all that may
    /// have started go on. So they do if the connection was reset, until the client has noticed it. If the connection was
    /// closed, those go on whose worker is absent as well: nobody who is connected would hear of their end.
    fn lets_linger(&mut self, key: ClientKey) -> bool {
        let now = self.cx.now;
        let Some(client) = self.cx.clients.get_mut(key) else {
            return false;
        };
        let hello = client.hello.as_ref();
        let config = &self.cx.config;
        let (may_live, span) = match client.absence.map(|absence| absence.why) {
            Some(Departure::Silence) => (true, LINGER),
            Some(why @ Departure::Broken) => {
                let span = config.blindness(why, hello) + config.reconnect_grace;
                (true, span)
            }
            Some(Departure::Connection) => {
                let late = config.delay(Departure::Silence, hello);
                let span = config.patience(hello) + late + config.reconnect_grace;
                // The heartbeat of a hello may be of any length.
                (false, span.min(LINGER.max(config.reconnect_grace)))
            }
            _ => return false,
        };
        let (requests, workers) = (&self.cx.requests, &self.cx.workers);
        let is_away = |key| {
            workers
                .get(key)
                .is_some_and(|worker| worker.absence.is_some())
        };
        let ends = |&key: &RequestKey| {
            requests.get(key).is_some_and(|request| match may_live {
                true => request.has_never_started(),
                false => !request.worker().is_some_and(is_away),
            })
        };
        // The connection of a client with very many that end has ended for all of them.
        let most = if may_live { usize::MAX } else { PIECE + 1 };
        let ending = client.requests.iter().filter(ends).take(most);
        let mut ending: Vec<RequestKey> = ending.collect();
        let has_replies = may_live && self.replies.logs.rids(key).next().is_some();
        let nothing_goes_on = ending.len() == client.requests.len() && !has_replies;
        if nothing_goes_on || !may_live && ending.len() > PIECE {
            return false;
        }
        if !client.absence.as_mut().is_some_and(|a| a.linger(now, span)) {
            return false;
        }
        if !client.log_is_incomplete {
            let started = client.started.get_or_insert_default();
            started.extend(started_among(requests, ending.iter().copied()));
        }
        self.cx.count_work(ending.len().min(PIECE));
        self.cx.requests.sort_to_end(&mut ending);
        self.start(Task::Withdrawn {
            client: key,
            requests: ending,
            since: now,
            running: !may_live,
        });
        true
    }

    /// Removes a detached client at the end of the grace time.
    pub(super) fn client_did_not_return(&mut self, key: ClientKey) {
        if let Some(client) = self.cx.clients.get(key)
            && let Some(Absence { why, .. }) = client.absence
        {
            let id = client.id.clone();
            self.lose_client(key, why);
            self.forget_peer(&id);
        }
    }

    /// Forgets the principal of a peer that has no entry any more.
    pub(super) fn forget_peer(&mut self, id: &[u8]) {
        if self.cx.workers.find(id).is_none() && self.cx.clients.find(id).is_none() {
            self.authorizer.forget(&mut self.cx, id);
        }
    }

    /// Removes the peer of an identity that another principal has taken over. It cannot return.
    pub(super) fn remove_peer(&mut self, peer: &[u8]) {
        if let Some(key) = self.cx.workers.find(peer) {
            self.remove_worker(key, Departure::Replaced);
        }
        if let Some(key) = self.cx.clients.find(peer) {
            self.lose_client(key, Departure::Replaced);
        }
        self.authorizer.forget(&mut self.cx, peer);
    }
}
