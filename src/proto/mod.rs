//! The state machines of the three roles. They are pure: no socket, thread, clock or randomness. [`machine`] has their
//! contract.

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
