//! The contract of the machines, for a client of several brokers.

use super::{ClientOfSeveral, NO_BROKER};
use crate::proto::Time;
use crate::proto::client::{Client, ClientCommand, ClientConfig, ClientNotice};
use crate::proto::link::Action;
use crate::proto::machine::{DynamicBrokers, Machine, Stats};
use crate::proto::several::Several;
use crate::wire::Frame;
use std::ops::ControlFlow;

impl<F: Frame> Machine for ClientOfSeveral<F> {
    type Frame = F;
    type Command = ClientCommand<F>;
    type Notice = ClientNotice<F>;

    /// The link to each broker is opened when the broker is added.
    fn start(&mut self) {}

    /// A command about one request is carried out by the member that has it.
    fn handle_command(&mut self, now: Time, command: ClientCommand<F>) -> ControlFlow<()> {
        if let Some(id) = command.request() {
            let ends = matches!(command, ClientCommand::Cancel(_));
            if let Some(client) = self.of_request(id) {
                client.handle_command(now, command)?;
            }
            if ends && self.brokers.remove(&id).is_some() {
                self.check_waiting(now);
            }
            return ControlFlow::Continue(());
        }
        match command {
            ClientCommand::Batch(commands) => {
                for command in commands {
                    self.handle_command(now, command)?;
                }
            }
            ClientCommand::Request { id, .. } => {
                let broker = self.choose();
                self.brokers.insert(id, broker);
                let client = self.members.get_mut(broker).unwrap_or(&mut self.unassigned);
                client.handle_command(now, command)?;
            }
            ClientCommand::Heartbeat(_) => {
                let members = self.members.machines_mut();
                members.for_each(|member| member.heartbeat(None));
            }
            ClientCommand::Stop => {
                self.brokers.clear();
                self.unassigned.stop();
                self.members.machines_mut().for_each(Client::stop);
                return ControlFlow::Break(());
            }
            // Answered by the driver, or by the member that has the request.
            _ => {}
        }
        ControlFlow::Continue(())
    }

    fn unflushed(&self) -> usize {
        self.all().map(Client::unflushed).sum()
    }

    fn handle_exit(&mut self, now: Time) -> ControlFlow<()> {
        self.exiting = true;
        let members = self.members.machines_mut();
        members.for_each(|member| member.exit(now));
        self.check_exit()
    }

    fn stats(&self, _offers: usize) -> Stats {
        let waiting = self.all().map(Client::waiting).sum();
        Stats {
            connected: self.members.machines().any(Client::is_connected),
            queued: waiting,
            running: self.outstanding() - waiting,
        }
    }

    fn handle_up(&mut self, broker: usize, now: Time) {
        self.member(broker, now, |member| member.handle_up(broker, now));
    }

    fn handle_down(&mut self, broker: usize, now: Time) {
        self.member(broker, now, |member| member.handle_down(broker, now));
    }

    fn handle_refused(&mut self, broker: usize, now: Time) {
        self.member(broker, now, |member| member.handle_refused(broker, now));
    }

    fn handle_bytes(&mut self, broker: usize, now: Time) {
        self.member(broker, now, |member| member.handle_bytes(broker, now));
    }

    fn handle_message(&mut self, broker: usize, now: Time, frames: &mut Vec<F>) {
        self.member(broker, now, |member| {
            member.handle_message(broker, now, frames)
        });
        frames.clear();
    }

    fn handle_timeout(&mut self, now: Time) {
        for member in self.members.machines_mut().chain([&mut self.unassigned]) {
            if member.next_deadline().is_some_and(|at| at <= now) {
                member.handle_timeout(now);
            }
        }
        self.check_waiting(now);
    }

    fn next_deadline(&self) -> Option<Time> {
        self.all().filter_map(Client::next_deadline).min()
    }

    fn drain_transmits(&mut self, broker: usize, send: impl FnMut(&mut Vec<F>, bool)) {
        if let Some(member) = self.members.get_mut(broker) {
            member.drain_transmits(broker, send);
        }
    }

    /// Notices about requests in the unassigned have the broker [`NO_BROKER`].
    fn drain_notices(&mut self, mut report: impl FnMut(usize, Self::Notice)) -> ControlFlow<()> {
        let brokers = &mut self.brokers;
        let mut report = |broker, notice| {
            match &notice {
                ClientNotice::Failed { id, .. } => {
                    brokers.remove(id);
                }
                ClientNotice::Reply { id, kind, .. } if kind.is_last() => {
                    brokers.remove(id);
                }
                _ => {}
            }
            report(broker, notice);
        };
        for member in self.members.iter_mut() {
            for notice in member.machine.take_notices() {
                report(member.broker, notice);
            }
        }
        for notice in self.unassigned.take_notices() {
            report(NO_BROKER, notice);
        }
        self.check_exit()
    }

    fn poll_action(&mut self, broker: usize) -> Option<Action> {
        self.members.get_mut(broker)?.poll_action(broker)
    }
}

impl<F: Frame> Several for ClientOfSeveral<F> {
    type One = Client<F>;

    fn spare(one: &Client<F>) -> Client<F> {
        Client::new(one.config().clone())
    }

    /// Takes over the state of a client of one broker.
    fn of_one(broker: usize, client: Client<F>) -> Self {
        let mut several = ClientOfSeveral::new(client.config().clone());
        several.brokers = client.ids().map(|id| (id, broker)).collect();
        several.members.insert(broker, client);
        several
    }
}

impl<F: Frame> DynamicBrokers for ClientOfSeveral<F> {
    type Config = ClientConfig;

    /// Adds a broker and opens its link, or keeps one that was about to leave. Returns the configuration if the
    /// client has said goodbye to that broker, which is not [gone](Self::poll_gone) yet.
    fn join(&mut self, now: Time, broker: usize, config: ClientConfig) -> Option<ClientConfig> {
        match self.members.member(broker) {
            None => {
                let mut client = Client::new(config);
                client.start();
                self.members.insert(broker, client);
            }
            Some(member) if member.ended => return Some(config),
            Some(member) => {
                member.leaving = false;
                member.machine.retire(false);
            }
        }
        self.check_waiting(now);
        None
    }

    /// Removes a broker when all requests that it has started have ended.
    fn leave(&mut self, now: Time, broker: usize) {
        if let Some(member) = self.members.member(broker) {
            member.leaving = true;
            member.machine.retire(true);
        }
        self.check_waiting(now);
    }

    /// A broker that is gone. Must be called after `poll_action`.
    fn poll_gone(&mut self) -> Option<usize> {
        self.members.poll_gone()
    }
}
