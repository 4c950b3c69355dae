//! Our own machines as actors: owner, user and process in one.

mod broker;
mod client;
mod worker;

pub use broker::BrokerActor;
pub use client::ClientActor;
pub use worker::WorkerActor;

use super::actor::Effect;
use crate::proto::link::{Action, Loss};

/// What a worker or client said of its link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LinkNews {
    Connected,
    Lost(Loss),
}

fn effect(action: Action) -> Effect {
    match action {
        Action::Open => Effect::Open,
        Action::Close => Effect::Close,
    }
}
