//! Questions that the rules leave open: the messages that wait for an answer, and the answers so far.

use super::Principal;
use crate::proto::broker::action::Action;
use crate::proto::broker::keys::AccountKey;
use crate::proto::broker::{Incoming, RoutingId};
use crate::proto::deadlines::TimerKey;
use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

/// Maximum of remembered answers. Beyond it, those of the user with the most are forgotten.
const MOST: usize = 4096;

/// Maximum of messages that wait for an answer, of one user and in total.
const MOST_OF_USER: usize = 4096;
const MOST_WAITING: usize = 16 * MOST_OF_USER;

/// A decision that the authorizer is asked for.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(in crate::proto::broker) struct Question {
    pub(in crate::proto::broker) principal: Arc<Principal>,
    pub(in crate::proto::broker) action: Action,
    pub(in crate::proto::broker) service: Box<[u8]>,
}

/// A question without an answer yet, and the messages that wait for it.
#[derive(Debug)]
pub(in crate::proto::broker) struct Pending<F> {
    pub(in crate::proto::broker) question: Question,
    /// In order of arrival.
    pub(in crate::proto::broker) messages: Vec<PendingMessage<F>>,
    pub(in crate::proto::broker) timer: TimerKey,
}

/// A message that waits for an authorization.
#[derive(Debug)]
pub(in crate::proto::broker) struct PendingMessage<F> {
    pub(in crate::proto::broker) from: RoutingId,
    pub(in crate::proto::broker) message: Incoming<F>,
    pub(in crate::proto::broker) account: AccountKey,
    /// Bytes that the account was charged.
    pub(in crate::proto::broker) charged: usize,
}

#[derive(Debug)]
pub(in crate::proto::broker) struct Questions<F> {
    answers: HashMap<Question, bool>,
    pending: HashMap<u64, Pending<F>>,
    /// The ids of these questions.
    ids: HashMap<Question, u64>,
    /// Number of messages that wait for an answer, and of those of each user.
    waiting: usize,
    of_user: HashMap<Box<str>, usize>,
    /// The questions for whose answers messages of a peer wait.
    of_peer: HashMap<RoutingId, BTreeSet<u64>>,
    /// The id of the latest question.
    asked: u64,
}

impl<F> Questions<F> {
    pub(in crate::proto::broker) fn new() -> Self {
        Questions {
            answers: HashMap::new(),
            pending: HashMap::new(),
            ids: HashMap::new(),
            waiting: 0,
            of_user: HashMap::new(),
            of_peer: HashMap::new(),
            asked: 0,
        }
    }

    /// The remembered answer.
    pub(in crate::proto::broker) fn answer(&self, question: &Question) -> Option<bool> {
        self.answers.get(question).copied()
    }

    /// Whether no further message of this user may wait.
    pub(in crate::proto::broker) fn is_full(&self, user: &str) -> bool {
        let of_user = self.of_user.get(user).copied().unwrap_or(0);
        of_user >= MOST_OF_USER || self.waiting >= MOST_WAITING
    }

    /// Adds a message that waits for the answer. Returns the id of the question if it is to be asked now: no other
    /// message waits for it. `time` sets its timer.
    pub(in crate::proto::broker) fn wait(
        &mut self,
        question: Question,
        message: PendingMessage<F>,
        time: impl FnOnce(u64) -> TimerKey,
    ) -> Option<u64> {
        self.waiting += 1;
        let user = question.principal.user.as_str();
        match self.of_user.get_mut(user) {
            Some(count) => *count += 1,
            None => _ = self.of_user.insert(user.into(), 1),
        }
        let known = self.ids.get(&question).copied();
        let id = known.unwrap_or(self.asked + 1);
        self.of_peer
            .entry(message.from.clone())
            .or_default()
            .insert(id);
        if let Some(same) = known.and_then(|id| self.pending.get_mut(&id)) {
            same.messages.push(message);
            return None;
        }
        self.asked = id;
        self.ids.insert(question.clone(), id);
        self.pending.insert(
            id,
            Pending {
                question,
                messages: vec![message],
                timer: time(id),
            },
        );
        Some(id)
    }

    /// Removes a question; the caller handles its messages.
    pub(in crate::proto::broker) fn take(&mut self, id: u64) -> Option<Pending<F>> {
        let pending = self.pending.remove(&id)?;
        self.ids.remove(&pending.question);
        self.waiting -= pending.messages.len();
        self.count_off(&pending.question, pending.messages.len());
        for message in &pending.messages {
            self.leave(&message.from, id);
        }
        Some(pending)
    }

    fn count_off(&mut self, question: &Question, messages: usize) {
        let user = question.principal.user.as_str();
        if let Some(count) = self.of_user.get_mut(user) {
            *count -= messages;
            if *count == 0 {
                self.of_user.remove(user);
            }
        }
    }

    /// Notes that no message of this peer waits for the answer any more.
    fn leave(&mut self, peer: &RoutingId, id: u64) {
        if let Some(ids) = self.of_peer.get_mut(peer) {
            ids.remove(&id);
            if ids.is_empty() {
                self.of_peer.remove(peer);
            }
        }
    }

    /// Whether a message of this peer waits.
    pub(in crate::proto::broker) fn keeps_message_of(&self, peer: &[u8]) -> bool {
        self.of_peer.contains_key(peer)
    }

    /// Removes all questions, in the order in which they were asked.
    pub(in crate::proto::broker) fn take_all(&mut self) -> Vec<Pending<F>> {
        self.waiting = 0;
        self.ids.clear();
        self.of_user.clear();
        self.of_peer.clear();
        let mut all: Vec<_> = std::mem::take(&mut self.pending).into_iter().collect();
        all.sort_by_cached_key(|&(id, _)| u128::from(id));
        all.into_iter().map(|(_, pending)| pending).collect()
    }

    /// Removes waiting messages of a peer; their questions remain. Also returns how many messages were looked at.
    pub(in crate::proto::broker) fn withdraw(
        &mut self,
        peer: &[u8],
        mut which: impl FnMut(&PendingMessage<F>) -> bool,
    ) -> (Vec<PendingMessage<F>>, usize) {
        let (mut found, mut looked_at) = (Vec::new(), 0);
        let ids = self.of_peer.get(peer);
        let ids: Vec<u64> = ids.into_iter().flatten().copied().collect();
        for id in ids {
            let Some(pending) = self.pending.get_mut(&id) else {
                continue;
            };
            looked_at += pending.messages.len();
            let is_meant =
                |message: &mut PendingMessage<F>| *message.from == *peer && which(message);
            let before = found.len();
            found.extend(pending.messages.extract_if(.., is_meant));
            let is_left = pending
                .messages
                .iter()
                .any(|message| *message.from == *peer);
            let question = pending.question.clone();
            self.count_off(&question, found.len() - before);
            if !is_left {
                self.leave(&peer.into(), id);
            }
        }
        self.waiting -= found.len();
        (found, looked_at)
    }

    pub(in crate::proto::broker) fn remember(&mut self, question: Question, allowed: bool) {
        if self.answers.len() >= MOST {
            self.forget_some();
        }
        self.answers.insert(question, allowed);
    }

    /// Forgets half of the answers: those about the users with the most, so that nobody causes those about others to be
    /// asked for again.
    #[cold]
    fn forget_some(&mut self) {
        let mut counts: HashMap<String, usize> = HashMap::new();
        for question in self.answers.keys() {
            *counts.entry(question.principal.user.clone()).or_default() += 1;
        }
        let mut counts: Vec<(String, usize)> = counts.into_iter().collect();
        counts.sort_by_cached_key(|&(_, count)| !(count as u128));
        let mut left = self.answers.len();
        let mut users = HashSet::new();
        for (user, count) in counts {
            if left <= MOST / 2 {
                break;
            }
            left -= count;
            users.insert(user);
        }
        self.answers
            .retain(|question, _| !users.contains(&question.principal.user));
    }

    pub(in crate::proto::broker) fn forget(&mut self, question: &Question) {
        self.answers.remove(question);
    }

    /// Forgets all answers, after a change of the rules.
    pub(in crate::proto::broker) fn forget_answers(&mut self) {
        self.answers.clear();
    }

    /// Whether no question waits for an answer.
    pub(in crate::proto::broker) fn is_empty(&self) -> bool {
        self.pending.is_empty()
    }

    /// Number of questions that wait for an answer.
    pub(in crate::proto::broker) fn len(&self) -> usize {
        self.pending.len()
    }

    #[cfg(any(test, feature = "fuzz"))]
    pub(in crate::proto::broker) fn iter(&self) -> impl Iterator<Item = &Pending<F>> {
        self.pending.values()
    }
}

#[cfg(test)]
mod tests;
