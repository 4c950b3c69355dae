//! The check of each message before it takes effect. What the rules leave open is asked, and the
//! message waits for the answer.

use super::questions::{Pending, PendingMessage, Question};
use super::rules::Verdict;
use crate::proto::Time;
use crate::proto::broker::action::Action;
use crate::proto::broker::{Broker, BrokerEvent, Departure, Incoming, RoutingId, Timer};
use crate::proto::code::Code;
use crate::wire::Frame;
use crate::wire::omdp::ToWorker;
use std::time::Duration;

impl<F: Frame> Broker<F> {
    /// Checks a message against the rules, if there are rules, and handles, denies or keeps it.
    #[inline(never)]
    pub(in crate::proto::broker) fn screen(
        &mut self,
        now: Time,
        from: &[u8],
        message: Incoming<F>,
    ) {
        let (Some(access), Some(principal)) = (&self.authorizer.access, &self.authorizer.speaker)
        else {
            return self.do_decoded(now, from, message);
        };
        let Some((action, service)) = message.wants() else {
            self.withdraw(from, &message);
            return self.do_decoded(now, from, message);
        };
        match access.judge(&principal.user, action, service) {
            Verdict::Yes => self.do_decoded(now, from, message),
            Verdict::No => self.deny(now, from, message),
            Verdict::Ask(patience) => {
                let question = Question {
                    principal: principal.clone(),
                    action,
                    service: (&**service).into(),
                };
                match self.authorizer.questions.answer(&question) {
                    Some(true) => self.do_decoded(now, from, message),
                    Some(false) => self.deny(now, from, message),
                    None => self.keep_pending(now, from, question, message, patience),
                }
            }
        }
    }

    fn keep_pending(
        &mut self,
        now: Time,
        from: &[u8],
        question: Question,
        message: Incoming<F>,
        patience: Duration,
    ) {
        if self.authorizer.questions.is_full() {
            return self.deny(now, from, message);
        }
        let from: RoutingId = from.into();
        let account = self.open_account(&from);
        let charged = message.held();
        if let Err(over) = self.accounts.charge(account, charged) {
            self.accounts.close(account, 0);
            match message {
                Incoming::Request(request) => self.refuse(&from, request.head, Code::QueueFull),
                _ => self.deny_worker(now, &from, &message),
            }
            return self.over_limit(now, &from, over);
        }
        let message = PendingMessage {
            from,
            message,
            account,
            charged,
        };
        let deadlines = &mut self.deadlines;
        let time = |id| deadlines.set(now + patience, Timer::Question(id));
        let asked = question.clone();
        let questions = &mut self.authorizer.questions;
        if let Some(id) = questions.wait(question, message, time) {
            self.out.tell(BrokerEvent::Authorize {
                id,
                user: asked.principal.user.as_str().into(),
                metadata: asked.principal.metadata.as_str().into(),
                action: asked.action,
                service: asked.service,
            });
        }
    }

    /// Drops the waiting messages of a peer that cancels or leaves.
    fn withdraw(&mut self, from: &[u8], message: &Incoming<F>) {
        if self.authorizer.questions.is_empty()
            || !(message.is_goodbye() || message.cancels().is_some())
        {
            return;
        }
        let ends = |waiting: &PendingMessage<F>| {
            let cancelled = message.cancels();
            let named = cancelled.is_none_or(|rid| waiting.message.is_request(rid));
            *waiting.from == *from && named
        };
        for message in self.authorizer.questions.withdraw(ends) {
            self.accounts.close(message.account, message.charged);
        }
    }

    /// Answers a [`BrokerEvent::Authorize`]. The answer is remembered for equal questions until the
    /// rules change.
    pub fn authorize(&mut self, now: Time, id: u64, allowed: bool) {
        let Some(pending) = self.authorizer.questions.take(id) else {
            return;
        };
        self.deadlines.cancel(pending.timer);
        self.answer(now, pending, allowed, true);
    }

    /// Denies the messages of a question that was not answered in time. This denial is not
    /// remembered.
    pub(in crate::proto::broker) fn question_due(&mut self, now: Time, id: u64) {
        if let Some(pending) = self.authorizer.questions.take(id) {
            self.answer(now, pending, false, false);
        }
    }

    fn answer(&mut self, now: Time, pending: Pending<F>, allowed: bool, remember: bool) {
        let question = pending.question;
        let questions = &mut self.authorizer.questions;
        questions.remember(question.clone(), allowed);
        self.replay(now, pending.messages);
        if !remember {
            self.authorizer.questions.forget(&question);
        }
    }

    pub(super) fn replay(&mut self, now: Time, messages: Vec<PendingMessage<F>>) {
        for PendingMessage {
            from,
            message,
            account,
            charged,
        } in messages
        {
            self.accounts.close(account, charged);
            let known = self.authorizer.known.get(&from);
            let Some(known) = known.filter(|known| known.admitted) else {
                continue;
            };
            self.authorizer.speaker = Some(known.principal.clone());
            self.handle_decoded(now, &from, message);
            self.authorizer.speaker = None;
        }
    }

    fn deny(&mut self, now: Time, from: &[u8], message: Incoming<F>) {
        let Some((action, service)) = message.wants() else {
            return;
        };
        if self.out.may_tell_fault(now) {
            self.out.tell(BrokerEvent::Denied {
                peer: from.into(),
                user: self.authorizer.user().unwrap_or_default().into(),
                action,
                service: (&**service).into(),
            });
        }
        match action {
            Action::Serve | Action::ServePattern => {
                self.authorizer.refusals.workers += 1;
                self.deny_worker(now, from, &message);
            }
            Action::Call => {
                self.authorizer.refusals.requests += 1;
                if let Incoming::Request(request) = message {
                    self.refuse(from, request.head, Code::Denied);
                }
            }
        }
    }

    fn deny_worker(&mut self, now: Time, from: &[u8], message: &Incoming<F>) {
        if let Some(key) = self.workers.find(from) {
            self.send_worker(key, ToWorker::Disconnect);
            return self.remove_worker(now, key, Departure::Denied);
        }
        match *message {
            Incoming::MdpWorker(dialect, _) => self.disconnect(from, dialect),
            _ => self.send_away(from),
        }
    }

    /// Ends waiting requests when the broker stops, like requests in a queue.
    pub(in crate::proto::broker) fn end_pending(&mut self) {
        for pending in self.authorizer.questions.take_all() {
            self.deadlines.cancel(pending.timer);
            for PendingMessage {
                from,
                message,
                account,
                charged,
            } in pending.messages
            {
                self.accounts.close(account, charged);
                if let Incoming::Request(request) = message {
                    self.refuse(&from, request.head, Code::BrokerLost);
                }
            }
        }
    }
}
