//! One worker that several brokers give requests to: concurrency is counted over all of them.
//!
//! Each broker believes that it has the whole room, so together they may give more than there is.
//! What does not fit waits as an offer, as what one broker gives ahead of need does, and goes back
//! by the same rule: when none of the requests has ended for [`STALL`]. A broker whose request came
//! back is told that there is no room, until there is some; without that it would give it again at
//! once, and again.
//!
//! A broker that leaves gives nothing more; what its requests have started ends first, as at a stop.

use super::members::Members;
use crate::proto::Time;
use crate::proto::link::{Action, Loss};
use crate::proto::table::Table;
use crate::proto::worker::{Retract, STALL, Worked, Worker, WorkerConfig, WorkerNotice};
use crate::wire::omdp::WorkerMessage;
use crate::wire::{Body, Form, Frame};
use std::collections::HashSet;

/// The machine. All deliveries are numbered in one series, whichever member has them.
#[derive(Debug)]
pub struct WorkerOfSeveral<F> {
    members: Members<Worker<F>>,
    concurrency: Option<usize>,
    /// The number of the last delivery.
    last_delivery: u64,
    /// Which broker each delivery is of that has not ended.
    brokers: Table<u64, usize>,
    /// Cancelled deliveries that its user had taken: they take up room until the user ends them.
    left_running: HashSet<u64>,
    /// When offers go back unless a delivery ends before; set while there are more deliveries than
    /// may run.
    stalled_at: Option<Time>,
    retract: Option<Retract>,
    /// Which member is to hear of what is taken back now; `None` is each its own.
    asking: Option<usize>,
    paused: bool,
    stopping: bool,
}

impl<F: Frame> WorkerOfSeveral<F> {
    /// A worker that is not started, and has no broker. `concurrency` is that of all its configurations.
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

    /// One that goes on with what a worker of one broker has.
    pub(super) fn of_one(broker: usize, mut worker: Worker<F>) -> Self {
        let mut several = WorkerOfSeveral::new(worker.config().concurrency);
        several.last_delivery = worker.last_delivery();
        several.brokers = worker.numbers().map(|number| (number, broker)).collect();
        several.left_running = worker.share_room();
        several.paused = worker.is_paused();
        several.stopping = worker.is_draining();
        several.members.insert(broker, worker);
        several
    }

    /// Adds a broker, and begins to look for it; one that leaves stays. Gives the configuration back if it has said
    /// goodbye to that broker, which is not [gone](Self::poll_gone) yet.
    pub fn join(
        &mut self,
        now: Time,
        broker: usize,
        mut config: WorkerConfig,
    ) -> Option<WorkerConfig> {
        if self.stopping {
            return None;
        }
        match self.members.member(broker) {
            None => {
                config.concurrency = self.concurrency;
                let mut worker = Worker::new(config);
                worker.share_room();
                if self.paused {
                    worker.pause();
                }
                worker.start();
                self.members.insert(broker, worker);
            }
            Some(member) => {
                if member.leaving && (member.ended || !member.machine.stay()) {
                    return Some(config);
                }
                member.leaving = false;
            }
        }
        self.settle(now);
        None
    }

    /// A broker leaves once the requests that it gave, and that have started, have ended.
    pub fn leave(&mut self, now: Time, broker: usize) {
        if let Some(member) = self.members.member(broker)
            && !std::mem::replace(&mut member.leaving, true)
            && !member.ended
        {
            member.machine.stop(now, None);
        }
        self.settle(now);
    }

    /// A broker that has left, after what is to be done with its socket.
    pub fn poll_gone(&mut self) -> Option<usize> {
        self.members.poll_gone()
    }

    /// See [`Worker::stop`]; `Drained` follows when the last of the brokers was told.
    pub fn stop(&mut self, now: Time, deadline: Option<Time>) {
        self.stopping = true;
        for member in self.members.iter_mut() {
            if !member.ended {
                member.machine.stop(now, deadline);
            }
        }
    }

    /// How many requests may run at once from now on, over all brokers.
    pub fn set_concurrency(&mut self, now: Time, concurrency: Option<usize>) {
        self.concurrency = concurrency;
        for member in self.members.machines_mut() {
            member.set_concurrency(now, concurrency);
        }
        self.settle(now);
    }

    /// See [`Worker::pause`].
    pub fn pause(&mut self) {
        self.paused = true;
        self.members.machines_mut().for_each(Worker::pause);
    }

    /// See [`Worker::resume`].
    pub fn resume(&mut self, now: Time) {
        self.paused = false;
        for member in self.members.machines_mut() {
            member.resume(now);
        }
        self.settle(now);
    }

    /// Takes note of what the user has done, and which deliveries it is about to end. Each broker is
    /// told the pace of its own requests, in which it is nobody's business why it is no faster.
    pub fn handle_worked(&mut self, worked: Worked, ended: impl Iterator<Item = u64>) {
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
                // Which ones it has taken and not ended matters little: it took those last.
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

    /// See [`Worker::partial`].
    pub fn partial(&mut self, now: Time, delivery: u64, body: Body<F>) {
        if let Some(member) = self.of_delivery(delivery) {
            member.partial(now, delivery, body);
        }
    }

    /// See [`Worker::correct`].
    pub fn correct(&mut self, delivery: u64, counted: u32, body: &Body<F>) {
        if let Some(member) = self.of_delivery(delivery) {
            member.correct(delivery, counted, body);
        }
    }

    /// See [`Worker::read`].
    pub fn read(&mut self, delivery: u64, bytes: u32) {
        if let Some(member) = self.of_delivery(delivery) {
            member.read(delivery, bytes);
        }
    }

    /// See [`Worker::enough`].
    pub fn enough(&mut self, delivery: u64) {
        if let Some(member) = self.of_delivery(delivery) {
            member.enough(delivery);
        }
    }

    /// See [`Worker::has_windows`].
    pub fn has_windows(&self, broker: usize) -> bool {
        self.members.get(broker).is_some_and(Worker::has_windows)
    }

    /// See [`Worker::handle_congestion`].
    pub fn handle_congestion(&mut self, broker: usize, congested: bool) {
        if let Some(member) = self.members.get_mut(broker) {
            member.handle_congestion(congested);
        }
    }

    /// See [`Worker::finish`].
    pub fn finish(&mut self, now: Time, delivery: u64, body: Body<F>) {
        self.end(now, delivery, |member| member.finish(now, delivery, body));
    }

    /// See [`Worker::error`].
    pub fn error(&mut self, now: Time, delivery: u64, value: Body<F>) {
        self.end(now, delivery, |member| member.error(now, delivery, value));
    }

    /// See [`Worker::reject`].
    pub fn reject(&mut self, now: Time, delivery: u64, reason: Body<F>) {
        self.end(now, delivery, |member| {
            member.reject(now, delivery, reason);
        });
    }

    /// See [`Worker::expire`].
    pub fn expire(&mut self, now: Time, delivery: u64) {
        self.end(now, delivery, |member| member.expire(now, delivery));
    }

    fn end(&mut self, now: Time, delivery: u64, how: impl FnOnce(&mut Worker<F>)) {
        if let Some(broker) = self.brokers.remove(&delivery)
            && let Some(member) = self.members.get_mut(broker)
        {
            how(member);
        }
        self.left_running.remove(&delivery);
        self.stalled_at = None;
        self.settle(now);
    }

    /// A heartbeat out of turn, to every broker.
    pub fn heartbeat(&mut self) {
        self.members.machines_mut().for_each(Worker::heartbeat);
    }

    /// The transport takes messages.
    pub fn handle_up(&mut self, broker: usize, now: Time) {
        if let Some(member) = self.members.get_mut(broker) {
            member.handle_up(now);
        }
    }

    /// The connection broke.
    pub fn handle_down(&mut self, broker: usize, now: Time) {
        if let Some(member) = self.members.get_mut(broker) {
            member.handle_down(now);
            self.settle(now);
        }
    }

    /// The broker does not let this worker in.
    pub fn handle_refused(&mut self, broker: usize, now: Time) {
        if let Some(member) = self.members.get_mut(broker) {
            member.handle_refused(now);
            self.settle(now);
        }
    }

    /// Takes one message of a broker; `frames` is empty afterwards.
    pub fn handle_message(&mut self, broker: usize, now: Time, frames: &mut Vec<F>) {
        let Some(member) = self.members.get_mut(broker) else {
            return frames.clear();
        };
        member.number_from(self.last_delivery);
        member.handle_message(now, frames);
        self.last_delivery = member.last_delivery();
        self.settle(now);
    }

    /// To be called when [`next_deadline`](Self::next_deadline) has come.
    pub fn handle_timeout(&mut self, now: Time) {
        for member in self.members.machines_mut() {
            if member.next_deadline().is_some_and(|at| at <= now) {
                member.handle_timeout(now);
            }
        }
        if self.stalled_at.is_some_and(|at| at <= now) {
            self.stalled_at = None;
            self.retract = Some(Retract {
                broker: None,
                outstanding: self.outstanding(),
                limit: self.limit(),
            });
        } else {
            self.settle(now);
        }
    }

    /// When to call [`handle_timeout`](Self::handle_timeout).
    pub fn next_deadline(&self) -> Option<Time> {
        let members = self.members.machines();
        let of_members = members.filter_map(Worker::next_deadline).min();
        [self.stalled_at, of_members].into_iter().flatten().min()
    }

    /// This delivery was cancelled after its user had taken it.
    pub fn handle_left_running(&mut self, now: Time, delivery: u64) {
        self.left_running.insert(delivery);
        self.settle(now);
    }

    /// Which offers are to be taken back; the answer is
    /// [`handle_retracted`](Self::handle_retracted).
    pub fn poll_retract(&mut self) -> Option<Retract> {
        self.asking = None;
        // Members ask by themselves when they are to stop, and when they have lost their broker.
        for member in self.members.iter_mut() {
            if let Some(retract) = member.machine.poll_retract() {
                let broker = Some(member.broker);
                self.asking = broker;
                return Some(Retract { broker, ..retract });
            }
        }
        self.retract.take()
    }

    /// Which broker a delivery is of that has not ended.
    pub fn broker_of(&self, delivery: u64) -> Option<usize> {
        self.brokers.get(&delivery).copied()
    }

    /// Takes note that the owner has taken these offers back, in the order in which they came.
    pub fn handle_retracted(&mut self, now: Time, deliveries: &[u64]) {
        let mut back: Vec<(usize, Vec<u64>)> = Vec::new();
        for delivery in deliveries {
            let Some(broker) = self.brokers.remove(delivery) else {
                continue;
            };
            match back.iter_mut().find(|(each, _)| *each == broker) {
                Some((_, of_broker)) => of_broker.push(*delivery),
                None => back.push((broker, vec![*delivery])),
            }
        }
        if let Some(asking) = self.asking.take()
            && back.iter().all(|(broker, _)| *broker != asking)
        {
            back.push((asking, Vec::new()));
        }
        for (broker, deliveries) in back {
            if let Some(member) = self.members.get_mut(broker) {
                member.handle_retracted(now, &deliveries);
            }
        }
        if self.outstanding() <= self.limit() {
            self.settle(now);
        }
    }

    /// How the messages to one broker are to be written, if it is one.
    pub fn form(&self, broker: usize) -> Option<Form> {
        self.members.get(broker).map(Worker::form)
    }

    /// Hands out the messages to one broker, in order.
    pub fn drain_transmits(&mut self, broker: usize, send: impl FnMut(WorkerMessage<F>)) {
        if let Some(member) = self.members.get_mut(broker) {
            member.drain_transmits(send);
        }
    }

    /// Hands out what there is to report and whom it is from, in the order of each broker.
    pub fn drain_notices(&mut self, mut report: impl FnMut(usize, WorkerNotice<F>)) {
        let brokers = &mut self.brokers;
        for member in self.members.iter_mut() {
            let broker = member.broker;
            for mut notice in member.machine.drain_notices() {
                match &mut notice {
                    WorkerNotice::Request { delivery, .. } => {
                        brokers.insert(*delivery, broker);
                    }
                    WorkerNotice::Cancelled { delivery, .. } => {
                        brokers.remove(delivery);
                    }
                    WorkerNotice::Disconnected(why @ Loss::Stopped)
                        if member.leaving && !self.stopping =>
                    {
                        *why = Loss::Removed;
                    }
                    WorkerNotice::Drained => {
                        member.ended = true;
                        continue;
                    }
                    _ => {}
                }
                report(broker, notice);
            }
        }
    }

    /// Whether the drain is over: nothing runs, and all brokers were told.
    pub fn is_drained(&self) -> bool {
        self.stopping && self.members.iter().all(|member| member.ended)
    }

    /// What is to be done with the socket of a broker.
    pub fn poll_action(&mut self, broker: usize) -> Option<Action> {
        self.members.get_mut(broker)?.poll_action()
    }

    /// How many requests take up room, or would like to.
    pub fn outstanding(&self) -> usize {
        let of_members: usize = self.members.machines().map(Worker::outstanding).sum();
        of_members + self.left_running.len()
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

    /// Whether there is a broker at all.
    pub fn is_connected(&self) -> bool {
        self.members.machines().any(Worker::is_connected)
    }

    /// See [`Worker::poll_ping`]: each member watches the one user by itself.
    pub fn poll_ping(&mut self) -> bool {
        let asking = |count, member| count + usize::from(Worker::poll_ping(member));
        self.members.machines_mut().fold(0, asking) > 0
    }

    /// See [`Worker::handle_pong`].
    pub fn handle_pong(&mut self, now: Time) {
        for member in self.members.machines_mut() {
            member.handle_pong(now);
        }
        self.settle(now);
    }

    fn limit(&self) -> usize {
        self.concurrency.unwrap_or(usize::MAX)
    }

    /// After whatever may have changed how much room is taken.
    fn settle(&mut self, now: Time) {
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
}
