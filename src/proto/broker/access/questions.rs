//! Questions that the rules leave open: the messages that wait for an answer, and the answers so far.

use super::Principal;
use crate::proto::broker::action::Action;
use crate::proto::broker::keys::AccountKey;
use crate::proto::broker::{Incoming, RoutingId};
use crate::proto::deadlines::TimerKey;
use std::collections::HashMap;
use std::sync::Arc;

/// Maximum of remembered answers, and of messages that wait for one.
const MOST: usize = 4096;

/// A decision that the authorizer is asked for.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Question {
    pub(super) principal: Arc<Principal>,
    pub(super) action: Action,
    pub(super) service: Box<[u8]>,
}

/// A question without an answer yet, and the messages that wait for it.
#[derive(Debug)]
pub(super) struct Pending<F> {
    pub(super) question: Question,
    /// In order of arrival.
    pub(super) messages: Vec<PendingMessage<F>>,
    pub(super) timer: TimerKey,
}

/// A message that waits for an authorization.
#[derive(Debug)]
pub(super) struct PendingMessage<F> {
    pub(super) from: RoutingId,
    pub(super) message: Incoming<F>,
    pub(super) account: AccountKey,
    /// Bytes that the account was charged.
    pub(super) charged: usize,
}

#[derive(Debug)]
pub(super) struct Questions<F> {
    answers: HashMap<Question, bool>,
    pending: HashMap<u64, Pending<F>>,
    /// Number of messages that wait for an answer.
    waiting: usize,
    /// The id of the latest question.
    asked: u64,
}

impl<F> Questions<F> {
    pub(super) fn new() -> Self {
        Questions {
            answers: HashMap::new(),
            pending: HashMap::new(),
            waiting: 0,
            asked: 0,
        }
    }

    /// The remembered answer.
    pub(super) fn answer(&self, question: &Question) -> Option<bool> {
        self.answers.get(question).copied()
    }

    /// Whether no further message may wait.
    pub(super) fn is_full(&self) -> bool {
        self.waiting >= MOST
    }

    /// Adds a message that waits for the answer. Returns the id of the question if it is to be asked now: no other
    /// message waits for it. `time` sets its timer.
    pub(super) fn wait(
        &mut self,
        question: Question,
        message: PendingMessage<F>,
        time: impl FnOnce(u64) -> TimerKey,
    ) -> Option<u64> {
        self.waiting += 1;
        let mut pending = self.pending.values_mut();
        if let Some(same) = pending.find(|pending| pending.question == question) {
            same.messages.push(message);
            return None;
        }
        self.asked += 1;
        let id = self.asked;
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
    pub(super) fn take(&mut self, id: u64) -> Option<Pending<F>> {
        let pending = self.pending.remove(&id)?;
        self.waiting -= pending.messages.len();
        Some(pending)
    }

    /// Removes all questions, in the order in which they were asked.
    pub(super) fn take_all(&mut self) -> Vec<Pending<F>> {
        self.waiting = 0;
        let mut all: Vec<(u64, Pending<F>)> = self.pending.drain().collect();
        all.sort_unstable_by_key(|(id, _)| *id);
        all.into_iter().map(|(_, pending)| pending).collect()
    }

    /// Removes waiting messages; their questions remain.
    pub(super) fn withdraw(
        &mut self,
        mut which: impl FnMut(&PendingMessage<F>) -> bool,
    ) -> Vec<PendingMessage<F>> {
        let mut found = Vec::new();
        for pending in self.pending.values_mut() {
            let messages = &mut pending.messages;
            found.extend(messages.extract_if(.., |message| which(message)));
        }
        self.waiting -= found.len();
        found
    }

    pub(super) fn remember(&mut self, question: Question, allowed: bool) {
        if self.answers.len() >= MOST {
            self.answers.clear();
        }
        self.answers.insert(question, allowed);
    }

    pub(super) fn forget(&mut self, question: &Question) {
        self.answers.remove(question);
    }

    /// Forgets all answers, after a change of the rules.
    pub(super) fn forget_answers(&mut self) {
        self.answers.clear();
    }

    /// Whether no question waits for an answer.
    pub(super) fn is_empty(&self) -> bool {
        self.pending.is_empty()
    }

    /// Number of questions that wait for an answer.
    pub(super) fn len(&self) -> usize {
        self.pending.len()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Pending<F>> {
        self.pending.values()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::Time;
    use crate::proto::deadlines::Deadlines;
    use crate::wire::omdp::ClientMessage;

    struct Bench {
        questions: Questions<Vec<u8>>,
        deadlines: Deadlines<u64>,
    }

    impl Bench {
        fn new() -> Self {
            Bench {
                questions: Questions::new(),
                deadlines: Deadlines::new(),
            }
        }

        fn wait(&mut self, from: &str, service: &str) -> Option<u64> {
            let message = PendingMessage {
                from: from.as_bytes().into(),
                message: Incoming::Client(ClientMessage::Heartbeat),
                account: AccountKey(0),
                charged: 0,
            };
            let deadlines = &mut self.deadlines;
            let time = |id| deadlines.set(Time::ZERO, id);
            self.questions.wait(question(service), message, time)
        }
    }

    fn question(service: &str) -> Question {
        Question {
            principal: Arc::new(Principal::in_process("u")),
            action: Action::Call,
            service: service.as_bytes().into(),
        }
    }

    #[test]
    fn equal_questions_are_asked_once_and_all_messages_have_the_answer() {
        let mut bench = Bench::new();
        assert_eq!(bench.wait("a", "s"), Some(1));
        assert_eq!(bench.wait("b", "s"), None);
        assert_eq!(bench.wait("a", "t"), Some(2));
        let pending = bench.questions.take(1).expect("it waits");
        let from = pending.messages.iter().map(|message| &*message.from);
        assert_eq!(from.collect::<Vec<_>>(), [b"a", b"b"]);
        assert!(bench.questions.take(1).is_none());
        assert_eq!(bench.questions.len(), 1);
    }

    #[test]
    fn messages_that_wait_have_a_limit() {
        let mut bench = Bench::new();
        for _ in 0..MOST {
            assert!(!bench.questions.is_full());
            bench.wait("a", "s");
        }
        assert!(bench.questions.is_full());
        assert_eq!(bench.questions.withdraw(|_| true).len(), MOST);
        assert!(!bench.questions.is_full() && !bench.questions.is_empty());
    }

    #[test]
    fn what_a_peer_withdraws_is_gone_and_the_rest_waits() {
        let mut bench = Bench::new();
        for from in ["a", "b"] {
            bench.wait(from, "s");
        }
        let withdrawn = bench.questions.withdraw(|message| *message.from == *b"a");
        assert_eq!(withdrawn.len(), 1);
        let [pending] = &bench.questions.take_all()[..] else {
            panic!("one question");
        };
        assert_eq!(*pending.messages[0].from, *b"b");
        assert!(bench.questions.is_empty());
    }

    #[test]
    fn remembered_answers_have_a_limit() {
        let mut questions: Questions<Vec<u8>> = Questions::new();
        for n in 0..=MOST {
            questions.remember(question(&n.to_string()), true);
        }
        assert_eq!(questions.answer(&question("0")), None);
        assert_eq!(questions.answer(&question(&MOST.to_string())), Some(true));
        questions.forget(&question(&MOST.to_string()));
        assert_eq!(questions.answer(&question(&MOST.to_string())), None);
    }
}
