//! The contract of the machines, for workers and clients of several brokers.

use super::{ClientOfSeveral, WorkerOfSeveral};
use crate::proto::Time;
use crate::proto::client::{ClientCommand, ClientNotice};
use crate::proto::link::Action;
use crate::proto::machine::{Machine, Stats};
use crate::proto::worker::{Retract, WorkerCommand, WorkerNotice};
use crate::wire::Frame;
use std::ops::ControlFlow;

impl<F: Frame> Machine for WorkerOfSeveral<F> {
    type Frame = F;
    type Command = WorkerCommand<F>;
    type Notice = WorkerNotice<F>;

    /// The link to each broker is opened when the broker is added.
    fn start(&mut self) {}

    fn handle_command(&mut self, now: Time, command: WorkerCommand<F>) -> ControlFlow<()> {
        match command {
            WorkerCommand::Batch(worked, commands) => {
                let ended = commands.iter().filter_map(|command| match command {
                    WorkerCommand::Final(delivery, _)
                    | WorkerCommand::Error(delivery, _)
                    | WorkerCommand::Reject(delivery, _)
                    | WorkerCommand::Expired(delivery) => Some(*delivery),
                    _ => None,
                });
                self.handle_worked(worked, ended);
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
            WorkerCommand::Pong => self.handle_pong(now),
            WorkerCommand::Stats(_) => {}
            WorkerCommand::Heartbeat => self.heartbeat(),
            WorkerCommand::Concurrency(limit) => self.set_concurrency(now, limit),
            WorkerCommand::Pause(true) => self.pause(),
            WorkerCommand::Pause(false) => self.resume(now),
            WorkerCommand::Stop(patience) => {
                self.stop(now, patience.map(|patience| now + patience));
            }
        }
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
        WorkerOfSeveral::poll_ping(self)
    }

    fn handle_up(&mut self, broker: usize, now: Time) {
        WorkerOfSeveral::handle_up(self, broker, now);
    }

    fn handle_down(&mut self, broker: usize, now: Time) {
        WorkerOfSeveral::handle_down(self, broker, now);
    }

    fn handle_refused(&mut self, broker: usize, now: Time) {
        WorkerOfSeveral::handle_refused(self, broker, now);
    }

    fn handle_message(&mut self, broker: usize, now: Time, frames: &mut Vec<F>) {
        WorkerOfSeveral::handle_message(self, broker, now, frames);
    }

    fn handle_timeout(&mut self, now: Time) {
        WorkerOfSeveral::handle_timeout(self, now);
    }

    fn next_deadline(&self) -> Option<Time> {
        WorkerOfSeveral::next_deadline(self)
    }

    fn drain_transmits(&mut self, broker: usize, mut send: impl FnMut(&mut Vec<F>, bool)) {
        let Some(form) = self.form(broker) else {
            return;
        };
        let mut frames = Vec::new();
        WorkerOfSeveral::drain_transmits(self, broker, |message| {
            form.encode_of_worker(message, &mut frames);
            if !frames.is_empty() {
                send(&mut frames, form.packed);
            }
        });
    }

    fn drain_notices(&mut self, report: impl FnMut(usize, Self::Notice)) -> ControlFlow<()> {
        WorkerOfSeveral::drain_notices(self, report);
        match self.is_drained() {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        }
    }

    fn watches_congestion(&self, broker: usize) -> bool {
        !self.has_windows(broker)
    }

    fn handle_congestion(&mut self, broker: usize, congested: bool) {
        WorkerOfSeveral::handle_congestion(self, broker, congested);
    }

    fn poll_action(&mut self, broker: usize) -> Option<Action> {
        WorkerOfSeveral::poll_action(self, broker)
    }

    fn handle_left_running(&mut self, now: Time, offer: u64) {
        WorkerOfSeveral::handle_left_running(self, now, offer);
    }

    fn poll_retract(&mut self) -> Option<Retract> {
        WorkerOfSeveral::poll_retract(self)
    }

    fn is_of(&self, broker: usize, offer: u64) -> bool {
        self.broker_of(offer) == Some(broker)
    }

    fn handle_retracted(&mut self, now: Time, offers: &[u64]) {
        WorkerOfSeveral::handle_retracted(self, now, offers);
    }
}

impl<F: Frame> Machine for ClientOfSeveral<F> {
    type Frame = F;
    type Command = ClientCommand<F>;
    type Notice = ClientNotice<F>;

    /// The link to each broker is opened when the broker is added.
    fn start(&mut self) {}

    fn handle_command(&mut self, now: Time, command: ClientCommand<F>) -> ControlFlow<()> {
        match command {
            ClientCommand::Batch(commands) => {
                for command in commands {
                    self.handle_command(now, command)?;
                }
            }
            ClientCommand::Request {
                id,
                service,
                data,
                opts,
                terms,
            } => self.request(now, id, service, data, opts, terms),
            ClientCommand::Chunk(id, body, counted) => self.chunk(now, id, body, counted),
            ClientCommand::EndInput(id) => self.end_input(now, id),
            ClientCommand::Stats(_) => {}
            ClientCommand::Waiting(answer) => drop(answer.send(self.unflushed())),
            ClientCommand::Cancel(id) => self.cancel(now, id),
            ClientCommand::Credit(id, bytes) => self.credit(now, id, bytes),
            ClientCommand::Heartbeat(id) => self.heartbeat(id),
            ClientCommand::Stop => {
                self.stop();
                return ControlFlow::Break(());
            }
        }
        ControlFlow::Continue(())
    }

    fn stats(&self, _offers: usize) -> Stats {
        Stats {
            connected: self.is_connected(),
            queued: self.waiting(),
            running: self.outstanding() - self.waiting(),
        }
    }

    fn handle_up(&mut self, broker: usize, now: Time) {
        ClientOfSeveral::handle_up(self, broker, now);
    }

    fn handle_down(&mut self, broker: usize, now: Time) {
        ClientOfSeveral::handle_down(self, broker, now);
    }

    fn handle_refused(&mut self, broker: usize, now: Time) {
        ClientOfSeveral::handle_refused(self, broker, now);
    }

    fn handle_message(&mut self, broker: usize, now: Time, frames: &mut Vec<F>) {
        ClientOfSeveral::handle_message(self, broker, now, frames);
    }

    fn handle_timeout(&mut self, now: Time) {
        ClientOfSeveral::handle_timeout(self, now);
    }

    fn next_deadline(&self) -> Option<Time> {
        ClientOfSeveral::next_deadline(self)
    }

    fn drain_transmits(&mut self, broker: usize, mut send: impl FnMut(&mut Vec<F>, bool)) {
        let form = self.form(broker);
        let mut frames = Vec::new();
        ClientOfSeveral::drain_transmits(self, broker, |message| {
            form.encode_of_client(message, &mut frames);
            if !frames.is_empty() {
                send(&mut frames, form.packed);
            }
        });
    }

    fn drain_notices(&mut self, report: impl FnMut(usize, Self::Notice)) -> ControlFlow<()> {
        ClientOfSeveral::drain_notices(self, report);
        ControlFlow::Continue(())
    }

    fn poll_action(&mut self, broker: usize) -> Option<Action> {
        ClientOfSeveral::poll_action(self, broker)
    }
}
