//! Access control: the rules of a broker, and the check of every message against them.
//!
//! A broker with rules accepts messages only of peers that the transport has authenticated. The handshake fixes the
//! [`Principal`] of a peer; no message can change it. An identity belongs to the principal of its connection: with
//! another principal the same identity is another peer.

mod judgement;
mod questions;
mod rules;

pub(super) use judgement::Judgement;
pub(super) use questions::{Pending, PendingMessage};
pub use rules::{Access, Credentials, Grant};

use super::action::Action;
use super::context::Context;
#[cfg(any(test, feature = "fuzz"))]
use super::keys::AccountKey;
use super::principal::Principal;
use super::{Incoming, RoutingId};
#[cfg(any(test, feature = "fuzz"))]
use crate::proto::deadlines::TimerKey;
use crate::wire::Frame;
use questions::{Question, Questions};
use rules::Verdict;
use std::collections::HashMap;
use std::sync::Arc;

/// Waiting messages that are looked at in one unit of work.
const LOOKS: usize = 64;

/// The authenticated peer behind an identity.
#[derive(Debug)]
struct Peer {
    text: Box<str>,
    principal: Arc<Principal>,
    /// Whether the current rules contain the credential of the peer.
    admitted: bool,
    /// Whether the peer was sent a DISCONNECT. It is sent once; a later handshake fails anyway.
    dismissed: bool,
}

/// The rules, and the state of their application to peers.
#[derive(Debug)]
pub(super) struct Authorizer<F> {
    /// `None`: everything is allowed to every peer.
    access: Option<Arc<Access>>,
    known: HashMap<RoutingId, Peer>,
    pub(super) questions: Questions<F>,
}

/// What is known of the peer behind an identity.
pub(super) enum Known {
    Nobody,
    /// It has this principal, and whether the rules admit it.
    Same(Arc<Principal>, bool),
    /// It has another principal.
    Other,
}

impl<F: Frame> Authorizer<F> {
    pub(super) fn new() -> Self {
        Authorizer {
            access: None,
            known: HashMap::new(),
            questions: Questions::new(),
        }
    }

    pub(super) fn is_on(&self) -> bool {
        self.access.is_some()
    }

    /// Replaces the rules. Remembered answers do not count any more.
    pub(super) fn set_rules(&mut self, access: Arc<Access>) {
        self.questions.forget_answers();
        for known in self.known.values_mut() {
            known.admitted = access.admits(&known.principal);
            known.dismissed &= !known.admitted;
        }
        self.access = Some(access);
    }

    /// Compares the peer behind an identity with the text of a principal.
    pub(super) fn find(&self, peer: &[u8], text: &str) -> Known {
        match self.known.get(peer) {
            None => Known::Nobody,
            Some(known) if *known.text == *text => {
                Known::Same(known.principal.clone(), known.admitted)
            }
            Some(_) => Known::Other,
        }
    }

    /// Adds a peer with this principal. Returns it, and whether the rules admit it.
    pub(super) fn add(&mut self, peer: &[u8], text: &str) -> Option<(Arc<Principal>, bool)> {
        let principal = Arc::new(Principal::parse(text)?);
        let admitted = self.access.as_ref()?.admits(&principal);
        let known = Peer {
            text: text.into(),
            principal: principal.clone(),
            admitted,
            dismissed: false,
        };
        self.known.insert(peer.into(), known);
        Some((principal, admitted))
    }

    /// Notes that a peer is sent away. Returns false if it was already, or is not known.
    pub(super) fn dismiss(&mut self, peer: &[u8]) -> bool {
        let known = self.known.get_mut(peer);
        known.is_some_and(|known| !std::mem::replace(&mut known.dismissed, true))
    }

    /// The sender of a message, unless it may see everything. The right to call `mmi.metrics` implies that.
    pub(super) fn viewer(&self, speaker: Option<&Arc<Principal>>) -> Option<Arc<Principal>> {
        let speaker = speaker?;
        let sees_all = self.may(speaker, Action::Call, b"mmi.metrics");
        (!sees_all).then(|| speaker.clone())
    }

    /// Whether the principal may call or serve this service, as far as the rules and remembered answers tell.
    pub(super) fn sees(&self, viewer: &Arc<Principal>, service: &[u8]) -> bool {
        self.may(viewer, Action::Call, service) || self.may(viewer, Action::Serve, service)
    }

    fn may(&self, principal: &Arc<Principal>, action: Action, service: &[u8]) -> bool {
        let Some(access) = &self.access else {
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
                self.questions.answer(&question) == Some(true)
            }
        }
    }

    /// Whether the sender of a message may call this service, as far as the rules and remembered answers tell.
    pub(super) fn may_call(&self, speaker: Option<&Arc<Principal>>, service: &[u8]) -> bool {
        speaker.is_none_or(|speaker| self.may(speaker, Action::Call, service))
    }

    /// Whether the rules allow a worker to go on serving. An earlier answer of the authorizer does not count: the
    /// worker registers again, which asks again.
    pub(super) fn still_serves(&self, worker: &[u8], action: Action, service: &[u8]) -> bool {
        let Some(known) = self.known.get(worker).filter(|known| known.admitted) else {
            return false;
        };
        self.access.as_ref().is_none_or(|access| {
            matches!(
                access.judge(&known.principal.user, action, service),
                Verdict::Yes
            )
        })
    }

    /// Whether the peer is of this principal; without rules all are.
    pub(super) fn has_principal(&self, peer: &[u8], principal: Option<&str>) -> bool {
        let known = self.known.get(peer);
        let text = known.map(|known| &*known.text);
        !self.is_on() || text == principal
    }

    /// Handles that a peer has another name.
    pub(super) fn move_principal(&mut self, from: &[u8], to: &RoutingId) {
        if let Some(known) = self.known.remove(from) {
            self.known.insert(to.clone(), known);
        }
    }

    pub(super) fn is_admitted(&self, peer: &[u8]) -> bool {
        self.known.get(peer).is_some_and(|known| known.admitted)
    }

    /// The principal of a peer. An unknown peer has none.
    pub(super) fn principal_of(&self, peer: &[u8]) -> Option<Arc<Principal>> {
        let known = self.known.get(peer)?;
        Some(known.principal.clone())
    }

    /// The frame that tells a worker the user of this client.
    pub(super) fn user_frame(&self, client: &[u8]) -> Option<F> {
        let known = self.known.get(client)?;
        Some(known.principal.to_frame())
    }

    /// Discards what still waits to be sent to a peer whose connection has ended: it must not reach the next peer
    /// with the same identity.
    pub(super) fn withhold(&mut self, cx: &mut Context<F>, peer: &[u8]) {
        if !self.known.contains_key(peer) {
            return;
        }
        cx.out.withhold(peer);
        let (messages, _) = self.questions.withdraw(peer, |_| true);
        for message in messages {
            cx.accounts.close(message.account, message.charged);
        }
    }

    /// Forgets the principal of an identity under which nothing is held any more.
    pub(super) fn forget(&mut self, cx: &mut Context<F>, peer: &[u8]) {
        self.withhold(cx, peer);
        self.known.remove(peer);
    }

    /// Drops the waiting messages of a peer that cancels or leaves.
    fn withdraw(&mut self, cx: &mut Context<F>, from: &[u8], message: &Incoming<F>) {
        if self.questions.is_empty() || !(message.is_goodbye() || message.cancels().is_some()) {
            return;
        }
        let ends = |waiting: &PendingMessage<F>| {
            let cancelled = message.cancels();
            cancelled.is_none_or(|rid| waiting.message.is_request(rid))
        };
        let (messages, looked_at) = self.questions.withdraw(from, ends);
        cx.count_work(looked_at / LOOKS);
        for message in messages {
            cx.accounts.close(message.account, message.charged);
        }
    }

    /// Whether a message of this peer waits for an answer.
    pub(super) fn keeps_message_of(&self, peer: &[u8]) -> bool {
        self.questions.keeps_message_of(peer)
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
