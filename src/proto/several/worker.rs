//! One worker that several brokers give requests to: concurrency is counted over all of them.
//!
//! Each broker believes that it has the whole room, so together they may give more than there is.
//! What does not fit waits as an offer, as what one broker gives ahead of need does, and goes back
//! by the same rule: when none of the requests has ended for [`STALL`]. A broker whose request came
//! back is told that there is no room, until there is some; without that it would give it again at
//! once, and again.

use crate::proto::Time;
use crate::proto::link::Action;
use crate::proto::worker::{Retract, STALL, Worked, Worker, WorkerConfig, WorkerNotice};
use crate::wire::omdp::WorkerMessage;
use crate::wire::{Body, Form, Frame};
use std::collections::HashSet;

/// The machine. Its user's number for a delivery says which member has it: the member's own
/// number, times the number of members, plus the broker.
#[derive(Debug)]
pub struct WorkerOfSeveral<F> {
    members: Vec<Worker<F>>,
    concurrency: Option<usize>,
    /// Cancelled deliveries that its user had taken: they take up room until the user ends them.
    left_running: HashSet<u64>,
    /// When offers go back unless a delivery ends before; set while there are more deliveries than
    /// may run.
    stalled_at: Option<Time>,
    retract: Option<Retract>,
    /// Which member is to hear of what is taken back now; `None` is each its own.
    asking: Option<usize>,
    /// Which members have said goodbye.
    drained: Vec<bool>,
}

impl<F: Frame> WorkerOfSeveral<F> {
    /// A worker that is not started, with a member for each broker. `concurrency` is the same in
    /// all of the configurations.
    pub fn new(configs: Vec<WorkerConfig>) -> Self {
        let concurrency = configs.first().and_then(|config| config.concurrency);
        let members: Vec<_> = configs
            .into_iter()
            .map(|config| {
                let mut member = Worker::new(config);
                member.share_room();
                member
            })
            .collect();
        WorkerOfSeveral {
            drained: vec![false; members.len()],
            members,
            concurrency,
            left_running: HashSet::new(),
            stalled_at: None,
            retract: None,
            asking: None,
        }
    }

    /// Begins to look for the brokers.
    pub fn start(&mut self) {
        self.members.iter_mut().for_each(Worker::start);
    }

    /// See [`Worker::stop`]; `Drained` follows when the last of the brokers was told.
    pub fn stop(&mut self, now: Time, deadline: Option<Time>) {
        for (member, drained) in self.members.iter_mut().zip(&self.drained) {
            if !drained {
                member.stop(now, deadline);
            }
        }
    }

    /// How many requests may run at once from now on, over all brokers.
    pub fn set_concurrency(&mut self, now: Time, concurrency: Option<usize>) {
        self.concurrency = concurrency;
        for member in &mut self.members {
            member.set_concurrency(now, concurrency);
        }
        self.settle(now);
    }

    /// See [`Worker::pause`].
    pub fn pause(&mut self) {
        self.members.iter_mut().for_each(Worker::pause);
    }

    /// See [`Worker::resume`].
    pub fn resume(&mut self, now: Time) {
        for member in &mut self.members {
            member.resume(now);
        }
        self.settle(now);
    }

    /// Takes note of what the user has done, and which deliveries it is about to end. Each broker is
    /// told the pace of its own requests, in which it is nobody's business why it is no faster.
    pub fn handle_worked(&mut self, worked: Worked, ended: impl Iterator<Item = u64>) {
        let mut of_lines = vec![(0, 0); self.members.len()];
        for (broker, number) in ended.map(|delivery| self.place(delivery)) {
            let (last, ends) = &mut of_lines[broker];
            *last = number.max(*last);
            *ends += 1;
        }
        for (member, (last, ends)) in self.members.iter_mut().zip(of_lines) {
            if ends > 0 {
                // Which ones it has taken and not ended matters little: it took those last.
                let taken = worked.taken.map(|(_, since)| (last, since));
                let at = worked.at;
                member.handle_worked(Worked { taken, at, ends });
            }
        }
    }

    /// See [`Worker::partial`].
    pub fn partial(&mut self, now: Time, delivery: u64, body: Body<F>) {
        let (broker, number) = self.place(delivery);
        self.members[broker].partial(now, number, body);
    }

    /// See [`Worker::correct`].
    pub fn correct(&mut self, delivery: u64, counted: u32, body: &Body<F>) {
        let (broker, number) = self.place(delivery);
        self.members[broker].correct(number, counted, body);
    }

    /// See [`Worker::read`].
    pub fn read(&mut self, delivery: u64, bytes: u32) {
        let (line, number) = self.place(delivery);
        self.members[line].read(number, bytes);
    }

    /// See [`Worker::enough`].
    pub fn enough(&mut self, delivery: u64) {
        let (line, number) = self.place(delivery);
        self.members[line].enough(number);
    }

    /// See [`Worker::has_windows`].
    pub fn has_windows(&self, broker: usize) -> bool {
        self.members[broker].has_windows()
    }

    /// See [`Worker::handle_congestion`].
    pub fn handle_congestion(&mut self, broker: usize, congested: bool) {
        self.members[broker].handle_congestion(congested);
    }

    /// See [`Worker::finish`].
    pub fn finish(&mut self, now: Time, delivery: u64, body: Body<F>) {
        let (broker, number) = self.place(delivery);
        self.members[broker].finish(now, number, body);
        self.ended(now, delivery);
    }

    /// See [`Worker::error`].
    pub fn error(&mut self, now: Time, delivery: u64, value: Body<F>) {
        let (broker, number) = self.place(delivery);
        self.members[broker].error(now, number, value);
        self.ended(now, delivery);
    }

    /// See [`Worker::reject`].
    pub fn reject(&mut self, now: Time, delivery: u64, reason: Body<F>) {
        let (line, number) = self.place(delivery);
        self.members[line].reject(now, number, reason);
        self.ended(now, delivery);
    }

    /// See [`Worker::expire`].
    pub fn expire(&mut self, now: Time, delivery: u64) {
        let (line, number) = self.place(delivery);
        self.members[line].expire(now, number);
        self.ended(now, delivery);
    }

    /// A heartbeat out of turn, to every broker.
    pub fn heartbeat(&mut self) {
        self.members.iter_mut().for_each(Worker::heartbeat);
    }

    /// The transport takes messages.
    pub fn handle_up(&mut self, broker: usize, now: Time) {
        self.members[broker].handle_up(now);
    }

    /// The connection broke.
    pub fn handle_down(&mut self, broker: usize, now: Time) {
        self.members[broker].handle_down(now);
        self.settle(now);
    }

    /// The broker does not let this worker in.
    pub fn handle_refused(&mut self, broker: usize, now: Time) {
        self.members[broker].handle_refused(now);
        self.settle(now);
    }

    /// Takes one message of a broker; `frames` is empty afterwards.
    pub fn handle_message(&mut self, broker: usize, now: Time, frames: &mut Vec<F>) {
        self.members[broker].handle_message(now, frames);
        self.settle(now);
    }

    /// To be called when [`next_deadline`](Self::next_deadline) has come.
    pub fn handle_timeout(&mut self, now: Time) {
        for member in &mut self.members {
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
        let of_members = self.members.iter().filter_map(Worker::next_deadline).min();
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
        for (broker, member) in self.members.iter_mut().enumerate() {
            if let Some(retract) = member.poll_retract() {
                self.asking = Some(broker);
                let broker = Some(broker);
                return Some(Retract { broker, ..retract });
            }
        }
        self.retract.take()
    }

    /// Which broker a delivery is of.
    pub fn broker_of(&self, delivery: u64) -> usize {
        self.place(delivery).0
    }

    /// Takes note that the owner has taken these offers back, in the order in which they came.
    pub fn handle_retracted(&mut self, now: Time, deliveries: &[u64]) {
        for broker in 0..self.members.len() {
            let of_line: Vec<u64> = deliveries
                .iter()
                .map(|&delivery| self.place(delivery))
                .filter_map(|(at, number)| (at == broker).then_some(number))
                .collect();
            if self.asking.is_none_or(|asking| asking == broker) {
                self.members[broker].handle_retracted(now, &of_line);
            }
        }
        self.asking = None;
        if self.outstanding() <= self.limit() {
            self.settle(now);
        }
    }

    /// How the messages to one broker are to be written.
    pub fn form(&self, broker: usize) -> Form {
        self.members[broker].form()
    }

    /// Hands out the messages to one broker, in order.
    pub fn drain_transmits(&mut self, broker: usize, send: impl FnMut(WorkerMessage<F>)) {
        self.members[broker].drain_transmits(send);
    }

    /// Hands out what there is to report and whom it is from, in the order of each broker.
    pub fn drain_notices(&mut self, mut report: impl FnMut(usize, WorkerNotice<F>)) {
        let step = self.members.len() as u64;
        for (broker, member) in self.members.iter_mut().enumerate() {
            for mut notice in member.drain_notices() {
                match &mut notice {
                    WorkerNotice::Request { delivery, .. }
                    | WorkerNotice::Cancelled { delivery, .. }
                    | WorkerNotice::Credit { delivery, .. }
                    | WorkerNotice::Chunk { delivery, .. }
                    | WorkerNotice::ChunkEnd { delivery } => {
                        *delivery = *delivery * step + broker as u64;
                    }
                    WorkerNotice::Drained => {
                        self.drained[broker] = true;
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
        self.drained.iter().all(|&drained| drained)
    }

    /// What is to be done with the socket of a broker.
    pub fn poll_action(&mut self, broker: usize) -> Option<Action> {
        self.members[broker].poll_action()
    }

    /// How many requests take up room, or would like to.
    pub fn outstanding(&self) -> usize {
        let of_members: usize = self.members.iter().map(Worker::outstanding).sum();
        of_members + self.left_running.len()
    }

    #[cfg(test)]
    pub(in crate::proto) fn audit(&self) {
        self.members.iter().for_each(Worker::audit);
        let step = self.members.len() as u64;
        let lines = self.left_running.iter().map(|delivery| delivery % step);
        assert!(lines.max() < Some(step));
        let full = self.outstanding() > self.limit();
        assert!(full || self.stalled_at.is_none(), "nothing to wait for");
    }

    /// Whether there is a broker at all.
    pub fn is_connected(&self) -> bool {
        self.members.iter().any(Worker::is_connected)
    }

    /// See [`Worker::poll_ping`]: each member watches the one user by itself.
    pub fn poll_ping(&mut self) -> bool {
        let asking = |count, member| count + usize::from(Worker::poll_ping(member));
        self.members.iter_mut().fold(0, asking) > 0
    }

    /// See [`Worker::handle_pong`].
    pub fn handle_pong(&mut self, now: Time) {
        for member in &mut self.members {
            member.handle_pong(now);
        }
        self.settle(now);
    }

    fn limit(&self) -> usize {
        self.concurrency.unwrap_or(usize::MAX)
    }

    /// The broker of a delivery, and its member's number for it.
    fn place(&self, delivery: u64) -> (usize, u64) {
        let step = self.members.len() as u64;
        ((delivery % step) as usize, delivery / step)
    }

    fn ended(&mut self, now: Time, delivery: u64) {
        self.left_running.remove(&delivery);
        self.stalled_at = None;
        self.settle(now);
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
            self.members.iter_mut().for_each(Worker::room_again);
        }
    }
}
