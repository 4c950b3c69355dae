//! The state machines of the three roles. Pure: no socket, no thread, no clock, no randomness.
//!
//! Every machine has the same contract. Its owner calls `handle_message`, `handle_timeout`, another
//! `handle_*` of its transport, or a command of its user, each with the time. Then the owner drains what
//! the machine wants sent and reported, and asks for the `next_deadline` at which to call
//! `handle_timeout`. Nothing happens between two calls, so tests run hours of protocol in milliseconds,
//! from a seed. [`machine::Machine`] is this contract for workers and clients, of one broker or of several;
//! a [`Broker`] has many peers in place of one broker, and so the same methods with an identity.

#![forbid(unsafe_code)]

pub mod broker;
pub mod client;
pub mod code;
mod deadlines;
pub mod flow;
pub mod link;
pub mod machine;
pub mod several;
mod table;
mod terms;
mod time;
pub mod worker;

pub use broker::Broker;
pub use client::Client;
pub use terms::Terms;
pub use time::Time;
pub use worker::Worker;

#[cfg(test)]
pub(crate) mod tests;
