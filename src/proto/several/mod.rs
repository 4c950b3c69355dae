//! A worker or a client of several brokers: a machine for each of them, and what they share.
//!
//! Each member has its link, its messages and its requests to itself, exactly as it has where it is
//! alone. What is said here is only what none of them can see by itself: how full the worker's room
//! is, and which broker a request goes to. The owner has a *broker* for each member, a number that
//! stays the member's: a socket with its connection.
//!
//! Brokers come and go while the machine runs. While there has been but one it is the machine of one
//! broker, see [`OneOrSeveral`], so that the ordinary case costs nothing.

mod client;
mod machine;
mod members;
mod one_or_several;
mod worker;

pub use client::ClientOfSeveral;
pub use one_or_several::{OneOrSeveral, Several};
pub use worker::WorkerOfSeveral;
