//! The machines as actors: owner, application and process in one.

mod broker;
mod client;
mod worker;

pub use broker::BrokerActor;
pub use client::ClientActor;
pub use worker::WorkerActor;

use super::actor::Effect;
use crate::proto::link::{Action, Loss};

/// A notice of a worker or client about its link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LinkNews {
    Connected,
    Lost(Loss),
}

fn effect(action: Action) -> Effect {
    match action {
        Action::Open => Effect::Open,
        Action::Close | Action::Abandon => Effect::Close,
    }
}
