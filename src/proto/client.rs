//! The client: requests go out when there is a broker, and each ends exactly once.
//!
//! A request that is submitted before the link is up waits here, where it can still be cancelled
//! and can still time out, not in a socket. Its deadline is an *idle* timeout as in 0.0.92: every
//! partial restarts it. When the link is lost, what was not sent goes to the next broker, and what was
//! is looked for there: see [`resume`].
//!
//! MDP's replies do not say which request they are for. So a client that speaks it has one request
//! under way at a time, and the others wait in line; when that one is given up, so is the
//! connection, lest its late reply be taken for that of the next.

#[cfg(any(test, feature = "fuzz"))]
mod audit;
mod connection;
mod incoming;
mod input;
mod machine;
mod notice;
mod pending;
mod reply;
mod request;
mod resume;
mod retire;
mod retry;

pub use machine::ClientCommand;
pub use notice::ClientNotice;

use super::Time;
use super::code::Code;
use super::deadlines::Deadlines;
use super::link::{Action, Due, Link, LinkConfig, Loss};
use super::table::Table;
use crate::wire::omdp::{Ack, ClientMessage};
use crate::wire::{Dialect, Form, Frame};
use pending::{Pending, Stage};
use request::Tell;
use retry::Cause;
use std::collections::BTreeSet;

/// How a client behaves.
#[derive(Debug, Clone)]
pub struct ClientConfig {
    /// The link to the broker.
    pub link: LinkConfig,
    /// What the broker speaks.
    pub dialect: Dialect,
    /// Begins every request id. Differs from one life of an identity to the next, so that a late
    /// reply to an earlier life is nobody's.
    pub session: String,
    /// Whether requests wait for the broker's hello, not for the transport alone: over inproc a
    /// connection to an endpoint that nobody has bound yet is up at once.
    pub await_hello: bool,
}

/// The client machine. See [`super`] for the contract.
#[derive(Debug)]
pub struct Client<F> {
    config: ClientConfig,
    link: Link,
    requests: Table<u64, Pending<F>>,
    /// Ids of the requests that were not sent, in the order in which they came.
    waiting: BTreeSet<u64>,
    /// MDP: the one request that is under way, and its service.
    under_way: Option<(u64, F)>,
    deadlines: Deadlines<u64>,
    /// What is [`Unknown`](pending::Stage::Unknown), by when it is given up.
    unknown: BTreeSet<(Time, u64)>,
    /// Replies that the broker of this connection was not told to have come.
    unacknowledged: Ack,
    transmits: Vec<ClientMessage<F>>,
    notices: Vec<ClientNotice<F>>,
    connected: bool,
    /// Another peer has the name: there is no broker for this life.
    name_taken: bool,
    /// It gets no more requests: what was not started is for other brokers.
    retiring: bool,
    /// How many connections there have been.
    connections: u64,
}

impl<F: Frame> Client<F> {
    /// A client that is not started.
    pub fn new(config: ClientConfig) -> Self {
        Client {
            link: Link::new(config.link.clone()),
            config,
            requests: Table::default(),
            waiting: BTreeSet::new(),
            under_way: None,
            deadlines: Deadlines::new(),
            unknown: BTreeSet::new(),
            unacknowledged: Ack::default(),
            transmits: Vec::new(),
            notices: Vec::new(),
            connected: false,
            name_taken: false,
            retiring: false,
            connections: 0,
        }
    }

    /// Begins to look for the broker.
    pub fn start(&mut self) {
        self.name_taken = false;
        self.link.open();
    }

    /// Says goodbye to the broker and forgets every request without a notice: whoever stops a
    /// client ends its requests.
    pub fn stop(&mut self) {
        self.requests.clear();
        self.waiting.clear();
        self.under_way = None;
        self.deadlines = Deadlines::new();
        self.unknown.clear();
        self.notices.clear();
        self.say_goodbye(Loss::Stopped);
    }

    /// To be called when [`next_deadline`](Self::next_deadline) has come, after the messages that
    /// were there already: a reply that is on time must not lose against its own timeout.
    pub fn handle_timeout(&mut self, now: Time) {
        while let Some(id) = self.deadlines.pop_due(now) {
            let Some(request) = self.requests.get_mut(&id) else {
                continue;
            };
            if matches!(request.stage, Stage::Delayed) {
                self.make_again(now, id);
                continue;
            }
            if request.deadline > now {
                let ask = request.ask_at();
                if ask > now {
                    request.timer = Some(self.deadlines.set(ask, id));
                } else {
                    request.timer = Some(self.deadlines.set(request.deadline, id));
                    self.ask_where(id);
                }
                continue;
            }
            request.timer = None;
            if self.is_made_again(now, id, Cause::Timeout) {
                continue;
            }
            self.forget(id, Tell::Expired);
            self.fail(id, Code::ClientTimeout);
        }
        self.give_up_unknown(now);
        match self.link.handle_timeout(now) {
            Some(Due::Beat) => {
                self.beat();
                self.beat_for_requests();
                if self.link.peer().is_none() && !self.waiting.is_empty() && self.ready() {
                    self.give_up_streams();
                }
            }
            Some(Due::Lost(why)) => self.lost(now, why),
            None => {}
        }
    }

    /// When to call [`handle_timeout`](Self::handle_timeout).
    pub fn next_deadline(&self) -> Option<Time> {
        let times = [
            self.deadlines.next(),
            self.unknown.first().map(|(until, _)| *until),
            self.link.next_deadline(),
        ];
        times.into_iter().flatten().min()
    }

    /// How its messages are to be written.
    pub fn form(&self) -> Form {
        Form {
            dialect: self.config.dialect,
            packed: self.link.peer().is_some_and(|hello| hello.packs),
            concurrency: 0,
        }
    }

    /// Appends the frames of the messages to be sent, one message a call of `send`, in order.
    pub fn drain_transmits(&mut self, mut send: impl FnMut(ClientMessage<F>)) {
        self.transmits.drain(..).for_each(&mut send);
    }

    /// Hands out what there is to report, in order.
    pub fn drain_notices(&mut self) -> std::vec::Drain<'_, ClientNotice<F>> {
        self.notices.drain(..)
    }

    /// What is to be done with the socket, after the transmits were drained.
    pub fn poll_action(&mut self) -> Option<Action> {
        self.link.poll_action()
    }

    /// Whether there is a broker.
    pub fn is_connected(&self) -> bool {
        self.connected
    }

    /// How many requests wait for one.
    pub fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// How many requests may be lost if the process ends now: those that wait for a broker, and those that
    /// were given to a connection on which nothing was heard yet, since its handshake may not be over.
    pub fn unflushed(&self) -> usize {
        match self.link.peer() {
            Some(_) => self.waiting(),
            None => self.outstanding(),
        }
    }

    /// How many requests have not ended.
    pub fn outstanding(&self) -> usize {
        self.requests.len()
    }

    /// How it behaves.
    pub(in crate::proto) fn config(&self) -> &ClientConfig {
        &self.config
    }

    /// The requests that have not ended.
    pub(in crate::proto) fn ids(&self) -> impl Iterator<Item = u64> {
        self.requests.keys().copied()
    }
}
