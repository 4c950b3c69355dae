//! Workers and clients of several brokers: one machine (a *member*) for each broker, and the state that they share.
//!
//! Each member has its own link, messages and requests, exactly as a machine of one broker. This module adds only
//! what no member can see: how full the worker's room is, and which broker a request goes to. A member is identified
//! by the number of its broker, which stays the same.
//!
//! Brokers can be added and removed while the machine runs. Until there is a second one, the machine of one broker is
//! used, see [`OneOrSeveral`], so that the usual case costs nothing.

mod client;
mod members;
mod one_or_several;
mod worker;

pub use client::ClientOfSeveral;
pub use one_or_several::{OneOrSeveral, Several};
pub use worker::WorkerOfSeveral;
