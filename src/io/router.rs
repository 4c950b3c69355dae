//! The driver of a broker: one machine, one ROUTER, a thread of its own.

use super::gather::Gather;
use super::inbound::Inbound;
use super::monitor::{Event, Monitor};
use super::outbound::{Outbound, Outcome};
use super::outlet::MAX_EVENTS;
use super::overdue::Overdue;
use super::reactor::Reactor;
use super::security::{HandshakeFailure, ServerSecurity};
use super::socket::Socket;
use super::zap::{Gate, GateNotice, PRINCIPAL, Registration, Verdict};
use super::{Error, Message, Outlet, clock, context};
use crate::proto::Time;
use crate::proto::broker::{Broker, BrokerConfig, BrokerEvent, Refusals, RoutingId};
use std::ffi::c_int;
use std::ops::ControlFlow;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::time::sleep_until;

/// What its user wants of a broker.
#[derive(Debug)]
pub enum Command {
    /// The gate has other rules.
    Rules,
    /// Whether a peer is let in, see [`GateNotice::Authenticate`].
    Authenticated {
        /// Names the question.
        ticket: u64,
        /// The answer.
        verdict: Verdict,
    },
    /// Whether a user may do something, see [`BrokerEvent::Authorize`].
    Authorized {
        /// Names the question.
        id: u64,
        /// The answer.
        allowed: bool,
    },
    /// Asks for a snapshot, under this name.
    Stats(u64),
    /// Tell everybody, and go.
    Stop,
}

/// How a broker is reached, and by whom.
#[derive(Debug)]
pub struct Listen {
    /// In libzmq's notation; at least one.
    pub endpoints: Vec<String>,
    /// The mechanism and the gate; `None`: everybody is let in.
    pub security: Option<(ServerSecurity, Arc<Gate>)>,
    /// How long a handshake may take, in ms.
    pub handshake_ms: i32,
    /// How many bytes may lie ready for each peer.
    pub max_peer_bytes: usize,
    /// Where the machine's refusals are counted.
    pub refusals: Arc<Mutex<Refusals>>,
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
    /// The snapshot that was asked for under this name, as JSON.
    Stats(u64, String),
    /// The gate says.
    Gate(GateNotice),
    /// The socket is closed; the driver is gone.
    Stopped,
}

/// Starts a driver on a thread of its own. Dropping the sender stops it where it stands.
pub fn start(
    config: BrokerConfig,
    listen: Listen,
    spin: Duration,
    gone: [u8; 16],
    outlet: Arc<Outlet<Notice>>,
) -> Result<UnboundedSender<Command>, Error> {
    let (commands, inbox) = unbounded_channel();
    Reactor::spawn("omdp-broker")?.drive(move || async move {
        let mut machine = Broker::new(config);
        let guard = match &listen.security {
            Some((_, gate)) => {
                machine.set_access(clock::now(), gate.access());
                match Guard::new(gate.clone(), outlet.clone()).await {
                    Ok(guard) => Some(guard),
                    Err(error) => return outlet.push(Notice::StartFailed(error)),
                }
            }
            None => None,
        };
        let earlier = *listen
            .refusals
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        match open(&listen, &gone).await {
            Ok((socket, failures, bound)) => {
                outlet.push(Notice::Started(bound.clone()));
                let driver = Driver {
                    machine,
                    guard,
                    failures,
                    earlier,
                    refusals: listen.refusals,
                    socket,
                    outbound: Outbound::new(listen.max_peer_bytes),
                    bound,
                    spin,
                    gone,
                    inbox,
                    outlet,
                    inbound: Inbound::new(),
                    gather: Gather::default(),
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
async fn open(
    listen: &Listen,
    gone: &[u8],
) -> Result<(Socket, Option<Monitor>, Vec<String>), Error> {
    let socket = Socket::router(gone)?;
    socket.limit_handshakes(listen.handshake_ms as c_int)?;
    let mut failures = None;
    if let Some((security, gate)) = &listen.security {
        socket.secure_server(security, gate.domain())?;
        failures = Some(Monitor::new(&socket, Event::HandshakeFailed)?);
    }
    let mut bound = Vec::new();
    for endpoint in &listen.endpoints {
        match socket.bind(endpoint).and_then(|()| socket.last_endpoint()) {
            Ok(endpoint) => bound.push(endpoint),
            Err(error) => {
                end(failures, &socket);
                let _ = socket.close_listeners(&bound).await;
                return Err(error);
            }
        }
    }
    Ok((socket, failures, bound))
}

fn end(monitor: Option<Monitor>, socket: &Socket) {
    if let Some(monitor) = monitor {
        monitor.end(socket);
    }
}

/// Who is let in, while the broker runs.
struct Guard {
    gate: Arc<Gate>,
    registration: Registration,
    /// Of the rules that the machine has.
    epoch: u64,
}

impl Guard {
    async fn new(gate: Arc<Gate>, outlet: Arc<Outlet<Notice>>) -> Result<Self, Error> {
        // The gate's questions decide, so they are never dropped; the handler bounds them.
        let tell = move |notice: GateNotice| {
            let question = matches!(notice, GateNotice::Authenticate { .. });
            if question || outlet.len() < MAX_EVENTS {
                outlet.push(Notice::Gate(notice));
            }
        };
        let epoch = gate.epoch();
        let registration = Registration::new(gate.clone(), tell).await?;
        Ok(Guard {
            gate,
            registration,
            epoch,
        })
    }
}

struct Driver {
    machine: Broker<Message>,
    guard: Option<Guard>,
    /// Handshakes that came to nothing before the gate was asked.
    failures: Option<Monitor>,
    refusals: Arc<Mutex<Refusals>>,
    /// Those of earlier lives.
    earlier: Refusals,
    socket: Socket,
    /// What peers do not take at once.
    outbound: Outbound,
    /// How long to look for the next message before going to sleep.
    spin: Duration,
    /// Its endpoints, as libzmq calls them.
    bound: Vec<String>,
    /// The frame by which the transport says that a peer's connection broke. Random, so that it
    /// can't be mistaken for what a peer sent.
    gone: [u8; 16],
    inbox: UnboundedReceiver<Command>,
    outlet: Arc<Outlet<Notice>>,
    inbound: Inbound,
    gather: Gather,
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

/// How long peers that are behind have to take what was said last.
const FAREWELL: Duration = Duration::from_millis(400);

impl Driver {
    async fn run(mut self) {
        // Peers over inproc may be connected already, and nothing will wake us for them.
        self.turn();
        loop {
            self.spin();
            let command = self.wait().await;
            if self.obey(command).await.is_break() {
                let now = clock::now();
                self.machine.stop(now);
                self.send(now);
                self.report();
                self.see_off().await;
                end(self.failures.take(), &self.socket);
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

    /// `None` is no command; `Some(None)` is the end of all of them. `Break` if it is to stop.
    async fn obey(&mut self, command: Option<Option<Command>>) -> ControlFlow<()> {
        match command {
            None => {}
            Some(None | Some(Command::Stop)) => return ControlFlow::Break(()),
            Some(Some(Command::Stats(id))) => {
                let stats = self.machine.stats().to_string();
                self.outlet.push(Notice::Stats(id, stats));
            }
            Some(Some(Command::Rules)) => self.follow_rules(),
            Some(Some(Command::Authenticated { ticket, verdict })) => {
                if let Some(guard) = &self.guard {
                    guard.registration.answer(ticket, verdict).await;
                }
            }
            Some(Some(Command::Authorized { id, allowed })) => {
                self.machine.authorize(clock::now(), id, allowed);
            }
        }
        ControlFlow::Continue(())
    }

    /// Whom the gate has let in under its new rules the machine must hear under them.
    fn follow_rules(&mut self) {
        if let Some(guard) = &mut self.guard
            && guard.epoch != guard.gate.epoch()
        {
            guard.epoch = guard.gate.epoch();
            self.machine.set_access(clock::now(), guard.gate.access());
        }
    }

    /// Until there is something to do.
    async fn wait(&mut self) -> Option<Option<Command>> {
        let deadline = self.overdue.next(self.machine.next_deadline());
        let deadline = deadline.map(clock::instant);
        let failures = self.failures.as_ref();
        tokio::select! {
            biased;
            command = self.inbox.recv() => Some(command),
            _ = self.socket.ready() => None,
            () = self.outbound.due(), if self.outbound.is_behind() => None,
            _ = async { failures?.ready().await.ok() }, if failures.is_some() => None,
            () = async { sleep_until(deadline.unwrap_or_else(|| clock::instant(clock::now()))).await },
                if deadline.is_some() => None,
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
            // Before the answers, so that who has one finds it counted.
            self.publish_refusals();
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
        let mut room = BATCH;
        while room > 0 {
            if !matches!(self.inbound.receive_routed(&self.socket), Ok(true)) {
                return true;
            }
            while self.inbound.next(&mut self.frames) {
                room = room.saturating_sub(1);
                self.received += 1;
                if self.guard.is_some() {
                    self.follow_rules();
                }
                self.handle_message(now);
            }
        }
        false
    }

    fn handle_message(&mut self, now: Time) {
        let from = self.inbound.from();
        match &self.frames[..] {
            [only] if **only == self.gone => {
                self.outbound.forget(from);
                self.machine.handle_gone(now, from);
                self.frames.clear();
            }
            _ if self.guard.is_some() => {
                let principal = self.inbound.property(PRINCIPAL);
                self.machine
                    .handle_message_of(now, from, principal, &mut self.frames);
            }
            _ => (self.machine).handle_message(now, from, &mut self.frames),
        }
    }

    /// Sends what waits for peers that were behind, then what the machine wants sent. A peer that
    /// can't be reached is gone, one that is too far behind loses its place; to say so may make more
    /// to send.
    fn send(&mut self, now: Time) {
        let news = self.outbound.flush(&self.socket);
        for peer in news.clear {
            self.machine.handle_congestion(&peer, false);
        }
        for peer in news.gone {
            self.machine.handle_gone(now, &peer);
        }
        let mut troubles: Vec<(RoutingId, Outcome)> = Vec::new();
        loop {
            let (socket, outbound, frames) = (&self.socket, &mut self.outbound, &mut self.frames);
            let mut deliver = |to: &RoutingId, message: &mut Vec<Message>, last: bool| {
                message.insert(0, Message::from(&**to));
                match outbound.send(socket, to, message, last) {
                    Outcome::Taken => {}
                    trouble => troubles.push((to.clone(), trouble)),
                }
            };
            let mut gathered: Option<RoutingId> = None;
            for transmit in self.machine.drain_transmits() {
                let to = transmit.to.clone();
                let last = transmit.message.is_disconnect();
                let together = transmit.packed && !last;
                transmit.frames(frames);
                if let Some(other) = gathered.take_if(|other| !together || !Arc::ptr_eq(other, &to))
                {
                    self.gather.flush(|message| deliver(&other, message, false));
                }
                if together {
                    self.gather
                        .add(frames, |message| deliver(&to, message, false));
                    gathered = Some(to);
                } else {
                    deliver(&to, frames, last);
                }
            }
            if let Some(to) = gathered {
                self.gather.flush(|message| deliver(&to, message, false));
            }
            if troubles.is_empty() {
                return;
            }
            for (peer, trouble) in troubles.drain(..) {
                match trouble {
                    Outcome::Taken => {}
                    Outcome::Waiting => self.machine.handle_congestion(&peer, true),
                    Outcome::Overflow => {
                        self.outbound.condemn(&peer);
                        self.machine.handle_overflow(now, &peer);
                    }
                    Outcome::NoPeer => self.machine.handle_gone(now, &peer),
                }
            }
        }
    }

    /// At the end: a moment for those who are behind.
    async fn see_off(&mut self) {
        let end = clock::instant(clock::now() + FAREWELL);
        while self.outbound.is_behind() {
            let news = tokio::select! {
                () = sleep_until(end) => return,
                _ = self.socket.ready() => true,
                () = self.outbound.due() => false,
            };
            if news && self.socket.events().is_err() {
                return;
            }
            self.outbound.flush(&self.socket);
        }
    }

    fn publish_refusals(&self) {
        let refusals = self.earlier + self.machine.refusals();
        *self.refusals.lock().unwrap_or_else(PoisonError::into_inner) = refusals;
    }

    fn report(&mut self) {
        self.publish_refusals();
        self.report_failures();
        let mut events = self.machine.drain_events().peekable();
        if events.peek().is_some() {
            self.outlet.update(|queue| {
                let room = MAX_EVENTS.saturating_sub(queue.len());
                events
                    .take(room)
                    .for_each(|event| queue.push(Notice::Event(event)))
            });
        }
    }

    fn report_failures(&mut self) {
        let (Some(guard), Some(failures)) = (&self.guard, &self.failures) else {
            return;
        };
        while let Some((event, value)) = failures.next() {
            let Some(failure) = HandshakeFailure::from_event(event, value) else {
                continue;
            };
            guard.gate.count_refused();
            if self.outlet.len() < MAX_EVENTS {
                self.outlet.push(Notice::Gate(GateNotice::Refused {
                    address: String::new(),
                    mechanism: "",
                    name: String::new(),
                    reason: failure.reason_at_broker(),
                }));
            }
        }
    }
}
