//! The state that all parts of the broker share: the configuration, the time of the present call, the tables, the outbox and the
//! counters.
//!
//! A part owns a state that no other code touches, and its methods change that state. They get the [`Context`] for
//! everything else, and return requests that only the broker can handle, for instance dispatch. Code without a state of
//! its own consists of methods of the context, in the modules of their topics.

use super::accounts::{Accounts, OverLimit, Scope};
use super::addresses::Addresses;
use super::clients::Clients;
use super::keys::{AccountKey, ClientKey, WorkerKey};
use super::on_hold::OnHold;
use super::outbox::Outbox;
use super::principal::Principal;
use super::requests::Requests;
use super::services::Services;
use super::stats::{CounterStats, Refusals};
use super::workers::Workers;
use super::{BrokerConfig, BrokerEvent, RoutingId, Timer};
use crate::proto::Time;
use crate::proto::deadlines::{Deadlines, TimerKey};
use crate::wire::omdp::{ToClient, ToWorker};
use crate::wire::{Dialect, Frame};
use std::sync::Arc;

#[derive(Debug)]
pub(super) struct Context<F> {
    pub(super) config: BrokerConfig,
    /// The time of the call that is being handled.
    pub(super) now: Time,
    /// The authenticated sender of the message that is being handled.
    pub(super) speaker: Option<Arc<Principal>>,
    pub(super) services: Services,
    pub(super) workers: Workers,
    pub(super) clients: Clients,
    pub(super) requests: Requests<F>,
    pub(super) accounts: Accounts,
    pub(super) addresses: Addresses,
    pub(super) on_hold: OnHold,
    pub(super) deadlines: Deadlines<Timer>,
    pub(super) out: Outbox<F>,
    pub(super) counters: CounterStats,
    pub(super) refusals: Refusals,
    /// Received messages, by dialect.
    pub(super) messages: [u64; Dialect::ALL.len()],
    /// Units of work of the current message beyond the first.
    pub(super) work: u32,
    /// The worker that is being removed, for the reports about its requests.
    pub(super) removed: Option<(WorkerKey, RoutingId)>,
}

impl<F: Frame> Context<F> {
    pub(super) fn new(config: BrokerConfig) -> Self {
        Context {
            now: Time::ZERO,
            speaker: None,
            services: Services::new(config.measured_services, config.policies.spreads),
            workers: Workers::default(),
            clients: Clients::new(config.seed),
            requests: Requests::new(config.policies.ageing),
            accounts: Accounts::new(config.held),
            addresses: Addresses::default(),
            on_hold: OnHold::default(),
            deadlines: Deadlines::new(),
            out: Outbox::default(),
            counters: CounterStats::default(),
            refusals: Refusals::default(),
            messages: [0; Dialect::ALL.len()],
            work: 0,
            removed: None,
            config,
        }
    }

    #[inline]
    pub(super) fn send_worker(&mut self, key: WorkerKey, message: ToWorker<F>) {
        if let Some(worker) = self.workers.get(key) {
            self.out.send_worker(worker, message);
        }
    }

    #[inline]
    pub(super) fn send_client(&mut self, key: ClientKey, message: ToClient<F>) {
        if let Some(client) = self.clients.get(key) {
            self.out.send_client(client, message);
        }
    }

    /// Counts a fault, and reports it if there are not too many.
    pub(super) fn report_bad(&mut self, from: &[u8], why: &'static str) {
        self.counters.bad_messages += 1;
        if self.out.may_tell_fault(self.now) {
            self.out.tell(BrokerEvent::BadMessage {
                peer: from.into(),
                why,
            });
        }
    }

    /// Adds to the units of work of the current message, for work that takes longer than a request.
    pub(super) fn count_work(&mut self, units: usize) {
        let units = u32::try_from(units).unwrap_or(u32::MAX);
        self.work = self.work.saturating_add(units);
    }

    /// Sets a timer in place of another one.
    pub(super) fn reset(&mut self, old: &mut Option<TimerKey>, at: Time, timer: Timer) {
        self.cancel(old);
        *old = Some(self.deadlines.set(at, timer));
    }

    pub(super) fn cancel(&mut self, timer: &mut Option<TimerKey>) {
        self.deadlines.cancel(timer.take());
    }

    /// Numbers of requests that have not ended, workers, clients, and services.
    pub(super) fn load(&self) -> [usize; 4] {
        [
            self.requests.len(),
            self.workers.len(),
            self.clients.len(),
            self.services.len(),
        ]
    }

    /// The user who sent the message that is being handled.
    pub(super) fn user(&self) -> Option<&str> {
        Some(&self.speaker.as_ref()?.user)
    }

    /// Opens the account of a peer for another holder.
    pub(super) fn open_account(&mut self, peer: &RoutingId) -> AccountKey {
        let user = self.speaker.as_ref().map(|speaker| &*speaker.user);
        let address = self.addresses.network_of(peer);
        self.accounts.open(peer, user, address)
    }

    /// Whether messages of this peer are ignored now.
    pub(super) fn is_banned(&self, from: &[u8]) -> bool {
        let bans = &self.accounts.bans;
        let who = self.user().map_or(from, str::as_bytes);
        bans.any(self.now) && bans.is_banned(self.now, who)
    }

    /// Counts and reports a charge that was refused. Returns true if there were too many: the peer is banned, and has
    /// to be removed.
    #[cold]
    pub(super) fn over_limit(&mut self, from: &[u8], over: OverLimit) -> bool {
        self.counters.over_limit += 1;
        let speaker = self.speaker.clone();
        let user = speaker.as_ref().map(|speaker| &*speaker.user);
        if self.out.may_tell_limit(self.now) {
            self.out.tell(BrokerEvent::LimitReached {
                peer: from.into(),
                user: user.unwrap_or_default().into(),
                scope: over.scope.as_str(),
                held: over.held,
                limit: over.limit,
            });
        }
        let who = user.map_or(from, str::as_bytes);
        self.accounts.refused(self.now, who, over.scope).is_some()
    }

    /// Bans a peer, unless other peers may have caused the refusal.
    pub(super) fn ban(&mut self, from: &[u8], scope: Scope) {
        let speaker = self.speaker.as_ref();
        let who = speaker.map_or(from, |speaker| speaker.user.as_bytes());
        self.accounts.ban(self.now, who, scope);
    }
}
