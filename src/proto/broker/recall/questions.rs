//! The questions to workers for requests of a dead broker, and their denials.

use super::recalled;
use crate::proto::broker::context::Context;
use crate::proto::broker::keys::{RequestKey, WorkerKey};
use crate::proto::broker::requests::{Recalled, State};
use crate::proto::broker::workers::Worker;
use crate::wire::Frame;
use crate::wire::omdp::{Question, ToWorker, mix};
use crate::wire::sizes::MAX_LIST;

impl<F: Frame> Context<F> {
    /// Handles that a worker never had the request of this token. Returns the request if no worker can have had it.
    pub(in crate::proto::broker) fn deny(
        &mut self,
        key: WorkerKey,
        token: u64,
    ) -> Option<RequestKey> {
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
        recall.denied.insert(number);
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
    pub(super) fn ask_worker(&mut self, key: WorkerKey, tokens: &[u64]) {
        let mut asks: Vec<(Box<str>, Vec<u8>)> = Vec::new();
        for &token in tokens {
            let Some(request) = self.requests.by_token(token) else {
                continue;
            };
            let Some((client, recall)) = recalled(&self.requests, token) else {
                continue;
            };
            if self.number_of(key, recall).is_none() || !self.may_have_had(key, request) {
                continue;
            }
            let client = self.clients.get(client);
            let (Some(client), Some(request)) = (client, self.requests.get(request)) else {
                continue;
            };
            let session = &recall.known.session;
            // A list of each broker that has room; most often there is one.
            let list = asks.iter_mut().find(|(known, bytes)| {
                known == session && bytes.len() + Question::MOST <= MAX_LIST
            });
            let question = Question {
                token,
                stamp: recall.known.stamp,
                client: &client.id,
                rid: &request.rid,
            };
            match list {
                Some((_, bytes)) => question.put(bytes),
                None => {
                    let mut bytes = Vec::new();
                    question.put(&mut bytes);
                    asks.push((session.clone(), bytes));
                }
            }
        }
        for (session, questions) in asks {
            let session = F::from(session.as_bytes());
            let questions = F::from(questions);
            self.send_worker(key, ToWorker::Ask { session, questions });
        }
    }
}
