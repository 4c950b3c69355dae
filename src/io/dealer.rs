//! The driver of a worker or a client: one machine, and for each of its brokers one DEALER at a time.

use super::gather::Gather;
use super::inbound::Inbound;
use super::line::{self, Line};
use super::outlet::Offer;
use super::overdue::Overdue;
use super::reactor::Reactor;
use super::security::HandshakeFailure;
use super::socket::{Sent, Socket};
use super::{Error, Message, Outlet, clock, context};
use crate::proto::Time;
use crate::proto::link::Action;
use crate::proto::worker::Retract;
use crate::wire::packed::pack;
use std::ops::ControlFlow;
use std::sync::Arc;
use tokio::sync::mpsc::error::TryRecvError;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::time::sleep_until;

pub use super::line::Endpoint;

/// What the driver needs of a machine; see [`crate::proto`] for the contract. `line` says which of
/// its brokers something is about; a machine with one broker has line 0.
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
    fn handle_up(&mut self, line: usize, now: Time);
    /// The connection broke.
    fn handle_down(&mut self, line: usize, now: Time);
    /// The broker does not let this peer in.
    fn handle_refused(&mut self, line: usize, now: Time);
    /// One message of the broker.
    fn handle_message(&mut self, line: usize, now: Time, frames: &mut Vec<Message>);
    /// The deadline has come.
    fn handle_timeout(&mut self, now: Time);
    /// The next deadline.
    fn next_deadline(&self) -> Option<Time>;
    /// Hands each message to be sent, as frames, to `send`, and whether the short ones are to be packed.
    fn drain_transmits(&mut self, line: usize, send: impl FnMut(&mut Vec<Message>, bool));
    /// Hands each notice to `report`, with the line that it came by. `Break` if the machine is at
    /// its end.
    fn drain_notices(&mut self, report: impl FnMut(usize, Self::Notice)) -> ControlFlow<()>;
    /// What is to be done with the socket.
    fn poll_action(&mut self, line: usize) -> Option<Action>;

    /// Whether it wants to know how much of what it had sent lies in libzmq.
    fn watches_congestion(&self, _line: usize) -> bool {
        false
    }
    /// More lies there than is good, or no longer.
    fn handle_congestion(&mut self, _line: usize, _congested: bool) {}
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
    /// The offer that a notice made void was taken before: it runs on.
    fn handle_left_running(&mut self, _now: Time, _offer: u64) {}
    /// Which offers are to be taken back.
    fn poll_retract(&mut self) -> Option<Retract> {
        None
    }
    /// The line that an offer came by.
    fn line_of(&self, _offer: u64) -> usize {
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
#[derive(Debug)]
pub enum Notice<N> {
    /// The sockets are there and connect.
    Started,
    /// It is not; the driver is gone.
    StartFailed(Error),
    /// The broker of this line does not let this peer in; it tries again.
    Refused(usize, HandshakeFailure),
    /// The machine says, of this line.
    Machine(usize, N),
    /// The reader is to give a sign of life when it takes this.
    Ping,
    /// The snapshot that was asked for under this name.
    Stats(u64, Stats),
    /// The machine is at its end and its sockets are closed; the driver is gone.
    Stopped,
}

/// Starts a driver on the reactor that workers and clients share, with an endpoint for each line of
/// its machine. Dropping the sender stops it
/// where it stands.
pub fn start<M>(
    machine: impl FnOnce() -> M + Send + 'static,
    endpoints: Vec<Endpoint>,
    outlet: Arc<Outlet<Notice<M::Notice>>>,
) -> Result<UnboundedSender<M::Command>, Error>
where
    M: Machine + 'static,
{
    let (commands, inbox) = unbounded_channel();
    Reactor::shared()?.drive(move || {
        let driver = Driver {
            machine: machine(),
            lines: endpoints.into_iter().map(Line::new).collect(),
            inbox,
            outlet,
            inbound: Inbound::new(),
            gather: Gather::default(),
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
    lines: Vec<Line>,
    inbox: UnboundedReceiver<M::Command>,
    outlet: Arc<Outlet<Notice<M::Notice>>>,
    inbound: Inbound,
    gather: Gather,
    /// Reused from message to message.
    frames: Vec<Message>,
    /// Reused from turn to turn.
    notices: Vec<(usize, M::Notice)>,
    overdue: Overdue,
}

/// How many messages are received before what came of them is sent on.
const BATCH: usize = 256;

impl<M: Machine> Driver<M> {
    async fn run(mut self) {
        self.machine.start();
        // The first sockets are made here, so that a bad endpoint is an error of `start`.
        for at in 0..self.lines.len() {
            self.machine.poll_action(at);
            if let Err(error) = self.lines[at].open() {
                self.lines.iter_mut().for_each(Line::close);
                return self.outlet.push(Notice::StartFailed(error));
            }
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
        self.lines.iter_mut().for_each(Line::close);
        context::flushed().await;
        self.outlet.push(Notice::Stopped);
    }

    /// Until there is something to do. `None` inside is the end of all commands.
    async fn wait(&mut self) -> Option<Option<M::Command>> {
        let deadline = self.overdue.next(self.machine.next_deadline());
        let deadline = deadline.map(clock::instant);
        tokio::select! {
            biased;
            command = self.inbox.recv() => Some(command),
            () = line::any_ready(&self.lines) => None,
            () = async { sleep_until(deadline.unwrap_or_else(|| clock::instant(clock::now()))).await },
                if deadline.is_some() => None,
        }
    }

    /// One turn: commands, then the sockets, then the clock; then all that came of them. True if
    /// a socket has more, because nobody wakes us for what is there already.
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
        let mut more = false;
        for at in 0..self.lines.len() {
            more |= self.receive(at, now);
        }
        let deadline = self.machine.next_deadline();
        if self.overdue.is_due(now, deadline, !more) {
            self.machine.handle_timeout(now);
        }
        self.retract(now);
        self.carry_out(now);
        if self.report(now).is_break() || goodbye.is_break() {
            return ControlFlow::Break(());
        }
        if self.machine.poll_ping() {
            self.outlet.push(Notice::Ping);
        }
        for id in asked {
            let stats = self.machine.stats(self.outlet.offers());
            self.outlet.push(Notice::Stats(id, stats));
        }
        ControlFlow::Continue(more || self.lines.iter().any(Line::has_news))
    }

    /// Feeds the machine what the transport of one line has. True if there may be more.
    fn receive(&mut self, at: usize, now: Time) -> bool {
        let line = &mut self.lines[at];
        let Some(events) = line.socket.as_ref().map(Socket::events) else {
            return false;
        };
        let Ok((readable, writable)) = events else {
            self.machine.handle_down(at, now);
            return false;
        };
        if let Some(failure) = line.handshake() {
            // libzmq would come back at once or never.
            self.outlet.push(Notice::Refused(at, failure));
            self.machine.handle_refused(at, now);
            return false;
        }
        if !line.up && !line.is_connecting() && writable {
            line.up = true;
            self.machine.handle_up(at, now);
        }
        if readable && let Some(socket) = &line.socket {
            let mut room = BATCH;
            while room > 0 && matches!(self.inbound.receive(socket), Ok(true)) {
                while self.inbound.next(&mut self.frames) {
                    room = room.saturating_sub(1);
                    line.detach(&mut self.frames);
                    if line.is_gone(&self.frames) {
                        self.frames.clear();
                        line.up = false;
                        self.machine.handle_down(at, now);
                        return false;
                    }
                    self.machine.handle_message(at, now, &mut self.frames);
                }
            }
        } else if line.up && !writable {
            // Over inproc a connection that broke is one that takes nothing any more.
            line.up = false;
            self.machine.handle_down(at, now);
        }
        readable
    }

    /// Carries out what the machine wants of its lines. What the loss of one moves to another goes
    /// out in the next round.
    fn carry_out(&mut self, now: Time) {
        let mut again = true;
        while again {
            again = false;
            for at in 0..self.lines.len() {
                again |= self.carry_out_line(at, now);
            }
        }
    }

    /// Sends what the machine wants sent, then opens or closes the socket as it asks. True if the
    /// line turned out to be lost.
    fn carry_out_line(&mut self, at: usize, now: Time) -> bool {
        let mut lost = false;
        loop {
            let watches = self.machine.watches_congestion(at);
            let line = &mut self.lines[at];
            if let Some(congested) = line.congestion() {
                self.machine.handle_congestion(at, congested);
            }
            let socket = line.socket.as_ref();
            let mut broken = false;
            let mut send = |frames: &mut Vec<Message>| {
                let sent = socket.map(|socket| socket.send(frames));
                broken |= !matches!(sent, Some(Ok(Sent::Yes)));
                frames.clear();
            };
            let gather = &mut self.gather;
            self.machine.drain_transmits(at, |frames, packed| {
                if packed && !watches {
                    return gather.add(frames, &mut send);
                }
                gather.flush(&mut send);
                if packed {
                    pack(frames, 0);
                }
                if watches {
                    line.count(frames);
                }
                send(frames);
            });
            gather.flush(&mut send);
            if let Some(congested) = line.congestion() {
                self.machine.handle_congestion(at, congested);
            }
            if broken && line.up {
                line.up = false;
                lost = true;
                self.machine.handle_down(at, now);
            }
            match self.machine.poll_action(at) {
                None => return lost,
                Some(Action::Close) => line.close(),
                Some(Action::Open) => {
                    if line.open().is_err() {
                        // Out of descriptors, say: the machine tries again after its interval.
                        lost = true;
                        self.machine.handle_down(at, now);
                    }
                }
            }
        }
    }

    /// Takes back the offers that the machine wants back and nobody has taken.
    fn retract(&mut self, now: Time) {
        while let Some(retract) = self.machine.poll_retract() {
            let Retract {
                line,
                outstanding,
                limit,
            } = retract;
            // Those that the machine has just made are not on offer yet.
            let _ = self.report(now);
            let machine = &self.machine;
            let wanted = |offer| line.is_none_or(|line| machine.line_of(offer) == line);
            let taken_back = self.outlet.retract(outstanding, limit, wanted);
            self.machine.handle_retracted(now, &taken_back);
        }
    }

    fn report(&mut self, now: Time) -> ControlFlow<()> {
        let Driver {
            machine, notices, ..
        } = self;
        let end = machine.drain_notices(|line, notice| notices.push((line, notice)));
        self.outlet.update(|queue| {
            for (line, notice) in notices.drain(..) {
                let withdrawn = M::withdrawn(&notice);
                let void = withdrawn.is_some_and(|id| queue.withdraw(id));
                if let Some(id) = withdrawn.filter(|_| !void) {
                    machine.handle_left_running(now, id);
                }
                match M::offered(&notice) {
                    Some(offer) => queue.offer(offer, Notice::Machine(line, notice)),
                    None if !void => queue.push(Notice::Machine(line, notice)),
                    None => {}
                }
            }
        });
        end
    }
}
