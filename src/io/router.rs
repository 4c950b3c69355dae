//! The driver of a broker: one machine, one ROUTER, a thread of its own.

mod life;
mod report;
mod traffic;

use super::gather::Gather;
use super::inbound::Inbound;
use super::monitor::{Event, Monitor};
use super::outbound::Outbound;
use super::outlet::MAX_EVENTS;
use super::overdue::Overdue;
use super::reactor::Reactor;
use super::security::ServerSecurity;
use super::socket::Socket;
use super::spin::{Spin, Spinner};
use super::zap::{Gate, GateNotice, Registration, Verdict};
use super::{Error, Message, Outlet, clock};
use crate::proto::broker::{Broker, BrokerConfig, BrokerEvent, Refusals};
use std::ffi::c_int;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

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
    /// Leave everything to other brokers, and go.
    Stop,
    /// End everything, and go.
    Discard,
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
    /// The largest body that is taken.
    pub max_message: u64,
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
    spin: Spin,
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
                    spinner: Spinner::new(spin, cores()),
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

/// How many cores this process may use at a time.
fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// All endpoints or none.
async fn open(
    listen: &Listen,
    gone: &[u8],
) -> Result<(Socket, Option<Monitor>, Vec<String>), Error> {
    let socket = Socket::router(gone)?;
    socket.limit_handshakes(listen.handshake_ms as c_int)?;
    socket.limit_frames(listen.max_message)?;
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
    /// Whether to look for the next message before going to sleep.
    spinner: Spinner,
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
