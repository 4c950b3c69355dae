//! One client that spreads its requests over several brokers.
//!
//! A request goes to the broker that has the fewest of this client's requests, among those that
//! there are; in turn, where several have as few. So a broker that is slow, or has no workers,
//! gets less. What was sent stays where it is: when that broker is lost it is for the next one on
//! the same broker, and ends with `B_LOST` if there is none in time. What was not sent, because its
//! broker went away before it could be, or was parked with its client, goes to another one with what
//! is left of its time.
//!
//! While there is no broker at all, requests wait in the *lobby*, a member without a broker, in their
//! order. A broker that leaves gets nothing new; what has not started is for the others, and it is told
//! goodbye when the rest has ended.

use super::members::{Member, Members};
use crate::proto::client::{Client, ClientConfig, ClientNotice};
use crate::proto::link::Action;
use crate::proto::{Terms, Time};
use crate::wire::omdp::ClientMessage;
use crate::wire::{Body, Form, Frame};
use std::collections::HashMap;

/// What notices of requests in the lobby are said to be from.
const NOBODY: usize = usize::MAX;

/// The machine.
#[derive(Debug)]
pub struct ClientOfSeveral<F> {
    members: Members<Client<F>>,
    lobby: Client<F>,
    /// The broker of each request that has not ended; [`NOBODY`] of those in the lobby.
    lines: HashMap<u64, usize>,
    /// That of the last request.
    last: usize,
}

impl<F: Frame> ClientOfSeveral<F> {
    /// A client that is not started, and has no broker. `config` says what all of them have in common.
    pub fn new(config: ClientConfig) -> Self {
        ClientOfSeveral {
            members: Members::new(),
            lobby: Client::new(config),
            lines: HashMap::new(),
            last: NOBODY,
        }
    }

    /// One that goes on with what a client of one broker has.
    pub(super) fn of_one(broker: usize, client: Client<F>) -> Self {
        let mut several = ClientOfSeveral::new(client.config().clone());
        several.lines = client.ids().map(|id| (id, broker)).collect();
        several.members.insert(broker, client);
        several
    }

    /// Adds a broker, and begins to look for it; one that leaves stays. Gives the configuration back if it has said
    /// goodbye to that broker, which is not [gone](Self::poll_gone) yet.
    pub fn join(&mut self, now: Time, broker: usize, config: ClientConfig) -> Option<ClientConfig> {
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
        self.settle(now);
        None
    }

    /// A broker leaves as soon as nothing is left that it has started.
    pub fn leave(&mut self, now: Time, broker: usize) {
        if let Some(member) = self.members.member(broker) {
            member.leaving = true;
            member.machine.retire(true);
        }
        self.settle(now);
    }

    /// A broker that has left, after what is to be done with its socket.
    pub fn poll_gone(&mut self) -> Option<usize> {
        self.members.poll_gone()
    }

    /// See [`Client::stop`].
    pub fn stop(&mut self) {
        self.lines.clear();
        self.lobby.stop();
        self.members.machines_mut().for_each(Client::stop);
    }

    /// Submits a request under an id that its submitter has never used before.
    pub fn request(
        &mut self,
        now: Time,
        id: u64,
        service: F,
        data: Body<F>,
        opts: F,
        terms: Terms,
    ) {
        let broker = self.choose();
        self.lines.insert(id, broker);
        let client = self.members.get_mut(broker).unwrap_or(&mut self.lobby);
        client.request(now, id, service, data, opts, terms);
    }

    /// Who has a request.
    fn of_request(&mut self, id: u64) -> Option<&mut Client<F>> {
        let broker = *self.lines.get(&id)?;
        Some(self.members.get_mut(broker).unwrap_or(&mut self.lobby))
    }

    /// Forgets a request; its broker is told if it has it. No notice follows.
    pub fn cancel(&mut self, now: Time, id: u64) {
        if let Some(client) = self.of_request(id) {
            client.cancel(id);
            self.lines.remove(&id);
            self.settle(now);
        }
    }

    /// See [`Client::credit`].
    pub fn credit(&mut self, now: Time, id: u64, bytes: u32) {
        if let Some(client) = self.of_request(id) {
            client.credit(now, id, bytes);
        }
    }

    /// See [`Client::chunk`].
    pub fn chunk(&mut self, now: Time, id: u64, body: Body<F>, counted: u32) {
        if let Some(client) = self.of_request(id) {
            client.chunk(now, id, body, counted);
        }
    }

    /// See [`Client::end_input`].
    pub fn end_input(&mut self, now: Time, id: u64) {
        if let Some(client) = self.of_request(id) {
            client.end_input(now, id);
        }
    }

    /// See [`Client::heartbeat`]; one of no request goes to all brokers.
    pub fn heartbeat(&mut self, id: Option<u64>) {
        match id {
            None => {
                let members = self.members.machines_mut();
                members.for_each(|member| member.heartbeat(None));
            }
            Some(id) => {
                if let Some(client) = self.of_request(id) {
                    client.heartbeat(Some(id));
                }
            }
        }
    }

    /// The transport takes messages.
    pub fn handle_up(&mut self, broker: usize, now: Time) {
        self.member(broker, now, |member| member.handle_up(now));
    }

    /// The connection broke.
    pub fn handle_down(&mut self, broker: usize, now: Time) {
        self.member(broker, now, |member| member.handle_down(now));
    }

    /// The broker does not let this client in.
    pub fn handle_refused(&mut self, broker: usize, now: Time) {
        self.member(broker, now, |member| member.handle_refused(now));
    }

    /// Takes one message of a broker; `frames` is empty afterwards.
    pub fn handle_message(&mut self, broker: usize, now: Time, frames: &mut Vec<F>) {
        self.member(broker, now, |member| member.handle_message(now, frames));
        frames.clear();
    }

    fn member(&mut self, broker: usize, now: Time, change: impl FnOnce(&mut Client<F>)) {
        if let Some(member) = self.members.get_mut(broker) {
            change(member);
            self.settle(now);
        }
    }

    fn all(&self) -> impl Iterator<Item = &Client<F>> {
        self.members.machines().chain([&self.lobby])
    }

    /// To be called when [`next_deadline`](Self::next_deadline) has come.
    pub fn handle_timeout(&mut self, now: Time) {
        for member in self.members.machines_mut().chain([&mut self.lobby]) {
            if member.next_deadline().is_some_and(|at| at <= now) {
                member.handle_timeout(now);
            }
        }
        self.settle(now);
    }

    /// When to call [`handle_timeout`](Self::handle_timeout).
    pub fn next_deadline(&self) -> Option<Time> {
        self.all().filter_map(Client::next_deadline).min()
    }

    /// How the messages to one broker are to be written.
    pub fn form(&self, broker: usize) -> Form {
        self.members.get(broker).unwrap_or(&self.lobby).form()
    }

    /// Hands out the messages to one broker, in order.
    pub fn drain_transmits(&mut self, broker: usize, send: impl FnMut(ClientMessage<F>)) {
        if let Some(member) = self.members.get_mut(broker) {
            member.drain_transmits(send);
        }
    }

    /// Hands out what there is to report and whom it is from, in the order of each broker.
    pub fn drain_notices(&mut self, mut report: impl FnMut(usize, ClientNotice<F>)) {
        let lines = &mut self.lines;
        let mut report = |broker, notice| {
            match &notice {
                ClientNotice::Failed { id, .. } => {
                    lines.remove(id);
                }
                ClientNotice::Reply { id, kind, .. } if kind.is_last() => {
                    lines.remove(id);
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
    }

    /// What is to be done with the socket of a broker.
    pub fn poll_action(&mut self, broker: usize) -> Option<Action> {
        self.members.get_mut(broker)?.poll_action()
    }

    /// How many requests have not ended.
    pub fn outstanding(&self) -> usize {
        self.all().map(Client::outstanding).sum()
    }

    #[cfg(test)]
    pub(in crate::proto) fn audit(&self) {
        self.all().for_each(Client::audit);
        assert_eq!(self.lines.len(), self.outstanding(), "a broker for each");
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

    /// Whether there is a broker at all.
    pub fn is_connected(&self) -> bool {
        self.members.machines().any(Client::is_connected)
    }

    /// How many requests were not sent.
    pub fn waiting(&self) -> usize {
        self.all().map(Client::waiting).sum()
    }

    /// See [`Client::unflushed`].
    pub fn unflushed(&self) -> usize {
        self.all().map(Client::unflushed).sum()
    }

    /// The broker that the next request goes to; [`NOBODY`] if there is none at all.
    fn choose(&mut self) -> usize {
        let takers = self.members.after(self.last).filter(|each| takes(each));
        // The first of those that have as few.
        let chosen = takers.min_by_key(|member| member.machine.outstanding());
        match chosen {
            None => NOBODY,
            Some(member) => {
                self.last = member.broker;
                member.broker
            }
        }
    }

    /// What waits for a broker that is not there goes to one that is.
    fn settle(&mut self, now: Time) {
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
            self.lines.insert(id, broker);
            let client = self.members.get_mut(broker).unwrap_or(&mut self.lobby);
            client.admit(now, id, request);
        }
    }
}

/// Whether a request may go there.
fn takes<F: Frame>(member: &Member<Client<F>>) -> bool {
    !member.leaving && member.machine.ready()
}
