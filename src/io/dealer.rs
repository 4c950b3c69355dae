//! The driver of a worker or a client: one machine, one DEALER at a time.

use super::monitor::{Event, Monitor};
use super::outlet::Offer;
use super::overdue::Overdue;
use super::reactor::Reactor;
use super::security::{ClientSecurity, HandshakeFailure};
use super::socket::{Sent, Socket};
use super::{Error, Message, Outlet, clock, context};
use crate::proto::Time;
use crate::proto::link::Action;
use crate::proto::worker::Retract;
use std::ffi::c_int;
use std::ops::ControlFlow;
use std::sync::Arc;
use tokio::sync::mpsc::error::TryRecvError;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::time::sleep_until;

/// What the driver needs of a machine; see [`crate::proto`] for the contract.
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
    fn handle_up(&mut self, now: Time);
    /// The connection broke.
    fn handle_down(&mut self, now: Time);
    /// The broker does not let this peer in.
    fn handle_refused(&mut self, now: Time);
    /// One message of the broker.
    fn handle_message(&mut self, now: Time, frames: &mut Vec<Message>);
    /// The deadline has come.
    fn handle_timeout(&mut self, now: Time);
    /// The next deadline.
    fn next_deadline(&self) -> Option<Time>;
    /// Hands each message to be sent, as frames, to `send`.
    fn drain_transmits(&mut self, send: impl FnMut(&mut Vec<Message>));
    /// Hands each notice to `report`. `Break` if the machine is at its end.
    fn drain_notices(&mut self, report: impl FnMut(Self::Notice)) -> ControlFlow<()>;
    /// What is to be done with the socket.
    fn poll_action(&mut self) -> Option<Action>;

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
    /// Which offers are to be taken back.
    fn poll_retract(&mut self) -> Option<Retract> {
        None
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

/// Where a worker or client connects, and as whom.
#[derive(Debug, Clone)]
pub struct Endpoint {
    /// In libzmq's notation.
    pub address: String,
    /// The identity that the broker's ROUTER sees: 1 to 255 bytes, or empty for one that the ROUTER
    /// makes for each connection.
    pub identity: Vec<u8>,
    /// How this peer proves who it is.
    pub security: ClientSecurity,
    /// Between two attempts of libzmq to connect, in ms.
    pub reconnect_ms: i32,
    /// The frame by which the transport says that the connection broke. Random, so that it can't
    /// be mistaken for what a broker sent.
    pub gone: [u8; 16],
}

/// What a driver reports: the machine's notices between the two ends of its life.
#[derive(Debug)]
pub enum Notice<N> {
    /// The socket is there and connects.
    Started,
    /// It is not; the driver is gone.
    StartFailed(Error),
    /// The broker does not let this peer in; it tries again.
    Refused(HandshakeFailure),
    /// The machine says.
    Machine(N),
    /// The reader is to give a sign of life when it takes this.
    Ping,
    /// The snapshot that was asked for under this name.
    Stats(u64, Stats),
    /// The machine is at its end and the socket is closed; the driver is gone.
    Stopped,
}

/// Starts a driver on the reactor that workers and clients share. Dropping the sender stops it
/// where it stands.
pub fn start<M>(
    machine: impl FnOnce() -> M + Send + 'static,
    endpoint: Endpoint,
    outlet: Arc<Outlet<Notice<M::Notice>>>,
) -> Result<UnboundedSender<M::Command>, Error>
where
    M: Machine + 'static,
{
    let (commands, inbox) = unbounded_channel();
    Reactor::shared()?.drive(move || {
        let driver = Driver {
            machine: machine(),
            endpoint,
            socket: None,
            connecting: None,
            broken_off: 0,
            up: false,
            inbox,
            outlet,
            frames: Vec::new(),
            notices: Vec::new(),
            overdue: Overdue::default(),
        };
        driver.run()
    });
    Ok(commands)
}

struct Driver<M: Machine> {
    machine: M,
    endpoint: Endpoint,
    socket: Option<Socket>,
    /// Until the socket has its connection: tells when. Over inproc there is nothing to tell.
    connecting: Option<Monitor>,
    /// How often in a row the handshake was broken off.
    broken_off: u32,
    /// Whether the machine was told that there is a connection, and not yet that it broke.
    up: bool,
    inbox: UnboundedReceiver<M::Command>,
    outlet: Arc<Outlet<Notice<M::Notice>>>,
    /// Reused from message to message.
    frames: Vec<Message>,
    /// Reused from turn to turn.
    notices: Vec<M::Notice>,
    overdue: Overdue,
}

/// How many messages are received before what came of them is sent on.
const BATCH: usize = 256;

impl<M: Machine> Driver<M> {
    async fn run(mut self) {
        self.machine.start();
        // The first socket is made here, so that a bad endpoint is an error of `start`.
        self.machine.poll_action();
        if let Err(error) = self.open() {
            return self.outlet.push(Notice::StartFailed(error));
        }
        self.outlet.push(Notice::Started);
        // Over inproc the connection is there already, and nothing will wake us for it.
        let mut more = true;
        loop {
            let command = if more {
                // The other drivers of this thread have their turn in between.
                tokio::task::yield_now().await;
                match self.inbox.try_recv() {
                    Ok(command) => Some(Some(command)),
                    Err(TryRecvError::Disconnected) => Some(None),
                    Err(TryRecvError::Empty) => None,
                }
            } else {
                self.wait().await
            };
            match self.turn(command) {
                ControlFlow::Continue(there_is_more) => more = there_is_more,
                ControlFlow::Break(()) => break,
            }
        }
        self.close();
        context::flushed().await;
        self.outlet.push(Notice::Stopped);
    }

    /// Until there is something to do. `None` inside is the end of all commands.
    async fn wait(&mut self) -> Option<Option<M::Command>> {
        let deadline = self.overdue.next(self.machine.next_deadline());
        let deadline = deadline.map(clock::instant);
        let socket = self.socket.as_ref();
        let connecting = self.connecting.as_ref();
        tokio::select! {
            biased;
            command = self.inbox.recv() => Some(command),
            // An error of the watch is found again, and handled, when the socket is used.
            _ = async { socket?.ready().await.ok() }, if socket.is_some() => None,
            _ = async { connecting?.ready().await.ok() }, if connecting.is_some() => None,
            () = async { sleep_until(deadline.unwrap_or_else(|| clock::instant(clock::now()))).await },
                if deadline.is_some() => None,
        }
    }

    /// One turn: commands, then the socket, then the clock; then all that came of them. True if
    /// the socket has more, because nobody wakes us for what is there already.
    fn turn(&mut self, mut command: Option<Option<M::Command>>) -> ControlFlow<(), bool> {
        let now = clock::now();
        let mut goodbye = ControlFlow::Continue(());
        let mut asked = Vec::new();
        while let Some(next) = command {
            let Some(next) = next else {
                return ControlFlow::Break(());
            };
            asked.extend(M::asked(&next));
            goodbye = self.machine.handle_command(now, next);
            if goodbye.is_break() {
                break;
            }
            command = self.inbox.try_recv().ok().map(Some);
        }
        let received = self.receive(now);
        let deadline = self.machine.next_deadline();
        if self.overdue.is_due(now, deadline, !received) {
            self.machine.handle_timeout(now);
        }
        self.retract(now);
        self.carry_out(now);
        if self.report().is_break() || goodbye.is_break() {
            return ControlFlow::Break(());
        }
        if self.machine.poll_ping() {
            self.outlet.push(Notice::Ping);
        }
        for id in asked {
            let stats = self.machine.stats(self.outlet.offers());
            self.outlet.push(Notice::Stats(id, stats));
        }
        ControlFlow::Continue(received || self.has_news())
    }

    /// Feeds the machine what the transport has. True if there may be more.
    fn receive(&mut self, now: Time) -> bool {
        let Some(socket) = &self.socket else {
            return false;
        };
        let Ok((readable, writable)) = socket.events() else {
            self.machine.handle_down(now);
            return false;
        };
        while let Some((event, value)) = self.connecting.as_ref().and_then(Monitor::next) {
            let Some(failure) = HandshakeFailure::from_event(event, value) else {
                self.broken_off = 0;
                if let Some(monitor) = self.connecting.take() {
                    monitor.end(socket);
                }
                break;
            };
            // Without a mechanism a connection may break at any time, and libzmq makes it again; if
            // it breaks again and again before it is ready, somebody means it.
            self.broken_off += 1;
            let secured = !matches!(self.endpoint.security, ClientSecurity::Null);
            if secured || failure != HandshakeFailure::Closed || self.broken_off > 2 {
                self.broken_off = 0;
                // libzmq would come back at once or never.
                self.outlet.push(Notice::Refused(failure));
                self.machine.handle_refused(now);
                return false;
            }
        }
        if !self.up && self.connecting.is_none() && writable {
            self.up = true;
            self.machine.handle_up(now);
        }
        if readable {
            for _ in 0..BATCH {
                if socket.receive(&mut self.frames).is_err() || self.frames.is_empty() {
                    break;
                }
                match &self.frames[..] {
                    [only] if **only == self.endpoint.gone => {
                        self.frames.clear();
                        self.up = false;
                        self.machine.handle_down(now);
                        return false;
                    }
                    _ => self.machine.handle_message(now, &mut self.frames),
                }
            }
        } else if self.up && !writable {
            // Over inproc a connection that broke is one that takes nothing any more.
            self.up = false;
            self.machine.handle_down(now);
        }
        readable
    }

    /// Sends what the machine wants sent, then opens or closes the socket as it asks.
    fn carry_out(&mut self, now: Time) {
        loop {
            let socket = self.socket.as_ref();
            let mut broken = false;
            self.machine.drain_transmits(|frames| {
                let sent = socket.map(|socket| socket.send(frames));
                broken |= !matches!(sent, Some(Ok(Sent::Yes)));
                frames.clear();
            });
            if broken && self.up {
                self.up = false;
                self.machine.handle_down(now);
            }
            match self.machine.poll_action() {
                None => return,
                Some(Action::Close) => self.close(),
                Some(Action::Open) => {
                    if self.open().is_err() {
                        // Out of descriptors, say: the machine tries again after its interval.
                        self.machine.handle_down(now);
                    }
                }
            }
        }
    }

    /// Whether sending made libzmq notice something: it looks at its mailbox then too, and its
    /// descriptor tells of each thing only once.
    fn has_news(&self) -> bool {
        let Some(Ok((readable, writable))) = self.socket.as_ref().map(Socket::events) else {
            return false;
        };
        readable || (self.connecting.is_none() && writable != self.up)
    }

    /// Takes back the offers that the machine wants back and nobody has taken.
    fn retract(&mut self, now: Time) {
        if let Some(Retract { outstanding, limit }) = self.machine.poll_retract() {
            // Those that the machine has just made are not on offer yet.
            let _ = self.report();
            let taken_back = self.outlet.retract(outstanding, limit);
            self.machine.handle_retracted(now, &taken_back);
        }
    }

    fn report(&mut self) -> ControlFlow<()> {
        let notices = &mut self.notices;
        let end = self.machine.drain_notices(|notice| notices.push(notice));
        let outlet = &self.outlet;
        outlet.update(|queue| {
            for notice in notices.drain(..) {
                let void = M::withdrawn(&notice).is_some_and(|id| queue.withdraw(id));
                match M::offered(&notice) {
                    Some(offer) => queue.offer(offer, Notice::Machine(notice)),
                    None if !void => queue.push(Notice::Machine(notice)),
                    None => {}
                }
            }
        });
        end
    }

    fn open(&mut self) -> Result<(), Error> {
        let Endpoint {
            address,
            identity,
            security,
            reconnect_ms,
            gone,
        } = &self.endpoint;
        let socket = Socket::dealer(identity, *reconnect_ms as c_int, gone)?;
        socket.secure_client(security)?;
        let monitor = match address.starts_with("inproc:") {
            true => None,
            false => Some(Monitor::new(&socket, Event::Connected)?),
        };
        let connected = socket.connect(address);
        match (&connected, monitor) {
            (Err(_), Some(monitor)) => monitor.end(&socket),
            (_, monitor) => self.connecting = monitor,
        }
        connected?;
        self.socket = Some(socket);
        Ok(())
    }

    /// What is not sent yet still goes out to a broker that is there, and to no other.
    fn close(&mut self) {
        let Some(socket) = self.socket.take() else {
            return;
        };
        if let Some(monitor) = self.connecting.take() {
            monitor.end(&socket);
        }
        if !self.up {
            socket.abandon();
        }
        self.up = false;
    }
}
