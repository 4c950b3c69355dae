//! The states of a request, with the data that each state needs.

use crate::proto::Time;
use crate::proto::broker::RoutingId;
use crate::proto::broker::keys::WorkerKey;
use crate::proto::deadlines::TimerKey;
use crate::proto::flow::Debt;
use crate::wire::omdp::Recall;
use std::collections::BTreeSet;
use std::num::NonZeroU8;
use std::time::Duration;

/// The state of a request.
#[derive(Debug)]
pub enum State {
    /// In the queue of its service.
    Queued(Queued),
    /// Beside the queue until its client releases it; see [`crate::proto::broker::parking`].
    SetAside(SetAside),
    /// Resumed by its client and not claimed by a worker yet; see [`crate::proto::broker::claims`].
    Searching(Search),
    /// Given to a worker.
    Assigned(Assigned),
    /// A copy of a fan-out that waits for room at its worker; see [`crate::proto::broker::fanout`].
    Addressed(Box<CopyOf>),
    /// A fan-out: its copies wait or run.
    Gathering(Gathering),
    /// Taken back from its worker, among so many that it goes back to its queue or ends in a later turn; see
    /// [`crate::proto::broker::reclaim`].
    Reclaimed(Reclaimed),
}

/// A request that was taken back from its worker.
#[derive(Debug)]
pub struct Reclaimed {
    /// When the worker was given it.
    pub given: Time,
    /// Whether its handler may have started.
    pub has_started: bool,
    /// Whether it goes back to its queue. Those that will end do not count as waiting.
    pub waits: bool,
    /// The name of the worker.
    pub worker: Option<RoutingId>,
    /// Present for a copy of a fan-out.
    pub copy: Option<Box<CopyOf>>,
}

/// A copy of a fan-out, for one worker.
#[derive(Debug, Clone)]
pub struct CopyOf {
    /// The token of the fan-out.
    pub whole: u64,
    /// The name of the worker.
    pub worker: RoutingId,
}

/// A fan-out request whose copies are being answered.
#[derive(Debug, Default)]
pub struct Gathering {
    /// The tokens of all copies.
    pub copies: Vec<u64>,
    /// Number of copies that have not ended.
    pub open: usize,
    /// Whether workers are still to get their copies.
    pub is_growing: bool,
    /// Number of partials that the client was sent.
    pub parts: u32,
}

/// A request in a queue.
#[derive(Debug, Default)]
pub struct Queued {
    pub(super) prev: u32,
    pub(super) next: u32,
    pub(super) park: ParkState,
    /// When it entered the park state.
    pub since: Time,
}

impl Queued {
    pub fn park(&self) -> ParkState {
        self.park
    }
}

/// Whether a request in a queue may be given to a worker; see [`crate::proto::broker::parking`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum ParkState {
    /// The request may start.
    #[default]
    Open,
    /// The request is parked with its client, and must not start.
    Parked,
    /// The client was asked for the request, which must not start before the client has released it.
    Asked,
    /// The client has released the request, which may start.
    Released,
}

impl ParkState {
    pub fn may_start(self) -> bool {
        matches!(self, ParkState::Open | ParkState::Released)
    }
}

/// A request whose client did not answer in time when it was asked to release it, or has not heard of new workers.
#[derive(Debug)]
pub struct SetAside {
    /// When the client was asked.
    pub asked: Time,
    /// Whether the client has released it, but has to hear of new workers first; see
    /// [`crate::proto::broker::roster`].
    pub is_kept_back: bool,
}

/// The client's state of a resumed request.
#[derive(Debug)]
pub struct Search {
    /// The end of the search.
    pub timer: TimerKey,
    /// Number of parts of the reply that the client has received.
    pub received: u32,
    /// Bytes of these parts that the client has read.
    pub read: u64,
    /// The client's knowledge of the earlier broker.
    pub recall: Option<Box<Recalled>>,
}

/// A search that ends when all workers of the earlier broker have denied the request; see
/// [`crate::proto::broker::recall`].
#[derive(Debug)]
pub struct Recalled {
    pub known: Recall,
    /// The numbers of the workers that have denied it.
    pub denied: BTreeSet<u64>,
    /// The sum of these numbers.
    pub sum: u64,
}

/// A request that a worker has.
#[derive(Debug)]
pub struct Assigned {
    pub worker: WorkerKey,
    /// When the worker was given it.
    pub given: Time,
    /// Whether its handler is known to have started.
    begun: bool,
    /// Number of parts of the reply that have arrived.
    parts: u32,
    /// Bytes of these parts for which the worker was given credit.
    pub read: u64,
    /// Credit that the broker owes the worker on behalf of a client that gives none.
    pub debt: Debt,
    /// Cost of the parts that the client is not known to have read.
    pub unread: u64,
    /// Credit for what was not unread, which the worker was given nevertheless. Saturates.
    pub beyond: u32,
    /// Present for a copy of a fan-out.
    pub copy: Option<Box<CopyOf>>,
}

impl Assigned {
    pub fn new(worker: WorkerKey, now: Time) -> Self {
        Assigned {
            worker,
            given: now,
            begun: false,
            parts: 0,
            read: 0,
            debt: Debt::default(),
            unread: 0,
            beyond: 0,
            copy: None,
        }
    }

    /// A request whose worker had started it and sent these parts, of which the client has read so much.
    pub fn resumed(worker: WorkerKey, now: Time, parts: u32, read: u64) -> Self {
        Assigned {
            begun: true,
            parts,
            read,
            ..Assigned::new(worker, now)
        }
    }

    /// Notes that its handler has started.
    pub fn begin(&mut self) {
        self.begun = true;
    }

    /// Counts a part of the reply.
    pub fn add_part(&mut self) {
        self.begun = true;
        self.parts = self.parts.saturating_add(1);
    }

    pub fn has_begun(&self) -> bool {
        self.begun
    }

    pub fn parts(&self) -> u32 {
        self.parts
    }
}

/// The idle timeout of a request, and its deadline.
#[derive(Debug)]
pub struct Deadline {
    idle: Duration,
    /// The deadline, which signs of life do not move.
    latest: Option<Time>,
    /// When the request ends. Each sign of life moves it; the timer is only set again when it fires before this time.
    at: Time,
    pub timer: TimerKey,
}

impl Deadline {
    /// The timer is set for the end of the idle timeout.
    pub fn new(
        now: Time,
        idle: Duration,
        latest: Option<Time>,
        set: impl FnOnce(Time) -> TimerKey,
    ) -> Self {
        let at = now + idle;
        Deadline {
            idle,
            latest,
            at,
            timer: set(at),
        }
    }

    /// Restarts the idle timeout.
    pub fn extend(&mut self, now: Time) {
        let at = now + self.idle;
        self.at = self.latest.map_or(at, |latest| latest.min(at));
    }

    /// When the request ends.
    pub fn at(&self) -> Time {
        self.at
    }

    /// Milliseconds until the deadline that signs of life do not move, if there is one.
    pub fn left_ms(&self, now: Time) -> Option<u32> {
        Some(self.latest?.ms_since(now))
    }
}

/// The earlier attempts of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Attempts {
    /// It had none.
    None,
    /// A broker that died may have given it to a worker that was lost.
    Unknown,
    /// It was given to another worker so many times, because its workers were lost.
    Retried(NonZeroU8),
}

impl Attempts {
    pub fn retried(times: u8) -> Self {
        NonZeroU8::new(times).map_or(Attempts::None, Attempts::Retried)
    }

    /// How many times it is known to have been given to another worker.
    pub fn count(self) -> u8 {
        match self {
            Attempts::None | Attempts::Unknown => 0,
            Attempts::Retried(times) => times.get(),
        }
    }

    /// Whether a worker may have started it before.
    pub fn may_have_started(self) -> bool {
        self != Attempts::None
    }

    /// Counts a further attempt.
    pub fn add(&mut self) {
        *self = Attempts::retried(self.count().saturating_add(1));
    }

    /// Notes that a broker that died may have made one.
    pub fn note_unknown(&mut self) {
        if *self == Attempts::None {
            *self = Attempts::Unknown;
        }
    }
}
