//! Recall: requests of a dead broker that no worker claims. The workers that were with that broker are asked for
//! them.
//!
//! The client states the sum of these workers, see [`roster`](super::roster). A worker that returns states its
//! earlier brokers and its numbers there, after it has claimed all that it has. It is asked for the requests that it
//! can have been given, and denies those that it never had. When all these workers have denied a request, it has not
//! started, and waits in the queue like any other.

use super::Broker;
use super::ends::End;
use super::keys::{ClientKey, RequestKey, WorkerKey};
use super::requests::{ParkState, Recalled, State};
use super::workers::Worker;
use crate::proto::Time;
use crate::proto::code::Code;
use crate::wire::Frame;
use crate::wire::omdp::{Question, Recall, ToClient, ToWorker, mix, rids_to_frame};
use crate::wire::sizes::MAX_LIST;

impl<F: Frame> Broker<F> {
    /// Records what a client knows about the earlier broker of a request that is searched for.
    pub(super) fn recall(&mut self, now: Time, key: RequestKey, known: Recall) {
        let token = self.requests.token(key);
        let Some(State::Searching(search)) =
            self.requests.get_mut(key).map(|request| &mut request.state)
        else {
            return;
        };
        if known.sum == 0 {
            return self.never_started(now, key);
        }
        search.recall = Some(Box::new(Recalled {
            known,
            denied: Vec::new(),
            sum: 0,
        }));
        if self.recalled.len() >= 1024 && self.recalled.len().is_power_of_two() {
            self.forget_recalled();
        }
        self.recalled.push(token);
    }

    fn forget_recalled(&mut self) {
        let requests = &self.requests;
        let is_open = |token: &u64| {
            let key = requests.by_token(*token);
            let state = key.and_then(|key| requests.get(key)).map(|r| &r.state);
            matches!(state, Some(State::Searching(search)) if search.recall.is_some())
        };
        self.recalled.retain(is_open);
    }

    /// Handles the end of a worker's claims, with which it states its earlier brokers.
    pub(super) fn on_lives(&mut self, key: WorkerKey, lives: Vec<(Box<str>, u64)>) {
        let Some(worker) = self.workers.get_mut(key).filter(|worker| worker.is_asked()) else {
            return;
        };
        worker.lives = lives;
        self.forget_recalled();
        let keys = self.recalled.iter();
        let keys: Vec<RequestKey> = keys
            .filter_map(|&token| self.requests.by_token(token))
            .collect();
        self.ask_worker(key, &keys);
    }

    /// Asks workers for the requests of a client that has resumed everything.
    pub(super) fn ask_for_client(&mut self, key: ClientKey) {
        if self.recalled.is_empty() {
            return;
        }
        self.forget_recalled();
        let of_client = |&key_of: &RequestKey| {
            let request = self.requests.get(key_of);
            request.is_some_and(|request| request.client == key)
        };
        let keys = self.recalled.iter();
        let keys = keys.filter_map(|&token| self.requests.by_token(token));
        let keys: Vec<RequestKey> = keys.filter(of_client).collect();
        let told = self.workers.iter_keys();
        let told = told.filter(|(_, worker)| !worker.lives.is_empty());
        let workers: Vec<WorkerKey> = told.map(|(worker, _)| worker).collect();
        for worker in workers {
            self.ask_worker(worker, &keys);
        }
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

    /// The number of a worker at the broker of this search, if the worker is in the sum and has not denied the
    /// request yet.
    fn number_of(&self, key: WorkerKey, recall: &Recalled) -> Option<u64> {
        let Worker { lives, .. } = self.workers.get(key)?;
        let life = lives.iter().find(|(life, _)| *life == recall.known.session);
        let number = life?.1;
        let counts = number <= recall.known.last && !recall.denied.contains(&number);
        counts.then_some(number)
    }

    /// Handles DENIED: a worker never had these requests.
    pub(super) fn on_denied(
        &mut self,
        now: Time,
        key: WorkerKey,
        tokens: impl Iterator<Item = u64>,
    ) {
        let tokens: Vec<u64> = tokens.collect();
        // In reverse, so that the first request ends up at the front.
        for token in tokens.into_iter().rev() {
            let Some(request) = self.requests.by_token(token) else {
                continue;
            };
            if !self.may_have_had(key, request) {
                continue;
            }
            let Some(State::Searching(search)) = self.requests.get(request).map(|r| &r.state)
            else {
                continue;
            };
            let recall = search.recall.as_deref();
            let Some(number) = recall.and_then(|recall| self.number_of(key, recall)) else {
                continue;
            };
            let Some(State::Searching(search)) =
                self.requests.get_mut(request).map(|r| &mut r.state)
            else {
                continue;
            };
            if let Some(recall) = &mut search.recall {
                recall.denied.push(number);
                recall.sum = recall.sum.wrapping_add(mix(number));
                if recall.sum == recall.known.sum {
                    self.never_started(now, request);
                }
            }
        }
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

    /// Ends the search for a request that has not started. Only workers that were lost before can have had it, and
    /// then it may be retried.
    fn never_started(&mut self, now: Time, key: RequestKey) {
        if let Some(request) = self.requests.get(key)
            && let State::Searching(search) = &request.state
        {
            self.deadlines.cancel(search.timer);
            self.wait_again(now, key);
        }
    }

    /// Queues a request that has not started after a search. Its client is told that the request is parked: should
    /// this broker die too, the request has not started before it was released.
    pub(super) fn wait_again(&mut self, now: Time, key: RequestKey) {
        let Some(request) = self.requests.get_mut(key) else {
            return;
        };
        request.extend(now);
        let client = request.client;
        let is_fail_fast = request.is_fail_fast();
        let rids: F = rids_to_frame([&*request.rid]);
        self.leave_queue(key);
        let message = ToClient::Resumed { rids: rids.clone() };
        self.send_client(client, message);
        self.requeue(now, key);
        let Some(request) = self.requests.get(key) else {
            return;
        };
        let home = request.service;
        if is_fail_fast && self.services.get_mut(home).workers == 0 {
            return self.end(now, key, End::Failed(Code::NoWorker));
        }
        if matches!(request.state, State::Queued(_))
            && self
                .clients
                .get(client)
                .is_some_and(|client| client.parks())
        {
            let queue = &mut self.services.get_mut(home).queue;
            queue.set_park(key, ParkState::Parked, now, &mut self.requests);
            self.send_client(client, ToClient::Parked { rids });
        }
        self.dispatch(now, home);
    }
}
