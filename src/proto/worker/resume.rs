//! What becomes of a worker's deliveries when their broker is lost.
//!
//! What its user has taken is *held*: its user works on, and what it says is kept, see
//! [`held`](super::held). What its user has not taken is taken back at once, for certain. From the next
//! broker the worker *claims* what it holds, see [`claims`](super::claims); if none comes in time, it is
//! given up.

use super::Worker;
use super::delivery::Delivery;
use super::held::Held;
use super::late::Late;
use super::recent::{Recent, Said};
use crate::proto::Time;
use crate::proto::code::Code;
use crate::wire::{Frame, Hello};
use std::time::Duration;

/// More is not disowned: its clients end up not knowing.
const MAX_DISOWNED: usize = 65_536;

/// A request that had not started when its broker was lost.
#[derive(Debug)]
pub(super) struct Disowned<F> {
    pub(super) client: F,
    pub(super) rid: F,
    pub(super) user: Option<F>,
}

/// Which brokers there were, and what was lost with them.
#[derive(Debug)]
pub(super) struct Resume<F> {
    /// The broker of this connection, by the name that it gave its life.
    here: Option<String>,
    /// The one that deliveries were lost with last.
    before: Option<String>,
    /// How long a broker of ours may be away.
    patience: Duration,
    /// When what is held without a claim is given up.
    until: Option<Time>,
    disowned: Vec<Disowned<F>>,
    /// What the broker of this connection was told last.
    pub(super) recent: Recent<F>,
    /// What brokers were told that are lost.
    pub(super) late: Late<F>,
    /// Of everything that is kept.
    pub(super) bytes: usize,
}

impl<F> Resume<F> {
    pub(super) fn new() -> Self {
        Resume {
            here: None,
            before: None,
            patience: Duration::ZERO,
            until: None,
            disowned: Vec::new(),
            recent: Recent::new(),
            late: Late::new(),
            bytes: 0,
        }
    }

    /// Whether the broker of this connection gave its life a name.
    pub(super) fn is_with_broker(&self) -> bool {
        self.here.is_some()
    }

    /// The broker of this connection has said what it is, and how long it may be away. Whether it is
    /// another process than the one that was lost.
    pub(super) fn meet(&mut self, hello: &Hello, patience: Duration) -> bool {
        let name = Some(&hello.session).filter(|name| !name.is_empty());
        let is_another = name.is_some() && name != self.before.as_ref();
        self.here = name.cloned();
        self.patience = patience;
        self.until = None;
        is_another
    }

    pub(super) fn take_disowned(&mut self) -> Vec<Disowned<F>> {
        std::mem::take(&mut self.disowned)
    }

    /// The broker of this connection has told the clients that their requests are over.
    pub(super) fn dismiss(&mut self) {
        self.here = None;
    }

    pub(super) fn next_deadline(&self) -> Option<Time> {
        self.until
    }
}

impl<F: Frame> Worker<F> {
    /// The link is lost: holds what a broker of ours gave, and gives the rest up.
    pub(super) fn lose_deliveries(&mut self, now: Time) {
        let here = self.resume.here.take();
        let said = self.resume.recent.take(self.link.last_heard());
        let Said {
            finished,
            mut parts,
        } = said;
        self.resume.late.unclaim();
        for (number, finished) in finished.into_iter().filter(|_| here.is_some()) {
            self.resume.late.add(number, finished);
        }
        let numbers: Vec<u64> = self.deliveries.keys().copied().collect();
        for number in numbers {
            let Some(delivery) = self.deliveries.get_mut(&number) else {
                continue;
            };
            if let Some(held) = &mut delivery.held {
                held.claimed = false;
            } else if let (Some(token), true) = (delivery.token, here.is_some()) {
                delivery.token = None;
                let tail = parts.remove(&number).unwrap_or_default();
                delivery.held = Some(Box::new(Held::new(tail)));
                self.held += 1;
                self.by_token.remove(&token);
            } else {
                self.cancel(number, Code::BrokerLost);
            }
        }
        if self.held > 0 {
            // Only the owner knows which of them were taken.
            self.ask_back(0);
        }
        if self.held > 0 || !self.resume.late.is_empty() {
            let until = now + self.resume.patience;
            self.resume.until.get_or_insert(until);
        }
        if here.is_some() {
            self.resume.before = here;
        }
    }

    /// The link is lost because the user is blocked: nothing is held.
    pub(super) fn abandon(&mut self) {
        self.resume.dismiss();
        self.resume.until = None;
        self.resume.disowned.clear();
        self.resume.recent = Recent::new();
        self.resume.late.clear();
        let numbers: Vec<u64> = self.deliveries.keys().copied().collect();
        for number in numbers {
            self.cancel(number, Code::WorkerLost);
        }
    }

    /// The owner has taken it back before its user took it: it never starts here.
    pub(super) fn disown(&mut self, delivery: Delivery<F>) {
        if self.resume.disowned.len() < MAX_DISOWNED {
            self.resume.disowned.push(Disowned {
                client: delivery.client,
                rid: delivery.rid,
                user: delivery.user,
            });
        }
    }

    /// No broker came that they could be claimed from.
    pub(super) fn give_up_held(&mut self) {
        self.resume.until = None;
        self.resume.disowned.clear();
        self.resume.late.give_up();
        let held = self.deliveries.iter();
        let held =
            held.filter(|(_, delivery)| delivery.held.as_ref().is_some_and(|held| !held.claimed));
        let numbers: Vec<u64> = held.map(|(number, _)| *number).collect();
        for number in numbers {
            self.cancel(number, Code::BrokerLost);
        }
    }

    #[cfg(any(test, feature = "fuzz"))]
    pub(super) fn audit_held(&self) {
        let held = self.deliveries.values();
        let held: Vec<_> = held.filter_map(|delivery| delivery.held.as_ref()).collect();
        assert_eq!(held.len(), self.held);
        let bytes: usize = held.iter().map(|held| held.bytes).sum();
        assert_eq!(bytes, self.resume.bytes);
        let unclaimed = held.iter().any(|held| !held.claimed);
        assert!(
            !unclaimed || self.resume.until.is_some(),
            "what is held is given up in the end"
        );
        assert!(self.link.is_up() || held.iter().all(|held| !held.claimed));
        let late = &self.resume.late;
        late.audit();
        assert!(!late.has(false) || self.resume.until.is_some());
        assert!(self.link.is_up() || !late.has(true));
        assert!(self.link.is_up() || self.resume.recent.len() == 0);
        assert!(
            self.resume.disowned.is_empty() || self.resume.until.is_some(),
            "what was disowned is forgotten in the end"
        );
    }

    /// How many words are kept of what is over.
    #[cfg(test)]
    pub(in crate::proto) fn kept(&self) -> usize {
        self.resume.recent.len() + self.resume.late.len()
    }
}
