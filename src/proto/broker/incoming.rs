//! What peers say, whatever they speak.

use super::access::Action;
use crate::wire::omdp::{self, ClientMessage, WorkerMessage};
use crate::wire::{Dialect, Frame, Malformed, mdp};

/// A message to the broker.
#[derive(Debug)]
pub(super) enum Incoming<F> {
    Omdp(omdp::PeerMessage<F>),
    Mdp(mdp::Dialect, mdp::PeerMessage<F>),
}

impl<F: Frame> Incoming<F> {
    /// Leaves `frames` empty. What is of no dialect is no message of ours either.
    pub(super) fn decode(dialect: Option<Dialect>, frames: &mut Vec<F>) -> Result<Self, Malformed> {
        match dialect {
            Some(Dialect::Mdp(dialect)) => mdp::PeerMessage::decode(dialect, frames)
                .map(|message| Incoming::Mdp(dialect, message)),
            _ => omdp::PeerMessage::decode(frames).map(Incoming::Omdp),
        }
    }

    /// What the rules have a say in, and the service that it is about.
    pub(super) fn wants(&self) -> Option<(Action, &F)> {
        match self {
            Incoming::Omdp(omdp::PeerMessage::Worker(WorkerMessage::Ready { service, .. }))
            | Incoming::Mdp(_, mdp::PeerMessage::Worker(mdp::WorkerMessage::Ready { service })) => {
                Some((Action::Serve, service))
            }
            Incoming::Omdp(omdp::PeerMessage::Client(
                ClientMessage::Request { service, .. } | ClientMessage::Resume { service, .. },
            ))
            | Incoming::Mdp(_, mdp::PeerMessage::Client(mdp::ClientRequest { service, .. })) => {
                Some((Action::Call, service))
            }
            _ => None,
        }
    }

    /// The request that its client gives up.
    pub(super) fn cancels(&self) -> Option<&F> {
        match self {
            Incoming::Omdp(omdp::PeerMessage::Client(ClientMessage::Cancel { rid, .. })) => {
                Some(rid)
            }
            _ => None,
        }
    }

    pub(super) fn is_request(&self, name: &[u8]) -> bool {
        matches!(
            self,
            Incoming::Omdp(omdp::PeerMessage::Client(
                ClientMessage::Request { rid, .. } | ClientMessage::Resume { rid, .. },
            ))
                if **rid == *name
        )
    }

    pub(super) fn is_goodbye(&self) -> bool {
        matches!(
            self,
            Incoming::Omdp(
                omdp::PeerMessage::Client(ClientMessage::Disconnect)
                    | omdp::PeerMessage::Worker(WorkerMessage::Disconnect)
            ) | Incoming::Mdp(_, mdp::PeerMessage::Worker(mdp::WorkerMessage::Disconnect))
        )
    }
}
