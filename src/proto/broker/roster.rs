//! The roster: the workers to which a request can have been given, for recovery after the death of this broker.
//!
//! If no worker claims a request that the next broker searches for, the request has not started, provided that every
//! worker to which it can have been given is there and denies it. The clients know the workers of the dead broker:
//! they are told of all of them, as sums of their numbers. Therefore
//!
//! - a request of such a client is only given to workers of which the client has heard. A worker that registers is
//!   *new* and gets nothing until all these clients have confirmed that they have heard of it. A client that does not
//!   confirm within [`HEAR`] is *behind*: its requests are kept back from all workers until it does, and the new
//!   worker begins;
//! - a client is told that a worker is gone after it was told the results of its requests there;
//! - workers that cannot tell what they had (of other dialects or of 0.0.92) are in the sum too, so that it is never
//!   reached.
//!
//! The next broker receives the sum with RESUME, and asks the workers of the dead broker; see
//! [`recall`](super::recall).

use super::keys::{ClientKey, RequestKey, ServiceKey, WorkerKey};
use super::requests::State;
use super::workers::Worker;
use super::{Broker, Timer};
use crate::proto::Time;
use crate::proto::deadlines::TimerKey;
use crate::wire::Frame;
use crate::wire::omdp::{RosterHead, ToClient, mix, roster_to_frame};
use crate::wire::sizes::MAX_ROSTER;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// How long a new worker waits for clients to hear of it. Long compared with a round trip.
const HEAR: Duration = Duration::from_millis(50);

/// The roster that all clients are told, or will be.
#[derive(Debug, Default)]
pub(super) struct Roster {
    /// The sum of the numbers of the workers of each service. Workers that serve other names as well are summed under
    /// the empty name.
    sums: BTreeMap<Box<[u8]>, u64>,
    /// The size of `sums` in a message.
    bytes: usize,
    /// Whether the roster did not fit into a message. Clients are told that there is none.
    is_void: bool,
    /// Names whose sums have changed since clients were told.
    changed: BTreeSet<Box<[u8]>>,
    /// The number of the latest worker that all clients were told of.
    told: u64,
    /// New workers.
    fresh: Vec<WorkerKey>,
    /// Numbers of clients that are told, of those whose confirmation is awaited, and of those that are behind.
    clients: usize,
    awaited: usize,
    pub(super) behind: usize,
    timer: Option<TimerKey>,
}

/// The state of a client's knowledge.
#[derive(Debug, Clone, Copy)]
pub(super) struct Heard {
    /// The number of the latest worker that it has heard of.
    last: u64,
    awaited: bool,
    behind: bool,
}

impl Roster {
    fn change(&mut self, name: &[u8], by: impl Fn(u64) -> u64) {
        let sum = match self.sums.get_mut(name) {
            Some(sum) => sum,
            None => {
                self.bytes += entry_bytes(name);
                self.sums.entry(name.into()).or_default()
            }
        };
        *sum = by(*sum);
        if *sum == 0 {
            self.bytes -= entry_bytes(name);
            self.sums.remove(name);
        }
        self.is_void |= self.bytes > MAX_ROSTER;
        if self.clients > 0 && !self.changed.contains(name) {
            self.changed.insert(name.into());
        }
    }

    #[cfg(any(test, feature = "fuzz"))]
    pub(super) fn timer(&self) -> Option<TimerKey> {
        assert_eq!(
            self.timer.is_some(),
            self.awaited > 0 || !self.changed.is_empty() || !self.fresh.is_empty()
        );
        self.timer
    }
}

fn entry_bytes(name: &[u8]) -> usize {
    1 + name.len() + size_of::<u64>()
}

impl<F: Frame> Broker<F> {
    /// The broker's time, as sent to peers.
    pub(super) fn stamp(&self) -> u64 {
        self.now.as_micros() + 1
    }

    /// The name under which the workers of a service are summed.
    fn roster_name(&self, service: ServiceKey) -> Box<[u8]> {
        match self.services.serves_others(service) {
            true => Box::default(),
            false => (&*self.services.name(service)).into(),
        }
    }

    /// Adds a worker that has registered. It gets nothing before clients have heard of it.
    pub(super) fn add_to_roster(&mut self, now: Time, key: WorkerKey) {
        let Some(worker) = self.workers.get_mut(key) else {
            return;
        };
        let (number, service) = (worker.number, worker.service);
        worker.is_new = self.roster.clients > 0;
        if worker.is_new {
            self.roster.fresh.push(key);
        }
        let name = self.roster_name(service);
        self.roster
            .change(&name, |sum| sum.wrapping_add(mix(number)));
        if self.roster.clients == 0 {
            self.roster.told = number;
            return;
        }
        self.look_at_roster(now);
    }

    /// Removes a worker that is gone, after its clients were told the results of their requests.
    pub(super) fn remove_from_roster(&mut self, now: Time, worker: &Worker) {
        let name = self.roster_name(worker.service);
        let number = worker.number;
        self.roster
            .change(&name, |sum| sum.wrapping_sub(mix(number)));
        if self.roster.clients > 0 {
            self.look_at_roster(now);
        }
    }

    /// Sends changes at the end of this turn, unless confirmations are awaited.
    fn look_at_roster(&mut self, now: Time) {
        if self.roster.awaited > 0 && self.roster.timer.is_some() {
            return;
        }
        let timer = self.deadlines.set(now, Timer::Roster);
        let old = self.roster.timer.replace(timer);
        self.cancel_timer(old);
    }

    /// The whole roster, for a client that has sent its hello, on its first connection or a later one.
    pub(super) fn whole_roster(&mut self, key: ClientKey) -> Option<(RosterHead, F)> {
        let is_void = self.roster.is_void;
        let (told, last) = (self.roster.told, self.workers.last());
        let client = self.clients.get_mut(key)?;
        let knows = client.hello.as_ref().is_some_and(|hello| hello.roster);
        if !knows || client.heard.is_none() && is_void {
            return None;
        }
        if client.heard.is_none() {
            client.heard = Some(Heard {
                last: told,
                awaited: false,
                behind: false,
            });
            self.roster.clients += 1;
        }
        let names = self.roster.sums.keys();
        match self.roster_of(last, names) {
            ToClient::Roster {
                head,
                entries: Some(entries),
            } => Some((head, entries)),
            message => {
                self.send_client(key, message);
                None
            }
        }
    }

    /// The message with the sums of these names, or without a roster if that is too large.
    fn roster_of<'a>(
        &'a self,
        last: u64,
        names: impl Iterator<Item = &'a Box<[u8]>>,
    ) -> ToClient<F> {
        let sums = &self.roster.sums;
        let sum = |name: &[u8]| sums.get(name).copied().unwrap_or_default();
        let entries: F = roster_to_frame(names.map(|name| (&**name, sum(name))));
        let is_void = self.roster.is_void || entries.len() > MAX_ROSTER;
        let stamp = if is_void { 0 } else { self.stamp() };
        ToClient::Roster {
            head: RosterHead { stamp, last },
            entries: (!is_void).then_some(entries),
        }
    }

    /// Sends a heartbeat, which contains the time for clients that are told the roster.
    pub(super) fn beat_client(&mut self, key: ClientKey) {
        let client = self.clients.get(key);
        let heard = client.and_then(|client| client.heard);
        let message = match heard.filter(|_| !self.roster.is_void) {
            None => ToClient::Heartbeat,
            Some(_) => ToClient::Roster {
                head: RosterHead {
                    stamp: self.stamp(),
                    last: self.roster.told,
                },
                entries: None,
            },
        };
        self.send_client(key, message);
    }

    /// Sends the changes of this turn, or stops waiting for confirmations.
    pub(super) fn roster_due(&mut self, now: Time) {
        self.roster.timer = None;
        if self.roster.awaited > 0 {
            for key in self.clients.keys() {
                if let Some(client) = self.clients.get_mut(key)
                    && let Some(heard) = &mut client.heard
                    && std::mem::take(&mut heard.awaited)
                {
                    self.roster.awaited -= 1;
                    heard.behind = true;
                    self.roster.behind += 1;
                }
            }
        }
        if !self.roster.changed.is_empty() {
            self.tell_changes();
        }
        if self.roster.awaited == 0 {
            return self.begin_fresh(now);
        }
        self.roster.timer = Some(self.deadlines.set(now + HEAR, Timer::Roster));
    }

    fn tell_changes(&mut self) {
        let last = self.workers.last();
        let is_news = last > std::mem::replace(&mut self.roster.told, last);
        let changed = std::mem::take(&mut self.roster.changed);
        let message = self.roster_of(last, changed.iter());
        // Earlier knowledge of the clients is no longer valid.
        self.roster.is_void |= matches!(message, ToClient::Roster { entries: None, .. });
        for key in self.clients.keys() {
            let Some(client) = self.clients.get_mut(key) else {
                continue;
            };
            let is_here = client.absence.is_none() && !client.leaving;
            let Some(heard) = &mut client.heard else {
                continue;
            };
            if is_news && heard.last < last && !heard.behind {
                heard.awaited = is_here;
                heard.behind = !heard.awaited;
                self.roster.awaited += usize::from(heard.awaited);
                self.roster.behind += usize::from(heard.behind);
            }
            self.send_client(key, message.clone());
        }
    }

    /// Lets new workers begin when all clients that are not behind have heard of them.
    fn begin_fresh(&mut self, now: Time) {
        let told = self.roster.told;
        for key in std::mem::take(&mut self.roster.fresh) {
            let Some(worker) = self.workers.get_mut(key).filter(|worker| worker.is_new) else {
                continue;
            };
            if worker.number > told {
                self.roster.fresh.push(key);
                continue;
            }
            worker.is_new = false;
            self.line_up(key);
            self.dispatch_for(now, key);
        }
        if !self.roster.fresh.is_empty() || !self.roster.changed.is_empty() {
            self.look_at_roster(now);
        }
    }

    /// Handles HEARD: the client has heard of all workers up to this number.
    pub(super) fn on_heard(&mut self, now: Time, key: ClientKey, last: u64) {
        let told = self.roster.told;
        let newest = self.workers.last();
        let Some(client) = self.clients.get_mut(key) else {
            return;
        };
        let Some(heard) = client.heard.as_mut().filter(|_| last <= newest) else {
            return;
        };
        heard.last = heard.last.max(last);
        if heard.last < told {
            return;
        }
        let was_behind = std::mem::take(&mut heard.behind);
        let was_awaited = std::mem::take(&mut heard.awaited);
        self.roster.awaited -= usize::from(was_awaited);
        self.roster.behind -= usize::from(was_behind);
        if was_behind {
            self.release_kept_back(now, key);
        }
        if was_awaited && self.roster.awaited == 0 {
            let timer = self.roster.timer.take();
            self.cancel_timer(timer);
            self.begin_fresh(now);
        }
    }

    /// Keeps back a request that would be given to a worker while its client is behind. Returns false if it is not.
    #[cold]
    pub(super) fn keep_back(&mut self, worker: WorkerKey, key: RequestKey) -> bool {
        let Some(request) = self.requests.get(key) else {
            return false;
        };
        let client = self.clients.get(request.client);
        let heard = client.and_then(|client| client.heard);
        // The answer to a copy is never resumed.
        if request.is_copy() || !heard.is_some_and(|heard| heard.behind) {
            return false;
        }
        let service = request.service;
        let queue = &mut self.services.get_mut(service).queue;
        queue.keep_back(key, self.now, &mut self.requests);
        if let Some(worker) = self.workers.get_mut(worker) {
            worker.turn = None;
        }
        self.line_up(worker);
        true
    }

    fn release_kept_back(&mut self, now: Time, client: ClientKey) {
        let Some(client) = self.clients.get(client) else {
            return;
        };
        let requests = client.requests.iter().copied();
        let mut kept: Vec<RequestKey> = requests
            .filter(|&key| {
                let state = self.requests.get(key).map(|request| &request.state);
                matches!(state, Some(State::SetAside(aside)) if aside.is_kept_back)
            })
            .collect();
        // In reverse, so that the first request ends up at the front.
        kept.sort_unstable_by_key(|&key| std::cmp::Reverse(self.requests.order(key)));
        let mut services: Vec<ServiceKey> = Vec::new();
        for key in kept {
            self.leave_queue(key);
            self.requeue(now, key);
            if let Some(request) = self.requests.get(key)
                && !services.contains(&request.service)
            {
                services.push(request.service);
            }
        }
        for service in services {
            self.dispatch(now, service);
        }
    }

    /// Stops waiting for a client that is being removed, with more requests than end at once.
    pub(super) fn leave_behind(&mut self, key: ClientKey) {
        if let Some(client) = self.clients.get_mut(key)
            && let Some(heard) = &mut client.heard
            && !std::mem::replace(&mut heard.behind, true)
        {
            self.roster.awaited -= usize::from(std::mem::take(&mut heard.awaited));
            self.roster.behind += 1;
        }
    }

    /// Removes a client from the counts.
    pub(super) fn close_heard(&mut self, heard: Option<Heard>) {
        let Some(heard) = heard else {
            return;
        };
        self.roster.clients -= 1;
        self.roster.behind -= usize::from(heard.behind);
        self.roster.awaited -= usize::from(heard.awaited);
        if self.roster.clients == 0 {
            self.roster.changed.clear();
            self.roster.told = self.workers.last();
        }
        if self.roster.timer.is_some() && self.roster.awaited == 0 {
            let timer = self.roster.timer.take();
            self.cancel_timer(timer);
            if !self.roster.fresh.is_empty() || !self.roster.changed.is_empty() {
                self.look_at_roster(self.now);
            }
        }
    }

    #[cfg(any(test, feature = "fuzz"))]
    pub(super) fn audit_roster(&self) {
        let heard: Vec<Heard> = self.clients.iter().filter_map(|c| c.heard).collect();
        let count = |is: fn(&&Heard) -> bool| heard.iter().filter(is).count();
        assert_eq!(heard.len(), self.roster.clients);
        assert_eq!(count(|heard| heard.awaited), self.roster.awaited);
        assert_eq!(count(|heard| heard.behind), self.roster.behind);
        assert_eq!(count(|heard| heard.behind && heard.awaited), 0);
        let mut sums: BTreeMap<Box<[u8]>, u64> = BTreeMap::new();
        for (key, worker) in self.workers.iter_keys() {
            let sum = sums.entry(self.roster_name(worker.service)).or_default();
            *sum = sum.wrapping_add(mix(worker.number));
            assert!(!worker.is_new || self.roster.fresh.contains(&key));
            if worker.is_new {
                assert!(worker.turn.is_none());
            }
            for request in worker.running.iter() {
                let known = worker.number <= self.roster.told || self.roster.clients == 0;
                assert!(known || self.requests.has_begun(request));
            }
        }
        assert_eq!(sums, self.roster.sums);
        let bytes: usize = sums.keys().map(|name| entry_bytes(name)).sum();
        assert_eq!(bytes, self.roster.bytes);
    }
}
