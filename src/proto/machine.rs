//! The contract of the machines of workers and clients, of one broker or of several.

use super::Time;
use super::link::Action;
use super::worker::Retract;
use std::ops::ControlFlow;

/// A worker or client as its owner sees it; see [`crate::proto`] for the contract. `broker` says which
/// of its brokers something is about; a machine with one broker ignores it.
pub trait Machine {
    /// A frame of a message.
    type Frame;
    /// What its user wants of it.
    type Command: Command;
    /// What it reports.
    type Notice: Notice;

    /// Begins to look for the broker.
    fn start(&mut self);
    /// Carries out a command. `Break` once the machine is to be stopped and has nothing left to do
    /// but to say goodbye.
    fn handle_command(&mut self, now: Time, command: Self::Command) -> ControlFlow<()>;
    /// The transport takes messages.
    fn handle_up(&mut self, broker: usize, now: Time);
    /// The connection broke.
    fn handle_down(&mut self, broker: usize, now: Time);
    /// The broker does not let this peer in.
    fn handle_refused(&mut self, broker: usize, now: Time);
    /// One message of the broker.
    fn handle_message(&mut self, broker: usize, now: Time, frames: &mut Vec<Self::Frame>);
    /// The deadline has come.
    fn handle_timeout(&mut self, now: Time);
    /// The next deadline.
    fn next_deadline(&self) -> Option<Time>;
    /// Hands each message to be sent, as frames, to `send`, and whether the short ones are to be packed.
    fn drain_transmits(&mut self, broker: usize, send: impl FnMut(&mut Vec<Self::Frame>, bool));
    /// Hands each notice to `report`, with the broker that it is from. `Break` if the machine is at
    /// its end.
    fn drain_notices(&mut self, report: impl FnMut(usize, Self::Notice)) -> ControlFlow<()>;
    /// What is to be done with the socket.
    fn poll_action(&mut self, broker: usize) -> Option<Action>;

    /// Whether it wants to know how much of what it had sent lies in libzmq.
    fn watches_congestion(&self, _broker: usize) -> bool {
        false
    }
    /// More lies there than is good, or no longer.
    fn handle_congestion(&mut self, _broker: usize, _congested: bool) {}
    /// The snapshot; so many offers wait for the reader.
    fn stats(&self, offers: usize) -> Stats;
    /// Whether the reader is to be asked for a sign of life.
    fn poll_ping(&mut self) -> bool {
        false
    }

    /// The offer that a notice made void was taken before: it runs on.
    fn handle_left_running(&mut self, _now: Time, _offer: u64) {}
    /// Which offers are to be taken back.
    fn poll_retract(&mut self) -> Option<Retract> {
        None
    }
    /// Whether an offer is from this broker.
    fn is_of(&self, _broker: usize, _offer: u64) -> bool {
        true
    }
    /// These offers were taken back.
    fn handle_retracted(&mut self, _now: Time, _offers: &[u64]) {}
}

/// A worker or client whose brokers come and go while it runs. Its owner names them by numbers, and gives none to two.
pub trait DynamicBrokers: Machine {
    /// How it behaves toward one of them.
    type Config;

    /// This is a broker from now on, or is one again before it was gone. Gives the configuration back if that has to wait
    /// until it is gone.
    fn join(&mut self, now: Time, broker: usize, config: Self::Config) -> Option<Self::Config>;
    /// This is none any more, as soon as what it has given, or was given, is over.
    fn leave(&mut self, now: Time, broker: usize);
    /// The machine has nothing to do with this one any more. To be asked once what is to be done with sockets was.
    fn poll_gone(&mut self) -> Option<usize>;
}

/// What the owner of a machine has to know of a command.
pub trait Command {
    /// Whether it asks for a snapshot, and under which name.
    fn asked(&self) -> Option<u64>;
}

/// What the owner of a machine has to know of a notice.
pub trait Notice {
    /// Whether it only tells, so that it may be dropped if the reader has many to take.
    fn only_tells(&self) -> bool;
    /// Whether it is an offer, which waits until the reader has room for it.
    fn offered(&self) -> Option<Offer> {
        None
    }
    /// Whether it makes an offer void. One that was not taken vanishes with it.
    fn withdrawn(&self) -> Option<u64> {
        None
    }
}

/// What a machine has in its hands.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Stats {
    /// Whether there is a broker.
    pub connected: bool,
    /// Requests that have not started, as far as this side knows: not sent, or not taken.
    pub queued: usize,
    /// Requests that have, and have not ended.
    pub running: usize,
}

/// Something that the user of a worker takes when it has room for it, and that can be taken back until then.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Offer {
    /// Its name.
    pub id: u64,
    /// Whether it may be taken back.
    pub returnable: bool,
}
