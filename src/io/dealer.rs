//! The driver of a worker or a client: one machine, and for each of its brokers one DEALER at a time.

mod life;
mod report;
mod traffic;

use super::coalescer::Coalescer;
use super::connection::Connection;
use super::deadline_gate::DeadlineGate;
use super::inbound::Inbound;
use super::notice_queue::Offer;
use super::reactor::Reactor;
use super::security::HandshakeFailure;
use super::{Error, Message, NoticeQueue};
use crate::proto::Time;
use crate::proto::link::Action;
use crate::proto::worker::Retract;
use std::ops::ControlFlow;
use std::sync::Arc;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

pub use super::connection::Endpoint;

/// What the driver needs of a machine; see [`crate::proto`] for the contract. `broker` says which of
/// its brokers something is about; a machine with one broker has number 0.
pub trait Machine {
    /// What its user wants of it.
    type Command: Send + 'static;
    /// What it reports.
    type Notice: Send + 'static;

    /// Begins to look for the broker.
    fn start(&mut self);
    /// Carries out a command. `Break` once the machine is to be stopped and has nothing left to do
    /// but to say goodbye.
    fn handle_command(&mut self, now: Time, command: Self::Command) -> ControlFlow<()>;
    /// The transport takes messages.
    fn handle_up(&mut self, broker: usize, now: Time);
    /// The connection broke.
    fn handle_down(&mut self, broker: usize, now: Time);
    /// The broker does not let this peer in.
    fn handle_refused(&mut self, broker: usize, now: Time);
    /// One message of the broker.
    fn handle_message(&mut self, broker: usize, now: Time, frames: &mut Vec<Message>);
    /// The deadline has come.
    fn handle_timeout(&mut self, now: Time);
    /// The next deadline.
    fn next_deadline(&self) -> Option<Time>;
    /// Hands each message to be sent, as frames, to `send`, and whether the short ones are to be packed.
    fn drain_transmits(&mut self, broker: usize, send: impl FnMut(&mut Vec<Message>, bool));
    /// Hands each notice to `report`, with the broker that it is from. `Break` if the machine is at
    /// its end.
    fn drain_notices(&mut self, report: impl FnMut(usize, Self::Notice)) -> ControlFlow<()>;
    /// What is to be done with the socket.
    fn poll_action(&mut self, broker: usize) -> Option<Action>;

    /// Whether it wants to know how much of what it had sent lies in libzmq.
    fn watches_congestion(&self, _broker: usize) -> bool {
        false
    }
    /// More lies there than is good, or no longer.
    fn handle_congestion(&mut self, _broker: usize, _congested: bool) {}
    /// Whether a command asks for a snapshot, and under which name.
    fn asked(command: &Self::Command) -> Option<u64>;
    /// The snapshot; so many offers wait for the reader.
    fn stats(&self, offers: usize) -> Stats;
    /// Whether the reader is to be asked for a sign of life.
    fn poll_ping(&mut self) -> bool {
        false
    }

    /// Whether a notice is an offer, which waits until the reader has room for it.
    fn offered(_notice: &Self::Notice) -> Option<Offer> {
        None
    }
    /// Whether a notice makes an offer void. One that was not taken vanishes with it.
    fn withdrawn(_notice: &Self::Notice) -> Option<u64> {
        None
    }
    /// Whether a notice only tells, so that it may be dropped if the reader has many to take.
    fn only_tells(notice: &Self::Notice) -> bool;
    /// The offer that a notice made void was taken before: it runs on.
    fn handle_left_running(&mut self, _now: Time, _offer: u64) {}
    /// Which offers are to be taken back.
    fn poll_retract(&mut self) -> Option<Retract> {
        None
    }
    /// The broker that an offer is from.
    fn broker_of(&self, _offer: u64) -> usize {
        0
    }
    /// These offers were taken back.
    fn handle_retracted(&mut self, _now: Time, _offers: &[u64]) {}
}

/// What a machine has in its hands.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Stats {
    /// Whether there is a broker.
    pub connected: bool,
    /// Requests that have not started, as far as this side knows: not sent, or not taken.
    pub queued: usize,
    /// Requests that have, and have not ended.
    pub running: usize,
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

/// Starts a driver on the reactor that workers and clients share, with an endpoint for each broker of
/// its machine. Dropping the sender stops it
/// where it stands.
pub fn start<M>(
    machine: impl FnOnce() -> M + Send + 'static,
    endpoints: Vec<Endpoint>,
    queue: Arc<NoticeQueue<Notice<M::Notice>>>,
) -> Result<UnboundedSender<M::Command>, Error>
where
    M: Machine + 'static,
{
    let (commands, inbox) = unbounded_channel();
    Reactor::shared()?.drive(move || {
        let driver = Driver {
            machine: machine(),
            connections: endpoints.into_iter().map(Connection::new).collect(),
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

struct Driver<M: Machine> {
    machine: M,
    connections: Vec<Connection>,
    inbox: UnboundedReceiver<M::Command>,
    queue: Arc<NoticeQueue<Notice<M::Notice>>>,
    inbound: Inbound,
    coalescer: Coalescer,
    /// Reused from message to message.
    frames: Vec<Message>,
    /// Reused from turn to turn.
    notices: Vec<(usize, M::Notice)>,
    deadline_gate: DeadlineGate,
}
