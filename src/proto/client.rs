//! The client machine: sends requests when a broker is connected, and ends each exactly once.
//!
//! A request that is submitted before the link is up waits here, where it can be cancelled and can time out, and not
//! in a socket. Its timeout is an *idle* timeout as in 0.0.92: every partial restarts it. When the link is lost,
//! requests that were not sent go to the next broker, and the others are resumed there: see [`resume`].
//!
//! A reply of MDP does not name its request. So a client of MDP has one request under way at a time, and the others
//! wait. When that request is given up, the connection is closed too, so that a late reply cannot be mistaken for
//! that of the next request.

mod attempts;
#[cfg(any(test, feature = "fuzz"))]
mod audit;
mod connection;
mod data_stream;
mod exit;
mod incoming;
mod machine;
mod notice;
mod pending;
mod reply;
mod request;
mod resume;
mod retire;
mod retry;
mod roster;
mod stream_state;

pub use machine::ClientCommand;
pub use notice::ClientNotice;
pub use retry::{Cause, ClientTerms, RetryPolicy};

use super::Time;
use super::code::Code;
use super::deadlines::Deadlines;
use super::link::{Due, Link, LinkConfig, Loss};
use super::table::Table;
use crate::wire::omdp::{Ack, ClientMessage};
use crate::wire::{Dialect, Form, Frame};
use exit::Exit;
use pending::{Pending, Stage, Tell};
use roster::Roster;
use std::collections::BTreeSet;

/// Configuration of a client.
#[derive(Debug, Clone)]
pub struct ClientConfig {
    /// The link to the broker.
    pub link: LinkConfig,
    /// The dialect of the broker.
    pub dialect: Dialect,
    /// Prefix of every request id. It differs between the lives of an identity, so that a late reply to an earlier
    /// life matches no request.
    pub session: String,
    /// Whether requests wait for the broker's hello, and not only for the transport: over inproc a connection to an
    /// endpoint without a socket is up at once.
    pub await_hello: bool,
}

/// The client machine. See [`super`] for the contract.
#[derive(Debug)]
pub struct Client<F> {
    config: ClientConfig,
    link: Link,
    requests: Table<u64, Pending<F>>,
    /// Ids of the requests that were not sent, in order of submission.
    waiting: BTreeSet<u64>,
    /// MDP: the request under way, and its service.
    under_way: Option<(u64, F)>,
    deadlines: Deadlines<u64>,
    /// Requests in the stage [`Unknown`](pending::Stage::Unknown), by the time at which they are given up.
    unknown: BTreeSet<(Time, u64)>,
    /// The roster of the broker, and that of the last broker that was lost.
    roster: Option<Box<Roster>>,
    lost_roster: Option<Box<Roster>>,
    /// Replies that were not acknowledged to the broker of this connection.
    unacknowledged: Ack,
    transmits: Vec<ClientMessage<F>>,
    notices: Vec<ClientNotice<F>>,
    connected: bool,
    /// Whether the broker has ended the last connection by DISCONNECT.
    turned_away: bool,
    /// Whether another peer had the name at the last attempt to connect.
    name_taken: bool,
    /// Whether it takes no more requests. Those that have not started are for other brokers.
    retiring: bool,
    /// Number of connections so far.
    connections: u64,
    exit: Exit,
}

impl<F: Frame> Client<F> {
    /// Creates a client that is not started.
    pub fn new(config: ClientConfig) -> Self {
        Client {
            link: Link::new(config.link.clone()),
            config,
            requests: Table::default(),
            waiting: BTreeSet::new(),
            under_way: None,
            deadlines: Deadlines::new(),
            unknown: BTreeSet::new(),
            roster: None,
            lost_roster: None,
            unacknowledged: Ack::default(),
            transmits: Vec::new(),
            notices: Vec::new(),
            connected: false,
            turned_away: false,
            name_taken: false,
            retiring: false,
            connections: 0,
            exit: Exit::default(),
        }
    }

    /// Sends a goodbye and forgets every request without a notice: the caller ends the requests.
    pub fn stop(&mut self) {
        self.requests.clear();
        self.waiting.clear();
        self.under_way = None;
        self.deadlines = Deadlines::new();
        self.unknown.clear();
        self.drop_roster();
        self.notices.clear();
        self.say_goodbye(Loss::Stopped);
    }

    /// Must be called at [`next_deadline`](Self::next_deadline), after messages that have already arrived, so that a
    /// reply in time precedes its timeout.
    fn come_due(&mut self, now: Time) {
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
            let is_with_broker = request.stage.is_with_broker() && self.link.is_up();
            let rid = self.rid(id);
            if self.is_made_again(now, id, Cause::Timeout) {
                if is_with_broker {
                    let cancel = ClientMessage::Cancel { rid, expired: true };
                    self.transmits.push(cancel);
                }
                continue;
            }
            self.forget(id, Tell::Expired);
            self.fail(id, Code::ClientTimeout);
        }
        self.give_up_unknown(now);
        self.exit.handle_timeout(now);
        while let Some(due) = self.link.handle_timeout(now) {
            match due {
                Due::Beat => {
                    self.beat();
                    self.beat_for_requests();
                    if self.link.peer().is_none() && !self.waiting.is_empty() && self.ready() {
                        self.give_up_streams();
                    }
                }
                Due::NoHello => self.advance(now),
                Due::Lost(why) => self.lost(now, why),
            }
        }
    }

    /// The encoding of its messages.
    pub fn form(&self) -> Form {
        Form {
            dialect: self.config.dialect,
            packed: self.link.peer().is_some_and(|hello| hello.packs),
            concurrency: 0,
        }
    }

    /// Passes the messages to send to `send`, in order.
    pub fn take_messages(&mut self, mut send: impl FnMut(ClientMessage<F>)) {
        self.transmits.drain(..).for_each(&mut send);
    }

    /// Removes and returns the notices, in order.
    pub fn take_notices(&mut self) -> std::vec::Drain<'_, ClientNotice<F>> {
        self.notices.drain(..)
    }

    /// Whether it is connected to a broker.
    pub fn is_connected(&self) -> bool {
        self.connected
    }

    /// Number of requests that wait for a broker.
    pub fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// Number of requests that have not ended.
    pub fn outstanding(&self) -> usize {
        self.requests.len()
    }

    /// Its configuration.
    pub(in crate::proto) fn config(&self) -> &ClientConfig {
        &self.config
    }

    /// Ids of the requests that have not ended.
    pub(in crate::proto) fn ids(&self) -> impl Iterator<Item = u64> {
        self.requests.keys().copied()
    }
}
