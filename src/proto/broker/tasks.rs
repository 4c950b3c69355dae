//! Work on very many requests, which is done in pieces, so that other peers do not wait.

use super::fanout::FanOut;
use super::grace::GraceEnd;
use super::keys::{ClientKey, RequestKey, ServiceKey};
use super::piece::Earlier;
use super::recall::Asking;
use super::relocation::Relocation;
use super::requests::Cursors;
use crate::proto::code::Code;
use crate::proto::deadlines::TimerKey;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

/// The rest of the work. Entries of requests may have ended meanwhile, and their keys belong to others.
#[derive(Debug)]
pub(super) enum Task {
    /// All requests of a client that is gone end, then the client is removed.
    Gone(Cancellation),
    /// The requests of an absent client are looked at, at the end of its grace time.
    GraceEnd(Box<GraceEnd>),
    /// The requests that a client had at a time end with a code.
    Dismissed { all: Earlier, code: Code },
    /// Requests that an absent client had at a time are withdrawn.
    Withdrawn {
        all: Earlier,
        /// Whether those that have started are meant, too.
        running: bool,
    },
    /// Requests that a client has not resumed end.
    Unresumed {
        rest: Cancellation,
        /// Which of its returns it was.
        returned: u64,
    },
    /// Requests end, given by their tokens. The last one is next.
    Ends { tokens: Vec<u64>, ending: Ending },
    /// Requests go back to their places in their queues, or end, given by their tokens. The last one is next.
    Back { tokens: Vec<u64>, cursors: Cursors },
    /// Workers get their copies of a fan-out.
    FanOut(FanOut),
    /// Requests change their places because a worker has come or gone.
    Relocation(Relocation),
    /// Workers are asked which requests of a lost broker they never had.
    Ask(Box<Asking>),
    /// The next answer of MMI is made; see [`super::survey`].
    Survey,
    /// The next requests of a service are looked for in its other lanes. The name distinguishes it from a later one with
    /// the same key.
    Look {
        service: ServiceKey,
        name: Arc<[u8]>,
    },
}

/// The rest of the requests of a client that are to end. Those that wait end first, and then the running ones from the
/// latest to the first, so that the end of one does not start another one.
#[derive(Debug)]
pub(super) struct Cancellation {
    pub(super) client: ClientKey,
    pub(super) requests: Vec<RequestKey>,
    /// The tokens of those that run.
    pub(super) running: Vec<u64>,
}

impl Cancellation {
    pub(super) fn new(client: ClientKey, requests: Vec<RequestKey>) -> Self {
        Cancellation {
            client,
            requests,
            running: Vec::new(),
        }
    }
}

/// How the requests of [`Task::Ends`] end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ending {
    /// Their fan-out has ended.
    Cancelled,
    /// Copies of fan-outs, whose worker is gone.
    WorkerLost,
}

/// The tasks. Each has a piece done in its turn.
#[derive(Debug, Default)]
pub(super) struct Tasks {
    tasks: VecDeque<Task>,
    /// The services with a [`Task::Look`], by their keys.
    looks: BTreeMap<usize, Arc<[u8]>>,
    /// The timer of the next piece; there is one as long as a task is left.
    pub(super) timer: Option<TimerKey>,
}

impl Tasks {
    pub(super) fn add(&mut self, task: Task) {
        self.tasks.push_back(task);
    }

    /// Notes that the next requests of a service are to be looked for. Returns false if that is a task already.
    pub(super) fn note_look(&mut self, service: ServiceKey, name: &Arc<[u8]>) -> bool {
        let known = self.looks.insert(service.index(), name.clone());
        known.is_none_or(|known| !Arc::ptr_eq(&known, name))
    }

    /// Notes that the look for this service begins.
    pub(super) fn begin_look(&mut self, service: ServiceKey, name: &Arc<[u8]>) {
        if self.looks_for(service, name) {
            self.looks.remove(&service.index());
        }
    }

    /// Whether the next requests of this service are to be looked for.
    pub(super) fn looks_for(&self, service: ServiceKey, name: &Arc<[u8]>) -> bool {
        let known = self.looks.get(&service.index());
        known.is_some_and(|known| Arc::ptr_eq(known, name))
    }

    pub(super) fn next(&mut self) -> Option<Task> {
        self.tasks.pop_front()
    }

    #[cfg(any(test, feature = "fuzz"))]
    pub(super) fn tasks(&self) -> impl Iterator<Item = &Task> {
        self.tasks.iter()
    }

    /// Number of tasks.
    pub(super) fn len(&self) -> usize {
        self.tasks.len()
    }
}
