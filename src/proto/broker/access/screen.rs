//! What a peer wants is looked at before it is done; what the rules don't know is asked about, and
//! waits for the answer.

use super::rules::Verdict;
use super::{Action, MAX_ANSWERS, Parked, Question};
use crate::proto::Time;
use crate::proto::broker::{
    Broker, BrokerEvent, Departure, Incoming, Outgoing, RoutingId, Timer, Transmit,
};
use crate::proto::code::Code;
use crate::wire::omdp::{ClientMessage, PeerMessage, ReplyKind, ToClient, ToWorker};
use crate::wire::{Body, Frame, mdp};
use std::time::Duration;

impl<F: Frame> Broker<F> {
    /// Looks at what a peer wants before it is done: gives it back if it may be.
    pub(in crate::proto::broker) fn screen(
        &mut self,
        now: Time,
        from: &[u8],
        message: Incoming<F>,
    ) -> Option<Incoming<F>> {
        let (Some(access), Some(principal)) = (&self.guard.access, &self.guard.speaker) else {
            return Some(message);
        };
        let Some((action, service)) = message.wants() else {
            self.unpark(from, &message);
            return Some(message);
        };
        match access.judge(&principal.user, action, service) {
            Verdict::Yes => return Some(message),
            Verdict::No => self.deny(now, from, message),
            Verdict::Ask(patience) => {
                let question = Question {
                    principal: principal.clone(),
                    action,
                    service: (&**service).into(),
                };
                match self.guard.answers.get(&question) {
                    Some(true) => return Some(message),
                    Some(false) => self.deny(now, from, message),
                    None => self.park(now, from, question, message, patience),
                }
            }
        }
        None
    }

    fn park(
        &mut self,
        now: Time,
        from: &[u8],
        question: Question,
        message: Incoming<F>,
        patience: Duration,
    ) {
        let parked = &mut self.guard.parked;
        let waiting: usize = parked.values().map(|parked| parked.messages.len()).sum();
        if waiting >= MAX_ANSWERS {
            return self.deny(now, from, message);
        }
        let same = parked
            .values_mut()
            .find(|parked| parked.question == question);
        if let Some(same) = same {
            return same.messages.push((from.into(), message));
        }
        self.guard.asked += 1;
        let id = self.guard.asked;
        self.events.push(BrokerEvent::Authorize {
            id,
            user: question.principal.user.as_str().into(),
            metadata: question.principal.metadata.as_str().into(),
            action: question.action,
            service: question.service.clone(),
        });
        let timer = self.deadlines.set(now + patience, Timer::Question(id));
        let messages = vec![(from.into(), message)];
        self.guard.parked.insert(
            id,
            Parked {
                question,
                messages,
                timer,
            },
        );
    }

    /// A peer that gives up does not wait for an answer any more.
    fn unpark(&mut self, from: &[u8], message: &Incoming<F>) {
        if self.guard.parked.is_empty() || !(message.is_goodbye() || message.cancels().is_some()) {
            return;
        }
        let ends = |(peer, waiting): &(RoutingId, Incoming<F>)| {
            let named = message.cancels().is_none_or(|rid| waiting.is_request(rid));
            **peer == *from && named
        };
        for parked in self.guard.parked.values_mut() {
            parked.messages.retain(|waiting| !ends(waiting));
        }
    }

    /// Answers a [`BrokerEvent::Authorize`]. The answer holds for all messages like it until the
    /// rules change.
    pub fn authorize(&mut self, now: Time, id: u64, allowed: bool) {
        let Some(parked) = self.guard.parked.remove(&id) else {
            return;
        };
        self.deadlines.cancel(parked.timer);
        self.answer(now, parked, allowed, true);
    }

    /// Nobody answered in time, which is a no for those who waited.
    pub(in crate::proto::broker) fn question_due(&mut self, now: Time, id: u64) {
        if let Some(parked) = self.guard.parked.remove(&id) {
            self.answer(now, parked, false, false);
        }
    }

    fn answer(&mut self, now: Time, parked: Parked<F>, allowed: bool, remember: bool) {
        if self.guard.answers.len() >= MAX_ANSWERS {
            self.guard.answers.clear();
        }
        let question = parked.question;
        self.guard.answers.insert(question.clone(), allowed);
        self.replay(now, parked.messages);
        if !remember {
            self.guard.answers.remove(&question);
        }
    }

    pub(super) fn replay(&mut self, now: Time, messages: Vec<(RoutingId, Incoming<F>)>) {
        for (from, message) in messages {
            let known = self.guard.known.get(&from);
            let Some(known) = known.filter(|known| known.admitted) else {
                continue;
            };
            self.guard.speaker = Some(known.principal.clone());
            self.handle_decoded(now, &from, message);
            self.guard.speaker = None;
        }
    }

    fn deny(&mut self, now: Time, from: &[u8], message: Incoming<F>) {
        let Some((action, service)) = message.wants() else {
            return;
        };
        let user = self.guard.speaker.as_ref();
        self.events.push(BrokerEvent::Denied {
            peer: from.into(),
            user: user.map_or("", |principal| &principal.user).into(),
            action,
            service: (&**service).into(),
        });
        match action {
            Action::Serve => {
                self.guard.refusals.workers += 1;
                self.deny_worker(now, from, &message);
            }
            Action::Call => {
                self.guard.refusals.requests += 1;
                self.counters.count(Code::Denied);
                self.end_unheard(from, message, Code::Denied);
            }
        }
    }

    fn deny_worker(&mut self, now: Time, from: &[u8], message: &Incoming<F>) {
        if let Some(key) = self.workers.find(from) {
            self.send_worker(key, ToWorker::Disconnect);
            return self.remove_worker(now, key, Departure::Denied);
        }
        match *message {
            Incoming::Omdp(_) => self.refuse(from),
            Incoming::Mdp(dialect, _) => self.disconnect(from, dialect),
        }
    }

    /// The broker stops: requests that wait for an answer end like those that wait for a worker.
    pub(in crate::proto::broker) fn end_parked(&mut self) {
        for parked in std::mem::take(&mut self.guard.parked).into_values() {
            self.deadlines.cancel(parked.timer);
            for (from, message) in parked.messages {
                self.end_unheard(&from, message, Code::BrokerLost);
            }
        }
    }

    fn end_unheard(&mut self, from: &[u8], message: Incoming<F>, code: Code) {
        let body = Body::json(F::from(code.to_json()));
        let kind = ReplyKind::OwnError;
        let message = match message {
            Incoming::Omdp(PeerMessage::Client(ClientMessage::Resume { rid, .. })) => {
                Outgoing::Client(ToClient::Reply {
                    kind,
                    rid,
                    body,
                    extended: true,
                })
            }
            Incoming::Omdp(PeerMessage::Client(ClientMessage::Request { rid, ext, .. })) => {
                let known = self.clients.find(from);
                Outgoing::Client(ToClient::Reply {
                    kind,
                    rid,
                    body,
                    extended: ext.is_some() || known.is_some_and(|key| self.clients.is_ours(key)),
                })
            }
            Incoming::Mdp(dialect, mdp::PeerMessage::Client(request)) => {
                let reply = mdp::ClientReply {
                    last: true,
                    service: Some(request.service),
                    body: mdp::reply_frames(kind, body),
                };
                Outgoing::MdpClient(dialect, reply)
            }
            _ => return,
        };
        self.transmits.push(Transmit::plain(from.into(), message));
    }
}
