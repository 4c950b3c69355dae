//! The states of a request, each with what a request needs in it.

use crate::proto::Time;
use crate::proto::broker::keys::WorkerKey;
use crate::proto::deadlines::TimerKey;
use crate::proto::flow::Debt;
use std::time::Duration;

/// Where a request is.
#[derive(Debug)]
pub enum State {
    /// In the queue of its service.
    Queued(Queued),
    /// Beside the queue, until its client lets it go; see [`crate::proto::broker::parking`].
    SetAside(SetAside),
    /// Resumed by its client, and not claimed by a worker yet; see [`crate::proto::broker::claims`].
    Searching(Search),
    /// In the hands of a worker.
    Assigned(Assigned),
    /// A copy that waits until its worker has room; see [`crate::proto::broker::fanout`].
    Addressed,
    /// Its copies are with workers, or wait for them.
    Gathering(Gathering),
}

/// A request whose copies are answered.
#[derive(Debug, Default)]
pub struct Gathering {
    /// The tokens of all of them.
    pub copies: Vec<u64>,
    /// How many have not ended.
    pub open: usize,
    /// How many answers the client was sent.
    pub parts: u32,
}

/// A request in a queue.
#[derive(Debug, Default)]
pub struct Queued {
    pub(super) prev: u32,
    pub(super) next: u32,
    pub(super) park: ParkState,
    /// When it came into this park state.
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
    /// It may.
    #[default]
    Open,
    /// Not before its client lets it go.
    Parked,
    /// Nor that; its client was asked to let it go.
    Asked,
    /// It may: its client has let it go.
    Released,
}

impl ParkState {
    pub fn may_start(self) -> bool {
        matches!(self, ParkState::Open | ParkState::Released)
    }
}

/// A request whose client was asked to let it go and did not answer in time.
#[derive(Debug)]
pub struct SetAside {
    /// When its client was asked.
    pub asked: Time,
}

/// What the client of a resumed request said of it.
#[derive(Debug)]
pub struct Search {
    /// The end of the search.
    pub timer: TimerKey,
    /// How many parts of the reply the client has.
    pub received: u32,
    /// How many bytes of them it has read.
    pub read: u64,
}

/// A request in the hands of a worker.
#[derive(Debug)]
pub struct Assigned {
    pub worker: WorkerKey,
    /// When it was given to the worker.
    pub given: Time,
    /// Whether the worker is known to have started it.
    pub begun: bool,
    /// How many parts of the reply have come.
    pub parts: u32,
    /// For how many bytes of them the worker was given credit.
    pub read: u64,
    /// Credit that the worker is owed in the place of the client.
    pub debt: Debt,
    /// What the parts cost that the client has not read, as far as can be known.
    pub unread: u64,
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
        }
    }
}

/// The idle timeout of a request, and its deadline.
#[derive(Debug)]
pub struct Deadline {
    pub idle: Duration,
    /// When it ends whatever is heard of it.
    pub latest: Option<Time>,
    /// Moved by every sign of life. The timer is set anew only when it fires too early.
    pub at: Time,
    pub timer: TimerKey,
}
