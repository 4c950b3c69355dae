//! The state machines of the three roles. They are pure: no socket, thread, clock or randomness.
//!
//! Every machine has the same contract. Its owner calls `handle_message`, `handle_timeout`, another `handle_*` for an
//! event of the transport, or a method for a command of the application, each with the time. Then the owner drains
//! messages and notices, and asks for the `next_deadline` at which to call `handle_timeout`. Nothing happens between
//! two calls, so tests run hours of protocol in milliseconds, from a seed. [`machine::Machine`] is this contract for
//! workers and clients, of one broker or several. A [`Broker`] has many peers in place of one broker, so its methods
//! take an identity.

#![forbid(unsafe_code)]

pub mod broker;
pub mod client;
pub mod code;
mod deadlines;
pub mod event_rate;
pub mod flow;
pub mod link;
pub mod machine;
pub mod names;
pub(crate) mod network;
pub mod request_id;
pub mod several;
pub(crate) mod table;
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
