//! A client that spreads its requests over several brokers.
//!
//! A request goes to the connected broker with the fewest open requests of this client, in turn among equal ones. So
//! a broker that is slow, or has no workers, gets less. A request that was sent stays with its broker. If that broker
//! is lost, the request is resumed at the next broker with the same address, and ends with `B_LOST` if there is none
//! in time. A request that was not sent before its broker was lost, or was parked with the client, goes to another
//! broker with what is left of its time.
//!
//! Without any broker, requests wait in the *lobby*, a member without a broker, in order. A broker that leaves gets
//! no new requests; those that have not started go to the others, and the goodbye follows when the rest has ended.

use super::Several;
use super::members::{Member, Members};
use crate::proto::Time;
use crate::proto::client::{Client, ClientCommand, ClientConfig, ClientNotice};
use crate::proto::link::Action;
use crate::proto::machine::{Machine, Stats};
use crate::wire::Frame;
use std::collections::HashMap;
use std::ops::ControlFlow;

/// The number of the broker in notices about requests in the lobby.
const NOBODY: usize = usize::MAX;

/// The client machine of several brokers.
#[derive(Debug)]
pub struct ClientOfSeveral<F> {
    members: Members<Client<F>>,
    lobby: Client<F>,
    /// The broker of each request that has not ended; [`NOBODY`] for those in the lobby.
    brokers: HashMap<u64, usize>,
    /// The broker of the latest request.
    last: usize,
}

impl<F: Frame> ClientOfSeveral<F> {
    /// Creates a client without brokers that is not started. `config` is the common part of all configurations.
    pub fn new(config: ClientConfig) -> Self {
        ClientOfSeveral {
            members: Members::new(),
            lobby: Client::new(config),
            brokers: HashMap::new(),
            last: NOBODY,
        }
    }

    /// The member that has a request.
    fn of_request(&mut self, id: u64) -> Option<&mut Client<F>> {
        let broker = *self.brokers.get(&id)?;
        Some(self.members.get_mut(broker).unwrap_or(&mut self.lobby))
    }

    fn member(&mut self, broker: usize, now: Time, change: impl FnOnce(&mut Client<F>)) {
        if let Some(member) = self.members.get_mut(broker) {
            change(member);
            self.check_waiting(now);
        }
    }

    fn all(&self) -> impl Iterator<Item = &Client<F>> {
        self.members.machines().chain([&self.lobby])
    }

    pub(in crate::proto) fn outstanding(&self) -> usize {
        self.all().map(Client::outstanding).sum()
    }

    #[cfg(test)]
    pub(in crate::proto) fn audit(&self) {
        self.all().for_each(Client::audit);
        assert_eq!(self.brokers.len(), self.outstanding(), "a broker for each");
        let any = self.members.iter().any(takes);
        let waits = |member: &Member<Client<F>>| !takes(member) && member.machine.has_waiting();
        assert!(!any || !self.members.iter().any(waits), "there is a broker");
        assert!(!any || !self.lobby.has_waiting(), "there is a broker");
        for member in self.members.iter().filter(|member| member.leaving) {
            assert!(!member.machine.has_waiting(), "it is for others");
            assert!(member.ended || member.machine.outstanding() > 0);
        }
    }

    #[cfg(test)]
    pub(in crate::proto) fn brokers(&self) -> usize {
        self.members.len()
    }

    /// Chooses the broker of the next request; [`NOBODY`] if none is connected.
    fn choose(&mut self) -> usize {
        let takers = self.members.after(self.last).filter(|each| takes(each));
        // `min_by_key` returns the first of equal members.
        let chosen = takers.min_by_key(|member| member.machine.outstanding());
        match chosen {
            None => NOBODY,
            Some(member) => {
                self.last = member.broker;
                member.broker
            }
        }
    }

    /// Moves requests that wait for a lost broker to a connected one.
    fn check_waiting(&mut self, now: Time) {
        let needs = |member: &Member<Client<F>>| {
            member.leaving || (!member.machine.ready() && member.machine.has_waiting())
        };
        if self.lobby.has_waiting() || self.members.iter().any(needs) {
            self.move_waiting(now);
        }
    }

    #[cold]
    fn move_waiting(&mut self, now: Time) {
        let is_there = self.members.iter().any(takes);
        let gives = |member: &Member<Client<F>>| match is_there {
            true => !takes(member),
            false => member.leaving,
        };
        let mut moved = Vec::new();
        if is_there {
            moved.append(&mut self.lobby.give_waiting());
        }
        for member in self.members.iter_mut() {
            if gives(&*member) {
                moved.append(&mut member.machine.give_waiting());
            }
            if member.leaving && !member.ended && member.machine.outstanding() == 0 {
                member.machine.depart();
                member.ended = true;
            }
        }
        for (id, request) in moved {
            let broker = self.choose();
            self.brokers.insert(id, broker);
            let client = self.members.get_mut(broker).unwrap_or(&mut self.lobby);
            client.admit(now, id, request);
        }
    }
}

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
                let client = self.members.get_mut(broker).unwrap_or(&mut self.lobby);
                client.handle_command(now, command)?;
            }
            ClientCommand::Heartbeat(_) => {
                let members = self.members.machines_mut();
                members.for_each(|member| member.heartbeat(None));
            }
            ClientCommand::Stop => {
                self.brokers.clear();
                self.lobby.stop();
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

    fn handle_exit(&mut self, _now: Time) -> ControlFlow<()> {
        ControlFlow::Break(())
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
        self.member(broker, now, |member| member.handle_up(now));
    }

    fn handle_down(&mut self, broker: usize, now: Time) {
        self.member(broker, now, |member| member.handle_down(now));
    }

    fn handle_refused(&mut self, broker: usize, now: Time) {
        self.member(broker, now, |member| member.handle_refused(now));
    }

    fn handle_message(&mut self, broker: usize, now: Time, frames: &mut Vec<F>) {
        self.member(broker, now, |member| member.handle_message(now, frames));
        frames.clear();
    }

    fn handle_timeout(&mut self, now: Time) {
        for member in self.members.machines_mut().chain([&mut self.lobby]) {
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
            Machine::drain_transmits(member, broker, send);
        }
    }

    /// Notices about requests in the lobby have the broker [`NOBODY`].
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
            for notice in member.machine.drain_notices() {
                report(member.broker, notice);
            }
        }
        for notice in self.lobby.drain_notices() {
            report(NOBODY, notice);
        }
        ControlFlow::Continue(())
    }

    fn poll_action(&mut self, broker: usize) -> Option<Action> {
        self.members.get_mut(broker)?.poll_action()
    }
}

impl<F: Frame> Several for ClientOfSeveral<F> {
    type One = Client<F>;
    type Config = ClientConfig;

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

/// Whether the member may be given a request.
fn takes<F: Frame>(member: &Member<Client<F>>) -> bool {
    !member.leaving && member.machine.ready()
}
