//! The contract of the machines, for a worker of several brokers.

use super::WorkerOfSeveral;
use crate::proto::Time;
use crate::proto::link::{Action, Loss};
use crate::proto::machine::{Machine, Stats};
use crate::proto::worker::{Retract, Worker, WorkerCommand, WorkerNotice};
use crate::wire::Frame;
use std::ops::ControlFlow;

impl<F: Frame> Machine for WorkerOfSeveral<F> {
    type Frame = F;
    type Command = WorkerCommand<F>;
    type Notice = WorkerNotice<F>;

    /// The link to each broker is opened when the broker is added.
    fn start(&mut self) {}

    /// A command about one delivery is carried out by the member that has it.
    fn handle_command(&mut self, now: Time, command: WorkerCommand<F>) -> ControlFlow<()> {
        if let Some(delivery) = command.ended() {
            return self.end(now, delivery, command);
        }
        if let Some(delivery) = command.delivery() {
            return match self.of_delivery(delivery) {
                Some(member) => member.handle_command(now, command),
                None => ControlFlow::Continue(()),
            };
        }
        match command {
            WorkerCommand::Batch(worked, commands) => {
                self.handle_worked(worked, commands.iter().filter_map(WorkerCommand::ended));
                for command in commands {
                    self.handle_command(now, command)?;
                }
            }
            WorkerCommand::Heartbeat => {
                self.members.machines_mut().for_each(Worker::heartbeat);
            }
            // Each member watches the application's thread on its own.
            WorkerCommand::Pong => {
                let members = self.members.machines_mut();
                members.for_each(|member| member.handle_pong(now));
                self.room_changed(now);
            }
            WorkerCommand::Concurrency(limit) => self.set_concurrency(now, limit),
            WorkerCommand::Pause(true) => self.pause(),
            WorkerCommand::Pause(false) => self.unpause(now),
            WorkerCommand::Stop(patience) => {
                self.stopping = true;
                let deadline = patience.map(|patience| now + patience);
                for member in self.members.iter_mut().filter(|member| !member.ended) {
                    member.machine.stop(now, deadline);
                }
            }
            // Answered by the driver, or by the member that has the delivery.
            _ => {}
        }
        ControlFlow::Continue(())
    }

    fn unflushed(&self) -> usize {
        self.members.machines().map(Machine::unflushed).sum()
    }

    fn handle_exit(&mut self, now: Time) -> ControlFlow<()> {
        self.stopping = true;
        for member in self.members.iter_mut().filter(|member| !member.ended) {
            member.machine.exit(now);
        }
        ControlFlow::Continue(())
    }

    fn stats(&self, offers: usize) -> Stats {
        Stats {
            connected: self.members.machines().any(Worker::is_connected),
            queued: offers,
            running: self.outstanding().saturating_sub(offers),
        }
    }

    fn poll_ping(&mut self) -> bool {
        let asking = |count, member| count + usize::from(Worker::poll_ping(member));
        self.members.machines_mut().fold(0, asking) > 0
    }

    fn handle_up(&mut self, broker: usize, now: Time) {
        if let Some(member) = self.members.get_mut(broker) {
            member.handle_up(broker, now);
        }
    }

    fn handle_down(&mut self, broker: usize, now: Time) {
        if let Some(member) = self.members.get_mut(broker) {
            member.handle_down(broker, now);
            self.room_changed(now);
        }
    }

    fn handle_refused(&mut self, broker: usize, now: Time) {
        if let Some(member) = self.members.get_mut(broker) {
            member.handle_refused(broker, now);
            self.room_changed(now);
        }
    }

    fn handle_reached(&mut self, broker: usize, now: Time) {
        if let Some(member) = self.members.get_mut(broker) {
            member.handle_reached(broker, now);
        }
    }

    fn handle_bytes(&mut self, broker: usize, now: Time) {
        if let Some(member) = self.members.get_mut(broker) {
            member.handle_bytes(broker, now);
        }
    }

    fn handle_message(&mut self, broker: usize, now: Time, frames: &mut Vec<F>) {
        let Some(member) = self.members.get_mut(broker) else {
            return frames.clear();
        };
        member.number_from(self.last_delivery);
        member.handle_message(broker, now, frames);
        self.last_delivery = member.last_delivery();
        self.room_changed(now);
    }

    fn handle_timeout(&mut self, now: Time) {
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
            self.room_changed(now);
        }
    }

    fn next_deadline(&self) -> Option<Time> {
        let members = self.members.machines();
        let of_members = members.filter_map(Worker::next_deadline).min();
        [self.stalled_at, of_members].into_iter().flatten().min()
    }

    fn drain_transmits(&mut self, broker: usize, send: impl FnMut(&mut Vec<F>, bool)) {
        if let Some(member) = self.members.get_mut(broker) {
            member.drain_transmits(broker, send);
        }
    }

    /// Returns `Break` when the drain is complete: nothing runs, and all brokers were told.
    fn drain_notices(&mut self, mut report: impl FnMut(usize, Self::Notice)) -> ControlFlow<()> {
        let brokers = &mut self.brokers;
        for member in self.members.iter_mut() {
            let broker = member.broker;
            for mut notice in member.machine.take_notices() {
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
        match self.stopping && self.members.iter().all(|member| member.ended) {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        }
    }

    fn watches_congestion(&self, broker: usize) -> bool {
        !self.members.get(broker).is_some_and(Worker::has_windows)
    }

    fn channels(&self, broker: usize) -> Option<u16> {
        self.members.get(broker)?.channels(broker)
    }

    fn handle_congestion(&mut self, broker: usize, congested: bool) {
        if let Some(member) = self.members.get_mut(broker) {
            member.handle_congestion(broker, congested);
        }
    }

    fn poll_action(&mut self, broker: usize) -> Option<Action> {
        self.members.get_mut(broker)?.poll_action(broker)
    }

    fn handle_left_running(&mut self, now: Time, delivery: u64) {
        self.left_running.insert(delivery);
        self.room_changed(now);
    }

    fn poll_retract(&mut self) -> Option<Retract> {
        self.asking = None;
        // A member asks for its own offers when it stops and when it has lost its broker.
        for member in self.members.iter_mut() {
            if let Some(retract) = member.machine.poll_retract() {
                let broker = Some(member.broker);
                self.asking = broker;
                return Some(Retract { broker, ..retract });
            }
        }
        self.retract.take()
    }

    fn is_of(&self, broker: usize, delivery: u64) -> bool {
        self.brokers.get(&delivery) == Some(&broker)
    }

    fn handle_retracted(&mut self, now: Time, deliveries: &[u64]) {
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
            self.room_changed(now);
        }
    }
}
