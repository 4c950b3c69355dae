//! The state machines of the three roles. Pure: no socket, no thread, no clock, no randomness.
//!
//! Every machine has the same contract. The owner calls `handle_message`, `handle_timeout`, the
//! `handle_*` of its transport, or a command (`request`, `partial`, …), each with the time; then it
//! drains what the machine wants sent (`poll_transmit`) and reported (`poll_notice`), and asks for
//! the `next_deadline` at which to call `handle_timeout`. Nothing happens between two calls, so
//! tests run hours of protocol in milliseconds, from a seed.

#![forbid(unsafe_code)]

pub mod broker;
pub mod client;
pub mod code;
mod deadlines;
pub mod flow;
pub mod link;
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
