//! The worker: registers its service, takes requests, offers them to its user, gives back what
//! can't be started soon, and drains before it leaves.
//!
//! A delivery is one request in the hands of this worker. When the connection on which it came is
//! lost, it is claimed from the broker of the next one, see [`resume`].
//!
//! A delivery is *offered* first. It has started when the user takes it, which the user does as
//! often as its concurrency allows; the owner, who sits between the two, can take back an offer
//! that was not taken, at any time and for certain. So the broker may send more than can run at
//! once, which hides its round trip, and nothing waits behind a slow handler: when none has ended
//! for [`STALL`], what was only offered goes back to the broker. So does what would have to wait
//! for longer than [`BACKLOG`].

mod abandoned;
#[cfg(any(test, feature = "fuzz"))]
mod audit;
mod connection;
mod credit;
mod delivery;
mod detached;
mod drain;
mod incoming;
mod input;
mod log;
mod machine;
mod notice;
mod offers;
mod pace;
mod pause;
mod ready;
mod reply;
mod resume;
mod watchdog;

pub use drain::GOODBYE;
pub use log::KEEP;
pub use machine::WorkerCommand;
pub use notice::WorkerNotice;
pub use offers::{BACKLOG, Retract, STALL};
pub use pace::Worked;

use super::Time;
use super::link::{Action, BrokerLife, Due, Link, LinkConfig};
use super::table::Table;
use crate::wire::omdp::WorkerMessage;
use crate::wire::{About, Dialect, Form, Frame, Serving};
use abandoned::Abandoned;
use delivery::Delivery;
use detached::DetachedReplies;
use drain::Draining;
use log::Log;
use pace::Pace;
use resume::Disowned;
use std::collections::BTreeMap;
use std::time::Duration;
use watchdog::Watchdog;

/// How a worker behaves.
#[derive(Debug, Clone)]
pub struct WorkerConfig {
    /// The link to the broker.
    pub link: LinkConfig,
    /// What the broker speaks. An MDP broker gives one request at a time, and takes none back.
    pub dialect: Dialect,
    /// The one service that this worker offers.
    pub service: String,
    /// What brokers are told about it, for whoever asks them.
    pub about: Option<Box<About>>,
    /// What else it tells a broker of ours of how it serves.
    pub serving: Serving,
    /// How many requests may run at once; `None` is without limit. Default 1.
    pub concurrency: Option<usize>,
    /// How many requests a broker of ours may give beyond those; 0 turns it off.
    pub prefetch: u32,
    /// After how long without an answer of its user's thread the worker is treated as lost; `None` is
    /// never. See [`poll_ping`](Worker::poll_ping).
    pub max_blocked: Option<Duration>,
    /// Tells one life of an identity from the next, see [`Hello::session`](crate::wire::Hello::session).
    pub session: String,
}

/// The worker machine. See [`super`] for the contract.
#[derive(Debug)]
pub struct Worker<F> {
    config: WorkerConfig,
    link: Link,
    /// Everything that was received and not answered, by number, taken or offered.
    deliveries: BTreeMap<u64, Delivery<F>>,
    by_token: Table<u64, u64>,
    /// What the broker of this connection was told and may have to be told again.
    log: Log<F>,
    detached: DetachedReplies<F>,
    disowned: Vec<Disowned<F>>,
    /// When what is detached and not claimed is given up.
    give_up_at: Option<Time>,
    /// The broker that claims were made from last.
    last_broker: Option<BrokerLife>,
    abandoned: Abandoned,
    /// When offers go back unless a delivery ends before; set while there are more deliveries than
    /// may run.
    stalled_at: Option<Time>,
    pace: Pace,
    retract: Option<Retract>,
    last_delivery: u64,
    transmits: Vec<WorkerMessage<F>>,
    notices: Vec<WorkerNotice<F>>,
    /// The concurrency that the broker was told last.
    announced: Option<usize>,
    connected: bool,
    /// The transport takes less than it is given.
    congested: bool,
    /// How many connections there have been.
    connections: u64,
    /// Set once the worker is to stop: when to give up on what still runs.
    draining: Option<Draining>,
    /// Whether its room is that of other workers too, see [`share_room`](Self::share_room).
    shared: bool,
    /// Whether others have taken the room: the broker is to give no more than it has given.
    full: bool,
    watchdog: Watchdog,
    /// It takes no new request, though it stays, see [`pause`].
    paused: bool,
}

impl<F: Frame> Worker<F> {
    /// A worker that is not started.
    pub fn new(config: WorkerConfig) -> Self {
        Worker {
            link: Link::new(config.link.clone()),
            watchdog: Watchdog::new(config.max_blocked),
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
            congested: false,
            connections: 0,
            draining: None,
            shared: false,
            full: false,
            paused: false,
        }
    }

    /// Begins to look for the broker.
    pub fn start(&mut self) {
        self.link.open();
    }

    /// To be called when [`next_deadline`](Self::next_deadline) has come, after the messages that
    /// were there already.
    pub fn handle_timeout(&mut self, now: Time) {
        match self.link.handle_timeout(now) {
            Some(Due::Beat) => self.heartbeat(),
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
        self.settle_drain(now);
    }

    /// When to call [`handle_timeout`](Self::handle_timeout).
    pub fn next_deadline(&self) -> Option<Time> {
        // What the owner is to take back comes first, and goes on with the drain.
        let draining = self.draining.filter(|_| self.retract.is_none());
        [
            draining.and_then(Draining::next_deadline),
            self.stalled_at,
            self.give_up_at,
            self.watchdog.next_deadline(),
            self.link.next_deadline(),
        ]
        .into_iter()
        .flatten()
        .min()
    }

    /// How its messages are to be written.
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

    /// Hands out the messages to be sent, in order.
    pub fn drain_transmits(&mut self, mut send: impl FnMut(WorkerMessage<F>)) {
        self.transmits.drain(..).for_each(&mut send);
    }

    /// Hands out what there is to report, in order.
    pub fn drain_notices(&mut self) -> std::vec::Drain<'_, WorkerNotice<F>> {
        self.notices.drain(..)
    }

    /// What is to be done with the socket, after the transmits were drained.
    pub fn poll_action(&mut self) -> Option<Action> {
        self.link.poll_action()
    }

    /// Whether the broker has it.
    pub fn is_connected(&self) -> bool {
        self.connected
    }

    /// How many requests were taken and not answered.
    pub fn outstanding(&self) -> usize {
        self.deliveries.len()
    }

    /// How it behaves.
    pub(in crate::proto) fn config(&self) -> &WorkerConfig {
        &self.config
    }

    /// The numbers of those.
    pub(in crate::proto) fn numbers(&self) -> impl Iterator<Item = u64> {
        self.deliveries.keys().copied()
    }

    /// The number of the last delivery.
    pub(in crate::proto) fn last_delivery(&self) -> u64 {
        self.last_delivery
    }

    /// The number after which the next delivery is numbered.
    pub(in crate::proto) fn number_from(&mut self, last: u64) {
        self.last_delivery = last;
    }
}
