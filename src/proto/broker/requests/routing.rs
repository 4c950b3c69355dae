//! What only some requests have: where they want to go, and where they may not.

use crate::proto::broker::RoutingId;
use crate::proto::broker::keys::WorkerKey;
use crate::wire::members::{Scalar, members};
use std::cmp::Reverse;
use std::sync::Arc;

/// Of a request that is not simply for the next worker of the service that it names.
#[derive(Debug, Clone, Default)]
pub struct Routing {
    /// The name that was asked for, where another service serves it.
    pub asked: Option<Arc<[u8]>>,
    /// The only worker that may have it.
    pub worker: Option<Box<[u8]>>,
    /// Requests of one key go to one worker.
    pub key: Option<Box<[u8]>>,
    /// 9 is the most urgent, 0 the least.
    pub level: u8,
    /// The numbers of the workers that have rejected it, in ascending order.
    pub rejected: Vec<u64>,
    /// Which workers it waits for, as long as it is in a queue.
    pub who: Who,
    /// Of a copy, see [`fanout`](crate::proto::broker::fanout).
    pub part: Option<Part>,
}

/// A copy of a request that goes to one worker.
#[derive(Debug, Clone)]
pub struct Part {
    /// The token of the request that it is a copy of.
    pub of: u64,
    /// The name of the worker.
    pub worker: RoutingId,
}

/// The highest priority.
pub const MAX_LEVEL: u8 = 9;

/// Longer than that no name of a worker can be, and no key is taken.
const MAX_NAME: usize = 255;

impl Routing {
    /// What the options of a request say. What is no such option, or has no such value, is passed over.
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

    /// Whether it says nothing.
    pub fn is_empty(&self) -> bool {
        self.asked.is_none() && self.part.is_none() && !self.is_choosy()
    }

    /// Whether it is not for the next worker in its turn, wherever it waits.
    pub fn is_choosy(&self) -> bool {
        self.is_for_one() || self.level > 0 || self.was_rejected()
    }

    /// Whether a worker has rejected it.
    pub fn was_rejected(&self) -> bool {
        !self.rejected.is_empty()
    }

    /// Whether one worker alone may have it: the one of its name, or that of its key.
    pub fn is_for_one(&self) -> bool {
        self.worker.is_some() || self.key.is_some()
    }

    /// Its place beside the others of its queue; `None` is among those that want nothing.
    pub fn lane(&self) -> Option<Lane> {
        (self.level > 0 || self.who != Who::Any).then(|| Lane {
            level: Reverse(self.level),
            who: self.who.clone(),
        })
    }
}

/// The workers of a service that a request waits for.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Who {
    #[default]
    Any,
    /// All but those with these numbers.
    Not(Box<[u64]>),
    /// This one alone, which is there.
    Only(WorkerKey),
    /// The worker of its key, of a service that has none that may have it.
    Later,
    /// One that is not there.
    Nobody,
}

impl Who {
    /// All but these.
    pub fn not(rejected: &[u64]) -> Self {
        match rejected {
            [] => Who::Any,
            some => Who::Not(some.into()),
        }
    }
}

/// Requests of one queue that wait for the same workers with the same priority, first come first served.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Lane {
    pub level: Reverse<u8>,
    pub who: Who,
}

/// That of requests that want nothing.
pub static PLAIN: Lane = Lane {
    level: Reverse(0),
    who: Who::Any,
};
