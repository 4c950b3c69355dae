//! Who may do what: the rules, and the checks of every message against them.
//!
//! A broker with rules hears only peers whom the transport vouches for. What it says of a peer is a
//! [`Principal`], fixed by the handshake; nothing that a peer sends can change it. An identity
//! belongs to the principal whose connection it is: under another principal it is another peer.

use super::clients::ClientKey;
use super::workers::WorkerKey;
use super::{Broker, BrokerEvent, Departure, Outgoing, RoutingId, Timer, Transmit};
use crate::proto::Time;
use crate::proto::code::Code;
use crate::proto::deadlines::TimerKey;
use crate::wire::omdp::{ClientMessage, PeerMessage, ReplyKind, ToClient, ToWorker, WorkerMessage};
use crate::wire::{Body, Frame};
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

/// Between the parts of a principal in its text form. No part may contain it.
const SEPARATOR: char = '\u{1f}';

/// Who a peer is, as the handshake found out.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Principal {
    /// What it showed to be let in: a rule that is replaced takes along whom it let in.
    pub credential: String,
    /// The user.
    pub user: String,
    /// What the authenticator added, as JSON; empty if it added nothing.
    pub metadata: String,
}

impl Principal {
    /// The form that travels beside each message, inside of the process.
    pub fn to_text(&self) -> String {
        let Principal {
            credential,
            user,
            metadata,
        } = self;
        format!("{credential}{SEPARATOR}{user}{SEPARATOR}{metadata}")
    }

    /// Reads [`to_text`](Self::to_text).
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split(SEPARATOR).map(str::to_owned);
        let principal = Principal {
            credential: parts.next()?,
            user: parts.next()?,
            metadata: parts.next()?,
        };
        parts.next().is_none().then_some(principal)
    }

    /// What a worker of ours is told of the user: the name, and behind a NUL the metadata.
    fn to_frame<F: Frame>(&self) -> F {
        if self.metadata.is_empty() {
            return F::from(self.user.as_bytes());
        }
        F::from(format!("{}\0{}", self.user, self.metadata).into_bytes())
    }
}

/// A name, or with `*` in it any that fits: `*` stands for any bytes, none included.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern(Vec<Box<[u8]>>);

impl Pattern {
    /// A pattern out of its text.
    pub fn new(text: &str) -> Self {
        Pattern(text.split('*').map(|part| part.as_bytes().into()).collect())
    }

    /// Whether it fits.
    pub fn matches(&self, name: &[u8]) -> bool {
        let [first, middle @ .., last] = &self.0[..] else {
            return self.0.first().is_some_and(|only| **only == *name);
        };
        let Some(mut rest) = name.strip_prefix(&**first) else {
            return false;
        };
        for part in middle.iter().filter(|part| !part.is_empty()) {
            // The leftmost fit leaves most to the parts that follow.
            let at = rest
                .windows(part.len())
                .position(|window| *window == **part);
            let Some(at) = at else {
                return false;
            };
            rest = &rest[at + part.len()..];
        }
        rest.ends_with(last)
    }
}

/// What a peer wants to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Action {
    /// Register as a worker of a service.
    Serve,
    /// Make a request to a service.
    Call,
}

impl Action {
    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Action::Serve => "serve",
            Action::Call => "call",
        }
    }
}

/// The services that a user may serve and call.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Grant {
    /// As a worker.
    pub serve: Vec<Pattern>,
    /// As a client.
    pub call: Vec<Pattern>,
}

impl Grant {
    /// Everything.
    pub fn all() -> Self {
        Grant {
            serve: vec![Pattern::new("*")],
            call: vec![Pattern::new("*")],
        }
    }

    fn allows(&self, action: Action, service: &[u8]) -> bool {
        let patterns = match action {
            Action::Serve => &self.serve,
            Action::Call => &self.call,
        };
        patterns.iter().any(|pattern| pattern.matches(service))
    }
}

/// The rules of a broker.
#[derive(Debug, Clone, Default)]
pub struct Access {
    /// Which credentials are good.
    pub credentials: Credentials,
    /// What is granted, by user.
    pub users: HashMap<Box<str>, Grant>,
    /// What is granted to the users that are not listed.
    pub others: Grant,
    /// Whether what the rules don't grant may be granted by whoever answers
    /// [`BrokerEvent::Authorize`], and how long that may take.
    pub ask: Option<Duration>,
}

/// Which credentials are good.
#[derive(Debug, Clone, Default)]
pub struct Credentials {
    /// These.
    pub listed: HashSet<Box<str>>,
    /// And those that begin so: of peers that these very rules let in without a list.
    pub prefix: Option<Box<str>>,
}

impl Credentials {
    fn contains(&self, credential: &str) -> bool {
        let prefix = self.prefix.as_deref();
        prefix.is_some_and(|prefix| credential.starts_with(prefix))
            || self.listed.contains(credential)
    }
}

/// What the rules say.
enum Verdict {
    Yes,
    No,
    Ask(Duration),
}

impl Access {
    fn judge(&self, user: &str, action: Action, service: &[u8]) -> Verdict {
        let grant = self.users.get(user).unwrap_or(&self.others);
        match self.ask {
            _ if grant.allows(action, service) => Verdict::Yes,
            Some(patience) => Verdict::Ask(patience),
            None => Verdict::No,
        }
    }
}

/// How many answers are remembered, and how many questions and messages may wait for one.
const MAX_ANSWERS: usize = 4096;

/// A question about the rules.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Question {
    principal: Arc<Principal>,
    action: Action,
    service: Box<[u8]>,
}

/// What waits for an answer.
#[derive(Debug)]
struct Parked<F> {
    question: Question,
    /// In the order in which they came.
    messages: Vec<(RoutingId, PeerMessage<F>)>,
    timer: TimerKey,
}

/// What the broker knows of the peer behind an identity.
#[derive(Debug)]
struct Known {
    text: Box<str>,
    principal: Arc<Principal>,
    /// Whether the rules that hold now are those that let it in, or let it in too.
    admitted: bool,
    /// It was told to go, once: the handshake will tell it the rest.
    dismissed: bool,
}

/// How often peers wanted what they may not, since the broker was made.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Refusals {
    /// READY for a service that the user may not serve.
    pub workers: u64,
    /// Requests to a service that the user may not call.
    pub requests: u64,
    /// Messages about requests that the sender has no part in, and messages of peers that the
    /// rules do not let in any more.
    pub strays: u64,
}

impl std::ops::Add for Refusals {
    type Output = Refusals;

    fn add(self, other: Refusals) -> Refusals {
        Refusals {
            workers: self.workers + other.workers,
            requests: self.requests + other.requests,
            strays: self.strays + other.strays,
        }
    }
}

/// The rules, and whom they were applied to.
#[derive(Debug)]
pub(super) struct Guard<F> {
    /// `None`: everybody may do everything.
    access: Option<Arc<Access>>,
    known: HashMap<RoutingId, Known>,
    /// Who sent the message that is being handled.
    speaker: Option<Arc<Principal>>,
    answers: HashMap<Question, bool>,
    parked: HashMap<u64, Parked<F>>,
    asked: u64,
    pub(super) refusals: Refusals,
}

impl<F> Guard<F> {
    pub(super) fn new() -> Self {
        Guard {
            access: None,
            known: HashMap::new(),
            speaker: None,
            answers: HashMap::new(),
            parked: HashMap::new(),
            asked: 0,
            refusals: Refusals::default(),
        }
    }

    pub(super) fn is_on(&self) -> bool {
        self.access.is_some()
    }

    /// Every timer that a question has.
    #[cfg(test)]
    pub(super) fn timers(&self) -> impl Iterator<Item = TimerKey> {
        self.parked.values().map(|parked| parked.timer)
    }
}

impl<F: Frame> Broker<F> {
    /// Rules for all messages from now on. Peers that they would not let in are told to go, and
    /// workers that may not serve any more what they serve.
    pub fn set_access(&mut self, now: Time, access: Arc<Access>) {
        self.guard.answers.clear();
        for known in self.guard.known.values_mut() {
            known.admitted = access.credentials.contains(&known.principal.credential);
            known.dismissed &= !known.admitted;
        }
        self.guard.access = Some(access);
        for parked in std::mem::take(&mut self.guard.parked).into_values() {
            self.deadlines.cancel(parked.timer);
            // These rules may know without asking.
            self.replay(now, parked.messages);
        }
        for key in self.workers.keys() {
            if let Some((worker, service)) = self.worker_and_service(key)
                && !self.still_serves(&worker, &service)
            {
                self.send_worker(key, ToWorker::Disconnect);
                self.remove_worker(now, key, Departure::Denied);
            }
        }
        for key in self.clients.keys() {
            let id = self.clients.get(key).map(|client| client.id.clone());
            if id.is_some_and(|id| !self.is_admitted(&id)) {
                self.dismiss_client(now, key);
            }
        }
    }

    fn worker_and_service(&self, key: WorkerKey) -> Option<(RoutingId, Box<[u8]>)> {
        let worker = self.workers.get(key)?;
        Some((
            worker.id.clone(),
            (&*self.services.name(worker.service)).into(),
        ))
    }

    /// What was asked about once is asked again when it registers again.
    fn still_serves(&self, worker: &[u8], service: &[u8]) -> bool {
        let Some(known) = self.guard.known.get(worker).filter(|known| known.admitted) else {
            return false;
        };
        self.guard.access.as_ref().is_none_or(|access| {
            matches!(
                access.judge(&known.principal.user, Action::Serve, service),
                Verdict::Yes
            )
        })
    }

    fn is_admitted(&self, peer: &[u8]) -> bool {
        self.guard
            .known
            .get(peer)
            .is_some_and(|known| known.admitted)
    }

    fn dismiss_client(&mut self, now: Time, key: ClientKey) {
        if self.clients.is_ours(key) {
            self.send_client(key, ToClient::Disconnect);
        }
        self.drop_client(now, key);
    }

    /// As [`handle_message`](Self::handle_message), of a peer that the transport vouches for;
    /// `principal` is [`Principal::to_text`], or `None` if nobody vouches.
    pub fn handle_message_of(
        &mut self,
        now: Time,
        from: &[u8],
        principal: Option<&str>,
        frames: &mut Vec<F>,
    ) {
        if !self.guard.is_on() {
            return self.handle_message(now, from, frames);
        }
        let known = principal.and_then(|text| self.identify(now, from, text));
        let Some((principal, admitted)) = known else {
            // The transport lets nobody in whom it doesn't vouch for.
            self.guard.refusals.strays += 1;
            return frames.clear();
        };
        if !admitted {
            return self.dismiss(now, from, frames);
        }
        self.guard.speaker = Some(principal);
        self.handle_message(now, from, frames);
        self.guard.speaker = None;
    }

    fn identify(&mut self, now: Time, from: &[u8], text: &str) -> Option<(Arc<Principal>, bool)> {
        if let Some(known) = self.guard.known.get(from) {
            if *known.text == *text {
                return Some((known.principal.clone(), known.admitted));
            }
            // The transport gives an identity away only after its connection has ended: whatever
            // was held under it was somebody else's.
            self.handle_gone(now, from);
        }
        let principal = Arc::new(Principal::parse(text)?);
        let access = self.guard.access.as_ref()?;
        let admitted = access.credentials.contains(&principal.credential);
        let known = Known {
            text: text.into(),
            principal: principal.clone(),
            admitted,
            dismissed: false,
        };
        self.guard.known.insert(from.into(), known);
        Some((principal, admitted))
    }

    /// A peer that came in under rules that do not hold any more.
    fn dismiss(&mut self, now: Time, from: &[u8], frames: &mut Vec<F>) {
        self.guard.refusals.strays += 1;
        let Some(known) = self.guard.known.get_mut(from) else {
            return frames.clear();
        };
        let first = !std::mem::replace(&mut known.dismissed, true);
        match PeerMessage::decode(frames) {
            Ok(PeerMessage::Worker(_)) if first => self.refuse(from),
            Ok(PeerMessage::Client(ClientMessage::Hello { .. })) if first => {
                let key = self.clients.find(from);
                key.into_iter().for_each(|key| self.drop_client(now, key));
                self.transmits.push(Transmit {
                    to: from.into(),
                    message: Outgoing::Client(ToClient::Disconnect),
                });
            }
            _ => {}
        }
    }

    /// The connection of a peer ended: what is still to be sent must not reach the next one with
    /// its identity.
    pub(super) fn forget_principal(&mut self, peer: &[u8]) {
        if self.guard.known.remove(peer).is_none() {
            return;
        }
        self.transmits.retain(|transmit| *transmit.to != *peer);
        for parked in self.guard.parked.values_mut() {
            parked.messages.retain(|(from, _)| **from != *peer);
        }
    }

    /// Who made the requests of this client, for the worker that gets one.
    pub(super) fn user_frame(&self, client: &[u8]) -> Option<F> {
        let known = self.guard.known.get(client)?;
        Some(known.principal.to_frame())
    }

    /// Looks at what a peer wants before it is done: gives it back if it may be.
    pub(super) fn screen(
        &mut self,
        now: Time,
        from: &[u8],
        message: PeerMessage<F>,
    ) -> Option<PeerMessage<F>> {
        let (Some(access), Some(principal)) = (&self.guard.access, &self.guard.speaker) else {
            return Some(message);
        };
        let (action, service) = match &message {
            PeerMessage::Worker(WorkerMessage::Ready { service, .. }) => (Action::Serve, service),
            PeerMessage::Client(ClientMessage::Request { service, .. }) => (Action::Call, service),
            PeerMessage::Client(ClientMessage::Cancel { rid, .. })
                if !self.guard.parked.is_empty() =>
            {
                let rid = rid.clone();
                self.unpark(from, &rid);
                return Some(message);
            }
            PeerMessage::Client(ClientMessage::Disconnect)
            | PeerMessage::Worker(WorkerMessage::Disconnect) => {
                for parked in self.guard.parked.values_mut() {
                    parked.messages.retain(|(peer, _)| **peer != *from);
                }
                return Some(message);
            }
            _ => return Some(message),
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
        message: PeerMessage<F>,
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

    /// The client does not wait any more.
    fn unpark(&mut self, from: &[u8], rid: &[u8]) {
        for parked in self.guard.parked.values_mut() {
            parked.messages.retain(|(peer, message)| {
                let same = matches!(message, PeerMessage::Client(ClientMessage::Request { rid: own, .. }) if **own == *rid);
                !same || **peer != *from
            });
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
    pub(super) fn question_due(&mut self, now: Time, id: u64) {
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

    fn replay(&mut self, now: Time, messages: Vec<(RoutingId, PeerMessage<F>)>) {
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

    fn deny(&mut self, now: Time, from: &[u8], message: PeerMessage<F>) {
        let user = self.guard.speaker.as_ref();
        let user: Box<str> = user.map_or("", |principal| &principal.user).into();
        let action;
        let service: Box<[u8]> = match message {
            PeerMessage::Worker(WorkerMessage::Ready { service, .. }) => {
                action = Action::Serve;
                self.guard.refusals.workers += 1;
                match self.workers.find(from) {
                    Some(key) => {
                        self.send_worker(key, ToWorker::Disconnect);
                        self.remove_worker(now, key, Departure::Denied);
                    }
                    None => self.refuse(from),
                }
                (&*service).into()
            }
            PeerMessage::Client(ClientMessage::Request {
                service, rid, ext, ..
            }) => {
                action = Action::Call;
                self.guard.refusals.requests += 1;
                let known = self.clients.find(from);
                let extended = ext.is_some() || known.is_some_and(|key| self.clients.is_ours(key));
                self.transmits.push(Transmit {
                    to: from.into(),
                    message: Outgoing::Client(ToClient::Reply {
                        kind: ReplyKind::OwnError,
                        rid,
                        body: Body::json(F::from(Code::Denied.to_json())),
                        extended,
                    }),
                });
                (&*service).into()
            }
            _ => return,
        };
        self.events.push(BrokerEvent::Denied {
            peer: from.into(),
            user,
            action,
            service,
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns() {
        let fits = |pattern: &str, name: &str| Pattern::new(pattern).matches(name.as_bytes());
        for (pattern, name) in [
            ("a", "a"),
            ("*", ""),
            ("*", "anything"),
            ("a*", "a"),
            ("a*", "abc"),
            ("*c", "abc"),
            ("a*c", "ac"),
            ("a*b*c", "a-b-b-c"),
            ("**", "x"),
            ("*aab", "aaab"),
            ("a*ab*b", "aababb"),
        ] {
            assert!(fits(pattern, name), "{pattern} {name}");
        }
        for (pattern, name) in [
            ("a", "ab"),
            ("a", ""),
            ("a*", "b"),
            ("a*a", "a"),
            ("a*b*c", "a-c"),
            ("*c", "cd"),
            ("ab*bc", "abc"),
        ] {
            assert!(!fits(pattern, name), "{pattern} {name}");
        }
    }

    #[test]
    fn a_principal_survives_its_text() {
        let principal = Principal {
            credential: "curve:key".into(),
            user: "somebody else".into(),
            metadata: "{\"a\":1}".into(),
        };
        assert_eq!(Principal::parse(&principal.to_text()), Some(principal));
        assert_eq!(Principal::parse("only\u{1f}two"), None);
        assert_eq!(Principal::parse("a\u{1f}b\u{1f}c\u{1f}d"), None);
    }
}
