//! Messages that the broker sends.

use super::RoutingId;
use crate::wire::mdp as wire_mdp;
use crate::wire::omdp::{ToClient, ToWorker};
use crate::wire::{Frame, pigato};

/// A message to send.
#[derive(Debug, PartialEq, Eq)]
pub struct Transmit<F> {
    /// The routing id of the receiver.
    pub to: RoutingId,
    /// The message.
    pub message: Outgoing<F>,
    /// Whether its short frames are to be packed.
    pub packed: bool,
}

impl<F: Frame> Transmit<F> {
    /// A message without packed frames, which every peer understands.
    pub(super) fn plain(to: RoutingId, message: Outgoing<F>) -> Self {
        let packed = false;
        Transmit {
            to,
            message,
            packed,
        }
    }

    /// Appends the frames of the message, without the routing id. The transport packs them.
    pub fn encode(self, out: &mut Vec<F>) {
        match self.message {
            Outgoing::Client(message) => message.encode(out),
            Outgoing::Worker(message) => message.encode(out),
            Outgoing::MdpClient(dialect, message) => message.encode(dialect, out),
            Outgoing::MdpWorker(dialect, message) => message.encode(dialect, out),
            Outgoing::PigatoClient(message) => message.encode(out),
            Outgoing::PigatoWorker(message) => message.encode(out),
        }
    }
}

/// A message of the broker, by role and dialect of its receiver.
#[derive(Debug, PartialEq, Eq)]
pub enum Outgoing<F> {
    /// For a client.
    Client(ToClient<F>),
    /// For a worker.
    Worker(ToWorker<F>),
    /// For a client of this form of MDP.
    MdpClient(wire_mdp::Dialect, wire_mdp::ClientReply<F>),
    /// For a worker of this form of MDP.
    MdpWorker(wire_mdp::Dialect, wire_mdp::ToWorker<F>),
    /// For a client of PIGATO.
    PigatoClient(pigato::ToClient<F>),
    /// For a worker that speaks PIGATO, or may.
    PigatoWorker(pigato::ToWorker<F>),
}

impl<F: Frame> Outgoing<F> {
    /// Whether the message ends the receiver's session.
    pub fn is_disconnect(&self) -> bool {
        matches!(
            self,
            Outgoing::Client(ToClient::Disconnect | ToClient::Leave { .. })
                | Outgoing::Worker(ToWorker::Disconnect)
                | Outgoing::MdpWorker(_, wire_mdp::ToWorker::Disconnect)
                | Outgoing::PigatoWorker(pigato::ToWorker::Disconnect)
        )
    }
}
