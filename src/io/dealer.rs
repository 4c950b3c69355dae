//! The driver of a worker or a client: one machine, and for each of its brokers one DEALER at a time.

mod brokers;
mod life;
mod report;
mod traffic;

use super::coalescer::Coalescer;
use super::connection::Connection;
use super::deadline_gate::DeadlineGate;
use super::inbound::Inbound;
use super::reactor::Reactor;
use super::security::HandshakeFailure;
use super::{Error, Message, NoticeQueue};
pub use crate::proto::machine::{DynamicBrokers, Machine, Stats};
use std::sync::Arc;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

pub use super::connection::Endpoint;

/// What a driver is told: commands of its machine, and which brokers there are.
#[derive(Debug)]
pub enum Command<C, Config> {
    /// For the machine.
    Machine(C),
    /// A broker from now on: the number by which it is known, where it is, and how the machine behaves toward it.
    Join(usize, Box<Endpoint>, Box<Config>),
    /// A broker no more.
    Leave(usize),
}

impl<C, Config> From<C> for Command<C, Config> {
    fn from(command: C) -> Self {
        Command::Machine(command)
    }
}

/// What a driver reports: the machine's notices between the two ends of its life.
#[derive(Debug, Clone)]
pub enum Notice<N> {
    /// The sockets are there and connect.
    Started,
    /// It is not; the driver is gone.
    StartFailed(Error),
    /// This broker does not let this peer in; it tries again.
    Refused(usize, HandshakeFailure),
    /// This broker can't be reached, for a while already.
    Unreachable(usize, Error),
    /// The machine says, of this broker.
    Machine(usize, N),
    /// The reader is to give a sign of life when it takes this.
    Ping,
    /// The snapshot that was asked for under this name.
    Stats(u64, Stats),
    /// The machine is at its end and its sockets are closed; the driver is gone.
    Stopped,
}

/// Where the commands for a driver of this machine go.
pub type Inbox<M> =
    UnboundedSender<Command<<M as Machine>::Command, <M as DynamicBrokers>::Config>>;

/// Starts a driver on the reactor that workers and clients share, with an endpoint for each broker that its machine has
/// from the start. Dropping the sender stops it where it stands.
pub fn start<M>(
    machine: impl FnOnce() -> M + Send + 'static,
    brokers: Vec<(usize, Endpoint)>,
    queue: Arc<NoticeQueue<Notice<M::Notice>>>,
) -> Result<Inbox<M>, Error>
where
    M: DynamicBrokers<Frame = Message> + 'static,
    M::Command: Send + 'static,
    M::Config: Send + 'static,
    M::Notice: Send + 'static,
{
    let (commands, inbox) = unbounded_channel();
    Reactor::shared()?.drive(move || {
        let connections = brokers
            .into_iter()
            .map(|(broker, endpoint)| Connection::new(broker, endpoint));
        let driver = Driver {
            machine: machine(),
            connections: connections.collect(),
            joining: Vec::new(),
            inbox,
            queue,
            inbound: Inbound::new(),
            coalescer: Coalescer::default(),
            frames: Vec::new(),
            notices: Vec::new(),
            deadline_gate: DeadlineGate::default(),
        };
        driver.run()
    });
    Ok(commands)
}

struct Driver<M: DynamicBrokers<Frame = Message>> {
    machine: M,
    connections: Vec<Connection>,
    /// Brokers that are to join once the machine has left them.
    joining: Vec<(usize, Box<Endpoint>, Box<M::Config>)>,
    inbox: UnboundedReceiver<Command<M::Command, M::Config>>,
    queue: Arc<NoticeQueue<Notice<M::Notice>>>,
    inbound: Inbound,
    coalescer: Coalescer,
    /// Reused from message to message.
    frames: Vec<Message>,
    /// Reused from turn to turn.
    notices: Vec<(usize, M::Notice)>,
    deadline_gate: DeadlineGate,
}
