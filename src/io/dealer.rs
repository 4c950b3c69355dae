//! The driver of a worker or client: one machine, and at most one open DEALER for each of its
//! brokers.

mod brokers;
mod direct_turn;
mod exit;
mod report;
mod traffic;
mod turns;

use super::coalescer::Coalescer;
use super::connection::Connection;
use super::deadline_gate::DeadlineGate;
use super::inbound::Inbound;
use super::loan::Loan;
use super::reactor::Reactor;
use super::security::HandshakeFailure;
use super::{Error, Message, NoticeQueue};
use crate::proto::Time;
pub use crate::proto::machine::{DynamicBrokers, Machine, Stats};
use std::sync::Arc;
use tokio::sync::mpsc::unbounded_channel;

pub use super::connection::{Endpoint, RoutingIds, SharingGroup};
pub use direct_turn::DriverHandle;
pub use exit::Exit;

/// Commands of a driver: those for its machine, and changes of its brokers.
#[derive(Debug)]
pub enum Command<C, Config> {
    /// A command for the machine.
    Machine(C),
    /// Adds a broker: its number, its endpoint, and the machine's configuration for it.
    Join(usize, Box<Endpoint>, Box<Config>),
    /// Removes a broker.
    Leave(usize),
    /// Takes a turn, after a direct turn that has left work for this thread.
    Turn,
    /// See [`CommandSink::exit`](super::CommandSink::exit).
    Exit(Exit),
}

impl<C, Config> From<C> for Command<C, Config> {
    fn from(command: C) -> Self {
        Command::Machine(command)
    }
}

/// A driver's report: a notice of the machine, or an event of the driver's own life.
#[derive(Debug, Clone)]
pub enum Notice<N> {
    /// The sockets are open and connect.
    Started,
    /// The driver could not start, and has ended.
    StartFailed(Error),
    /// This broker has refused this peer, which tries again.
    Refused(usize, HandshakeFailure),
    /// This broker has been unreachable for some time.
    Unreachable(usize, Error),
    /// A notice of the machine about this broker.
    Machine(usize, N),
    /// Asks the reader for a sign of life, by taking this notice.
    Ping,
    /// The snapshot requested with this id.
    Stats(u64, Stats),
    /// The machine has ended and its sockets are closed; the driver has ended.
    Stopped,
}

/// Starts a driver on the reactor that workers and clients share, with an endpoint for each initial
/// broker of its machine. Dropping the sender stops it immediately.
pub fn start<M>(
    machine: impl FnOnce() -> M + Send + 'static,
    brokers: Vec<(usize, Endpoint)>,
    queue: Arc<NoticeQueue<Notice<M::Notice>>>,
) -> Result<DriverHandle<M>, Error>
where
    M: DynamicBrokers<Frame = Message> + Send + 'static,
    M::Command: Send + 'static,
    M::Config: Send + 'static,
    M::Notice: Send + 'static,
{
    let (commands, inbox) = unbounded_channel();
    let loan = Arc::<Loan<Driver<M>>>::default();
    let ours = DriverHandle::new(commands, loan.clone());
    Reactor::shared()?.drive(move || {
        let connections = brokers
            .into_iter()
            .map(|(broker, endpoint)| Connection::new(broker, endpoint));
        let driver = Driver {
            machine: machine(),
            connections: connections.collect(),
            joining: Vec::new(),
            queue,
            inbound: Inbound::new(),
            coalescer: Coalescer::default(),
            frames: Vec::new(),
            notices: Vec::new(),
            deadline_gate: DeadlineGate::default(),
            alarm: None,
            taken: 0,
            direct: 0,
            exit: None,
            ended: false,
        };
        Box::new(driver).run(inbox, loan)
    });
    Ok(ours)
}

struct Driver<M: DynamicBrokers<Frame = Message>> {
    machine: M,
    connections: Vec<Connection>,
    /// Brokers to be added once the machine has released their earlier use.
    joining: Vec<(usize, Box<Endpoint>, Box<M::Config>)>,
    queue: Arc<NoticeQueue<Notice<M::Notice>>>,
    inbound: Inbound,
    coalescer: Coalescer,
    /// Reused for each message.
    frames: Vec<Message>,
    /// Reused for each turn.
    notices: Vec<(usize, M::Notice)>,
    deadline_gate: DeadlineGate,
    /// When the driver's thread wakes up at the latest.
    alarm: Option<Time>,
    /// The number of commands that were sent to the driver's thread.
    taken: u64,
    /// How many turns the application may take before further messages are received.
    direct: usize,
    /// Present if the process ends.
    exit: Option<Exit>,
    /// Whether the machine has finished.
    ended: bool,
}
