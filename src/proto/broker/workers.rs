//! The table of workers and of their requests.

use super::RoutingId;
use super::absence::{Absence, Unclaimed};
use super::heartbeats::Heartbeats;
use super::keys::{AccountKey, ServiceKey, WorkerKey};
use super::pace::Pace;
use super::ready::{Line, Position};
use super::running::Running;
use crate::proto::Time;
use crate::proto::deadlines::TimerKey;
use crate::proto::table::Table;
use crate::wire::omdp::Ack;
use crate::wire::{About, Dialect, Hello};
use slab::Slab;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

#[derive(Debug)]
pub(super) struct Worker {
    pub(super) id: RoutingId,
    /// The serial number of the registration.
    pub(super) number: u64,
    pub(super) service: ServiceKey,
    /// The dialect. Comments on workers of 0.0.92 hold for MDP and PIGATO too. PIGATO counts as OMDP until it is
    /// recognized.
    pub(super) dialect: Dialect,
    /// The hello; `None` for a worker of 0.0.92.
    pub(super) hello: Option<Hello>,
    /// Whether it is known to be of 0.0.92, see `pigato`.
    pub(super) is_old: bool,
    /// How many requests it takes at once, if it has no hello that states it.
    pub(super) room: usize,
    /// Its description and metadata, from the READY.
    pub(super) about: Option<Box<About>>,
    /// Its requests, in the order of assignment. It runs the first ones; those beyond its concurrency are prefetched,
    /// and it may return them.
    pub(super) running: Running,
    /// Bytes of these requests.
    pub(super) bytes: usize,
    /// Bytes, and [`HANDOVER`] for each, of requests given to it since the transport had last accepted everything.
    pub(super) handed: usize,
    /// Whether messages to it wait at the transport, because it takes too little.
    pub(super) congested: bool,
    pub(super) pace: Pace,
    /// Requests that it has claimed and no client has resumed yet.
    pub(super) claims: usize,
    /// Claimed requests that it runs.
    pub(super) claimed_running: usize,
    /// Number of requests that it lost because it exceeded its window.
    pub(super) overruns: u32,
    /// Ended requests that a 0.0.92 worker is still busy with, because it cannot be told of the cancellation.
    pub(super) busy_for_nobody: VecDeque<Owed>,
    /// Its place in a line of its service, while it has room.
    pub(super) position: Option<Position>,
    /// Tokens of the copies that wait for this worker.
    pub(super) addressed: Option<VecDeque<u64>>,
    /// Present while it is detached.
    pub(super) absence: Option<Absence>,
    /// Present after its return until it has made all claims.
    pub(super) unclaimed: Option<Unclaimed>,
    /// Whether clients have not heard of it yet, so that it gets nothing; see [`super::roster`].
    pub(super) is_new: bool,
    /// Its earlier brokers, and its numbers there, as far as it has stated them.
    pub(super) lives: Vec<(Box<str>, u64)>,
    /// Replies that have not been acknowledged to it.
    pub(super) unacknowledged: Ack,
    pub(super) beats: Heartbeats,
    /// When it was last asked for a sign of life.
    pub(super) pinged: Option<Time>,
    /// The account for everything kept for it, and the charge for this entry.
    pub(super) account: AccountKey,
    pub(super) charged: usize,
    pub(super) timer: Option<TimerKey>,
    pub(super) since: Time,
    /// Number of requests that it ended, and of those that it ended with an error value or a code.
    pub(super) ended: u64,
    pub(super) failed: u64,
    /// Number of requests that it rejected.
    pub(super) rejected: u64,
    /// Its share of the work, as counted by the service's balancing policy.
    pub(super) share: u64,
}

/// A request that has ended, except at the 0.0.92 worker that is still busy with it.
#[derive(Debug)]
pub(super) struct Owed {
    pub(super) client: RoutingId,
    pub(super) rid: Box<[u8]>,
}

/// Maximum of remembered requests that a worker is still busy with.
const MAX_OWED: usize = 256;

/// Maximum of requests of one worker, whatever its hello states. It bounds the cost of its loss.
const MAX_RUNNING: usize = 4096;

/// A worker with this many bytes of requests gets no prefetch.
const MAX_AHEAD: usize = 1024 * 1024;

/// Maximum of bytes given to a worker before the transport has accepted them, apart from a single larger request.
/// The rest stays in the queue, where other workers can get it.
pub(super) const MAX_HANDED: usize = 4 * 1024 * 1024;

/// The cost of a request in addition to its bytes. It limits the number of requests that a worker without a limit is
/// given at a time, so that other workers get their turn soon.
pub(super) const HANDOVER: usize = MAX_HANDED / 512;

impl Worker {
    pub(super) fn new(
        id: RoutingId,
        service: ServiceKey,
        dialect: Dialect,
        mut hello: Option<Hello>,
        now: Time,
        beats: Heartbeats,
        account: AccountKey,
    ) -> Self {
        Worker {
            id,
            number: 0,
            service,
            dialect,
            about: hello.as_mut().and_then(|hello| hello.about.take()),
            hello,
            is_old: false,
            room: 1,
            running: Running::default(),
            bytes: 0,
            handed: 0,
            congested: false,
            pace: Pace::default(),
            claims: 0,
            claimed_running: 0,
            overruns: 0,
            busy_for_nobody: VecDeque::new(),
            position: None,
            addressed: None,
            absence: None,
            unclaimed: None,
            is_new: false,
            lives: Vec::new(),
            unacknowledged: Ack::default(),
            beats,
            pinged: None,
            account,
            charged: 0,
            timer: None,
            since: now,
            ended: 0,
            failed: 0,
            rejected: 0,
            share: 0,
        }
    }

    /// Whether it keeps the windows of streams.
    pub(super) fn has_window(&self) -> bool {
        self.hello.as_ref().is_some_and(|hello| hello.flow)
    }

    /// Whether it can be asked for the requests that it has had.
    pub(super) fn is_asked(&self) -> bool {
        self.hello.as_ref().is_some_and(|hello| hello.roster)
    }

    /// Whether its number is one of these, given in order: those of the workers that have rejected a request.
    pub(super) fn is_among(&self, numbers: &[u64]) -> bool {
        numbers.binary_search(&self.number).is_ok()
    }

    /// Its weight in the policy `weighted`. Default 1.
    pub(super) fn weight(&self) -> u32 {
        let hello = self.hello.as_ref();
        hello.and_then(|hello| hello.serving.weight).unwrap_or(1)
    }

    fn capacity(&self) -> usize {
        match self.hello.as_ref().and_then(|hello| hello.concurrency) {
            None => self.room,
            Some(n) => usize::try_from(n).unwrap_or(usize::MAX).min(MAX_RUNNING),
        }
    }

    /// Records a request that it is still busy with after the end.
    pub(super) fn owe(&mut self, owed: Option<Owed>) {
        if self.busy_for_nobody.len() >= MAX_OWED {
            self.busy_for_nobody.pop_front();
        }
        self.busy_for_nobody.extend(owed);
    }

    /// The line where it belongs; `None` if it cannot take a request.
    pub(super) fn line(&self) -> Option<Line> {
        let load = self.running.len() + self.claimed_running + self.busy_for_nobody.len();
        let is_away = self.absence.is_some() || self.unclaimed.is_some() || self.is_new;
        let is_full = self.congested || self.handed >= MAX_HANDED;
        if is_away || is_full {
            return None;
        }
        if load < self.capacity() {
            return Some(Line::Idle);
        }
        let prefetch = self.hello.as_ref().and_then(|hello| hello.prefetch)?;
        let ahead = self.pace.ahead().min(prefetch as usize);
        let fits = load - self.capacity() < ahead && self.bytes < MAX_AHEAD;
        fits.then_some(Line::Busy)
    }
}

static NOBODY: BTreeSet<WorkerKey> = BTreeSet::new();

#[derive(Debug, Default)]
pub(super) struct Workers {
    slab: Slab<Worker>,
    ids: Table<RoutingId, usize>,
    /// The workers of each service that has any, by the index of the service.
    serving: BTreeMap<usize, BTreeSet<WorkerKey>>,
    /// Number of workers that speak MDP.
    pub(super) mdp: usize,
    /// Workers that may have room again when the transport has accepted their messages.
    pub(super) unflushed: Vec<WorkerKey>,
    /// The number of the latest registration.
    last: u64,
}

impl Workers {
    pub(super) fn find(&self, id: &[u8]) -> Option<WorkerKey> {
        self.ids.get(id).map(|&key| WorkerKey(key))
    }

    pub(super) fn get(&self, key: WorkerKey) -> Option<&Worker> {
        self.slab.get(key.0)
    }

    pub(super) fn get_mut(&mut self, key: WorkerKey) -> Option<&mut Worker> {
        self.slab.get_mut(key.0)
    }

    /// The workers of one service.
    pub(super) fn serving(&self, service: ServiceKey) -> &BTreeSet<WorkerKey> {
        self.serving.get(&service.index()).unwrap_or(&NOBODY)
    }

    /// Whether a worker of this service is not among those with these numbers, given in order.
    pub(super) fn any_other(&self, service: ServiceKey, numbers: &[u64]) -> bool {
        let serving = self.serving(service);
        // No number is there twice.
        serving.len() > numbers.len()
            || serving.iter().any(|&key| {
                let worker = self.get(key);
                worker.is_some_and(|worker| !worker.is_among(numbers))
            })
    }

    pub(super) fn keys(&self) -> Vec<WorkerKey> {
        self.slab.iter().map(|(key, _)| WorkerKey(key)).collect()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Worker> {
        self.slab.iter().map(|(_, worker)| worker)
    }

    pub(super) fn iter_keys(&self) -> impl Iterator<Item = (WorkerKey, &Worker)> {
        self.slab
            .iter()
            .map(|(key, worker)| (WorkerKey(key), worker))
    }

    pub(super) fn len(&self) -> usize {
        self.slab.len()
    }

    /// One more than the highest index of a worker.
    pub(super) fn end(&self) -> usize {
        self.slab.capacity()
    }

    /// The worker with this index, if there is one.
    pub(super) fn at(&self, index: usize) -> Option<&Worker> {
        self.slab.get(index)
    }

    /// The number of the latest registration.
    pub(super) fn last(&self) -> u64 {
        self.last
    }

    /// Adds a worker with an unused id.
    pub(super) fn insert(&mut self, mut worker: Worker) -> WorkerKey {
        self.last += 1;
        worker.number = self.last;
        self.mdp += usize::from(!worker.dialect.is_like(Dialect::Omdp));
        let id = worker.id.clone();
        let service = worker.service.index();
        let key = self.slab.insert(worker);
        let serving = self.serving.entry(service).or_default();
        serving.insert(WorkerKey(key));
        self.ids.insert(id, key);
        WorkerKey(key)
    }

    /// Gives a worker another id, which is unused.
    pub(super) fn rename(&mut self, key: WorkerKey, id: RoutingId) {
        if let Some(worker) = self.slab.get_mut(key.0) {
            self.ids.remove(&worker.id);
            worker.id = id.clone();
            self.ids.insert(id, key.0);
        }
    }

    pub(super) fn remove(&mut self, key: WorkerKey) -> Option<Worker> {
        let worker = self.slab.try_remove(key.0)?;
        self.ids.remove(&worker.id);
        self.mdp -= usize::from(!worker.dialect.is_like(Dialect::Omdp));
        let service = worker.service.index();
        if let Some(serving) = self.serving.get_mut(&service) {
            serving.remove(&key);
            if serving.is_empty() {
                self.serving.remove(&service);
            }
        }
        Some(worker)
    }
}
