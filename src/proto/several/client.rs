//! One client that spreads its requests over several brokers.
//!
//! A request goes to the broker that has the fewest of this client's requests, among those that
//! there are; in turn, where several have as few. So a broker that is slow, or has no workers,
//! gets less. What was sent stays where it is: when that broker is lost it is for the next one on
//! the same broker, and ends with `B_LOST` if there is none in time. What was not sent, because its
//! broker went away before it could be, or was parked with its client, goes to another one with what
//! is left of its time.
//!
//! While there is no broker at all, requests wait in the first member, in their order.

use crate::proto::client::{Client, ClientConfig, ClientNotice};
use crate::proto::link::Action;
use crate::proto::{Terms, Time};
use crate::wire::omdp::ClientMessage;
use crate::wire::{Body, Form, Frame};
use std::collections::HashMap;

/// The machine.
#[derive(Debug)]
pub struct ClientOfSeveral<F> {
    members: Vec<Client<F>>,
    /// The broker of each request that has not ended.
    lines: HashMap<u64, usize>,
    /// That of the last request.
    last: usize,
}

impl<F: Frame> ClientOfSeveral<F> {
    /// A client that is not started, with a member for each broker.
    pub fn new(configs: Vec<ClientConfig>) -> Self {
        ClientOfSeveral {
            last: configs.len().saturating_sub(1),
            members: configs.into_iter().map(Client::new).collect(),
            lines: HashMap::new(),
        }
    }

    /// Begins to look for the brokers.
    pub fn start(&mut self) {
        self.members.iter_mut().for_each(Client::start);
    }

    /// See [`Client::stop`].
    pub fn stop(&mut self) {
        self.lines.clear();
        self.members.iter_mut().for_each(Client::stop);
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
        let broker = self.choose().unwrap_or(0);
        self.lines.insert(id, broker);
        self.members[broker].request(now, id, service, data, opts, terms);
    }

    /// Forgets a request; its broker is told if it has it. No notice follows.
    pub fn cancel(&mut self, now: Time, id: u64) {
        if let Some(broker) = self.lines.remove(&id) {
            self.members[broker].cancel(id);
            self.settle(now);
        }
    }

    /// See [`Client::credit`].
    pub fn credit(&mut self, now: Time, id: u64, bytes: u32) {
        if let Some(&broker) = self.lines.get(&id) {
            self.members[broker].credit(now, id, bytes);
        }
    }

    /// See [`Client::chunk`].
    pub fn chunk(&mut self, now: Time, id: u64, body: Body<F>, counted: u32) {
        if let Some(&broker) = self.lines.get(&id) {
            self.members[broker].chunk(now, id, body, counted);
        }
    }

    /// See [`Client::end_input`].
    pub fn end_input(&mut self, now: Time, id: u64) {
        if let Some(&broker) = self.lines.get(&id) {
            self.members[broker].end_input(now, id);
        }
    }

    /// See [`Client::heartbeat`]; one of no request goes to all brokers.
    pub fn heartbeat(&mut self, id: Option<u64>) {
        match id {
            None => self
                .members
                .iter_mut()
                .for_each(|member| member.heartbeat(None)),
            Some(id) => {
                if let Some(&broker) = self.lines.get(&id) {
                    self.members[broker].heartbeat(Some(id));
                }
            }
        }
    }

    /// The transport takes messages.
    pub fn handle_up(&mut self, broker: usize, now: Time) {
        self.members[broker].handle_up(now);
        self.settle(now);
    }

    /// The connection broke.
    pub fn handle_down(&mut self, broker: usize, now: Time) {
        self.members[broker].handle_down(now);
        self.settle(now);
    }

    /// The broker does not let this client in.
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
        self.settle(now);
    }

    /// When to call [`handle_timeout`](Self::handle_timeout).
    pub fn next_deadline(&self) -> Option<Time> {
        self.members.iter().filter_map(Client::next_deadline).min()
    }

    /// How the messages to one broker are to be written.
    pub fn form(&self, broker: usize) -> Form {
        self.members[broker].form()
    }

    /// Hands out the messages to one broker, in order.
    pub fn drain_transmits(&mut self, broker: usize, send: impl FnMut(ClientMessage<F>)) {
        self.members[broker].drain_transmits(send);
    }

    /// Hands out what there is to report and whom it is from, in the order of each broker.
    pub fn drain_notices(&mut self, mut report: impl FnMut(usize, ClientNotice<F>)) {
        for (broker, member) in self.members.iter_mut().enumerate() {
            for notice in member.drain_notices() {
                match &notice {
                    ClientNotice::Failed { id, .. } => {
                        self.lines.remove(id);
                    }
                    ClientNotice::Reply { id, kind, .. } if kind.is_last() => {
                        self.lines.remove(id);
                    }
                    _ => {}
                }
                report(broker, notice);
            }
        }
    }

    /// What is to be done with the socket of a broker.
    pub fn poll_action(&mut self, broker: usize) -> Option<Action> {
        self.members[broker].poll_action()
    }

    /// How many requests have not ended.
    pub fn outstanding(&self) -> usize {
        self.members.iter().map(Client::outstanding).sum()
    }

    #[cfg(test)]
    pub(in crate::proto) fn audit(&self) {
        self.members.iter().for_each(Client::audit);
        assert_eq!(self.lines.len(), self.outstanding(), "a broker for each");
        let any = self.members.iter().any(Client::ready);
        let stuck = |member: &Client<F>| !member.ready() && member.has_waiting();
        assert!(!any || !self.members.iter().any(stuck), "there is a broker");
    }

    /// Whether there is a broker at all.
    pub fn is_connected(&self) -> bool {
        self.members.iter().any(Client::is_connected)
    }

    /// How many requests were not sent.
    pub fn waiting(&self) -> usize {
        self.members.iter().map(Client::waiting).sum()
    }

    /// See [`Client::unflushed`].
    pub fn unflushed(&self) -> usize {
        self.members.iter().map(Client::unflushed).sum()
    }

    /// The broker that the next request goes to, if there is a broker at all.
    fn choose(&mut self) -> Option<usize> {
        let count = self.members.len();
        let broker = (1..=count)
            .map(|step| (self.last + step) % count)
            .filter(|&broker| self.members[broker].ready())
            // The first of those that have as few.
            .min_by_key(|&broker| self.members[broker].outstanding())?;
        self.last = broker;
        Some(broker)
    }

    /// What waits for a broker that is not there goes to one that is.
    fn settle(&mut self, now: Time) {
        for from in 0..self.members.len() {
            let member = &self.members[from];
            if member.ready() || !member.has_waiting() {
                continue;
            }
            if !self.members.iter().any(Client::ready) {
                return;
            }
            for (id, request) in self.members[from].give_waiting() {
                let to = self.choose().unwrap_or(from);
                self.lines.insert(id, to);
                self.members[to].admit(now, id, request);
            }
        }
    }
}
