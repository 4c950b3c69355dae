//! Registration of workers and clients.

use super::accounts::{ENTRY, OverLimit};
use super::context::Context;
use super::heartbeats::Heartbeats;
use super::keys::{ClientKey, WorkerKey};
use super::services::RATE_SIZE;
use super::session::{is_same_life, life};
use super::workers::Worker;
use super::{Broker, BrokerEvent, Departure, Outgoing, Role, RoutingId};
use crate::wire::omdp::{ToClient, ToWorker};
use crate::wire::sizes::MAX_CHANNELS;
use crate::wire::{Dialect, Frame, Hello};

impl<F: Frame> Context<F> {
    /// Tells a peer that acts as a worker without being registered to start over.
    pub(super) fn send_away(&mut self, from: &[u8]) {
        let message = Outgoing::Worker(ToWorker::Disconnect);
        self.out.send_plain(from, message);
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

    pub(super) fn tell_client_gone(&mut self, key: ClientKey, why: Departure, lost: usize) {
        if let Some(client) = self.clients.get(key) {
            self.out.tell(BrokerEvent::ClientGone {
                client: (&*client.id).into(),
                why,
                lost,
            });
        }
    }

    /// The client of this id, created if necessary.
    pub(super) fn require_client(&mut self, id: &[u8], dialect: Dialect) -> ClientKey {
        if let Some(key) = self.clients.find(id) {
            return key;
        }
        let id: RoutingId = id.into();
        let account = self.open_account(&id);
        self.clients.insert(self.now, id, dialect, account)
    }

    /// Replaces the charge for a client's own entry.
    fn charge_client(&mut self, key: ClientKey, bytes: usize) -> Result<(), OverLimit> {
        if let Some(client) = self.clients.get_mut(key) {
            let before = std::mem::take(&mut client.charged);
            self.accounts.release(client.account, before);
            self.accounts.charge(client.account, bytes)?;
            client.charged = bytes;
        }
        Ok(())
    }
}

impl<F: Frame> Broker<F> {
    #[inline(never)]
    pub(super) fn on_ready(
        &mut self,
        from: &[u8],
        known: Option<WorkerKey>,
        service: &[u8],
        hello: Option<Hello>,
    ) {
        let hello = match known {
            Some(key) => match self.on_ready_again(from, key, service, hello) {
                Some(hello) => hello,
                None => return,
            },
            None => hello,
        };
        let Some(key) = self.register(from, Dialect::Omdp, service, hello) else {
            return self.cx.send_away(from);
        };
        self.cx.welcome_worker(key);
        self.put_to_work(key);
    }

    /// Handles READY of a worker that is registered under this name. Returns the hello if the worker, or another one with
    /// its name, starts over.
    fn on_ready_again(
        &mut self,
        from: &[u8],
        key: WorkerKey,
        service: &[u8],
        hello: Option<Hello>,
    ) -> Option<Option<Hello>> {
        let is_pattern = hello.as_ref().is_some_and(|hello| hello.serving.pattern);
        let is_same_session = match (&hello, self.cx.workers.get(key).map(|w| &w.hello)) {
            (Some(new), Some(Some(old))) => !new.session.is_empty() && new.session == old.session,
            _ => false,
        };
        if is_same_session {
            self.update_worker(key, hello);
            return None;
        }
        let is_displaced = |worker: &Worker| worker.absence.is_some_and(|a| a.is_displaced());
        let Some(new) = hello.as_ref().map(|hello| hello.session.clone()) else {
            if self.cx.workers.get(key).is_some_and(is_displaced) {
                self.cx.send_away(from);
                return None;
            }
            if self.cx.is_of_pigato(key) {
                return None;
            }
            // As in 0.0.92: a second READY is a protocol error, and the worker starts over.
            self.cx.send_worker(key, ToWorker::Disconnect);
            self.remove_worker(key, Departure::Protocol);
            return None;
        };
        let holder = self.cx.workers.get(key);
        let old = holder.and_then(|worker| worker.hello.as_ref());
        let same_service =
            holder.is_some_and(|worker| self.cx.services.is(worker.service, service, is_pattern));
        if !self.cx.config.reconnect_grace.is_zero()
            && same_service
            && let Some(new) = &hello
            && is_same_life(old, new)
        {
            self.cx.reattach_worker(&mut self.claims, key, new.clone());
            return None;
        }
        let old = old.map_or(String::new(), |hello| hello.session.clone());
        if !life(&new).is_empty() && self.cx.keeps_worker(&mut self.claims, key) {
            self.refuse_name(from, Role::Worker, &new, false);
            return None;
        }
        // The new connection has taken over the identity, also if its earlier holder was another peer.
        self.remove_worker(key, Departure::Replaced);
        if self.cx.config.reconnect_grace.is_zero() {
            if self.displaced.contains(from, &new) {
                self.refuse_name(from, Role::Worker, &new, false);
                return None;
            }
            self.displaced.note(from, &old, &new);
        }
        Some(hello)
    }

    /// Registers a worker. Returns `None` if its account is over its limit.
    pub(super) fn register(
        &mut self,
        from: &[u8],
        dialect: Dialect,
        service: &[u8],
        hello: Option<Hello>,
    ) -> Option<WorkerKey> {
        let is_pattern = hello.as_ref().is_some_and(|hello| hello.serving.pattern);
        self.register_for(from, dialect, (service, is_pattern), hello)
    }

    /// Registers a worker for a service or a pattern.
    pub(super) fn register_for(
        &mut self,
        from: &[u8],
        dialect: Dialect,
        (service, is_pattern): (&[u8], bool),
        hello: Option<Hello>,
    ) -> Option<WorkerKey> {
        let now = self.cx.now;
        let id: RoutingId = from.into();
        let said = hello.as_ref().map_or(0, |hello| {
            let about = hello.about.as_ref().map_or(0, |about| about.size());
            let rate = hello.serving.rate.map_or(0, |_| RATE_SIZE);
            hello.session.len() + about + rate
        });
        let charged = ENTRY + service.len() + said;
        let account = self.cx.open_account(&id);
        if let Err(over) = self.cx.accounts.charge(account, charged) {
            self.cx.accounts.close(account, 0);
            self.over_limit(from, over);
            return None;
        }
        let service_key = match is_pattern {
            true => self.cx.services.require_pattern(service),
            false => self.cx.services.require(service),
        };
        let said = hello.as_ref().map(|hello| &hello.serving);
        let (policies, seed) = (&self.cx.config.policies, self.cx.config.seed);
        self.cx
            .services
            .configure(service_key, said, policies, seed);
        let gathers = self.cx.services.add_worker(service_key);
        let beats = Heartbeats::new(now, self.cx.config.heartbeat);
        let mut worker = Worker::new(id, service_key, dialect, hello, now, beats, account);
        worker.charged = charged;
        let key = self.cx.workers.insert(worker);
        self.cx.arm_worker(key);
        self.roster.add(&mut self.cx, key);
        self.rearrange(service_key, gathers, gathers);
        self.cx.out.tell(BrokerEvent::WorkerReady {
            worker: from.into(),
            service: service.into(),
        });
        Some(key)
    }

    /// Takes over a new hello of a registered worker. Its running requests stay as they are.
    fn update_worker(&mut self, key: WorkerKey, hello: Option<Hello>) {
        if let Some(worker) = self.cx.workers.get_mut(key) {
            worker.hello = hello.map(Hello::without_about);
        }
        self.put_to_work(key);
    }

    #[inline(never)]
    pub(super) fn on_hello(&mut self, from: &[u8], hello: Hello) {
        let known = self.cx.clients.find(from);
        let old = known.and_then(|key| self.cx.clients.get(key)?.hello.as_ref());
        if let Some(key) = known
            && !self.cx.config.reconnect_grace.is_zero()
            && is_same_life(old, &hello)
        {
            self.cx.reattach_client(&mut self.replies.logs, key, hello);
            return self.roster.welcome(&mut self.cx, key);
        }
        let said_again = old.is_some_and(|old| old.session == hello.session);
        if let Some(key) = known
            && !said_again
        {
            let old = self.cx.clients.get(key).and_then(|c| c.hello.as_ref());
            let old = old.map(|hello| hello.session.clone());
            self.drop_client(key);
            if let Some(old) = old {
                if self.displaced.contains(from, &hello.session) {
                    return self.refuse_name(from, Role::Client, &hello.session, false);
                }
                self.displaced.note(from, &old, &hello.session);
            }
        }
        let key = self.cx.require_client(from, Dialect::Omdp);
        // Its charge includes that of its reply log, which goes on.
        if !said_again && let Err(over) = self.cx.charge_client(key, ENTRY + hello.session.len()) {
            let client = self.cx.clients.release(key);
            self.close_client(client);
            let message = Outgoing::Client(ToClient::Disconnect);
            self.cx.out.send_plain(from, message);
            return self.over_limit(from, over);
        }
        let beats = Heartbeats::new(self.cx.now, self.cx.config.heartbeat);
        let user = self.authorizer.principal_of(from);
        let known = self.given_up.take(&mut self.cx, &hello.session, user);
        let (started, replies) = known.unzip();
        if let Some(client) = self.cx.clients.get_mut(key) {
            client.started = client.started.take().or(started);
            client.hello = Some(hello.without_about());
            client.dialect = Dialect::Omdp;
            client.beats = beats;
        }
        for entry in replies.into_iter().flatten() {
            self.replies.keep(&mut self.cx, key, entry);
        }
        self.cx.arm_client(key);
        self.roster.welcome(&mut self.cx, key);
    }
}
