//! A worker, as the broker knows it.

use super::withheld::Withheld;
use crate::proto::Time;
use crate::proto::broker::RoutingId;
use crate::proto::broker::absence::{Absence, Unclaimed};
use crate::proto::broker::heartbeats::Heartbeats;
use crate::proto::broker::keys::{AccountKey, ServiceKey};
use crate::proto::broker::pace::Pace;
use crate::proto::broker::ready::{Line, Position};
use crate::proto::broker::running::Running;
use crate::proto::deadlines::TimerKey;
use crate::wire::omdp::Ack;
use crate::wire::{About, Dialect, Hello};
use std::collections::VecDeque;

#[derive(Debug)]
pub(in crate::proto::broker) struct Worker {
    pub(in crate::proto::broker) id: RoutingId,
    /// The serial number of the registration.
    pub(in crate::proto::broker) number: u64,
    pub(in crate::proto::broker) service: ServiceKey,
    /// The dialect. Comments on workers of 0.0.92 hold for MDP and PIGATO too. PIGATO counts as OMDP until it is
    /// recognized.
    pub(in crate::proto::broker) dialect: Dialect,
    /// The hello; `None` for a worker of 0.0.92.
    pub(in crate::proto::broker) hello: Option<Hello>,
    /// Whether it is known to be of 0.0.92, see `pigato`.
    pub(in crate::proto::broker) is_old: bool,
    /// How many requests it takes at once, if it has no hello that states it.
    pub(in crate::proto::broker) room: usize,
    /// Its description and metadata, from the READY.
    pub(in crate::proto::broker) about: Option<Box<About>>,
    /// Its requests, in the order of assignment. It runs the first ones; those beyond its concurrency are prefetched,
    /// and it may return them.
    pub(in crate::proto::broker) running: Running,
    /// How many of these have ended at the worker, which keeps their replies; see
    /// [`on_hold`](crate::proto::broker::on_hold).
    pub(in crate::proto::broker) resting: usize,
    /// Bytes of these requests.
    pub(in crate::proto::broker) bytes: usize,
    /// Bytes, and [`HANDOVER`] for each, of requests given to it since the transport had last accepted everything.
    pub(in crate::proto::broker) handed: usize,
    /// Whether messages to it wait at the transport, because it takes too little.
    pub(in crate::proto::broker) congested: bool,
    pub(in crate::proto::broker) pace: Pace,
    /// Requests that it has claimed and no client has resumed yet.
    pub(in crate::proto::broker) claims: usize,
    /// Claimed requests that it runs.
    pub(in crate::proto::broker) claimed_running: usize,
    /// Number of requests that it lost because it exceeded its window.
    pub(in crate::proto::broker) overruns: u32,
    /// Ended requests that a 0.0.92 worker is still busy with, because it cannot be told of the cancellation.
    pub(in crate::proto::broker) busy_for_nobody: VecDeque<Owed>,
    /// Its place in a line of its service, while it has room.
    pub(in crate::proto::broker) position: Option<Position>,
    /// Tokens of the copies that wait for this worker.
    pub(in crate::proto::broker) addressed: Option<VecDeque<u64>>,
    /// Present while it is detached.
    pub(in crate::proto::broker) absence: Option<Absence>,
    /// Present after its return until it has made all claims.
    pub(in crate::proto::broker) unclaimed: Option<Unclaimed>,
    /// Whether clients have not heard of it yet, so that it gets nothing; see [`roster`](crate::proto::broker::roster).
    pub(in crate::proto::broker) is_new: bool,
    /// Its earlier brokers, and its numbers there, as far as it has stated them.
    pub(in crate::proto::broker) lives: Vec<(Box<str>, u64)>,
    /// Replies that have not been acknowledged to it, apart from older ones that are `withheld`.
    pub(in crate::proto::broker) unacknowledged: Ack,
    pub(in crate::proto::broker) withheld: Withheld,
    pub(in crate::proto::broker) beats: Heartbeats,
    /// When it was last asked for a sign of life.
    pub(in crate::proto::broker) pinged: Option<Time>,
    /// The account for everything kept for it, and the charge for this entry.
    pub(in crate::proto::broker) account: AccountKey,
    pub(in crate::proto::broker) charged: usize,
    pub(in crate::proto::broker) timer: Option<TimerKey>,
    pub(in crate::proto::broker) since: Time,
    /// Number of requests that it ended, and of those that it ended with an error value or a code.
    pub(in crate::proto::broker) ended: u64,
    pub(in crate::proto::broker) failed: u64,
    /// Number of requests that it rejected.
    pub(in crate::proto::broker) rejected: u64,
    /// Its share of the work, as counted by the service's balancing policy.
    pub(in crate::proto::broker) share: u64,
}

/// A request that has ended, except at the 0.0.92 worker that is still busy with it.
#[derive(Debug)]
pub(in crate::proto::broker) struct Owed {
    pub(in crate::proto::broker) client: RoutingId,
    pub(in crate::proto::broker) rid: Box<[u8]>,
}

/// Maximum of remembered requests that a worker is still busy with.
const MAX_OWED: usize = 256;

/// Maximum of requests of one worker, whatever its hello states. It bounds the cost of its loss.
const MAX_RUNNING: usize = 4096;

/// A worker with this many bytes of requests gets no prefetch.
const MAX_AHEAD: usize = 1024 * 1024;

/// Maximum of bytes given to a worker before the transport has accepted them, apart from a single larger request.
/// The rest stays in the queue, where other workers can get it.
pub(in crate::proto::broker) const MAX_HANDED: usize = 4 * 1024 * 1024;

/// The cost of a request in addition to its bytes. It limits the number of requests that a worker without a limit is
/// given at a time, so that other workers get their turn soon.
pub(in crate::proto::broker) const HANDOVER: usize = MAX_HANDED / 512;

impl Worker {
    /// Forgets what is to be acknowledged on a connection that has ended.
    pub(in crate::proto::broker) fn owes_no_acknowledgement(&mut self) {
        self.unacknowledged.take();
        self.withheld.forget();
    }

    pub(in crate::proto::broker) fn new(
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
            resting: 0,
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
            withheld: Withheld::default(),
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
    pub(in crate::proto::broker) fn has_window(&self) -> bool {
        self.hello.as_ref().is_some_and(|hello| hello.flow)
    }

    /// Whether it can be asked for the requests that it has had.
    pub(in crate::proto::broker) fn is_asked(&self) -> bool {
        self.hello.as_ref().is_some_and(|hello| hello.roster)
    }

    /// Whether its number is one of these, given in order: those of the workers that have rejected a request.
    pub(in crate::proto::broker) fn is_among(&self, numbers: &[u64]) -> bool {
        numbers.binary_search(&self.number).is_ok()
    }

    /// Its weight in the policy `weighted`. Default 1.
    pub(in crate::proto::broker) fn weight(&self) -> u32 {
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
    pub(in crate::proto::broker) fn owe(&mut self, owed: Option<Owed>) {
        if self.busy_for_nobody.len() >= MAX_OWED {
            self.busy_for_nobody.pop_front();
        }
        self.busy_for_nobody.extend(owed);
    }

    /// The line where it belongs; `None` if it cannot take a request.
    pub(in crate::proto::broker) fn line(&self) -> Option<Line> {
        let running = self.running.len() - self.resting;
        let load = running + self.claimed_running + self.busy_for_nobody.len();
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
