//! The reactor: threads, libzmq sockets, the clock and wake-ups.
//!
//! A driver ([`dealer`], [`router`]) owns one machine and its sockets. It feeds the machine with
//! events of the sockets, the clock and commands, and executes the machine's requests. Drivers are
//! tasks on a [`reactor`] thread: all workers and clients of the process share one, each broker has
//! its own. JavaScript does not run on these threads and cannot block them. While a driver waits, it
//! is lent ([`loan`]) to the thread of JavaScript, which can then send a message itself.

mod acceptor;
mod address;
mod broker_addresses;
mod bytes_in_flight;
mod clock;
mod coalescer;
mod connection;
mod connections;
mod context;
mod deadline_gate;
pub mod dealer;
#[cfg(unix)]
mod descriptor;
mod error;
mod foreign;
mod inbound;
mod ipc_file;
pub mod library;
mod loan;
mod lookup;
mod message;
mod monitor;
mod notice_queue;
mod outbound;
mod pipe;
mod random;
mod raw;
mod reactor;
mod reactor_task;
mod readiness;
pub mod router;
pub mod security;
mod sent;
mod slots;
mod socket;
pub mod spin;
#[cfg(unix)]
mod stream;
mod tcp;
mod transport;
pub mod zap;

/// The application's end of a driver. Dropping it stops the driver immediately.
pub trait CommandSink {
    /// A command of the driver.
    type Command;
    /// Whether it is the driver of a broker.
    const OF_BROKER: bool = false;
    /// Sends a command. Returns false if the driver has ended.
    fn send(&self, command: Self::Command) -> bool;
    /// Ends the driver in order, because the process ends: it sends what it has got, and keeps what
    /// waits for a broker until this time. The result is disconnected once the driver has closed its
    /// connections; [`quiesce`] waits for what they still send.
    fn exit(&self, until: Time) -> Receiver<Infallible>;
}

// Modules with state shared between threads use `super::sync`, which `models/` replaces by loom's.
use std::sync;

use crate::proto::Time;
use std::convert::Infallible;
use std::sync::mpsc::Receiver;

pub use acceptor::Listen;
pub use address::Address;
pub use clock::now;
pub use connections::{ConnectionLimits, ConnectionNotice, UnfinishedLimits};
pub use context::quiesce;
pub use error::Error;
pub use foreign::{Borrowed, Foreign};
pub use message::{Message, OwnBytes};
#[cfg(test)]
pub use notice_queue::Offer;
pub use notice_queue::{NoticeQueue, Taken};
pub use pipe::has_reader;
pub use random::random;
pub use slots::{AHEAD, SHOWN, Slots, TAKEN};
