//! A worker of several brokers. Its concurrency limits the requests of all brokers together.
//!
//! Each broker assumes the whole room, so together they may give more than there is. The excess waits as offers, like
//! prefetched requests of one broker, and is returned by the same rule: when no delivery has ended for [`STALL`]. A
//! broker that gets a request back is told that there is no room until there is some; otherwise it would give the
//! request again at once.
//!
//! A broker that leaves gives no more requests; those that have started end first, as at a stop.

mod brokers;
mod machine;

use super::members::Members;
use crate::proto::Time;
use crate::proto::machine::Machine;
use crate::proto::table::Table;
use crate::proto::worker::{Retract, STALL, Worked, Worker, WorkerCommand};
use crate::wire::Frame;
use std::collections::HashSet;
use std::ops::ControlFlow;

/// The worker machine of several brokers. Deliveries are numbered in one series over all members.
#[derive(Debug)]
pub struct WorkerOfSeveral<F> {
    members: Members<Worker<F>>,
    concurrency: Option<usize>,
    /// The number of the latest delivery.
    last_delivery: u64,
    /// The broker of each delivery that has not ended.
    brokers: Table<u64, usize>,
    /// Cancelled deliveries whose handlers go on. They take up room until they end.
    left_running: HashSet<u64>,
    /// When offers are returned unless a delivery ends before. Set while there are more deliveries than may run.
    stalled_at: Option<Time>,
    retract: Option<Retract>,
    /// The member whose retraction is being carried out; `None` is that of all members.
    asking: Option<usize>,
    paused: bool,
    stopping: bool,
}

impl<F: Frame> WorkerOfSeveral<F> {
    /// Creates a worker without brokers that is not started. `concurrency` replaces that of all configurations.
    pub fn new(concurrency: Option<usize>) -> Self {
        WorkerOfSeveral {
            members: Members::new(),
            concurrency,
            last_delivery: 0,
            brokers: Table::default(),
            left_running: HashSet::new(),
            stalled_at: None,
            retract: None,
            asking: None,
            paused: false,
            stopping: false,
        }
    }

    /// Changes the maximum of requests that run at once, over all brokers.
    fn set_concurrency(&mut self, now: Time, concurrency: Option<usize>) {
        self.concurrency = concurrency;
        for member in self.members.machines_mut() {
            member.set_concurrency(now, concurrency);
        }
        self.room_changed(now);
    }

    /// See [`Worker::pause`].
    fn pause(&mut self) {
        self.paused = true;
        self.members.machines_mut().for_each(Worker::pause);
    }

    /// See [`Worker::unpause`].
    fn unpause(&mut self, now: Time) {
        self.paused = false;
        for member in self.members.machines_mut() {
            member.unpause(now);
        }
        self.room_changed(now);
    }

    /// Records the work of the application, and the deliveries that it is about to end. Each broker is told the pace
    /// of its own requests only.
    fn handle_worked(&mut self, worked: Worked, ended: impl Iterator<Item = u64>) {
        let mut of_brokers: Vec<(usize, u64, u32)> = Vec::with_capacity(self.members.len());
        for delivery in ended {
            let Some(&broker) = self.brokers.get(&delivery) else {
                continue;
            };
            match of_brokers.iter_mut().find(|(each, ..)| *each == broker) {
                None => of_brokers.push((broker, delivery, 1)),
                Some((_, last, ends)) => {
                    *last = delivery.max(*last);
                    *ends += 1;
                }
            }
        }
        for (broker, last, ends) in of_brokers {
            if let Some(member) = self.members.get_mut(broker) {
                // The deliveries that were taken and have not ended were taken last, so the error is small.
                let taken = worked.taken.map(|(_, since)| (last, since));
                let (at, ends) = (worked.at, ends as usize);
                member.handle_worked(Worked { taken, at, ends });
            }
        }
    }

    /// The member that has a delivery.
    fn of_delivery(&mut self, delivery: u64) -> Option<&mut Worker<F>> {
        let broker = *self.brokers.get(&delivery)?;
        self.members.get_mut(broker)
    }

    /// Handles a command that ends a delivery.
    fn end(&mut self, now: Time, delivery: u64, command: WorkerCommand<F>) -> ControlFlow<()> {
        if let Some(broker) = self.brokers.remove(&delivery)
            && let Some(member) = self.members.get_mut(broker)
        {
            member.handle_command(now, command)?;
        }
        self.left_running.remove(&delivery);
        self.stalled_at = None;
        self.room_changed(now);
        ControlFlow::Continue(())
    }

    /// Number of deliveries and handlers that take up room or wait for it.
    pub(in crate::proto) fn outstanding(&self) -> usize {
        let of_members: usize = self.members.machines().map(Worker::outstanding).sum();
        of_members + self.left_running.len()
    }

    fn limit(&self) -> usize {
        self.concurrency.unwrap_or(usize::MAX)
    }

    /// Must follow every change of the room in use.
    fn room_changed(&mut self, now: Time) {
        let (outstanding, limit) = (self.outstanding(), self.limit());
        if outstanding <= limit {
            self.stalled_at = None;
        } else if self.stalled_at.is_none() {
            self.stalled_at = Some(now + STALL);
        }
        if outstanding < limit {
            self.members.machines_mut().for_each(Worker::room_again);
        }
    }

    #[cfg(test)]
    pub(in crate::proto) fn audit(&self) {
        self.members.machines().for_each(Worker::audit);
        let held: usize = self.members.machines().map(Worker::outstanding).sum();
        assert_eq!(self.brokers.len(), held, "a broker for each");
        let full = self.outstanding() > self.limit();
        assert!(full || self.stalled_at.is_none(), "nothing to wait for");
    }

    #[cfg(test)]
    pub(in crate::proto) fn brokers(&self) -> usize {
        self.members.len()
    }
}
