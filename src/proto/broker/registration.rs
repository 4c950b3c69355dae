//! Registration and removal of workers and clients.

use super::accounts::{ENTRY, OverLimit};
use super::clients::Client;
use super::displaced::{is_same_life, life};
use super::ends::End;
use super::heartbeats::Heartbeats;
use super::keys::{ClientKey, RequestKey, WorkerKey};
use super::leaving::Next;
use super::workers::Worker;
use super::{Broker, BrokerEvent, Departure, Outgoing, RoutingId, Timer, Transmit};
use crate::proto::Time;
use crate::wire::omdp::{ToClient, ToWorker};
use crate::wire::sizes::MAX_CHANNELS;
use crate::wire::{Dialect, Frame, Hello};
use std::cmp::Reverse;
use std::time::Duration;

/// Maximum of requests that end in one turn when their client is gone.
const SLICE: usize = 512;

impl<F: Frame> Broker<F> {
    #[inline(never)]
    pub(super) fn on_ready(
        &mut self,
        now: Time,
        from: &[u8],
        known: Option<WorkerKey>,
        service: &[u8],
        hello: Option<Hello>,
    ) {
        let is_pattern = hello.as_ref().is_some_and(|hello| hello.serving.pattern);
        if let Some(key) = known {
            let same_life = match (&hello, self.workers.get(key).map(|w| &w.hello)) {
                (Some(new), Some(Some(old))) => {
                    !new.session.is_empty() && new.session == old.session
                }
                _ => false,
            };
            if same_life {
                return self.update_worker(now, key, hello);
            }
            let is_usurped = |worker: &Worker| worker.absence.is_some_and(|a| a.is_usurped());
            let Some(new) = hello.as_ref().map(|hello| hello.session.clone()) else {
                if self.workers.get(key).is_some_and(is_usurped) {
                    return self.send_away(from);
                }
                if self.is_of_pigato(key) {
                    return;
                }
                // As in 0.0.92: a second READY is a protocol error, and the worker starts over.
                self.send_worker(key, ToWorker::Disconnect);
                self.remove_worker(now, key, Departure::Protocol);
                return;
            };
            let holder = self.workers.get(key);
            let old = holder.and_then(|worker| worker.hello.as_ref());
            let same_service =
                holder.is_some_and(|worker| self.services.is(worker.service, service, is_pattern));
            if !self.config.reconnect_grace.is_zero()
                && same_service
                && let Some(new) = &hello
                && is_same_life(old, new)
            {
                return self.reattach_worker(now, key, new.clone());
            }
            let old = old.map_or(String::new(), |hello| hello.session.clone());
            if !life(&new).is_empty() && self.keeps_worker(now, key) {
                return self.say_taken(from, new);
            }
            // The new connection has taken over the identity, whoever the earlier holder was.
            self.remove_worker(now, key, Departure::Replaced);
            if self.config.reconnect_grace.is_zero() {
                if self.displaced.contains(from, &new) {
                    return self.say_taken(from, new);
                }
                self.displaced.note(from, &old, &new);
            }
        }
        let Some(key) = self.register(now, from, Dialect::Omdp, service, hello) else {
            return self.send_away(from);
        };
        self.welcome_worker(key);
        self.line_up(key);
        self.dispatch_for(now, key);
    }

    fn say_taken(&mut self, to: &[u8], session: String) {
        let session = F::from(session.into_bytes());
        let asked = false;
        let message = Outgoing::Worker(ToWorker::NameTaken { session, asked });
        self.out.send(Transmit::plain(to.into(), message));
    }

    /// Registers a worker. Returns `None` if its account is over its limit.
    pub(super) fn register(
        &mut self,
        now: Time,
        from: &[u8],
        dialect: Dialect,
        service: &[u8],
        hello: Option<Hello>,
    ) -> Option<WorkerKey> {
        let id: RoutingId = from.into();
        let said = hello.as_ref().map_or(0, |hello| {
            let about = hello.about.as_ref().map_or(0, |about| about.size());
            hello.session.len() + about
        });
        let charged = ENTRY + service.len() + said;
        let account = self.open_account(&id);
        if let Err(over) = self.accounts.charge(account, charged) {
            self.accounts.close(account, 0);
            self.over_limit(now, from, over);
            return None;
        }
        let service_key = match hello.as_ref().is_some_and(|hello| hello.serving.pattern) {
            true => self.services.require_pattern(service),
            false => self.services.require(service),
        };
        let said = hello.as_ref().map(|hello| &hello.serving);
        let (policies, seed) = (&self.config.policies, self.config.seed);
        self.services.configure(service_key, said, policies, seed);
        if self.services.add_worker(service_key) {
            self.gather(service_key);
        }
        let beats = Heartbeats::new(now, self.config.heartbeat);
        let mut worker = Worker::new(id, service_key, dialect, hello, now, beats, account);
        worker.charged = charged;
        let key = self.workers.insert(worker);
        self.arm_worker(key);
        self.add_to_roster(now, key);
        self.on_worker_came(service_key);
        self.out.tell(BrokerEvent::WorkerReady {
            worker: from.into(),
            service: service.into(),
        });
        Some(key)
    }

    /// Takes over a new hello of a registered worker. Its running requests stay as they are.
    fn update_worker(&mut self, now: Time, key: WorkerKey, hello: Option<Hello>) {
        if let Some(worker) = self.workers.get_mut(key) {
            worker.hello = hello.map(Hello::without_about);
        }
        self.line_up(key);
        self.dispatch_for(now, key);
    }

    /// Tells a peer that acts as a worker without being registered to start over.
    pub(super) fn send_away(&mut self, from: &[u8]) {
        self.out.send(Transmit::plain(
            from.into(),
            Outgoing::Worker(ToWorker::Disconnect),
        ));
    }

    /// Removes a worker, and requeues or ends its requests.
    pub(super) fn remove_worker(&mut self, now: Time, key: WorkerKey, why: Departure) {
        if self
            .workers
            .get(key)
            .is_some_and(|worker| worker.claims > 0)
        {
            self.drop_claims(key);
        }
        let Some(mut worker) = self.workers.remove(key) else {
            return;
        };
        self.cancel_timer(worker.timer);
        if let Some(position) = worker.position {
            self.services.leave_line(worker.service, position);
        }
        self.accounts.close(worker.account, worker.charged);
        // An extended worker sends its goodbye after all started requests have ended.
        let not_started = why == Departure::Goodbye && worker.hello.is_some();
        let lost = self.reclaim(now, key, worker.running.iter(), not_started);
        if let Some(addressed) = worker.addressed.take() {
            self.end_addressed(now, addressed);
        }
        self.on_worker_went(now, worker.service);
        if self.services.remove_worker(worker.service) {
            self.scatter(now, worker.service);
        }
        self.out.tell(BrokerEvent::WorkerGone {
            worker: (&*worker.id).into(),
            service: (&*self.services.name(worker.service)).into(),
            why,
            lost,
        });
        self.dispatch(now, worker.service);
        self.remove_from_roster(now, &worker);
        if !self.services.release(worker.service) {
            self.end_fail_fast(now, worker.service);
        }
    }

    #[inline(never)]
    pub(super) fn on_hello(&mut self, now: Time, from: &[u8], hello: Hello) {
        let known = self.clients.find(from);
        let old = known.and_then(|key| self.clients.get(key)?.hello.as_ref());
        if let Some(key) = known
            && !self.config.reconnect_grace.is_zero()
            && is_same_life(old, &hello)
        {
            return self.reattach_client(now, key, hello);
        }
        let same_life = old.is_some_and(|old| old.session == hello.session);
        if let Some(key) = known
            && !same_life
        {
            let old = self.clients.get(key).and_then(|c| c.hello.as_ref());
            let old = old.map(|hello| hello.session.clone());
            self.drop_client(now, key);
            if let Some(old) = old {
                if self.displaced.contains(from, &hello.session) {
                    let session = F::from(hello.session.as_bytes());
                    let asked = false;
                    let message = Outgoing::Client(ToClient::NameTaken { session, asked });
                    return self.out.send(Transmit::plain(from.into(), message));
                }
                self.displaced.note(from, &old, &hello.session);
            }
        }
        let key = self.require_client(now, from, Dialect::Omdp);
        if let Err(over) = self.charge_client(key, ENTRY + hello.session.len()) {
            let client = self.clients.release(key);
            self.close_client(client);
            let message = Outgoing::Client(ToClient::Disconnect);
            self.out.send(Transmit::plain(from.into(), message));
            return self.over_limit(now, from, over);
        }
        let beats = Heartbeats::new(now, self.config.heartbeat);
        let started = self.forgotten.take(&hello.session);
        if let Some(client) = self.clients.get_mut(key) {
            client.started = client.started.take().or(started);
            client.hello = Some(hello.without_about());
            client.extended = true;
            client.dialect = Dialect::Omdp;
            client.beats = beats;
        }
        self.arm_client(key);
        self.welcome_client(key);
    }

    /// Answers the hello of a worker, if it has sent one.
    pub(super) fn welcome_worker(&mut self, key: WorkerKey) {
        let Some(worker) = self.workers.get(key) else {
            return;
        };
        if worker.hello.is_some() {
            let mut hello = self.config.hello();
            hello.channels = MAX_CHANNELS;
            hello.number = worker.is_asked().then_some(worker.number);
            let hello = hello.to_frame();
            self.send_worker(key, ToWorker::Welcome { hello });
        }
    }

    /// Answers the hello of a client.
    pub(super) fn welcome_client(&mut self, key: ClientKey) {
        let hello = self.config.hello().to_frame();
        let roster = self.whole_roster(key);
        self.send_client(key, ToClient::Welcome { hello, roster });
    }

    /// Removes a client that did not say goodbye, and reports it.
    pub(super) fn lose_client(&mut self, now: Time, key: ClientKey, why: Departure) {
        let lost = self
            .clients
            .get(key)
            .map_or(0, |client| client.requests.len());
        // Not reported without open requests: many clients simply end when they have their replies.
        if lost > 0 || why != Departure::Connection {
            self.tell_client_gone(key, why, lost);
        }
        self.remember_started(key);
        self.drop_client(now, key);
    }

    pub(super) fn tell_client_gone(&mut self, key: ClientKey, why: Departure, lost: usize) {
        if let Some(client) = self.clients.get(key) {
            self.out.tell(BrokerEvent::ClientGone {
                client: (&*client.id).into(),
                why,
                lost,
            });
        }
    }

    /// Removes a client and ends its requests.
    pub(super) fn drop_client(&mut self, now: Time, key: ClientKey) {
        let mut requests: Vec<RequestKey> = match self.clients.get(key) {
            Some(client) => client.requests.iter().copied().collect(),
            None => return,
        };
        // Waiting requests first, then the running ones from the latest to the first, so that the
        // end of one does not start another one that is to end as well.
        requests.sort_unstable_by_key(|&request| {
            let is_running = self.requests.worker(request).is_some();
            (is_running, Reverse(self.requests.token(request)))
        });
        if requests.len() > SLICE {
            self.leave_behind(key);
            let tokens = requests.iter().rev().map(|&key| self.requests.token(key));
            self.leaving.add(key, tokens.collect());
            self.logs.remove(key);
            let timer = self.clients.detach(key);
            self.cancel_timer(timer);
            return self.leaving_due(now);
        }
        for request in requests {
            self.end(now, request, End::Cancelled);
        }
        // A client of 0.0.92 was removed with its last request.
        let client = self.clients.remove(key);
        self.close_client(client);
        self.logs.remove(key);
    }

    /// Ends up to [`SLICE`] requests of clients that are gone.
    pub(super) fn leaving_due(&mut self, now: Time) {
        let timer = self.leaving.timer.take();
        self.cancel_timer(timer);
        let mut room = SLICE;
        while room > 0
            && let Some(next) = self.leaving.next()
        {
            match next {
                Next::Remove(key) => {
                    let client = self.clients.remove(key);
                    self.close_client(client);
                }
                Next::End(token) => {
                    room -= 1;
                    if let Some(request) = self.requests.by_token(token) {
                        self.end(now, request, End::Cancelled);
                    }
                }
            }
        }
        if !self.leaving.is_empty() {
            // The next turn handles the messages that arrived meanwhile first.
            let at = now + Duration::from_micros(1);
            self.leaving.timer = Some(self.deadlines.set(at, Timer::Leaving));
        }
    }

    /// The client of this id, created if necessary.
    pub(super) fn require_client(&mut self, now: Time, id: &[u8], dialect: Dialect) -> ClientKey {
        if let Some(key) = self.clients.find(id) {
            return key;
        }
        let id: RoutingId = id.into();
        let account = self.open_account(&id);
        self.clients.insert(now, id, dialect, account)
    }

    /// Replaces the charge for a client's own entry.
    fn charge_client(&mut self, key: ClientKey, bytes: usize) -> Result<(), OverLimit> {
        if let Some(client) = self.clients.get_mut(key) {
            let before = std::mem::take(&mut client.charged);
            self.accounts.credit(client.account, before);
            self.accounts.charge(client.account, bytes)?;
            client.charged = bytes;
        }
        Ok(())
    }

    /// Releases what is held for a client that was removed from its table.
    pub(super) fn close_client(&mut self, client: Option<Client>) {
        if let Some(client) = client {
            self.cancel_timer(client.timer);
            self.close_heard(client.heard);
            self.accounts.close(client.account, client.charged);
        }
    }
}
