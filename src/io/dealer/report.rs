//! What a worker's or client's user is told, and what is taken back from it.

use super::{Driver, Machine, Notice};
use crate::io::outlet::MAX_EVENTS;
use crate::proto::Time;
use crate::proto::worker::Retract;
use std::ops::ControlFlow;

impl<M: Machine> Driver<M> {
    /// Takes back the offers that the machine wants back and nobody has taken.
    pub(super) fn retract(&mut self, now: Time) {
        while let Some(retract) = self.machine.poll_retract() {
            let Retract {
                line,
                outstanding,
                limit,
            } = retract;
            // Those that the machine has just made are not on offer yet.
            let _ = self.report(now);
            let machine = &self.machine;
            let wanted = |offer| line.is_none_or(|line| machine.line_of(offer) == line);
            let taken_back = self.outlet.retract(outstanding, limit, wanted);
            self.machine.handle_retracted(now, &taken_back);
        }
    }

    pub(super) fn report(&mut self, now: Time) -> ControlFlow<()> {
        let Driver {
            machine, notices, ..
        } = self;
        let end = machine.drain_notices(|line, notice| notices.push((line, notice)));
        self.outlet.update(|queue| {
            for (line, notice) in notices.drain(..) {
                let withdrawn = M::withdrawn(&notice);
                let void = withdrawn.is_some_and(|id| queue.withdraw(id));
                if let Some(id) = withdrawn.filter(|_| !void) {
                    machine.handle_left_running(now, id);
                }
                match M::offered(&notice) {
                    Some(offer) => queue.offer(offer, Notice::Machine(line, notice)),
                    None if M::only_tells(&notice) && queue.len() >= MAX_EVENTS => {}
                    None if !void => queue.push(Notice::Machine(line, notice)),
                    None => {}
                }
            }
        });
        end
    }
}
