//! A client that spreads its requests over several brokers.
//!
//! A request goes to the connected broker with the fewest open requests of this client, in turn among equal ones. So
//! a broker that is slow, or has no workers, gets less. A request that was sent stays with its broker. If that broker
//! is lost, the request is resumed at the next broker with the same address, and ends with `B_LOST` if there is none
//! in time. A request that was not sent before its broker was lost, or was parked with the client, goes to another
//! broker with what is left of its time.
//!
//! Without any broker, requests wait in the *unassigned*, a member without a broker, in order. A broker that leaves gets
//! no new requests; those that have not started go to the others, and the goodbye follows when the rest has ended.

mod machine;

use super::members::{Member, Members};
use crate::proto::Time;
use crate::proto::client::{Client, ClientConfig};
use crate::wire::Frame;
use std::collections::HashMap;
use std::ops::ControlFlow;

/// The number of the broker in notices about requests in the unassigned.
const NO_BROKER: usize = usize::MAX;

/// The client machine of several brokers.
#[derive(Debug)]
pub struct ClientOfSeveral<F> {
    members: Members<Client<F>>,
    unassigned: Client<F>,
    /// The broker of each request that has not ended; [`NO_BROKER`] for those in the unassigned.
    brokers: HashMap<u64, usize>,
    /// The broker of the latest request.
    last: usize,
    /// Whether the process ends.
    exiting: bool,
}

impl<F: Frame> ClientOfSeveral<F> {
    /// Creates a client without brokers that is not started. `config` is the common part of all configurations.
    pub fn new(config: ClientConfig) -> Self {
        ClientOfSeveral {
            members: Members::new(),
            unassigned: Client::new(config),
            brokers: HashMap::new(),
            last: NO_BROKER,
            exiting: false,
        }
    }

    /// The member that has a request.
    fn of_request(&mut self, id: u64) -> Option<&mut Client<F>> {
        let broker = *self.brokers.get(&id)?;
        Some(self.members.get_mut(broker).unwrap_or(&mut self.unassigned))
    }

    fn member(&mut self, broker: usize, now: Time, change: impl FnOnce(&mut Client<F>)) {
        if let Some(member) = self.members.get_mut(broker) {
            change(member);
            self.check_waiting(now);
        }
    }

    /// Returns `Break` when the process ends and all brokers have answered.
    fn check_exit(&self) -> ControlFlow<()> {
        match self.exiting && !self.members.machines().any(Client::exits) {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        }
    }

    fn all(&self) -> impl Iterator<Item = &Client<F>> {
        self.members.machines().chain([&self.unassigned])
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
        assert!(!any || !self.unassigned.has_waiting(), "there is a broker");
        for member in self.members.iter().filter(|member| member.leaving) {
            assert!(!member.machine.has_waiting(), "it is for others");
            assert!(member.ended || member.machine.outstanding() > 0);
        }
    }

    #[cfg(test)]
    pub(in crate::proto) fn brokers(&self) -> usize {
        self.members.len()
    }

    /// Chooses the broker of the next request; [`NO_BROKER`] if none is connected.
    fn choose(&mut self) -> usize {
        let takers = self.members.after(self.last).filter(|each| takes(each));
        // `min_by_key` returns the first of equal members.
        let chosen = takers.min_by_key(|member| member.machine.outstanding());
        match chosen {
            None => NO_BROKER,
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
        if self.unassigned.has_waiting() || self.members.iter().any(needs) {
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
            moved.append(&mut self.unassigned.give_waiting());
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
            let client = self.members.get_mut(broker).unwrap_or(&mut self.unassigned);
            client.admit(now, id, request);
        }
    }
}

/// Whether the member may be given a request.
fn takes<F: Frame>(member: &Member<Client<F>>) -> bool {
    !member.leaving && member.machine.ready()
}
