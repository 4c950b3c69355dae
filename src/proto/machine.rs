//! The contract of the machines.
//!
//! A machine changes only when its owner calls one of its methods: [`handle_message`](Machine::handle_message),
//! [`handle_timeout`](Machine::handle_timeout), another `handle_…` for an event of the transport, or
//! [`handle_command`](Machine::handle_command). Time is an argument. After each call, or several, the owner takes in this
//! order
//!
//! 1. the messages to send: [`drain_transmits`](Machine::drain_transmits),
//! 2. the action that is due on the socket: [`poll_action`](Machine::poll_action),
//! 3. the notices: [`drain_notices`](Machine::drain_notices),
//!
//! and asks for the [`next_deadline`](Machine::next_deadline) at which to call `handle_timeout`, after messages that have
//! already arrived: a message in time does not count as silence, and a reply in time precedes its timeout. Nothing happens
//! between two calls, so tests run hours of protocol in milliseconds, from a seed.
//!
//! [`Machine`] is the contract of workers and clients, of one broker or several. A [`Broker`](super::Broker) has many peers
//! in place of one broker, so its methods of the same names take an identity, and it has no action on a socket; its
//! notices are events: [`drain_events`](super::Broker::drain_events).

use super::Time;
use super::link::Action;
use std::ops::ControlFlow;

/// A worker or client, as its owner sees it. `broker` is the number of the broker concerned; a machine of one broker
/// ignores it.
pub trait Machine {
    /// A frame of a message.
    type Frame;
    /// Commands of the application.
    type Command: Command;
    /// Notices to the application.
    type Notice: Notice;

    /// Opens the links.
    fn start(&mut self);
    /// Carries out a command. Returns `Break` when the machine was stopped and has nothing left to do but to send its
    /// goodbye.
    fn handle_command(&mut self, now: Time, command: Self::Command) -> ControlFlow<()>;
    /// Handles that the transport accepts messages.
    fn handle_up(&mut self, broker: usize, now: Time);
    /// Handles the end of the connection.
    fn handle_down(&mut self, broker: usize, now: Time);
    /// Handles that the broker's authentication refuses this peer.
    fn handle_refused(&mut self, broker: usize, now: Time);
    /// Handles that this peer has reached the broker on another connection, which it may share.
    fn handle_reached(&mut self, _broker: usize, _now: Time) {}
    /// Handles that a part of a message of the broker has arrived, which is not complete.
    fn handle_bytes(&mut self, broker: usize, now: Time);
    /// Handles a message of the broker. Leaves `frames` empty.
    fn handle_message(&mut self, broker: usize, now: Time, frames: &mut Vec<Self::Frame>);
    /// Handles all deadlines that have passed.
    fn handle_timeout(&mut self, now: Time);
    /// The next deadline.
    fn next_deadline(&self) -> Option<Time>;
    /// Passes the frames of each message to `send`, and whether its short frames are to be packed.
    fn drain_transmits(&mut self, broker: usize, send: impl FnMut(&mut Vec<Self::Frame>, bool));
    /// Passes each notice to `report`, with the number of its broker. Returns `Break` when the machine has finished.
    fn drain_notices(&mut self, report: impl FnMut(usize, Self::Notice)) -> ControlFlow<()>;
    /// The action that is due on the socket.
    fn poll_action(&mut self, broker: usize) -> Option<Action>;

    /// Whether it needs reports about its messages that the transport has not sent.
    fn watches_congestion(&self, _broker: usize) -> bool {
        false
    }
    /// How many channels the broker of this connection supports; `None` until the broker is known.
    fn channels(&self, _broker: usize) -> Option<u16> {
        None
    }
    /// Handles that the transport has too many of its unsent messages (`congested`), or no longer do.
    fn handle_congestion(&mut self, _broker: usize, _congested: bool) {}
    /// Number of requests and replies that would be lost if the process ended now, because they wait for a broker.
    fn unflushed(&self) -> usize;
    /// Handles that the process ends: leaves the brokers once they have everything, and does not wait for requests that
    /// run. Returns `Break` when there is nothing left to do but to send the last messages.
    fn handle_exit(&mut self, now: Time) -> ControlFlow<()>;
    /// A snapshot, where `offers` is the number of offers that wait for the reader.
    fn stats(&self, offers: usize) -> Stats;
    /// Whether to ask the reader for a sign of life.
    fn poll_ping(&mut self) -> bool {
        false
    }

    /// Handles that a withdrawn offer had been taken before: its handler goes on.
    fn handle_left_running(&mut self, _now: Time, _offer: u64) {}
    /// The offers to take back.
    fn poll_retract(&mut self) -> Option<Retract> {
        None
    }
    /// Whether an offer is from this broker.
    fn is_of(&self, _broker: usize, _offer: u64) -> bool {
        true
    }
    /// Handles that these offers were taken back.
    fn handle_retracted(&mut self, _now: Time, _offers: &[u64]) {}
}

/// A worker or client whose brokers change while it runs. The owner numbers the brokers, and never uses a number
/// twice.
pub trait DynamicBrokers: Machine {
    /// Configuration of the link to one broker, and of the machine.
    type Config;

    /// Adds a broker, or keeps one that was about to leave. Returns the configuration if the broker can only be added
    /// after it is gone.
    fn join(&mut self, now: Time, broker: usize, config: Self::Config) -> Option<Self::Config>;
    /// Removes a broker when all requests that it has given, or was given, have ended.
    fn leave(&mut self, now: Time, broker: usize);
    /// A broker that is gone. Must be called after `poll_action`.
    fn poll_gone(&mut self) -> Option<usize>;
}

/// The properties of a command that matter to the owner of a machine.
pub trait Command {
    /// The id under which it asks for a snapshot, if it does.
    fn asked(&self) -> Option<u64>;
}

/// The properties of a notice that matter to the owner of a machine.
pub trait Notice {
    /// Whether it only informs, so that it may be dropped when many notices wait.
    fn only_tells(&self) -> bool;
    /// The offer it contains, which waits until the reader has room for it.
    fn offered(&self) -> Option<Offer> {
        None
    }
    /// The offer it withdraws. If that was not taken, both are dropped.
    fn withdrawn(&self) -> Option<u64> {
        None
    }
}

/// Counts of requests in a machine.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Stats {
    /// Whether it is connected to a broker.
    pub connected: bool,
    /// Requests that have not started, as far as this side knows: not sent, or not taken.
    pub queued: usize,
    /// Requests that have started and not ended.
    pub running: usize,
}

/// An offer to the application of a worker. It can be taken back until the application takes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Offer {
    /// Its id.
    pub id: u64,
    /// Whether it may be taken back.
    pub returnable: bool,
}

/// The offers that the owner has to take back, of those that are returnable, the latest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retract {
    /// Only offers of this broker, for a worker of [several](crate::proto::several) brokers.
    pub broker: Option<usize>,
    /// Number of deliveries, taken or offered.
    pub outstanding: usize,
    /// Number of deliveries that may remain: offers up to this number have room to start.
    pub limit: usize,
}
