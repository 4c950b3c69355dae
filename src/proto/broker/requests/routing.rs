//! Constraints of a request on the workers that may have it.

use crate::proto::broker::keys::WorkerKey;
use crate::wire::members::{Scalar, members};
use std::cmp::Reverse;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

/// The constraints of a request that is not simply for the next worker of the service that it names.
#[derive(Debug, Clone, Default)]
pub struct Routing {
    /// The name that the client asked for, if another service serves it.
    pub asked: Option<Arc<[u8]>>,
    /// The name of the only worker that may have the request.
    pub worker: Option<Box<[u8]>>,
    /// The affinity key: all requests of one key go to the same worker.
    pub key: Option<Box<[u8]>>,
    /// Priority, from 0 (the least urgent) to 9.
    pub level: u8,
    /// The numbers of the workers that have rejected it, ascending.
    pub rejected: Vec<u64>,
    /// The workers it waits for. Valid while it is in a queue.
    pub who: Eligible,
}

/// The highest priority.
pub const MAX_LEVEL: u8 = 9;

/// Maximum length of a worker's name and of an affinity key, in bytes.
const MAX_NAME: usize = 255;

impl Routing {
    /// Reads the constraints in the options of a request. Unknown options and invalid values are ignored.
    pub fn read(options: &[u8]) -> Option<Box<Self>> {
        let mut routing = Routing::default();
        members(options, |name, value| routing.set(name, value));
        (!routing.is_empty()).then(|| Box::new(routing))
    }

    pub fn set(&mut self, name: &str, value: Scalar) {
        let text = |value| match value {
            Scalar::Text(text) if (1..=MAX_NAME).contains(&text.len()) => {
                Some(text.into_bytes().into())
            }
            _ => None,
        };
        match name {
            "worker" => self.worker = text(value),
            "key" => self.key = text(value),
            "priority" => {
                let level = value.as_u64().filter(|&level| level <= MAX_LEVEL.into());
                self.level = level.unwrap_or(0) as u8;
            }
            _ => {}
        }
    }

    /// Whether there is nothing to keep.
    pub fn is_empty(&self) -> bool {
        self.asked.is_none() && !self.is_choosy()
    }

    /// Whether it constrains the order or the choice of workers.
    pub fn is_choosy(&self) -> bool {
        self.is_for_one() || self.level > 0 || self.was_rejected()
    }

    /// Whether a worker has rejected the request.
    pub fn was_rejected(&self) -> bool {
        !self.rejected.is_empty()
    }

    /// Whether only one worker may have the request: the named one, or the one of the key.
    pub fn is_for_one(&self) -> bool {
        self.worker.is_some() || self.key.is_some()
    }

    pub fn sequence(&self) -> Sequence {
        let target = self.worker.as_ref().or(self.key.as_ref());
        Sequence {
            level: self.level,
            target: target.map_or(0, |name| {
                let mut hasher = DefaultHasher::new();
                name.hash(&mut hasher);
                hasher.finish()
            }),
        }
    }

    /// The lane of the request; `None` is the plain lane.
    pub fn lane(&self) -> Option<Lane> {
        (self.level > 0 || self.who != Eligible::Any).then(|| Lane {
            level: Reverse(self.level),
            who: self.who.clone(),
        })
    }
}

/// The requests of a client that keep their order among each other: those with the same priority, and the same named
/// worker or affinity key. Unlike the lane of a request it never changes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Sequence {
    level: u8,
    /// A hash of the worker or the key, 0 without. If two are equal, some requests wait for others.
    target: u64,
}

impl Sequence {
    pub const FIRST: Sequence = Sequence {
        level: 0,
        target: 0,
    };
    pub const LAST: Sequence = Sequence {
        level: u8::MAX,
        target: u64::MAX,
    };
}

/// The workers of a service that a request waits for.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Eligible {
    #[default]
    Any,
    /// All except those with these numbers, ascending.
    Not(Box<[u64]>),
    /// This registered worker.
    Only(WorkerKey),
    /// The worker of the affinity key; no worker is eligible now.
    Later,
    /// A named worker that is not registered.
    Nobody,
}

impl Eligible {
    /// All workers except those with these numbers.
    pub fn not(rejected: &[u64]) -> Self {
        match rejected {
            [] => Eligible::Any,
            some => Eligible::Not(some.into()),
        }
    }
}

/// Requests of one queue that wait for the same workers with the same priority, first come first served.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Lane {
    pub level: Reverse<u8>,
    pub who: Eligible,
}

/// The lane of requests without constraints and priority.
pub static PLAIN: Lane = Lane {
    level: Reverse(0),
    who: Eligible::Any,
};
