//! Recall: requests of a dead broker that no worker claims. The workers that were with that broker are asked for
//! them.
//!
//! The client states the sum of these workers, see [`roster`](super::roster). A worker that returns states its
//! earlier brokers and its numbers there, after it has claimed all that it has. It is asked for the requests that it
//! can have been given, and denies those that it never had. When all these workers have denied a request, it has not
//! started, and waits in the queue like any other.

mod questions;

use super::RoutingId;
use super::accounts::OverLimit;
use super::context::Context;
use super::keys::{ClientKey, RequestKey, WorkerKey};
use super::requests::{Recalled, Requests, State};
use super::workers::Worker;
use crate::wire::Frame;
use crate::wire::omdp::Recall;
use std::collections::{BTreeMap, BTreeSet};

/// Maximum of requests and workers that are compared in one piece.
const COMPARED: usize = 1024;

/// Maximum of requests for which all workers are asked together.
const TOGETHER: usize = 64;

/// Comparisons in one unit of work.
const UNIT: usize = 16;

/// The charge for each earlier broker of a worker, in addition to the bytes of its session.
const LIFE: usize = size_of::<(Box<str>, u64)>();

/// Whose return is the reason to ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Returned {
    /// The client: all workers are asked for its requests.
    Client(ClientKey),
    /// The worker: it is asked for all requests.
    Worker(WorkerKey),
}

/// The rest of the questions because of one return. They are asked in pieces: both the requests and the workers may be
/// very many.
#[derive(Debug)]
pub(super) struct Asking {
    returned: Returned,
    /// The requests before this index are still to be looked at.
    at: usize,
    /// Requests that the workers from `next` on are still to be asked for.
    tokens: Vec<u64>,
    /// The workers with their numbers, which distinguish them from later ones with the same keys.
    workers: Vec<(WorkerKey, u64)>,
    next: usize,
}

/// Searches that denials may end.
#[derive(Debug, Default)]
pub(super) struct Recalls {
    /// Their tokens; some have ended.
    tokens: Vec<u64>,
    /// The next one of which is checked whether it has ended.
    cursor: usize,
    /// The workers that have stated earlier brokers, and their numbers.
    told: BTreeSet<(WorkerKey, u64)>,
    /// The returns because of which workers are being asked, and whether they are to be asked again.
    asking: BTreeMap<Returned, bool>,
}

impl Recalls {
    /// Records what a client knows about the earlier broker of a request that is searched for. Returns true if that
    /// broker had no workers, so that the request has not started.
    pub(super) fn add<F: Frame>(
        &mut self,
        cx: &mut Context<F>,
        key: RequestKey,
        known: Recall,
    ) -> bool {
        let token = cx.requests.token(key);
        let Some(State::Searching(search)) =
            cx.requests.get_mut(key).map(|request| &mut request.state)
        else {
            return false;
        };
        if known.sum == 0 {
            return true;
        }
        search.recall = Some(Box::new(Recalled {
            known,
            denied: BTreeSet::new(),
            sum: 0,
        }));
        // More than are added, so that the list is never much longer than the searches.
        for _ in 0..2 {
            self.forget_if_ended(&cx.requests);
        }
        self.tokens.push(token);
        false
    }

    /// Checks the next search. The last one takes the place of one that has ended.
    fn forget_if_ended<F: Frame>(&mut self, requests: &Requests<F>) {
        if self.cursor >= self.tokens.len() {
            self.cursor = 0;
        }
        match self.tokens.get(self.cursor) {
            Some(&token) if recalled(requests, token).is_none() => {
                self.tokens.swap_remove(self.cursor);
            }
            _ => self.cursor += 1,
        }
    }

    /// Handles the end of a worker's claims, with which it states its earlier brokers. Returns whether it has any.
    pub(super) fn set_lives<F: Frame>(
        &mut self,
        cx: &mut Context<F>,
        key: WorkerKey,
        lives: Vec<(Box<str>, u64)>,
    ) -> Result<bool, (RoutingId, OverLimit)> {
        let Some(worker) = cx.workers.get_mut(key).filter(|w| w.is_asked()) else {
            return Ok(false);
        };
        let size = |lives: &[(Box<str>, u64)]| -> usize {
            lives.iter().map(|(session, _)| session.len() + LIFE).sum()
        };
        let (before, now) = (size(&worker.lives), size(&lives));
        cx.accounts.release(worker.account, before);
        worker.charged -= before;
        worker.lives = Vec::new();
        self.told.remove(&(key, worker.number));
        let charge = cx.accounts.charge(worker.account, now);
        charge.map_err(|over| (worker.id.clone(), over))?;
        worker.charged += now;
        worker.lives = lives;
        if now > 0 {
            self.told.insert((key, worker.number));
        }
        Ok(now > 0)
    }

    /// Forgets a worker that is gone.
    pub(super) fn forget_worker(&mut self, key: WorkerKey, worker: &Worker) {
        if !worker.lives.is_empty() {
            self.told.remove(&(key, worker.number));
        }
    }

    /// Begins to ask because of a return. `None` if there is nothing to ask for, or the questions are being asked, and
    /// will be asked again.
    pub(super) fn begin(&mut self, returned: Returned) -> Option<Asking> {
        if self.tokens.is_empty() {
            return None;
        }
        if let Some(again) = self.asking.get_mut(&returned) {
            *again = true;
            return None;
        }
        self.asking.insert(returned, false);
        let workers = match returned {
            Returned::Client(_) => self.told.iter().copied().collect(),
            Returned::Worker(key) => {
                let numbers = self.told.range((key, 0)..=(key, u64::MAX));
                numbers.copied().collect()
            }
        };
        Some(Asking {
            returned,
            at: self.tokens.len(),
            tokens: Vec::new(),
            workers,
            next: 0,
        })
    }

    /// Asks for some more. Returns false after the last one.
    pub(super) fn go_on<F: Frame>(&mut self, cx: &mut Context<F>, asking: &mut Asking) -> bool {
        let mut left = COMPARED;
        let goes_on = loop {
            if asking.next >= asking.workers.len() {
                asking.tokens.clear();
                asking.next = 0;
            }
            if asking.next == 0 {
                self.gather(&cx.requests, asking, &mut left);
            }
            if asking.tokens.is_empty() && asking.at == 0 {
                break false;
            }
            while left > 0
                && let Some(&(worker, number)) = asking.workers.get(asking.next)
            {
                let known = cx.workers.get(worker);
                if known.is_some_and(|worker| worker.number == number) {
                    cx.ask_worker(worker, &asking.tokens);
                }
                asking.next += 1;
                left = left.saturating_sub(asking.tokens.len());
            }
            if left == 0 {
                break true;
            }
        };
        cx.count_work((COMPARED - left) / UNIT);
        if goes_on {
            return true;
        }
        if self.asking.remove(&asking.returned) != Some(true) {
            return false;
        }
        match self.begin(asking.returned) {
            Some(again) => *asking = again,
            None => return false,
        }
        true
    }

    /// Gathers the next requests that the workers are asked for together.
    fn gather<F: Frame>(&self, requests: &Requests<F>, asking: &mut Asking, left: &mut usize) {
        // Some may have been forgotten. Those that took their places come again, which does no harm.
        asking.at = asking.at.min(self.tokens.len());
        while asking.tokens.len() < TOGETHER && *left > 0 && asking.at > 0 {
            asking.at -= 1;
            *left -= 1;
            let token = self.tokens[asking.at];
            let client = recalled(requests, token).map(|(client, _)| client);
            let is_meant = match asking.returned {
                Returned::Client(key) => client == Some(key),
                Returned::Worker(_) => client.is_some(),
            };
            if is_meant {
                asking.tokens.push(token);
            }
        }
    }
}

/// The client of a search that denials may end, and its knowledge; `None` if the search has ended.
fn recalled<F: Frame>(requests: &Requests<F>, token: u64) -> Option<(ClientKey, &Recalled)> {
    let request = requests.get(requests.by_token(token)?)?;
    match &request.state {
        State::Searching(search) => Some((request.client, search.recall.as_deref()?)),
        _ => None,
    }
}
