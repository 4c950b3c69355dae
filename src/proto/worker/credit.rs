//! Credit for the partials of a reply, see [`flow`]. It comes from the client, through a broker that supports it.
//! With other brokers this side gives it, by what the transport has accepted.

use super::delivery::Delivery;
use super::{Worker, WorkerNotice};
use crate::proto::flow;
use crate::wire::{Body, Frame};

impl<F> Delivery<F> {
    pub(super) fn credit(&mut self, delivery: u64, bytes: u32) -> WorkerNotice<F> {
        self.granted += u64::from(bytes);
        WorkerNotice::Credit {
            delivery,
            bytes: i64::from(bytes) + std::mem::take(&mut self.surplus),
        }
    }
}

impl<F: Frame> Worker<F> {
    /// Corrects the application's cost of a partial. The application cannot know the length of the JSON; the
    /// difference is settled with the next credit.
    pub fn correct(&mut self, delivery: u64, counted: u32, body: &Body<F>) {
        let cost = flow::cost(body);
        if counted != cost
            && let Some(delivery) = self.deliveries.get_mut(&delivery)
        {
            delivery.surplus += i64::from(counted) - i64::from(cost);
        }
    }

    /// Whether the broker supports flow control.
    pub fn has_windows(&self) -> bool {
        self.link.peer().is_some_and(|broker| broker.flow)
    }
}
