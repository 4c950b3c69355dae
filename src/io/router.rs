//! The driver of a broker: one machine, one ROUTER, a thread of its own.

use super::overdue::Overdue;
use super::reactor::Reactor;
use super::socket::{Sent, Socket};
use super::{Error, Message, Outlet, clock, context};
use crate::proto::Time;
use crate::proto::broker::{Broker, BrokerConfig, BrokerEvent, RoutingId};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::time::sleep_until;

/// What its user wants of a broker.
#[derive(Debug)]
pub enum Command {
    /// Tell everybody, and go.
    Stop,
}

/// What the driver reports.
#[derive(Debug)]
pub enum Notice {
    /// It is bound to these endpoints, with the ports that a `*` became.
    Started(Vec<String>),
    /// It is not; the driver is gone.
    StartFailed(Error),
    /// The machine says.
    Event(BrokerEvent),
    /// The socket is closed; the driver is gone.
    Stopped,
}

/// Starts a driver on a thread of its own. Dropping the sender stops it where it stands.
pub fn start(
    config: BrokerConfig,
    endpoints: Vec<String>,
    spin: Duration,
    gone: [u8; 16],
    outlet: Arc<Outlet<Notice>>,
) -> Result<UnboundedSender<Command>, Error> {
    let (commands, inbox) = unbounded_channel();
    Reactor::spawn("omdp-broker")?.drive(move || async move {
        match open(&endpoints, &gone).await {
            Ok((socket, bound)) => {
                outlet.push(Notice::Started(bound.clone()));
                let driver = Driver {
                    machine: Broker::new(config),
                    socket,
                    bound,
                    spin,
                    gone,
                    inbox,
                    outlet,
                    frames: Vec::new(),
                    received: 0,
                    overdue: Overdue::default(),
                };
                driver.run().await;
            }
            Err(error) => outlet.push(Notice::StartFailed(error)),
        }
    });
    Ok(commands)
}

/// All endpoints or none.
async fn open(endpoints: &[String], gone: &[u8]) -> Result<(Socket, Vec<String>), Error> {
    let socket = Socket::router(gone)?;
    let mut bound = Vec::new();
    for endpoint in endpoints {
        match socket.bind(endpoint).and_then(|()| socket.last_endpoint()) {
            Ok(endpoint) => bound.push(endpoint),
            Err(error) => {
                let _ = socket.close_listeners(&bound).await;
                return Err(error);
            }
        }
    }
    Ok((socket, bound))
}

struct Driver {
    machine: Broker<Message>,
    socket: Socket,
    /// How long to look for the next message before going to sleep.
    spin: Duration,
    /// Its endpoints, as libzmq calls them.
    bound: Vec<String>,
    /// The frame by which the transport says that a peer's connection broke. Random, so that it
    /// can't be mistaken for what a peer sent.
    gone: [u8; 16],
    inbox: UnboundedReceiver<Command>,
    outlet: Arc<Outlet<Notice>>,
    /// Reused from message to message.
    frames: Vec<Message>,
    /// How many messages the last turn brought.
    received: usize,
    overdue: Overdue,
}

/// Up to so many messages a wake-up are a trickle: a request, or a reply and a heartbeat.
const TRICKLE: usize = 2;

/// How many messages are received before what came of them is sent on.
const BATCH: usize = 256;

/// Events that nobody fetches are dropped past this: they tell, they do not decide.
const MAX_EVENTS: usize = 4096;

impl Driver {
    async fn run(mut self) {
        // Peers over inproc may be connected already, and nothing will wake us for them.
        self.turn();
        loop {
            self.spin();
            let stop = self.wait().await;
            if stop {
                let now = clock::now();
                self.machine.stop(now);
                self.send(now);
                self.report();
                let _ = self.socket.close_listeners(&self.bound).await;
                break;
            }
            self.turn();
        }
        drop(self.socket);
        context::flushed().await;
        self.outlet.push(Notice::Stopped);
    }

    /// Waking a thread takes longer than a message takes to travel. Under a trickle of traffic it
    /// may pay to stay awake for the next one; under load there always is a next one.
    fn spin(&mut self) {
        if self.spin.is_zero() || self.received == 0 || self.received > TRICKLE {
            return;
        }
        let mut until = clock::now() + self.spin;
        while clock::now() < until && self.inbox.is_empty() {
            if self.socket.events().is_ok_and(|(readable, _)| readable) {
                self.turn();
                if self.received > TRICKLE {
                    return;
                }
                until = clock::now() + self.spin;
            }
            std::hint::spin_loop();
        }
    }

    /// Until there is something to do; true if it is to stop.
    async fn wait(&mut self) -> bool {
        let deadline = self.overdue.next(self.machine.next_deadline());
        let deadline = deadline.map(clock::instant);
        tokio::select! {
            biased;
            _ = self.inbox.recv() => true,
            _ = self.socket.ready() => false,
            () = async { sleep_until(deadline.unwrap_or_else(|| clock::instant(clock::now()))).await },
                if deadline.is_some() => false,
        }
    }

    /// The socket, then the clock; then all that came of them. Again while the socket has more,
    /// because nobody wakes us for what is there already.
    fn turn(&mut self) {
        self.received = 0;
        loop {
            let now = clock::now();
            let drained = self.receive(now);
            let deadline = self.machine.next_deadline();
            if self.overdue.is_due(now, deadline, drained) {
                self.machine.handle_timeout(now);
            }
            self.send(now);
            self.report();
            let more = self.socket.events().is_ok_and(|(readable, _)| readable);
            if !more || !self.inbox.is_empty() {
                return;
            }
        }
    }

    /// True if nothing is left.
    fn receive(&mut self, now: Time) -> bool {
        for _ in 0..BATCH {
            if self.socket.receive(&mut self.frames).is_err() || self.frames.is_empty() {
                return true;
            }
            self.received += 1;
            let from = self.frames.remove(0);
            match &self.frames[..] {
                [only] if **only == self.gone => {
                    self.machine.handle_gone(now, &from);
                    self.frames.clear();
                }
                _ => self.machine.handle_message(now, &from, &mut self.frames),
            }
        }
        false
    }

    /// Sends what the machine wants sent. A peer that can't be reached is gone; to say so may make
    /// more to send.
    fn send(&mut self, now: Time) {
        let mut unreachable: Vec<RoutingId> = Vec::new();
        loop {
            for transmit in self.machine.drain_transmits() {
                self.frames.push(Message::from(&*transmit.to));
                transmit.message.encode(&mut self.frames);
                if self.socket.send(&mut self.frames) != Ok(Sent::Yes) {
                    unreachable.push(transmit.to);
                }
            }
            if unreachable.is_empty() {
                return;
            }
            for peer in unreachable.drain(..) {
                self.machine.handle_gone(now, &peer);
            }
        }
    }

    fn report(&mut self) {
        let mut events = self.machine.drain_events().peekable();
        if events.peek().is_some() {
            let room = MAX_EVENTS.saturating_sub(self.outlet.len());
            self.outlet.update(|queue| {
                events
                    .take(room)
                    .for_each(|event| queue.push(Notice::Event(event)))
            });
        }
    }
}
