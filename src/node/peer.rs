//! The common part of the shells of workers and clients: their identities, and their common
//! records.

use super::batch_writer::BatchWriter;
use super::core::{self, Core};
use super::crossing::Kind;
use crate::io::dealer::{
    Command, DriverHandle, DynamicBrokers, Endpoint, Notice, RoutingIds, Stats,
};
use crate::io::{Address, Borrowed, CommandSink, Message, random};
use crate::proto::code::Code;
use crate::proto::link::Loss;
use crate::wire::Dialect;
use napi::bindgen_prelude::Result;
use napi_derive::napi;
use serde_json::json;
use std::ops::ControlFlow;
use std::time::Duration;

/// Total data bytes of a worker or client.
#[napi(object)]
pub struct Bytes {
    /// Received bytes.
    pub bytes_in: f64,
    /// Sent bytes.
    pub bytes_out: f64,
}

/// How a peer is known to one of the brokers, in the next run.
pub(super) struct Identity {
    pub(super) routing_id: RoutingIds,
    /// The name in the hello; empty if the routing id is the name.
    pub(super) name: String,
}

impl Identity {
    /// Two endpoints may lead to one broker, so a generated name differs between them; a name that
    /// the user has chosen does not.
    pub(super) fn new<S: CommandSink, N>(
        core: &Core<S, N>,
        dialect: Dialect,
        broker: usize,
        (name, generated): (&str, bool),
    ) -> Self {
        let mut name = core.identity(name, generated);
        if generated && broker > 0 {
            name.push_str(&format!("-{broker}"));
        }
        let (routing_id, name) = match dialect {
            // An MDP broker distinguishes no sessions: a reply for an earlier connection must not
            // reach a later one.
            Dialect::Mdp(_) => (RoutingIds::OfTheBroker, String::new()),
            Dialect::Omdp => (RoutingIds::differing(&name, random()), name),
            Dialect::Pigato => (RoutingIds::Same(name.into_bytes()), String::new()),
        };
        Identity { routing_id, name }
    }
}

/// A destination of connections: the endpoint of a broker, and the index of the worker's service there; 0 for a
/// client.
pub(super) type Destination = (Address, usize);

/// The share of the first pause after which a connection that broke is opened again.
const SOON: f64 = 10.0;

/// The pause before a connection that was in use is opened again, given the first pause, in ms.
pub(super) fn soon(reconnect: f64) -> Duration {
    Duration::from_micros((reconnect * 1000.0 / SOON) as u64)
}

/// The numbers of a driver's destinations in one run. A number belongs to one destination, and is kept for a later
/// return of the broker, so that a late notice is never attributed to another broker.
#[derive(Debug, Default)]
pub(super) struct Destinations {
    numbered: Vec<Destination>,
    /// The numbers in use.
    present: Vec<usize>,
}

/// The numbers added and removed by a change.
pub(super) struct Change {
    pub(super) came: Vec<usize>,
    pub(super) went: Vec<usize>,
}

/// The endpoints of destinations, and the configurations of their machines.
type Brokers<C> = (Vec<(usize, Endpoint)>, Vec<C>);

/// The endpoints and configurations for the destinations with these numbers, which `broker` makes.
pub(super) fn brokers<C>(
    numbers: Vec<usize>,
    broker: impl Fn(usize) -> Result<(Endpoint, C)>,
) -> Result<Brokers<C>> {
    let all = numbers.into_iter().map(|number| {
        let (endpoint, config) = broker(number)?;
        Ok(((number, endpoint), config))
    });
    all.collect::<Result<_>>()
}

impl<M: DynamicBrokers<Frame = Message>, N> Core<DriverHandle<M>, N> {
    /// See [`DriverHandle::may_borrow`].
    pub(super) fn may_borrow(&self, count: u32, bytes: usize) -> bool {
        let commands = self.commands();
        commands.is_some_and(|commands| commands.may_borrow(count as usize, bytes))
    }

    /// Carries out a batch of `count` commands, see [`DriverHandle::submit`].
    pub(super) fn submit(&self, batch: M::Command, count: u32, borrowed: Vec<Borrowed>) {
        if let Some(commands) = self.commands() {
            commands.submit(batch, count as usize, borrowed);
        }
    }

    /// Tells the driver of a change. `broker` makes the endpoint and the configuration for an added number.
    pub(super) fn change_brokers(
        &self,
        change: Change,
        broker: impl Fn(usize) -> Result<(Endpoint, M::Config)>,
    ) -> Result<()> {
        for number in change.came {
            let (endpoint, config) = broker(number)?;
            self.command(Command::Join(number, Box::new(endpoint), Box::new(config)));
        }
        for number in change.went {
            self.command(Command::Leave(number));
        }
        Ok(())
    }
}

impl Destinations {
    /// Sets the destinations in use.
    pub(super) fn set(&mut self, destinations: impl IntoIterator<Item = Destination>) -> Change {
        let mut present = Vec::new();
        for destination in destinations {
            let known = self.numbered.iter().position(|each| *each == destination);
            present.push(known.unwrap_or_else(|| {
                self.numbered.push(destination);
                self.numbered.len() - 1
            }));
        }
        let old = std::mem::replace(&mut self.present, present);
        let now = self.present.iter().copied();
        Change {
            came: now.filter(|number| !old.contains(number)).collect(),
            went: old
                .iter()
                .copied()
                .filter(|number| !self.present.contains(number))
                .collect(),
        }
    }

    /// The address of the destination with this number.
    pub(super) fn address(&self, number: usize) -> Address {
        let known = self.numbered.get(number);
        known.map_or_else(|| Address::new(""), |(address, _)| address.clone())
    }

    /// Its text.
    pub(super) fn endpoint(&self, number: usize) -> &str {
        let known = self.numbered.get(number);
        known.map_or("", |(address, _)| address.text())
    }

    /// The index of the worker's service at the destination with this number.
    pub(super) fn service(&self, number: usize) -> usize {
        self.numbered.get(number).map_or(0, |(_, service)| *service)
    }
}

/// Makes the record of a notice, with `of_machine` for those of the role; a ping makes none.
/// `Break` is the end of the run.
pub(super) fn report<N>(
    batch: &mut BatchWriter<'_>,
    generation: u64,
    destinations: &Destinations,
    notice: Notice<N>,
    of_machine: impl FnOnce(&mut BatchWriter<'_>, N, usize),
) -> ControlFlow<()> {
    let endpoint_of = |broker: usize| destinations.endpoint(broker);
    match notice {
        Notice::Started => batch.json(Kind::Started, generation, "[]"),
        Notice::StartFailed(error) => return core::start_failed(batch, generation, &error),
        Notice::Stopped => return core::stopped(batch, generation),
        Notice::Refused(broker, failure) => {
            let payload = json!({ "endpoint": endpoint_of(broker), "reason": failure.as_str() });
            batch.event("refused", &payload);
        }
        Notice::Unreachable(broker, error) => {
            let payload = json!({
                "endpoint": endpoint_of(broker),
                "code": error.code,
                "reason": error.message,
            });
            batch.event("unreachable", &payload);
        }
        Notice::Ping => {}
        Notice::Stats(id, snapshot) => batch.json(Kind::Stats, id, &stats(snapshot)),
        Notice::Machine(broker, notice) => of_machine(batch, notice, broker),
    }
    ControlFlow::Continue(())
}

/// Reports a permanent loss as an error.
pub(super) fn report_loss(batch: &mut BatchWriter<'_>, endpoint: &str, why: Loss) {
    if why == Loss::NameTaken {
        let code = Code::NameTaken.as_str();
        let payload = json!({ "endpoint": endpoint, "reason": why.as_str(), "code": code });
        batch.event("refused", &payload);
    }
}

/// The snapshot of a worker or client as JSON.
pub(super) fn stats(stats: Stats) -> String {
    let Stats {
        connected,
        queued,
        running,
    } = stats;
    json!({ "connected": connected, "queued": queued, "running": running }).to_string()
}
