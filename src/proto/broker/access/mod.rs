//! Access control: the rules of a broker, and the check of every message against them.
//!
//! A broker with rules accepts messages only of peers that the transport has authenticated. The handshake fixes the
//! [`Principal`] of a peer; no message can change it. An identity belongs to the principal of its connection: with
//! another principal the same identity is another peer.

mod principal;
mod questions;
mod rules;
mod screen;

pub use principal::Principal;
pub use rules::{Access, Credentials, Grant, Pattern};

use super::action::Action;
use super::ends::End;
#[cfg(any(test, feature = "fuzz"))]
use super::keys::AccountKey;
use super::keys::{ClientKey, RequestKey, WorkerKey};
use super::{Broker, Departure, Incoming, Outgoing, RoutingId, Transmit};
use crate::proto::Time;
use crate::proto::code::Code;
#[cfg(any(test, feature = "fuzz"))]
use crate::proto::deadlines::TimerKey;
use crate::wire::omdp::{ClientMessage, ToClient, ToWorker};
use crate::wire::pigato::PeerMessage;
use crate::wire::{Dialect, Frame};
use questions::{Question, Questions};
use rules::Verdict;
use std::collections::HashMap;
use std::sync::Arc;

/// The authenticated peer behind an identity.
#[derive(Debug)]
struct Known {
    text: Box<str>,
    principal: Arc<Principal>,
    /// Whether the current rules contain the credential of the peer.
    admitted: bool,
    /// Whether the peer was sent a DISCONNECT. It is sent once; a later handshake fails anyway.
    dismissed: bool,
}

/// Numbers of refusals by the access rules since the broker was created.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Refusals {
    /// READYs for a service that the user may not serve.
    pub workers: u64,
    /// Requests to a service that the user may not call.
    pub requests: u64,
    /// Messages about requests of other peers, and messages of peers that the current rules do not admit.
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

/// The rules, and the state of their application to peers.
#[derive(Debug)]
pub(super) struct Authorizer<F> {
    /// `None`: everything is allowed to every peer.
    access: Option<Arc<Access>>,
    known: HashMap<RoutingId, Known>,
    /// The sender of the message that is being handled.
    speaker: Option<Arc<Principal>>,
    questions: Questions<F>,
    pub(super) refusals: Refusals,
}

impl<F> Authorizer<F> {
    pub(super) fn new() -> Self {
        Authorizer {
            access: None,
            known: HashMap::new(),
            speaker: None,
            questions: Questions::new(),
            refusals: Refusals::default(),
        }
    }

    /// The user who sent the message that is being handled.
    pub(super) fn user(&self) -> Option<&str> {
        Some(&self.speaker.as_ref()?.user)
    }

    pub(super) fn is_on(&self) -> bool {
        self.access.is_some()
    }

    /// Number of questions that wait for an answer.
    pub(super) fn questions(&self) -> usize {
        self.questions.len()
    }

    /// Number of identities with a known principal.
    pub(super) fn principals(&self) -> usize {
        self.known.len()
    }

    /// Bytes that accounts were charged for waiting messages.
    #[cfg(any(test, feature = "fuzz"))]
    pub(super) fn charges(&self) -> impl Iterator<Item = (AccountKey, usize)> {
        let messages = self.questions.iter().flat_map(|pending| &pending.messages);
        messages.map(|message| (message.account, message.charged))
    }

    /// The timers of all questions.
    #[cfg(any(test, feature = "fuzz"))]
    pub(super) fn timers(&self) -> impl Iterator<Item = TimerKey> {
        self.questions.iter().map(|pending| pending.timer)
    }
}

impl<F: Frame> Broker<F> {
    /// Replaces the rules. Clients that the new rules do not admit are disconnected, and so are workers that they do
    /// not allow to serve their service.
    pub fn set_access(&mut self, now: Time, access: Arc<Access>) {
        self.authorizer.questions.forget_answers();
        self.answers.clear();
        for known in self.authorizer.known.values_mut() {
            known.admitted = access.admits(&known.principal);
            known.dismissed &= !known.admitted;
        }
        self.authorizer.access = Some(access);
        for pending in self.authorizer.questions.take_all() {
            self.deadlines.cancel(pending.timer);
            // The new rules may decide without a question.
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

    /// The sender of the message that is being handled, unless it may see everything. The right to call `mmi.metrics`
    /// implies that.
    pub(super) fn viewer(&self) -> Option<Arc<Principal>> {
        let speaker = self.authorizer.speaker.as_ref()?;
        let sees_all = self.may(speaker, Action::Call, b"mmi.metrics");
        (!sees_all).then(|| speaker.clone())
    }

    /// Whether the principal may call or serve this service, as far as the rules and remembered answers tell.
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
                self.authorizer.questions.answer(&question) == Some(true)
            }
        }
    }

    /// Whether the sender of the message that is being handled may call this service, as far as the rules and
    /// remembered answers tell.
    pub(super) fn may_call(&self, service: &[u8]) -> bool {
        let speaker = self.authorizer.speaker.as_ref();
        speaker.is_none_or(|speaker| self.may(speaker, Action::Call, service))
    }

    pub(super) fn has_rules(&self) -> bool {
        self.authorizer.is_on()
    }

    /// Whether the rules allow a worker to go on serving. An earlier answer of the authorizer does not count: the
    /// worker registers again, which asks again.
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

    /// Whether the peer is of this principal; without rules all are.
    pub(super) fn has_principal(&self, peer: &[u8], principal: Option<&str>) -> bool {
        let known = self.authorizer.known.get(peer);
        let text = known.map(|known| &*known.text);
        !self.authorizer.is_on() || text == principal
    }

    /// Handles that a peer has another name.
    pub(super) fn move_principal(&mut self, from: &[u8], to: &RoutingId) {
        if let Some(known) = self.authorizer.known.remove(from) {
            self.authorizer.known.insert(to.clone(), known);
        }
    }

    fn is_admitted(&self, peer: &[u8]) -> bool {
        self.authorizer
            .known
            .get(peer)
            .is_some_and(|known| known.admitted)
    }

    fn dismiss_client(&mut self, now: Time, key: ClientKey) {
        // As with a lost broker: under these rules the client cannot resume its requests.
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

    /// As [`handle_message`](Self::handle_message), with the principal of an authenticated peer. `principal` is the
    /// form of [`Principal::to_text`], or `None` for a peer that is not authenticated.
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
            // The transport admits only authenticated peers.
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

    /// Makes the user of this peer the current one, without a message of the peer. An unknown peer has no user.
    pub(super) fn speak_for(&mut self, peer: &[u8]) {
        let known = self.authorizer.known.get(peer);
        self.authorizer.speaker = known.map(|known| known.principal.clone());
    }

    fn identify(&mut self, now: Time, from: &[u8], text: &str) -> Option<(Arc<Principal>, bool)> {
        if let Some(known) = self.authorizer.known.get(from) {
            if *known.text == *text {
                return Some((known.principal.clone(), known.admitted));
            }
            // The transport reassigns an identity only after its connection has ended, so everything held under it
            // belonged to another peer.
            self.remove_peer(now, from);
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
                self.out.send(Transmit::plain(
                    from.into(),
                    Outgoing::Client(ToClient::Disconnect),
                ));
            }
            _ => {}
        }
    }

    /// Discards what still waits to be sent to a peer whose connection has ended: it must not reach the next peer
    /// with the same identity.
    pub(super) fn withhold(&mut self, peer: &[u8]) {
        if !self.authorizer.known.contains_key(peer) {
            return;
        }
        self.out.withhold(peer);
        let questions = &mut self.authorizer.questions;
        for message in questions.withdraw(|message| *message.from == *peer) {
            self.accounts.close(message.account, message.charged);
        }
    }

    /// Forgets the principal of an identity under which nothing is held any more.
    pub(super) fn forget_principal(&mut self, peer: &[u8]) {
        self.withhold(peer);
        self.authorizer.known.remove(peer);
    }

    /// The frame that tells a worker the user of this client.
    pub(super) fn user_frame(&self, client: &[u8]) -> Option<F> {
        let known = self.authorizer.known.get(client)?;
        Some(known.principal.to_frame())
    }
}
