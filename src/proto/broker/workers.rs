//! The table of workers: who is registered for what, and what each has in its hands.

use super::RoutingId;
use super::detached::{Absence, Unclaimed};
use super::keys::{AccountKey, ServiceKey, WorkerKey};
use super::pace::Pace;
use super::running::Running;
use super::services::{Line, Turn};
use crate::proto::Time;
use crate::proto::deadlines::TimerKey;
use crate::proto::table::Table;
use crate::wire::omdp::Ack;
use crate::wire::{About, Dialect, Hello};
use slab::Slab;
use std::collections::VecDeque;

#[derive(Debug)]
pub(super) struct Worker {
    pub(super) id: RoutingId,
    /// Counts the workers that have registered.
    pub(super) number: u64,
    pub(super) service: ServiceKey,
    /// What it speaks. The rest of what is said here of workers of 0.0.92 holds for those of MDP and
    /// of PIGATO, which is taken for OMDP until it shows.
    pub(super) dialect: Dialect,
    /// What it said of itself; `None` for a worker of 0.0.92.
    pub(super) hello: Option<Hello>,
    /// It has shown that it is of 0.0.92, see `pigato`.
    pub(super) is_old: bool,
    /// How many requests it takes at once, if it has no hello to say so.
    pub(super) room: usize,
    /// What it told about itself when it registered.
    pub(super) about: Option<Box<About>>,
    /// The requests it was given and has not ended, in that order. It works on the first of them;
    /// what exceeds its concurrency it was given ahead of need, and may give back.
    pub(super) running: Running,
    /// What these hold, in bytes.
    pub(super) bytes: usize,
    /// What it was given, in bytes and [`HANDOVER`]s, since the transport was known to have taken all.
    pub(super) handed: usize,
    /// The transport has not taken all that it was given.
    pub(super) congested: bool,
    pub(super) pace: Pace,
    /// Requests that it brought from a broker that died, and that nobody has asked for yet.
    pub(super) claims: usize,
    /// Those of them that it works on.
    pub(super) claimed_running: usize,
    /// How many requests it lost because it sent more than its window.
    pub(super) overruns: u32,
    /// A 0.0.92 worker can't be told that a request was cancelled: it is busy with it until it ends it.
    pub(super) busy_for_nobody: VecDeque<Owed>,
    /// Its place in one of the lines of its service, while it can take a request.
    pub(super) turn: Option<Turn>,
    /// The tokens of requests that wait for this very worker.
    pub(super) addressed: Option<VecDeque<u64>>,
    /// Its connection ended, and it may come back.
    pub(super) absence: Option<Absence>,
    /// It came back, and has not said all yet.
    pub(super) unclaimed: Option<Unclaimed>,
    /// Replies that it was not told to have come.
    pub(super) unacknowledged: Ack,
    pub(super) last_heard: Time,
    pub(super) next_beat: Time,
    /// Who pays for what is kept for it, and what it was charged for itself.
    pub(super) account: AccountKey,
    pub(super) charged: usize,
    pub(super) timer: Option<TimerKey>,
    pub(super) since: Time,
    /// Requests that it ended, and how many of them with an error value.
    pub(super) ended: u64,
    pub(super) failed: u64,
    /// How much it has done, as the policy of its service counts.
    pub(super) share: u64,
}

/// A request that has ended for everybody but the 0.0.92 worker that works on it.
#[derive(Debug)]
pub(super) struct Owed {
    pub(super) client: RoutingId,
    pub(super) rid: Box<[u8]>,
}

/// Of so many requests a worker is remembered to work on them for nobody.
const MAX_OWED: usize = 256;

/// No worker has more at a time, whatever it says: all end at once when it dies.
const MAX_RUNNING: usize = 16_384;

/// A worker that holds so many bytes is given nothing ahead of need.
const MAX_AHEAD: usize = 1024 * 1024;

/// A worker is given no more bytes than that before the transport has taken them, but for one
/// request: what its connection does not take stays in the queue, where others can have it.
pub(super) const MAX_HANDED: usize = 4 * 1024 * 1024;

/// What each request counts besides its bytes: a worker that takes any number of requests is given so many of them
/// that nobody waits for long, before others have their turn.
pub(super) const HANDOVER: usize = MAX_HANDED / 512;

impl Worker {
    pub(super) fn new(
        id: RoutingId,
        service: ServiceKey,
        dialect: Dialect,
        mut hello: Option<Hello>,
        now: Time,
        next_beat: Time,
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
            turn: None,
            addressed: None,
            absence: None,
            unclaimed: None,
            unacknowledged: Ack::default(),
            last_heard: now,
            next_beat,
            account,
            charged: 0,
            timer: None,
            since: now,
            ended: 0,
            failed: 0,
            share: 0,
        }
    }

    /// Whether it keeps to the windows of streams.
    pub(super) fn has_window(&self) -> bool {
        self.hello.as_ref().is_some_and(|hello| hello.flow)
    }

    /// How much of the work it is to have, as against 1.
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

    /// It works on this for nobody.
    pub(super) fn owe(&mut self, owed: Option<Owed>) {
        if self.busy_for_nobody.len() >= MAX_OWED {
            self.busy_for_nobody.pop_front();
        }
        self.busy_for_nobody.extend(owed);
    }

    /// The line that it belongs into, if it can take a request: for now, or ahead of need.
    pub(super) fn line(&self) -> Option<Line> {
        let load = self.running.len() + self.claimed_running + self.busy_for_nobody.len();
        let is_away = self.absence.is_some() || self.unclaimed.is_some();
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

#[derive(Debug, Default)]
pub(super) struct Workers {
    slab: Slab<Worker>,
    ids: Table<RoutingId, usize>,
    /// How many of them speak MDP.
    pub(super) mdp: usize,
    /// Those that may have room again once the transport has taken what they were given.
    pub(super) unsettled: Vec<WorkerKey>,
    /// How many have registered.
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

    /// Those of one service, in no order.
    pub(super) fn serving(&self, service: ServiceKey) -> Vec<WorkerKey> {
        let workers = self.slab.iter();
        let workers = workers.filter(|(_, worker)| worker.service == service);
        workers.map(|(key, _)| WorkerKey(key)).collect()
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

    /// Takes in one whose id nobody has.
    pub(super) fn insert(&mut self, mut worker: Worker) -> WorkerKey {
        self.last += 1;
        worker.number = self.last;
        self.mdp += usize::from(!worker.dialect.is_like(Dialect::Omdp));
        let id = worker.id.clone();
        let key = self.slab.insert(worker);
        self.ids.insert(id, key);
        WorkerKey(key)
    }

    pub(super) fn remove(&mut self, key: WorkerKey) -> Option<Worker> {
        let worker = self.slab.try_remove(key.0)?;
        self.ids.remove(&worker.id);
        self.mdp -= usize::from(!worker.dialect.is_like(Dialect::Omdp));
        Some(worker)
    }
}
