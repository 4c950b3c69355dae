//! Recall: requests of a dead broker that no worker claims. The workers that were with that broker are asked for
//! them.
//!
//! The client states the sum of these workers, see [`roster`](super::roster). A worker that returns states its
//! earlier brokers and its numbers there, after it has claimed all that it has. It is asked for the requests that it
//! can have been given, and denies those that it never had. When all these workers have denied a request, it has not
//! started, and waits in the queue like any other.

use super::context::Context;
use super::keys::{ClientKey, RequestKey, WorkerKey};
use super::requests::{Recalled, Requests, State};
use super::workers::Worker;
use crate::wire::Frame;
use crate::wire::omdp::{Question, Recall, ToWorker, mix};
use crate::wire::sizes::MAX_LIST;

/// The tokens of searches that denials may end; some have ended.
#[derive(Debug, Default)]
pub(super) struct Recalls(Vec<u64>);

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
            denied: Vec::new(),
            sum: 0,
        }));
        if self.0.len() >= 1024 && self.0.len().is_power_of_two() {
            self.forget_ended(&cx.requests);
        }
        self.0.push(token);
        false
    }

    fn forget_ended<F: Frame>(&mut self, requests: &Requests<F>) {
        self.0.retain(|&token| {
            let key = requests.by_token(token);
            let state = key.and_then(|key| requests.get(key)).map(|r| &r.state);
            matches!(state, Some(State::Searching(search)) if search.recall.is_some())
        });
    }

    fn keys<F: Frame>(&self, requests: &Requests<F>) -> Vec<RequestKey> {
        let tokens = self.0.iter();
        tokens
            .filter_map(|&token| requests.by_token(token))
            .collect()
    }

    /// Handles the end of a worker's claims, with which it states its earlier brokers.
    pub(super) fn on_lives<F: Frame>(
        &mut self,
        cx: &mut Context<F>,
        key: WorkerKey,
        lives: Vec<(Box<str>, u64)>,
    ) {
        let Some(worker) = cx.workers.get_mut(key).filter(|worker| worker.is_asked()) else {
            return;
        };
        worker.lives = lives;
        self.forget_ended(&cx.requests);
        cx.ask_worker(key, &self.keys(&cx.requests));
    }

    /// Asks workers for the requests of a client that has resumed everything.
    pub(super) fn ask_for_client<F: Frame>(&mut self, cx: &mut Context<F>, key: ClientKey) {
        if self.0.is_empty() {
            return;
        }
        self.forget_ended(&cx.requests);
        let mut keys = self.keys(&cx.requests);
        keys.retain(|&request| cx.requests.get(request).is_some_and(|r| r.client == key));
        let told = cx.workers.iter_keys();
        let told = told.filter(|(_, worker)| !worker.lives.is_empty());
        let workers: Vec<WorkerKey> = told.map(|(worker, _)| worker).collect();
        for worker in workers {
            cx.ask_worker(worker, &keys);
        }
    }
}

impl<F: Frame> Context<F> {
    /// Handles that a worker never had the request of this token. Returns the request if no worker can have had it.
    pub(super) fn deny(&mut self, key: WorkerKey, token: u64) -> Option<RequestKey> {
        let request = self.requests.by_token(token)?;
        if !self.may_have_had(key, request) {
            return None;
        }
        let State::Searching(search) = &self.requests.get(request)?.state else {
            return None;
        };
        let number = self.number_of(key, search.recall.as_deref()?)?;
        let State::Searching(search) = &mut self.requests.get_mut(request)?.state else {
            return None;
        };
        let recall = search.recall.as_mut()?;
        recall.denied.push(number);
        recall.sum = recall.sum.wrapping_add(mix(number));
        (recall.sum == recall.known.sum).then_some(request)
    }

    /// The number of a worker at the broker of this search, if the worker is in the sum and has not denied the
    /// request yet.
    fn number_of(&self, key: WorkerKey, recall: &Recalled) -> Option<u64> {
        let Worker { lives, .. } = self.workers.get(key)?;
        let life = lives.iter().find(|(life, _)| *life == recall.known.session);
        let number = life?.1;
        let counts = number <= recall.known.last && !recall.denied.contains(&number);
        counts.then_some(number)
    }

    /// Whether the earlier broker can have given the request to this worker.
    fn may_have_had(&self, key: WorkerKey, request: RequestKey) -> bool {
        let Some(worker) = self.workers.get(key) else {
            return false;
        };
        let asked = self.asked(request);
        self.services.serves_others(worker.service)
            || asked.is_some_and(|asked| self.services.is(worker.service, &asked, false))
    }

    /// Asks a worker for those of these requests that an earlier broker may have given to it.
    fn ask_worker(&mut self, key: WorkerKey, requests: &[RequestKey]) {
        let Some(worker) = self.workers.get(key) else {
            return;
        };
        for (session, _) in worker.lives.clone() {
            let mut bytes = Vec::new();
            let mut asks = Vec::new();
            for &request in requests {
                let Some(entry) = self.requests.get(request) else {
                    continue;
                };
                let State::Searching(search) = &entry.state else {
                    continue;
                };
                let Some(recall) = search.recall.as_deref() else {
                    continue;
                };
                let Some(client) = self.clients.get(entry.client) else {
                    continue;
                };
                if recall.known.session != session || self.number_of(key, recall).is_none() {
                    continue;
                }
                let question = Question {
                    token: self.requests.token(request),
                    stamp: recall.known.stamp,
                    client: &client.id,
                    rid: &entry.rid,
                };
                question.put(&mut bytes);
                if bytes.len() + Question::MOST > MAX_LIST {
                    asks.push(std::mem::take(&mut bytes));
                }
            }
            asks.push(bytes);
            for bytes in asks.into_iter().filter(|bytes| !bytes.is_empty()) {
                let session = F::from(session.as_bytes());
                let questions = F::from(bytes);
                self.send_worker(key, ToWorker::Ask { session, questions });
            }
        }
    }
}
