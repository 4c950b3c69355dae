//! How much more of a reply's parts its user may send, see [`flow`]. Credit is the client's, by way of
//! a broker that knows of it; toward any other this side gives it by what the transport takes.

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
    /// The user has counted a part that it is about to send, and can't know what becomes of it as
    /// JSON: what it counted too much or too little is set right with the next credit.
    pub fn correct(&mut self, delivery: u64, counted: u32, body: &Body<F>) {
        let cost = flow::cost(body);
        if counted != cost
            && let Some(delivery) = self.deliveries.get_mut(&delivery)
        {
            delivery.surplus += i64::from(counted) - i64::from(cost);
        }
    }

    /// Whether the broker sees to it that credit comes.
    pub fn has_windows(&self) -> bool {
        self.link.peer().is_some_and(|broker| broker.flow)
    }

    /// Whether the transport takes less than it is given.
    pub fn handle_congestion(&mut self, congested: bool) {
        self.congested = congested;
        for (&number, delivery) in &mut self.deliveries {
            if let Some(bytes) = delivery.debt.settle(congested) {
                self.notices.push(delivery.credit(number, bytes));
            }
        }
    }
}
