//! A worker or a client of several brokers: a machine for each of them, and what they share.
//!
//! Each member has its link, its messages and its requests to itself, exactly as it has where it is
//! alone. What is said here is only what none of them can see by itself: how full the worker's room
//! is, and which broker a request goes to. The owner has a *broker* for each member, which is the
//! member's index: a socket with its connection.

mod client;
mod machine;
mod worker;

pub use client::ClientOfSeveral;
pub use worker::WorkerOfSeveral;
