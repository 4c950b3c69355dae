//! The worker machine: registers its service, offers requests to its application, returns those that cannot start
//! soon, and drains before it leaves.
//!
//! A delivery is one request at this worker. When the connection on which it arrived is lost, it is claimed from the
//! broker of the next connection, see [`resume`].
//!
//! A delivery is *offered* first. It starts when the application takes it; the application takes at most `concurrency`
//! at a time. Until an offer is taken, the driver can withdraw it with certainty. So the broker may send more than can
//! run at once, which hides its round trip, and still nothing waits behind a slow handler: when no delivery has ended
//! for [`STALL`], all offers are returned to the broker. So are offers that would wait for longer than [`MAX_OFFER_WAIT`].

mod abandoned;
#[cfg(any(test, feature = "fuzz"))]
mod audit;
mod connection;
mod credit;
mod data_stream;
mod delivery;
mod detached;
mod drain;
mod incoming;
mod log;
mod machine;
mod notice;
mod offers;
mod on_hold;
mod pace;
mod pause;
mod ready;
mod reply;
mod request_memory;
mod resume;
mod watchdog;

pub use crate::proto::machine::Retract;
pub use drain::GOODBYE;
pub use log::KEEP;
pub use machine::WorkerCommand;
pub use notice::WorkerNotice;
pub use offers::{MAX_OFFER_WAIT, STALL};
pub use pace::Worked;

use super::Time;
use super::link::{BrokerLife, Due, Link, LinkConfig};
use super::table::Table;
use crate::wire::omdp::WorkerMessage;
use crate::wire::{About, Dialect, Form, Frame, Serving};
use abandoned::Abandoned;
use delivery::Delivery;
use detached::DetachedReplies;
use drain::Draining;
use log::Log;
use pace::Pace;
use request_memory::RequestMemory;
use resume::Disowned;
use std::collections::BTreeMap;
use std::time::Duration;
use watchdog::Watchdog;

/// Configuration of a worker.
#[derive(Debug, Clone)]
pub struct WorkerConfig {
    /// The link to the broker.
    pub link: LinkConfig,
    /// The dialect of the broker. An MDP broker gives one request at a time, and does not take requests back.
    pub dialect: Dialect,
    /// The service of this worker.
    pub service: String,
    /// The description for brokers, which clients may query.
    pub about: Option<Box<About>>,
    /// How it serves: properties for an extended broker.
    pub serving: Serving,
    /// Maximum of requests that run at once; `None` is without limit. Default 1.
    pub concurrency: Option<usize>,
    /// Maximum for this service alone, if it has one, in addition to the concurrency that it shares with others.
    pub most: Option<usize>,
    /// Maximum of requests that an extended broker may give ahead of need; 0 disables prefetch.
    pub prefetch: u32,
    /// How long the application's thread may not answer before the worker counts as lost; `None` is without limit.
    /// See [`poll_ping`](Worker::poll_ping).
    pub max_blocked: Option<Duration>,
    /// Distinguishes the lives of an identity, see [`Hello::session`](crate::wire::Hello::session).
    pub session: String,
}

/// The worker machine. See [`super`] for the contract.
#[derive(Debug)]
pub struct Worker<F> {
    config: WorkerConfig,
    link: Link,
    /// All deliveries that have not ended, by number, whether taken or offered.
    deliveries: BTreeMap<u64, Delivery<F>>,
    by_token: Table<u64, u64>,
    /// Replies that the broker of this connection was sent and may need again.
    log: Log<F>,
    /// The requests that it has had.
    had: RequestMemory,
    detached: DetachedReplies<F>,
    disowned: Vec<Disowned<F>>,
    /// When detached deliveries are given up unless they are claimed.
    give_up_at: Option<Time>,
    /// The broker of the latest claims.
    last_broker: Option<BrokerLife>,
    abandoned: Abandoned,
    /// When offers are returned unless a delivery ends before. Set while there are more deliveries than may run.
    stalled_at: Option<Time>,
    pace: Pace,
    retract: Option<Retract>,
    last_delivery: u64,
    transmits: Vec<WorkerMessage<F>>,
    notices: Vec<WorkerNotice<F>>,
    /// The concurrency in the latest READY.
    announced: Option<usize>,
    connected: bool,
    /// Whether another peer had the name at the last attempt to connect.
    name_taken: bool,
    /// Whether the transport keeps messages, because the broker takes too little.
    congested: bool,
    /// Number of connections so far.
    connections: u64,
    /// Present while the worker stops.
    draining: Option<Draining>,
    /// Whether its room is shared with other members, see [`share_room`](Self::share_room).
    shared: bool,
    /// Whether the other members take up the room, so that the broker must give no more.
    full: bool,
    watchdog: Watchdog,
    /// Whether it takes no new requests but stays registered, see [`pause`].
    paused: bool,
}

impl<F: Frame> Worker<F> {
    /// Creates a worker that is not started.
    pub fn new(mut config: WorkerConfig) -> Self {
        config.concurrency = ready::least(config.concurrency, config.most);
        Worker {
            link: Link::new(config.link.clone()),
            watchdog: Watchdog::new(config.max_blocked),
            had: RequestMemory::new(config.link.seed),
            config,
            deliveries: BTreeMap::new(),
            by_token: Table::default(),
            log: Log::new(),
            detached: DetachedReplies::new(),
            disowned: Vec::new(),
            give_up_at: None,
            last_broker: None,
            abandoned: Abandoned::default(),
            stalled_at: None,
            pace: Pace::new(),
            retract: None,
            last_delivery: 0,
            transmits: Vec::new(),
            notices: Vec::new(),
            announced: None,
            connected: false,
            name_taken: false,
            congested: false,
            connections: 0,
            draining: None,
            shared: false,
            full: false,
            paused: false,
        }
    }

    /// Must be called at [`next_deadline`](Self::next_deadline), after messages that have already arrived.
    fn come_due(&mut self, now: Time) {
        match self.link.handle_timeout(now) {
            Some(Due::Beat) => self.heartbeat(),
            // A worker registers at once.
            Some(Due::NoHello) => {}
            Some(Due::Lost(why)) => {
                self.watchdog.end();
                self.lost(now, why);
            }
            None => {}
        }
        if self.give_up_at.is_some_and(|at| at <= now) {
            self.give_up_detached();
        }
        if self.stalled_at.is_some_and(|at| at <= now) {
            self.stalled_at = None;
            self.ask_back(self.config.concurrency.unwrap_or(usize::MAX));
        }
        if self.watchdog.handle_timeout(now) {
            self.block();
        }
        self.check_drained(now);
    }

    /// The encoding of its messages.
    pub fn form(&self) -> Form {
        Form {
            dialect: self.config.dialect,
            packed: self.link.peer().is_some_and(|hello| hello.packs),
            concurrency: match self.config.dialect {
                Dialect::Pigato => self
                    .concurrency()
                    .map_or(-1, |n| i64::try_from(n).unwrap_or(i64::MAX)),
                _ => 0,
            },
        }
    }

    /// Passes the messages to send to `send`, in order.
    pub fn take_messages(&mut self, mut send: impl FnMut(WorkerMessage<F>)) {
        self.transmits.drain(..).for_each(&mut send);
    }

    /// Removes and returns the notices, in order.
    pub fn take_notices(&mut self) -> std::vec::Drain<'_, WorkerNotice<F>> {
        self.notices.drain(..)
    }

    /// Whether it is registered at a broker.
    pub fn is_connected(&self) -> bool {
        self.connected
    }

    /// Number of deliveries that have not ended.
    pub fn outstanding(&self) -> usize {
        self.deliveries.len()
    }

    /// Its configuration.
    pub(in crate::proto) fn config(&self) -> &WorkerConfig {
        &self.config
    }

    /// The numbers of these deliveries.
    pub(in crate::proto) fn numbers(&self) -> impl Iterator<Item = u64> {
        self.deliveries.keys().copied()
    }

    /// The number of the latest delivery.
    pub(in crate::proto) fn last_delivery(&self) -> u64 {
        self.last_delivery
    }

    /// Sets the number before that of the next delivery.
    pub(in crate::proto) fn number_from(&mut self, last: u64) {
        self.last_delivery = last;
    }
}
