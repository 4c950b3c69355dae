//! The end of peers: by a goodbye, by silence, by the end of a connection, or by a removal.

use super::accounts::{OverLimit, Scope};
use super::clients::{Client, Started};
use super::keys::{ClientKey, RequestKey, WorkerKey};
use super::outcome::End;
use super::piece::{Earlier, PIECE};
use super::tasks::{Cancellation, Ending, Task};
use super::{Broker, BrokerEvent, Departure};
use crate::proto::code::Code;
use crate::wire::omdp::{ToClient, ToWorker};
use crate::wire::{Dialect, Frame};

/// Maximum of requests that end at once with their client.
const AT_ONCE: usize = 32;

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
        self.recalls.forget_worker(key, &worker);
        self.cx.deadlines.cancel(worker.timer);
        if let Some(position) = worker.position {
            self.cx.services.leave_line(worker.service, position);
        }
        self.cx.accounts.close(worker.account, worker.charged);
        // An extended worker sends its goodbye after all started requests have ended.
        let not_started = why == Departure::Goodbye && worker.hello.is_some();
        self.cx.removed = Some((key, worker.id.clone()));
        let requests = worker.running.iter().map(|request| {
            let has_started = !not_started || self.cx.requests.has_begun(request);
            (request, has_started)
        });
        let requests: Vec<(RequestKey, bool)> = requests.collect();
        let lost = requests.iter().filter(|(_, has_started)| *has_started);
        let lost = lost.count();
        if let Some(task) = self.take_back(key, requests) {
            // Many workers may leave at the same time.
            self.put_off(task);
        }
        self.cx.removed = None;
        if let Some(addressed) = worker.addressed.take() {
            self.end_all(addressed.into(), Ending::WorkerLost);
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
        self.remember_and_drop(key, why, None);
    }

    /// As [`lose_client`](Self::lose_client), with those of its requests that a worker may have started.
    pub(super) fn lose_client_with(&mut self, key: ClientKey, why: Departure, started: Started) {
        self.remember_and_drop(key, why, Some(started));
    }

    fn remember_and_drop(&mut self, key: ClientKey, why: Departure, started: Option<Started>) {
        let lost = self
            .cx
            .clients
            .get(key)
            .map_or(0, |client| client.requests.len());
        // Not reported without open requests: many clients simply end when they have their replies.
        if lost > 0 || !matches!(why, Departure::Connection | Departure::Broken) {
            self.cx.tell_client_gone(key, why, lost);
        }
        let user = match self.cx.clients.get(key) {
            Some(client) => self.authorizer.principal_of(&client.id),
            None => return,
        };
        let logs = &mut self.replies.logs;
        self.given_up
            .remember(&mut self.cx, logs, key, (why, user), started);
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
            return self.put_off(Task::Gone(Cancellation::new(key, requests)));
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
    pub(super) fn remove_and_ban(&mut self, from: &[u8], scope: Scope) {
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
        let all = Earlier {
            client: key,
            requests,
            since: self.cx.now,
        };
        self.start(Task::Dismissed { all, code });
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
        if client.is_extended() || is_bound || self.authorizer.is_on() {
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
