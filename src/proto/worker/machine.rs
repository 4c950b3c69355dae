//! The contract of the machines, for a worker of one broker.

use super::drain::Draining;
use super::{Retract, Worked, Worker, WorkerNotice};
use crate::proto::Time;
use crate::proto::link::{Action, Loss};
use crate::proto::machine::{Command, Machine, Notice, Offer, Stats};
use crate::wire::{Body, Frame};
use std::ops::ControlFlow;
use std::time::Duration;

/// A command of the application. A delivery is named by the number in its notice.
#[derive(Debug)]
pub enum WorkerCommand<F> {
    /// Commands that were submitted together, with the work that the application did for them.
    Batch(Worked, Vec<WorkerCommand<F>>),
    /// See [`Worker::partial`], and [`Worker::correct`] for the counted cost.
    Partial(u64, Body<F>, u32),
    /// See [`Worker::finish`].
    Final(u64, Body<F>),
    /// See [`Worker::error`].
    Error(u64, Body<F>),
    /// See [`Worker::reject`].
    Reject(u64, Body<F>),
    /// See [`Worker::expire`].
    Expired(u64),
    /// See [`Worker::read`]: the delivery, and the number of bytes.
    Read(u64, u32),
    /// See [`Worker::enough`].
    Enough(u64),
    /// See [`Worker::heartbeat`].
    Heartbeat,
    /// See [`Worker::set_concurrency`].
    Concurrency(Option<usize>),
    /// See [`Worker::pause`] if true, else [`Worker::unpause`].
    Pause(bool),
    /// See [`Worker::handle_pong`].
    Pong,
    /// Asks for a snapshot under this id.
    Stats(u64),
    /// See [`Worker::stop`]: the time for running requests; `None` is without limit.
    Stop(Option<Duration>),
}

impl<F> WorkerCommand<F> {
    /// The delivery that it ends, if it ends one.
    pub fn ended(&self) -> Option<u64> {
        match self {
            WorkerCommand::Final(delivery, _)
            | WorkerCommand::Error(delivery, _)
            | WorkerCommand::Reject(delivery, _)
            | WorkerCommand::Expired(delivery) => Some(*delivery),
            _ => None,
        }
    }

    /// The delivery that it is about, if it is about a single one.
    pub fn delivery(&self) -> Option<u64> {
        match self {
            WorkerCommand::Partial(delivery, ..)
            | WorkerCommand::Read(delivery, _)
            | WorkerCommand::Enough(delivery) => Some(*delivery),
            _ => self.ended(),
        }
    }
}

impl<F: Frame> Machine for Worker<F> {
    type Frame = F;
    type Command = WorkerCommand<F>;
    type Notice = WorkerNotice<F>;

    fn start(&mut self) {
        self.name_taken = false;
        self.link.open();
    }

    fn handle_command(&mut self, now: Time, command: WorkerCommand<F>) -> ControlFlow<()> {
        match command {
            WorkerCommand::Batch(worked, commands) => {
                self.handle_worked(worked);
                for command in commands {
                    self.handle_command(now, command)?;
                }
            }
            WorkerCommand::Partial(delivery, body, counted) => {
                self.correct(delivery, counted, &body);
                self.partial(now, delivery, body);
            }
            WorkerCommand::Final(delivery, body) => self.finish(now, delivery, body),
            WorkerCommand::Error(delivery, value) => self.error(now, delivery, value),
            WorkerCommand::Reject(delivery, reason) => self.reject(now, delivery, reason),
            WorkerCommand::Expired(delivery) => self.expire(now, delivery),
            WorkerCommand::Read(delivery, bytes) => self.read(delivery, bytes),
            WorkerCommand::Enough(delivery) => self.enough(delivery),
            WorkerCommand::Heartbeat => self.heartbeat(),
            WorkerCommand::Pong => self.handle_pong(now),
            // Answered by the driver.
            WorkerCommand::Stats(_) => {}
            WorkerCommand::Concurrency(limit) => self.set_concurrency(now, limit),
            WorkerCommand::Pause(true) => self.pause(),
            WorkerCommand::Pause(false) => self.unpause(now),
            WorkerCommand::Stop(patience) => {
                self.stop(now, patience.map(|patience| now + patience));
            }
        }
        ControlFlow::Continue(())
    }

    fn unflushed(&self) -> usize {
        self.detached.news()
    }

    fn handle_exit(&mut self, now: Time) -> ControlFlow<()> {
        self.exit(now);
        ControlFlow::Continue(())
    }

    fn stats(&self, offers: usize) -> Stats {
        Stats {
            connected: self.is_connected(),
            queued: offers,
            running: self.outstanding().saturating_sub(offers),
        }
    }

    fn poll_ping(&mut self) -> bool {
        self.watchdog.poll_ping()
    }

    fn handle_up(&mut self, _broker: usize, now: Time) {
        self.register(now);
    }

    fn handle_down(&mut self, _broker: usize, now: Time) {
        self.lose(now, Loss::Transport);
    }

    fn handle_refused(&mut self, _broker: usize, now: Time) {
        self.link.refused();
        self.lose(now, Loss::Refused);
    }

    fn handle_reached(&mut self, _broker: usize, now: Time) {
        self.link.retry_at_once(now);
    }

    fn handle_bytes(&mut self, _broker: usize, now: Time) {
        self.link.receives(now);
    }

    fn handle_message(&mut self, _broker: usize, now: Time, frames: &mut Vec<F>) {
        self.receive(now, frames);
    }

    fn handle_timeout(&mut self, now: Time) {
        self.come_due(now);
    }

    fn next_deadline(&self) -> Option<Time> {
        // The drain continues after the owner has taken back the offers.
        let draining = self.draining.filter(|_| self.retract.is_none());
        [
            draining.and_then(Draining::next_deadline),
            self.stalled_at,
            self.give_up_at,
            self.watchdog.next_deadline(),
            self.link.next_deadline(),
        ]
        .into_iter()
        .flatten()
        .min()
    }

    fn drain_transmits(&mut self, _broker: usize, mut send: impl FnMut(&mut Vec<F>, bool)) {
        let form = self.form();
        let mut frames = Vec::new();
        self.take_messages(|message| {
            form.encode_of_worker(message, &mut frames);
            if !frames.is_empty() {
                send(&mut frames, form.packed);
            }
        });
    }

    fn drain_notices(&mut self, mut report: impl FnMut(usize, Self::Notice)) -> ControlFlow<()> {
        let mut end = ControlFlow::Continue(());
        for notice in self.take_notices() {
            if matches!(notice, WorkerNotice::Drained) {
                end = ControlFlow::Break(());
            }
            report(0, notice);
        }
        end
    }

    fn watches_congestion(&self, _broker: usize) -> bool {
        !self.has_windows()
    }

    fn channels(&self, _broker: usize) -> Option<u16> {
        match self.link.peer() {
            Some(hello) => Some(hello.channels),
            // A broker without a hello.
            None => self.connected.then_some(0),
        }
    }

    fn handle_congestion(&mut self, _broker: usize, congested: bool) {
        self.congested = congested;
        for (&number, delivery) in &mut self.deliveries {
            if let Some(bytes) = delivery.debt.settle(congested) {
                self.notices.push(delivery.credit(number, bytes));
            }
        }
    }

    fn poll_action(&mut self, _broker: usize) -> Option<Action> {
        self.link.poll_action()
    }

    fn handle_left_running(&mut self, now: Time, delivery: u64) {
        self.abandoned.add(delivery);
        if self.stalled_at.is_none() {
            self.watch_for_stall(now);
        }
    }

    fn poll_retract(&mut self) -> Option<Retract> {
        self.retract.take()
    }

    fn handle_retracted(&mut self, now: Time, offers: &[u64]) {
        self.take_back(now, offers);
    }
}

impl<F> Command for WorkerCommand<F> {
    fn asked(&self) -> Option<u64> {
        match self {
            WorkerCommand::Stats(id) => Some(*id),
            _ => None,
        }
    }
}

impl<F> Notice for WorkerNotice<F> {
    fn only_tells(&self) -> bool {
        matches!(self, WorkerNotice::Fault(_))
    }

    fn offered(&self) -> Option<Offer> {
        match self {
            WorkerNotice::Request {
                delivery,
                returnable,
                ..
            } => Some(Offer {
                id: *delivery,
                returnable: *returnable,
            }),
            _ => None,
        }
    }

    fn withdrawn(&self) -> Option<u64> {
        match self {
            WorkerNotice::Cancelled { delivery, .. } => Some(*delivery),
            _ => None,
        }
    }
}
