//! The reactor: threads, libzmq sockets, the clock and the wake-ups.
//!
//! A driver ([`dealer`], [`router`]) owns one machine and one socket. It feeds the machine what the
//! socket, the clock and the commands bring, and carries out what the machine asks. Drivers are
//! tasks of a [`reactor`] thread: all workers and clients of the process share one, each broker has
//! its own. JavaScript is never on any of these threads, so it may be as busy as it likes.

mod address;
mod allowance;
mod bytes_in_flight;
mod claims;
mod clock;
mod coalescer;
mod connection;
mod connections;
mod context;
mod deadline_gate;
pub mod dealer;
mod error;
mod inbound;
mod message;
mod monitor;
mod notice_queue;
mod outbound;
mod raw;
mod reactor;
mod readiness;
mod route;
pub mod router;
pub mod security;
mod socket;
pub mod spin;
pub mod zap;

// What is shared between threads names these by `super::sync`, in place of which `models/` has loom's.
use std::sync;

pub use address::Address;
pub use claims::{AHEAD, CLAIMED, Claims, SHOWN};
pub use clock::now;
pub use connections::{ConnectionLimits, ConnectionNotice};
pub use context::quiesce;
pub use error::Error;
pub use message::Message;
#[cfg(test)]
pub use notice_queue::Offer;
pub use notice_queue::{NoticeQueue, Taken};
