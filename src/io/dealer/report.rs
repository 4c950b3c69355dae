//! Notices to the application of a worker or client, and offers that are taken back from it.

use super::{Driver, DynamicBrokers, Notice};
use crate::io::Message;
use crate::io::notice_queue::MAX_EVENTS;
use crate::proto::Time;
use crate::proto::machine::Notice as _;
use crate::proto::worker::Retract;
use std::ops::ControlFlow;

impl<M: DynamicBrokers<Frame = Message>> Driver<M> {
    /// Takes back the untaken offers that the machine wants back.
    pub(super) fn retract(&mut self, now: Time) {
        while let Some(retract) = self.machine.poll_retract() {
            let Retract {
                broker,
                outstanding,
                limit,
            } = retract;
            // Offers that the machine has just made are not in the queue yet.
            let _ = self.report(now);
            let machine = &self.machine;
            let wanted = |offer| broker.is_none_or(|broker| machine.is_of(broker, offer));
            let taken_back = self.queue.retract(outstanding, limit, wanted);
            self.machine.handle_retracted(now, &taken_back);
        }
    }

    pub(super) fn report(&mut self, now: Time) -> ControlFlow<()> {
        let Driver {
            machine, notices, ..
        } = self;
        let end = machine.drain_notices(|broker, notice| notices.push((broker, notice)));
        self.queue.update(|queue| {
            for (broker, notice) in notices.drain(..) {
                let withdrawn = notice.withdrawn();
                let void = withdrawn.is_some_and(|id| queue.withdraw(id));
                if let Some(id) = withdrawn.filter(|_| !void) {
                    machine.handle_left_running(now, id);
                }
                match notice.offered() {
                    Some(offer) => queue.offer(offer, Notice::Machine(broker, notice)),
                    None if notice.only_tells() && queue.len() >= MAX_EVENTS => {}
                    None if !void => queue.push(Notice::Machine(broker, notice)),
                    None => {}
                }
            }
        });
        end
    }
}
