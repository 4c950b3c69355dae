//! The check of each message before it takes effect, and what the broker does when its rules have changed.

use super::access::{Judgement, Known, Pending, PendingMessage};
use super::action::Action;
use super::keys::{ClientKey, RequestKey};
use super::outcome::End;
use super::survey::Survey;
use super::{Access, Broker, BrokerEvent, Departure, Incoming, Outgoing, Principal};
use crate::proto::Time;
use crate::proto::code::Code;
use crate::wire::omdp::{ClientMessage, ToClient, ToWorker};
use crate::wire::pigato::PeerMessage;
use crate::wire::{Dialect, Frame};
use std::sync::Arc;

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
            self.cx.refusals.strays += 1;
            return frames.clear();
        };
        if !admitted {
            return self.dismiss_stranger(from, frames);
        }
        self.cx.speaker = Some(principal);
        self.handle_message(now, from, frames);
        self.cx.speaker = None;
    }

    /// The principal of a peer, and whether the rules admit it.
    fn identify(&mut self, from: &[u8], text: &str) -> Option<(Arc<Principal>, bool)> {
        match self.authorizer.find(from, text) {
            Known::Same(principal, is_admitted) => return Some((principal, is_admitted)),
            // The transport reassigns an identity only after its connection has ended, so everything held under it
            // belonged to another peer.
            Known::Other => self.remove_peer(from),
            Known::Nobody => {}
        }
        self.authorizer.add(from, text)
    }

    /// Refuses the message of a peer that only earlier rules admitted.
    fn dismiss_stranger(&mut self, from: &[u8], frames: &mut Vec<F>) {
        self.cx.refusals.strays += 1;
        let first = self.authorizer.dismiss(from);
        let message = Incoming::decode(Dialect::detect(frames), frames);
        match message {
            Ok(Incoming::Worker(_) | Incoming::Pigato(PeerMessage::Worker(_))) if first => {
                self.cx.send_away(from)
            }
            Ok(Incoming::MdpWorker(dialect, _)) if first => self.disconnect(from, dialect),
            Ok(Incoming::Client(ClientMessage::Hello { .. })) if first => {
                let key = self.cx.clients.find(from);
                key.into_iter().for_each(|key| self.drop_client(key));
                let message = Outgoing::Client(ToClient::Disconnect);
                self.cx.out.send_plain(from, message);
            }
            _ => {}
        }
    }

    /// Checks a message against the rules, if there are rules, and handles, denies or keeps it.
    #[inline(never)]
    pub(super) fn screen(&mut self, from: &[u8], message: Incoming<F>) {
        match self
            .authorizer
            .judge(&mut self.cx, &self.replies.logs, from, &message)
        {
            Judgement::Pass => self.do_decoded(from, message),
            Judgement::Deny => self.deny(from, message),
            Judgement::Ask(question, patience) => {
                let waits = (question, patience);
                if let Err((message, over)) =
                    self.authorizer.keep(&mut self.cx, from, waits, message)
                {
                    match message {
                        Incoming::Request(request) => {
                            self.refuse(from, request.head, Code::QueueFull)
                        }
                        _ => self.deny_worker(from, &message),
                    }
                    self.over_limit(from, over);
                }
            }
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
    pub(super) fn question_due(&mut self, id: u64) {
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

    fn replay(&mut self, messages: Vec<PendingMessage<F>>) {
        for PendingMessage {
            from,
            message,
            account,
            charged,
        } in messages
        {
            self.cx.accounts.close(account, charged);
            if !self.authorizer.is_admitted(&from) {
                continue;
            }
            self.cx.speaker = self.authorizer.principal_of(&from);
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
                self.cx.refusals.workers += 1;
                self.deny_worker(from, &message);
            }
            Action::Call => {
                self.cx.refusals.requests += 1;
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
    pub(super) fn end_pending(&mut self) {
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

    /// Replaces the rules. Clients that the new rules do not admit are disconnected, and so are workers that they do
    /// not allow to serve their service.
    pub fn set_access(&mut self, now: Time, access: Arc<Access>) {
        self.cx.now = now;
        self.answers.clear();
        let surveys = std::mem::take(&mut self.answers.surveys);
        self.authorizer.set_rules(access);
        for pending in self.authorizer.questions.take_all() {
            self.cx.deadlines.cancel(pending.timer);
            // The new rules may decide without a question.
            self.replay(pending.messages);
        }
        // The new rules may show other services to the clients that ask. The tasks of these surveys end with their next
        // pieces.
        let asked = surveys.into_iter().flat_map(Survey::into_requests);
        for (from, user, request) in asked {
            if self.authorizer.is_admitted(&from) && self.authorizer.principal_of(&from) == user {
                self.cx.speaker = user;
                self.handle_decoded(&from, request);
                self.cx.speaker = None;
            }
        }
        for key in self.cx.workers.keys() {
            if let Some((worker, action, service)) = self.cx.worker_and_service(key)
                && !self.authorizer.still_serves(&worker, action, &service)
            {
                self.cx.send_worker(key, ToWorker::Disconnect);
                self.remove_worker(key, Departure::Denied);
            }
        }
        for key in self.cx.clients.keys() {
            let id = self.cx.clients.get(key).map(|client| client.id.clone());
            if id.is_some_and(|id| !self.authorizer.is_admitted(&id)) {
                self.dismiss_client(key);
            }
        }
    }

    fn dismiss_client(&mut self, key: ClientKey) {
        // As with a lost broker: under these rules the client cannot resume its requests.
        let requests = self
            .cx
            .clients
            .get(key)
            .map(|client| client.requests.iter());
        let requests: Vec<RequestKey> = requests.into_iter().flatten().collect();
        for request in requests {
            self.end(request, End::Failed(Code::BrokerLost));
        }
        if self.cx.clients.is_extended(key) {
            self.cx.send_client(key, ToClient::Disconnect);
        }
        self.drop_client(key);
    }
}

#[cfg(test)]
mod tests;
