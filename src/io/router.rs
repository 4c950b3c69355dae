//! The driver of a broker: one machine, one ROUTER, a thread of its own.

mod backlog;
mod life;
mod report;
mod traffic;

use super::allowance::Allowance;
use super::coalescer::Coalescer;
use super::connections::{ConnectionLimits, ConnectionNotice, Connections};
use super::deadline_gate::DeadlineGate;
use super::inbound::Inbound;
use super::monitor::{Monitor, Watch};
use super::notice_queue::MAX_EVENTS;
use super::outbound::{self, Outbound};
use super::reactor::Reactor;
use super::security::ServerSecurity;
use super::socket::{Bound, Socket};
use super::spin::{Spin, Spinner};
use super::zap::{AuthNotice, Authenticator, Registration, Verdict};
use super::{Address, Error, Message, NoticeQueue, clock};
use crate::proto::Time;
use crate::proto::broker::turns::Turns;
use crate::proto::broker::{Broker, BrokerConfig, Principal, Refusals, Told};
use std::ffi::c_int;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

/// What its user wants of a broker.
#[derive(Debug)]
pub enum Command {
    /// The authenticator has other rules.
    Rules,
    /// Whether a peer is let in, see [`AuthNotice::Authenticate`].
    Authenticated {
        /// Names the question.
        ticket: u64,
        /// The answer.
        verdict: Verdict,
    },
    /// Whether a user may do something, see [`Authorize`](crate::proto::broker::BrokerEvent::Authorize).
    Authorized {
        /// Names the question.
        id: u64,
        /// The answer.
        allowed: bool,
    },
    /// Asks for a snapshot, under this name.
    Stats(u64),
    /// Leave everything to other brokers, and go; what runs has so long to end, `None` is without end.
    Stop(Option<Duration>),
    /// End everything, and go.
    Discard,
}

/// How a broker is reached, and by whom.
#[derive(Debug)]
pub struct Listen {
    /// Where to bind; at least one.
    pub endpoints: Vec<Address>,
    /// The mode of the files of ipc endpoints, if not the system's.
    pub ipc_mode: Option<u32>,
    /// The mechanism and the authenticator; `None`: everybody is let in.
    pub security: Option<(ServerSecurity, Arc<Authenticator>)>,
    /// With security: the user as which peers in this process act, over inproc.
    pub inproc_user: Option<String>,
    /// How long a handshake may take, in ms.
    pub handshake_ms: i32,
    /// How many bytes may lie ready for each peer.
    pub max_peer_bytes: usize,
    /// The largest body that is taken.
    pub max_message: u64,
    /// How many connections there may be.
    pub connections: ConnectionLimits,
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
    Event(Told),
    /// The snapshot that was asked for under this name, as JSON.
    Stats(u64, String),
    /// The authenticator says.
    Authenticator(AuthNotice),
    /// Of its connections; and how many such notices were left out before it.
    Connection(ConnectionNotice, u64),
    /// The socket is closed; the driver is gone.
    Stopped,
}

/// Starts a driver on a thread of its own. Dropping the sender stops it where it stands.
pub fn start(
    config: BrokerConfig,
    listen: Listen,
    spin: Spin,
    gone: [u8; 16],
    queue: Arc<NoticeQueue<Notice>>,
) -> Result<UnboundedSender<Command>, Error> {
    let (commands, inbox) = unbounded_channel();
    Reactor::spawn("omdp-broker")?.drive(move || async move {
        let limits = outbound::Limits {
            peer: listen.max_peer_bytes,
            total: config.held.total,
            patience: config.heartbeat.saturating_mul(config.liveness),
        };
        let mut machine = Broker::new(config);
        let allowance: Arc<Mutex<Allowance>> = Arc::default();
        let guard = match &listen.security {
            Some((_, authenticator)) => {
                machine.set_access(clock::now(), authenticator.access());
                match Guard::new(authenticator.clone(), queue.clone(), allowance.clone()).await {
                    Ok(guard) => Some(guard),
                    Err(error) => return queue.push(Notice::StartFailed(error)),
                }
            }
            None => None,
        };
        let earlier = *listen
            .refusals
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        match open(&listen, &gone).await {
            Ok((socket, connections, bound)) => {
                let texts = bound.iter().map(|bound| bound.text().to_owned());
                queue.push(Notice::Started(texts.collect()));
                let in_process = listen.inproc_user.as_deref().map(Principal::in_process);
                let driver = Driver {
                    machine,
                    guard,
                    in_process: in_process.map(|principal| principal.to_text()),
                    connections,
                    allowance,
                    earlier,
                    refusals: listen.refusals,
                    socket,
                    outbound: Outbound::new(limits),
                    bound,
                    spinner: Spinner::new(spin, cores()),
                    gone,
                    inbox,
                    queue,
                    inbound: Inbound::new(),
                    backlog: Turns::default(),
                    coalescer: Coalescer::default(),
                    frames: Vec::new(),
                    received: 0,
                    deadline_gate: DeadlineGate::default(),
                    leaves_at: None,
                };
                driver.run().await;
            }
            Err(error) => queue.push(Notice::StartFailed(error)),
        }
    });
    Ok(commands)
}

/// How many cores this process may use at a time.
fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// All endpoints or none.
async fn open(listen: &Listen, gone: &[u8]) -> Result<(Socket, Connections, Vec<Bound>), Error> {
    let socket = Socket::router(gone)?;
    socket.limit_handshakes(listen.handshake_ms as c_int)?;
    socket.limit_frames(listen.max_message)?;
    if let Some((security, authenticator)) = &listen.security {
        socket.secure_server(security, authenticator.domain())?;
    }
    let monitor = Monitor::new(&socket, Watch::Connections)?;
    let mut bound = Vec::new();
    for endpoint in &listen.endpoints {
        match socket.bind(endpoint, listen.ipc_mode) {
            Ok(endpoint) => bound.push(endpoint),
            Err(error) => {
                monitor.end(&socket);
                let _ = socket.close_listeners(bound).await;
                return Err(error);
            }
        }
    }
    match Connections::new(listen.connections, monitor) {
        Ok(connections) => Ok((socket, connections, bound)),
        Err((monitor, error)) => {
            monitor.end(&socket);
            let _ = socket.close_listeners(bound).await;
            Err(error)
        }
    }
}

/// Who is let in, while the broker runs.
struct Guard {
    authenticator: Arc<Authenticator>,
    registration: Registration,
    /// Of the rules that the machine has.
    epoch: u64,
}

impl Guard {
    async fn new(
        authenticator: Arc<Authenticator>,
        queue: Arc<NoticeQueue<Notice>>,
        allowance: Arc<Mutex<Allowance>>,
    ) -> Result<Self, Error> {
        // The authenticator's questions decide, so they are never dropped; the handler bounds them.
        let tell = move |mut notice: AuthNotice| {
            if let AuthNotice::Refused { missed, .. } = &mut notice {
                let mut allowance = allowance.lock().unwrap_or_else(PoisonError::into_inner);
                match allowance.take(clock::now()) {
                    Some(others) if queue.len() < MAX_EVENTS => *missed = others,
                    _ => return,
                }
            }
            queue.push(Notice::Authenticator(notice));
        };
        let epoch = authenticator.epoch();
        let registration = Registration::new(authenticator.clone(), tell).await?;
        Ok(Guard {
            authenticator,
            registration,
            epoch,
        })
    }
}

struct Driver {
    machine: Broker<Message>,
    guard: Option<Guard>,
    /// Who a peer over inproc is, if such peers are let in.
    in_process: Option<String>,
    connections: Connections,
    /// For the events that strangers cause.
    allowance: Arc<Mutex<Allowance>>,
    refusals: Arc<Mutex<Refusals>>,
    /// Those of earlier lives.
    earlier: Refusals,
    socket: Socket,
    /// What peers do not take at once.
    outbound: Outbound,
    /// Whether to look for the next message before going to sleep.
    spinner: Spinner,
    /// Its endpoints.
    bound: Vec<Bound>,
    /// The frame by which the transport says that a peer's connection broke. Random, so that it
    /// can't be mistaken for what a peer sent.
    gone: [u8; 16],
    inbox: UnboundedReceiver<Command>,
    queue: Arc<NoticeQueue<Notice>>,
    inbound: Inbound,
    /// What peers have sent beyond what is done at once.
    backlog: Turns<Inbound>,
    coalescer: Coalescer,
    /// Reused from message to message.
    frames: Vec<Message>,
    /// How many messages the last turn brought.
    received: usize,
    deadline_gate: DeadlineGate,
    /// Set when it is to stop: when what runs has had its time, which may be without end.
    leaves_at: Option<Option<Time>>,
}
