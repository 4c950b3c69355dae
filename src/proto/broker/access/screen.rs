//! The check of each message before it takes effect. What the rules leave open is asked, and the message waits for the
//! answer.

use super::questions::{Pending, PendingMessage, Question};
use super::rules::Verdict;
use super::{Known, Principal};
use crate::proto::Time;
use crate::proto::broker::action::Action;
use crate::proto::broker::{
    Broker, BrokerEvent, Departure, Incoming, Outgoing, RoutingId, Timer, Transmit,
};
use crate::proto::code::Code;
use crate::wire::omdp::{ClientMessage, ToClient, ToWorker, WorkerMessage};
use crate::wire::pigato::{self, PeerMessage};
use crate::wire::{Dialect, Frame};
use std::sync::Arc;
use std::time::Duration;

impl<F: Frame> Broker<F> {
    /// As [`handle_message`](Self::handle_message), with the principal of an authenticated peer. `principal` is the
    /// form of [`Principal::to_text`], or `None` for a peer that is not authenticated.
    pub fn handle_message_of(
        &mut self,
        now: Time,
        from: &[u8],
        principal: Option<&str>,
        frames: &mut Vec<F>,
    ) {
        self.cx.now = now;
        if !self.authorizer.is_on() {
            return self.handle_message(now, from, frames);
        }
        let known = principal.and_then(|text| self.identify(from, text));
        let Some((principal, admitted)) = known else {
            // The transport admits only authenticated peers.
            self.cx.counters.refusals.strays += 1;
            return frames.clear();
        };
        if !admitted {
            return self.dismiss_stranger(from, frames);
        }
        self.cx.speaker = Some(principal);
        self.handle_message(now, from, frames);
        self.cx.speaker = None;
    }

    fn identify(&mut self, from: &[u8], text: &str) -> Option<(Arc<Principal>, bool)> {
        if let Some(known) = self.authorizer.known.get(from) {
            if *known.text == *text {
                return Some((known.principal.clone(), known.admitted));
            }
            // The transport reassigns an identity only after its connection has ended, so everything held under it
            // belonged to another peer.
            self.remove_peer(from);
        }
        let principal = Arc::new(Principal::parse(text)?);
        let access = self.authorizer.access.as_ref()?;
        let admitted = access.admits(&principal);
        let known = Known {
            text: text.into(),
            principal: principal.clone(),
            admitted,
            dismissed: false,
        };
        self.authorizer.known.insert(from.into(), known);
        Some((principal, admitted))
    }

    /// Refuses the message of a peer that only earlier rules admitted.
    fn dismiss_stranger(&mut self, from: &[u8], frames: &mut Vec<F>) {
        self.cx.counters.refusals.strays += 1;
        let Some(known) = self.authorizer.known.get_mut(from) else {
            return frames.clear();
        };
        let first = !std::mem::replace(&mut known.dismissed, true);
        let message = Incoming::decode(Dialect::detect(frames), frames);
        match message {
            Ok(Incoming::Worker(_) | Incoming::Pigato(PeerMessage::Worker(_))) if first => {
                self.cx.send_away(from)
            }
            Ok(Incoming::MdpWorker(dialect, _)) if first => self.disconnect(from, dialect),
            Ok(Incoming::Client(ClientMessage::Hello { .. })) if first => {
                let key = self.cx.clients.find(from);
                key.into_iter().for_each(|key| self.drop_client(key));
                self.cx.out.send(Transmit::plain(
                    from.into(),
                    Outgoing::Client(ToClient::Disconnect),
                ));
            }
            _ => {}
        }
    }

    /// Checks a message against the rules, if there are rules, and handles, denies or keeps it.
    #[inline(never)]
    pub(in crate::proto::broker) fn screen(&mut self, from: &[u8], message: Incoming<F>) {
        let (Some(access), Some(principal)) = (&self.authorizer.access, &self.cx.speaker) else {
            return self.do_decoded(from, message);
        };
        let Some((mut action, service)) = message.wants() else {
            self.authorizer.withdraw(&mut self.cx, from, &message);
            return self.do_decoded(from, message);
        };
        if let Incoming::Worker(WorkerMessage::Ready { hello: None, .. }) = &message
            && self.cx.config.dialects.contains(Dialect::Pigato)
            && pigato::is_pattern(service)
        {
            // It serves the pattern if it turns out to speak PIGATO.
            action = Action::ServePattern;
        }
        match access.judge(&principal.user, action, service) {
            Verdict::Yes => self.do_decoded(from, message),
            Verdict::No => self.deny(from, message),
            Verdict::Ask(patience) => {
                let question = Question {
                    principal: principal.clone(),
                    action,
                    service: (&**service).into(),
                };
                match self.authorizer.questions.answer(&question) {
                    Some(true) => self.do_decoded(from, message),
                    Some(false) => self.deny(from, message),
                    None => self.keep_pending(from, question, message, patience),
                }
            }
        }
    }

    fn keep_pending(
        &mut self,
        from: &[u8],
        question: Question,
        message: Incoming<F>,
        patience: Duration,
    ) {
        if self.authorizer.questions.is_full() {
            return self.deny(from, message);
        }
        let from: RoutingId = from.into();
        let account = self.cx.open_account(&from);
        let charged = message.held();
        if let Err(over) = self.cx.accounts.charge(account, charged) {
            self.cx.accounts.close(account, 0);
            match message {
                Incoming::Request(request) => self.refuse(&from, request.head, Code::QueueFull),
                _ => self.deny_worker(&from, &message),
            }
            return self.over_limit(&from, over);
        }
        let message = PendingMessage {
            from,
            message,
            account,
            charged,
        };
        let deadlines = &mut self.cx.deadlines;
        let time = |id| deadlines.set(self.cx.now + patience, Timer::Question(id));
        let asked = question.clone();
        let questions = &mut self.authorizer.questions;
        if let Some(id) = questions.wait(question, message, time) {
            self.cx.out.tell(BrokerEvent::Authorize {
                id,
                user: asked.principal.user.as_str().into(),
                metadata: asked.principal.metadata.as_str().into(),
                action: asked.action,
                service: asked.service,
            });
        }
    }

    /// Answers a [`BrokerEvent::Authorize`]. The answer is remembered for equal questions until the
    /// rules change.
    pub fn authorize(&mut self, now: Time, id: u64, allowed: bool) {
        self.cx.now = now;
        let Some(pending) = self.authorizer.questions.take(id) else {
            return;
        };
        self.cx.deadlines.cancel(pending.timer);
        self.answer(pending, allowed, true);
    }

    /// Denies the messages of a question that was not answered in time. This denial is not
    /// remembered.
    pub(in crate::proto::broker) fn question_due(&mut self, id: u64) {
        if let Some(pending) = self.authorizer.questions.take(id) {
            self.answer(pending, false, false);
        }
    }

    fn answer(&mut self, pending: Pending<F>, allowed: bool, remember: bool) {
        let question = pending.question;
        let questions = &mut self.authorizer.questions;
        questions.remember(question.clone(), allowed);
        self.replay(pending.messages);
        if !remember {
            self.authorizer.questions.forget(&question);
        }
    }

    pub(super) fn replay(&mut self, messages: Vec<PendingMessage<F>>) {
        for PendingMessage {
            from,
            message,
            account,
            charged,
        } in messages
        {
            self.cx.accounts.close(account, charged);
            let known = self.authorizer.known.get(&from);
            let Some(known) = known.filter(|known| known.admitted) else {
                continue;
            };
            self.cx.speaker = Some(known.principal.clone());
            self.handle_decoded(&from, message);
            self.cx.speaker = None;
        }
    }

    fn deny(&mut self, from: &[u8], message: Incoming<F>) {
        let Some((action, service)) = message.wants() else {
            return;
        };
        if self.cx.out.may_tell_fault(self.cx.now) {
            self.cx.out.tell(BrokerEvent::Denied {
                peer: from.into(),
                user: self.cx.user().unwrap_or_default().into(),
                action,
                service: (&**service).into(),
            });
        }
        match action {
            Action::Serve | Action::ServePattern => {
                self.cx.counters.refusals.workers += 1;
                self.deny_worker(from, &message);
            }
            Action::Call => {
                self.cx.counters.refusals.requests += 1;
                if let Incoming::Request(request) = message {
                    self.refuse(from, request.head, Code::Denied);
                }
            }
        }
    }

    fn deny_worker(&mut self, from: &[u8], message: &Incoming<F>) {
        if let Some(key) = self.cx.workers.find(from) {
            self.cx.send_worker(key, ToWorker::Disconnect);
            return self.remove_worker(key, Departure::Denied);
        }
        match *message {
            Incoming::MdpWorker(dialect, _) => self.disconnect(from, dialect),
            _ => self.cx.send_away(from),
        }
    }

    /// Ends waiting requests when the broker stops, like requests in a queue.
    pub(in crate::proto::broker) fn end_pending(&mut self) {
        for pending in self.authorizer.questions.take_all() {
            self.cx.deadlines.cancel(pending.timer);
            for PendingMessage {
                from,
                message,
                account,
                charged,
            } in pending.messages
            {
                self.cx.accounts.close(account, charged);
                if let Incoming::Request(request) = message {
                    self.refuse(&from, request.head, Code::BrokerLost);
                }
            }
        }
    }
}
