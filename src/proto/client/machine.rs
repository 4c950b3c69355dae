//! The contract of the machines, for a client of one broker.

use super::{Client, ClientNotice, ClientTerms};
use crate::proto::Time;
use crate::proto::link::{Action, Loss};
use crate::proto::machine::{Command, Machine, Notice, Stats};
use crate::wire::{Body, Frame};
use std::ops::ControlFlow;

/// A command of the application.
#[derive(Debug)]
pub enum ClientCommand<F> {
    /// Commands that were submitted together.
    Batch(Vec<ClientCommand<F>>),
    /// See [`Client::request`].
    Request {
        /// The submitter's id of the request.
        id: u64,
        /// The service that is called.
        service: F,
        /// The data.
        data: Body<F>,
        /// The options, as JSON.
        opts: F,
        /// The terms.
        terms: ClientTerms,
    },
    /// See [`Client::cancel`].
    Cancel(u64),
    /// See [`Client::heartbeat`].
    Heartbeat(Option<u64>),
    /// See [`Client::credit`]: the request, and the number of bytes.
    Credit(u64, u32),
    /// See [`Client::chunk`]: the request, the chunk, and its counted cost.
    Chunk(u64, Body<F>, u32),
    /// See [`Client::end_input`].
    EndInput(u64),
    /// Asks for a snapshot under this id.
    Stats(u64),
    /// See [`Client::stop`].
    Stop,
}

impl<F> ClientCommand<F> {
    /// The request that it is about, if it is about a single one that exists.
    pub fn request(&self) -> Option<u64> {
        match self {
            ClientCommand::Cancel(id)
            | ClientCommand::Heartbeat(Some(id))
            | ClientCommand::Credit(id, _)
            | ClientCommand::Chunk(id, ..)
            | ClientCommand::EndInput(id) => Some(*id),
            _ => None,
        }
    }
}

impl<F: Frame> Machine for Client<F> {
    type Frame = F;
    type Command = ClientCommand<F>;
    type Notice = ClientNotice<F>;

    fn start(&mut self) {
        self.name_taken = false;
        self.link.open();
    }

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
            ClientCommand::Cancel(id) => self.cancel(id),
            ClientCommand::Heartbeat(id) => self.heartbeat(id),
            ClientCommand::Credit(id, bytes) => self.credit(now, id, bytes),
            ClientCommand::Chunk(id, body, counted) => self.chunk(now, id, body, counted),
            ClientCommand::EndInput(id) => self.end_input(now, id),
            // Answered by the driver.
            ClientCommand::Stats(_) => {}
            ClientCommand::Stop => {
                self.stop();
                return ControlFlow::Break(());
            }
        }
        ControlFlow::Continue(())
    }

    fn unflushed(&self) -> usize {
        if !self.link.is_up() {
            return self.outstanding();
        }
        let streams = self
            .requests
            .values()
            .filter_map(|request| request.data_stream.as_ref());
        self.waiting() + streams.filter(|stream| stream.keeps_the_end()).count()
    }

    fn handle_exit(&mut self, now: Time) -> ControlFlow<()> {
        self.exit(now);
        match self.exits() {
            true => ControlFlow::Continue(()),
            false => ControlFlow::Break(()),
        }
    }

    fn stats(&self, _offers: usize) -> Stats {
        Stats {
            connected: self.is_connected(),
            queued: self.waiting(),
            running: self.outstanding() - self.waiting(),
        }
    }

    fn handle_up(&mut self, _broker: usize, now: Time) {
        self.introduce(now);
    }

    fn handle_down(&mut self, _broker: usize, now: Time) {
        self.lose(now, Loss::Transport);
    }

    fn handle_refused(&mut self, _broker: usize, now: Time) {
        self.link.refused();
        self.lose(now, Loss::Refused);
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
        let times = [
            self.deadlines.next(),
            self.unknown.first().map(|(until, _)| *until),
            self.link.next_deadline(),
            self.exit.deadline(),
        ];
        times.into_iter().flatten().min()
    }

    fn drain_transmits(&mut self, _broker: usize, mut send: impl FnMut(&mut Vec<F>, bool)) {
        let form = self.form();
        let mut frames = Vec::new();
        self.take_messages(|message| {
            form.encode_of_client(message, &mut frames);
            if !frames.is_empty() {
                send(&mut frames, form.packed);
            }
        });
    }

    fn drain_notices(&mut self, mut report: impl FnMut(usize, Self::Notice)) -> ControlFlow<()> {
        self.take_notices().for_each(|notice| report(0, notice));
        match self.has_left() {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        }
    }

    fn poll_action(&mut self, _broker: usize) -> Option<Action> {
        self.link.poll_action()
    }
}

impl<F> Command for ClientCommand<F> {
    fn asked(&self) -> Option<u64> {
        match self {
            ClientCommand::Stats(id) => Some(*id),
            _ => None,
        }
    }
}

impl<F> Notice for ClientNotice<F> {
    fn only_tells(&self) -> bool {
        matches!(self, ClientNotice::Fault(_))
    }
}
