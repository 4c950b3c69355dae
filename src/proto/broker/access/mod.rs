//! Who may do what: the rules, and the checks of every message against them.
//!
//! A broker with rules hears only peers whom the transport vouches for. What it says of a peer is a
//! [`Principal`], fixed by the handshake; nothing that a peer sends can change it. An identity
//! belongs to the principal whose connection it is: under another principal it is another peer.

mod principal;
mod rules;
mod screen;

pub use principal::Principal;
pub use rules::{Access, Action, Credentials, Grant, Pattern};

use super::ends::End;
use super::keys::{AccountKey, ClientKey, RequestKey, WorkerKey};
use super::{Broker, Departure, Incoming, Outgoing, RoutingId, Transmit};
use crate::proto::Time;
use crate::proto::code::Code;
use crate::proto::deadlines::TimerKey;
use crate::wire::omdp::{ClientMessage, ToClient, ToWorker};
use crate::wire::pigato::PeerMessage;
use crate::wire::{Dialect, Frame};
use rules::Verdict;
use std::collections::HashMap;
use std::sync::Arc;

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
struct Pending<F> {
    question: Question,
    /// In the order in which they came.
    messages: Vec<PendingMessage<F>>,
    timer: TimerKey,
}

/// A message that waits for an authorization.
#[derive(Debug)]
struct PendingMessage<F> {
    from: RoutingId,
    message: Incoming<F>,
    account: AccountKey,
    /// What the account was charged.
    charged: usize,
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
pub(super) struct Authorizer<F> {
    /// `None`: everybody may do everything.
    access: Option<Arc<Access>>,
    known: HashMap<RoutingId, Known>,
    /// Who sent the message that is being handled.
    speaker: Option<Arc<Principal>>,
    answers: HashMap<Question, bool>,
    pending: HashMap<u64, Pending<F>>,
    /// How many messages are pending.
    waiting: usize,
    asked: u64,
    pub(super) refusals: Refusals,
}

impl<F> Authorizer<F> {
    pub(super) fn new() -> Self {
        Authorizer {
            access: None,
            known: HashMap::new(),
            speaker: None,
            answers: HashMap::new(),
            pending: HashMap::new(),
            waiting: 0,
            asked: 0,
            refusals: Refusals::default(),
        }
    }

    /// The user whose message is being handled.
    pub(super) fn user(&self) -> Option<&str> {
        Some(&self.speaker.as_ref()?.user)
    }

    pub(super) fn is_on(&self) -> bool {
        self.access.is_some()
    }

    /// How many questions wait for an answer.
    pub(super) fn questions(&self) -> usize {
        self.pending.len()
    }

    /// Of how many peers it is known who they are.
    pub(super) fn principals(&self) -> usize {
        self.known.len()
    }

    /// What the accounts of peers were charged for messages.
    #[cfg(any(test, feature = "fuzz"))]
    pub(super) fn charges(&self) -> impl Iterator<Item = (AccountKey, usize)> {
        let messages = self.pending.values().flat_map(|pending| &pending.messages);
        messages.map(|message| (message.account, message.charged))
    }

    /// Every timer that a question has.
    #[cfg(any(test, feature = "fuzz"))]
    pub(super) fn timers(&self) -> impl Iterator<Item = TimerKey> {
        self.pending.values().map(|pending| pending.timer)
    }
}

impl<F: Frame> Broker<F> {
    /// Rules for all messages from now on. Peers that they would not let in are told to go, and
    /// workers that may not serve any more what they serve.
    pub fn set_access(&mut self, now: Time, access: Arc<Access>) {
        self.authorizer.answers.clear();
        self.forget_answers();
        for known in self.authorizer.known.values_mut() {
            known.admitted = access.credentials.contains(&known.principal.credential);
            known.dismissed &= !known.admitted;
        }
        self.authorizer.access = Some(access);
        for pending in std::mem::take(&mut self.authorizer.pending).into_values() {
            self.deadlines.cancel(pending.timer);
            // These rules may know without asking.
            self.replay(now, pending.messages);
        }
        for key in self.workers.keys() {
            if let Some((worker, action, service)) = self.worker_and_service(key)
                && !self.still_serves(&worker, action, &service)
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

    fn worker_and_service(&self, key: WorkerKey) -> Option<(RoutingId, Action, Box<[u8]>)> {
        let worker = self.workers.get(key)?;
        let action = match self.services.is_pattern(worker.service) {
            true => Action::ServePattern,
            false => Action::Serve,
        };
        Some((
            worker.id.clone(),
            action,
            (&*self.services.name(worker.service)).into(),
        ))
    }

    /// The peer whose message is handled, if it does not see everything. Whoever may have all numbers by
    /// `mmi.metrics` does.
    pub(super) fn viewer(&self) -> Option<Arc<Principal>> {
        let speaker = self.authorizer.speaker.as_ref()?;
        let sees_all = self.may(speaker, Action::Call, b"mmi.metrics");
        (!sees_all).then(|| speaker.clone())
    }

    /// Whether the principal may use this service, as far as is known.
    pub(super) fn sees(&self, viewer: &Arc<Principal>, service: &[u8]) -> bool {
        self.may(viewer, Action::Call, service) || self.may(viewer, Action::Serve, service)
    }

    fn may(&self, principal: &Arc<Principal>, action: Action, service: &[u8]) -> bool {
        let Some(access) = &self.authorizer.access else {
            return true;
        };
        match access.judge(&principal.user, action, service) {
            Verdict::Yes => true,
            Verdict::No => false,
            Verdict::Ask(_) => {
                let question = Question {
                    principal: principal.clone(),
                    action,
                    service: service.into(),
                };
                self.authorizer.answers.get(&question) == Some(&true)
            }
        }
    }

    /// Whether the peer whose message is handled may call this service, for all that is known without asking.
    pub(super) fn may_call(&self, service: &[u8]) -> bool {
        let speaker = self.authorizer.speaker.as_ref();
        speaker.is_none_or(|speaker| self.may(speaker, Action::Call, service))
    }

    pub(super) fn has_rules(&self) -> bool {
        self.authorizer.is_on()
    }

    /// What was asked about once is asked again when it registers again.
    fn still_serves(&self, worker: &[u8], action: Action, service: &[u8]) -> bool {
        let Some(known) = self
            .authorizer
            .known
            .get(worker)
            .filter(|known| known.admitted)
        else {
            return false;
        };
        self.authorizer.access.as_ref().is_none_or(|access| {
            matches!(
                access.judge(&known.principal.user, action, service),
                Verdict::Yes
            )
        })
    }

    fn is_admitted(&self, peer: &[u8]) -> bool {
        self.authorizer
            .known
            .get(peer)
            .is_some_and(|known| known.admitted)
    }

    fn dismiss_client(&mut self, now: Time, key: ClientKey) {
        // No broker of these rules has them for it.
        let requests = self
            .clients
            .get(key)
            .map(|client| client.requests.iter().copied());
        let requests: Vec<RequestKey> = requests.into_iter().flatten().collect();
        for request in requests {
            self.end(now, request, End::Failed(Code::BrokerLost));
        }
        if self.clients.is_extended(key) {
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
        if !self.authorizer.is_on() {
            return self.handle_message(now, from, frames);
        }
        let known = principal.and_then(|text| self.identify(now, from, text));
        let Some((principal, admitted)) = known else {
            // The transport lets nobody in whom it doesn't vouch for.
            self.authorizer.refusals.strays += 1;
            return frames.clear();
        };
        if !admitted {
            return self.dismiss_stranger(now, from, frames);
        }
        self.authorizer.speaker = Some(principal);
        self.handle_message(now, from, frames);
        self.authorizer.speaker = None;
    }

    /// What is done from now on is done for the user of this peer, although no message of it is handled; for
    /// nobody, if it is not known.
    pub(super) fn speak_for(&mut self, peer: &[u8]) {
        let known = self.authorizer.known.get(peer);
        self.authorizer.speaker = known.map(|known| known.principal.clone());
    }

    fn identify(&mut self, now: Time, from: &[u8], text: &str) -> Option<(Arc<Principal>, bool)> {
        if let Some(known) = self.authorizer.known.get(from) {
            if *known.text == *text {
                return Some((known.principal.clone(), known.admitted));
            }
            // The transport gives an identity away only after its connection has ended: whatever
            // was held under it was somebody else's.
            self.remove_peer(now, from);
        }
        let principal = Arc::new(Principal::parse(text)?);
        let access = self.authorizer.access.as_ref()?;
        let admitted = access.credentials.contains(&principal.credential);
        let known = Known {
            text: text.into(),
            principal: principal.clone(),
            admitted,
            dismissed: false,
        };
        self.authorizer.known.insert(from.into(), known);
        Some((principal, admitted))
    }

    /// A peer that came in under rules that do not hold any more.
    fn dismiss_stranger(&mut self, now: Time, from: &[u8], frames: &mut Vec<F>) {
        self.authorizer.refusals.strays += 1;
        let Some(known) = self.authorizer.known.get_mut(from) else {
            return frames.clear();
        };
        let first = !std::mem::replace(&mut known.dismissed, true);
        let message = Incoming::decode(Dialect::detect(frames), frames);
        match message {
            Ok(Incoming::Worker(_) | Incoming::Pigato(PeerMessage::Worker(_))) if first => {
                self.send_away(from)
            }
            Ok(Incoming::MdpWorker(dialect, _)) if first => self.disconnect(from, dialect),
            Ok(Incoming::Client(ClientMessage::Hello { .. })) if first => {
                let key = self.clients.find(from);
                key.into_iter().for_each(|key| self.drop_client(now, key));
                self.transmits.push(Transmit::plain(
                    from.into(),
                    Outgoing::Client(ToClient::Disconnect),
                ));
            }
            _ => {}
        }
    }

    /// The connection of a peer ended: what is still to be sent must not reach the next one with
    /// its identity.
    pub(super) fn withhold(&mut self, peer: &[u8]) {
        if !self.authorizer.known.contains_key(peer) {
            return;
        }
        self.transmits.retain(|transmit| *transmit.to != *peer);
        for pending in self.authorizer.pending.values_mut() {
            for message in pending
                .messages
                .extract_if(.., |message| *message.from == *peer)
            {
                self.authorizer.waiting -= 1;
                self.accounts.close(message.account, message.charged);
            }
        }
    }

    /// Nothing is held under this identity any more.
    pub(super) fn forget_principal(&mut self, peer: &[u8]) {
        self.withhold(peer);
        self.authorizer.known.remove(peer);
    }

    /// Who made the requests of this client, for the worker that gets one.
    pub(super) fn user_frame(&self, client: &[u8]) -> Option<F> {
        let known = self.authorizer.known.get(client)?;
        Some(known.principal.to_frame())
    }
}
