//! The driver of a broker: one machine, one ROUTER, a separate thread.

mod backlog;
mod channels;
mod names;
mod report;
mod traffic;
mod turns;

use super::acceptor::{Acceptor, Listen};
use super::coalescer::Coalescer;
use super::connections::ConnectionNotice;
use super::deadline_gate::DeadlineGate;
use super::inbound::Inbound;
use super::notice_queue::MAX_EVENTS;
use super::outbound::{self, Outbound};
use super::reactor::{self, Reactor};
use super::spin::{Spinner, cores};
use super::zap::{AuthNotice, Authenticator, Registration, Verdict};
use super::{CommandSink, Error, Message, NoticeQueue, clock, random};
use crate::proto::Time;
use crate::proto::broker::turns::Turns;
use crate::proto::broker::{
    Broker, BrokerConfig, BrokerStats, Principal, Refusals, RoutingId, Told,
};
use crate::proto::event_rate::EventRate;
use crate::proto::names::Names;
use crate::proto::table::Table;
use std::convert::Infallible;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

/// A command of the broker's application.
#[derive(Debug)]
pub enum Command {
    /// The authenticator has new rules.
    Rules,
    /// A decision whether to admit a peer, see [`AuthNotice::Authenticate`].
    Authenticated {
        /// The id of the question.
        ticket: u64,
        /// The decision.
        verdict: Verdict,
    },
    /// A decision about a permission, see
    /// [`Authorize`](crate::proto::broker::BrokerEvent::Authorize).
    Authorized {
        /// The id of the question.
        id: u64,
        /// The decision.
        allowed: bool,
    },
    /// Requests a snapshot with this id.
    Stats(u64),
    /// Hands over to other brokers, and ends. Running requests have this time to end; `None` means
    /// no limit.
    Stop(Option<Duration>),
    /// Ends all requests, and ends.
    Discard,
    /// Ends at once, because the process ends. The sender is dropped when the connections are closed.
    Exit(Sender<Infallible>),
}

impl CommandSink for UnboundedSender<Command> {
    type Command = Command;
    const OF_BROKER: bool = true;

    fn send(&self, command: Command) -> bool {
        UnboundedSender::send(self, command).is_ok()
    }

    fn exit(&self, _until: Time) -> Receiver<Infallible> {
        let (open, closed) = channel();
        CommandSink::send(self, Command::Exit(open));
        closed
    }
}

/// A report of the driver.
#[derive(Debug)]
pub enum Notice {
    /// It is bound to these endpoints, with the ports in place of `*`.
    Started(Vec<String>),
    /// The driver could not start, and has ended.
    StartFailed(Error),
    /// An event of the machine.
    Event(Told),
    /// The snapshot requested with this id, as JSON.
    Stats(u64, Box<BrokerStats>),
    /// A notice of the authenticator.
    Authenticator(AuthNotice),
    /// A notice about a connection, and the number of suppressed ones before it.
    Connection(ConnectionNotice, u64),
    /// The socket is closed; the driver has ended.
    Stopped,
}

/// Maximum of events per second that peers cause before they are authenticated.
const MAX_EVENTS_PER_SECOND: u32 = 10;

/// Starts a driver on a separate thread. Dropping the sender stops it immediately.
pub fn start(
    config: BrokerConfig,
    listen: Listen,
    queue: Arc<NoticeQueue<Notice>>,
) -> Result<UnboundedSender<Command>, Error> {
    let (commands, inbox) = unbounded_channel();
    Reactor::spawn("omdp-broker")?.drive(move || async move {
        let gone = random::frame();
        let limits = outbound_limits(&config, &listen);
        let mut machine = Broker::new(config);
        let event_rate: Arc<Mutex<EventRate>> =
            Arc::new(Mutex::new(EventRate::new(MAX_EVENTS_PER_SECOND)));
        let authentication = match authenticate(&listen, &mut machine, &queue, &event_rate).await {
            Ok(authentication) => authentication,
            Err(error) => return fail(queue, error),
        };
        let earlier = *listen
            .refusals
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        match Acceptor::open(&listen, &gone).await {
            Ok((acceptor, endpoints)) => {
                queue.push(Notice::Started(endpoints));
                let in_process = listen.inproc_user.as_deref().map(Principal::in_process);
                let driver = Driver {
                    machine,
                    authentication,
                    in_process: in_process.map(|principal| principal.to_text()),
                    acceptor,
                    event_rate,
                    earlier,
                    refusals: listen.refusals,
                    names: Names::default(),
                    outbound: Outbound::new(limits),
                    spinner: Spinner::new(listen.spin, cores()),
                    gone,
                    inbox,
                    queue,
                    inbound: Inbound::new(),
                    backlog: Turns::default(),
                    told_waiting: Time::ZERO,
                    payers: Table::default(),
                    coalescer: Coalescer::default(),
                    frames: Vec::new(),
                    received: 0,
                    deadline_gate: DeadlineGate::default(),
                    wakes_at: None,
                    arrived: None,
                    leaves_at: None,
                    exit: None,
                };
                driver.run().await;
            }
            Err(error) => fail(queue, error),
        }
    });
    Ok(commands)
}

fn outbound_limits(config: &BrokerConfig, listen: &Listen) -> outbound::Limits {
    outbound::Limits {
        peer: listen.max_peer_bytes,
        total: config.held.total,
        patience: config.heartbeat.saturating_mul(config.liveness),
    }
}

/// Lets the authenticator of a broker with security decide about its peers.
async fn authenticate(
    listen: &Listen,
    machine: &mut Broker<Message>,
    queue: &Arc<NoticeQueue<Notice>>,
    event_rate: &Arc<Mutex<EventRate>>,
) -> Result<Option<Authentication>, Error> {
    let Some((_, authenticator)) = &listen.security else {
        return Ok(None);
    };
    machine.set_access(clock::now(), authenticator.access());
    let of_broker = Authentication::new(authenticator.clone(), queue.clone(), event_rate.clone());
    of_broker.await.map(Some)
}

fn fail(queue: Arc<NoticeQueue<Notice>>, error: Error) {
    reactor::afterwards(move || queue.push(Notice::StartFailed(error)));
}

/// The authentication of a running broker.
struct Authentication {
    authenticator: Arc<Authenticator>,
    registration: Registration,
    /// The epoch of the machine's rules.
    epoch: u64,
}

impl Authentication {
    async fn new(
        authenticator: Arc<Authenticator>,
        queue: Arc<NoticeQueue<Notice>>,
        event_rate: Arc<Mutex<EventRate>>,
    ) -> Result<Self, Error> {
        // Questions require an answer, so they are never dropped; the handler limits their number.
        let tell = move |mut notice: AuthNotice| {
            if let AuthNotice::Refused { missed, .. } = &mut notice {
                let mut event_rate = event_rate.lock().unwrap_or_else(PoisonError::into_inner);
                match event_rate.take(clock::now()) {
                    Some(others) if queue.len() < MAX_EVENTS => *missed = others,
                    _ => return,
                }
            }
            queue.push(Notice::Authenticator(notice));
        };
        let epoch = authenticator.epoch();
        let registration = Registration::new(authenticator.clone(), tell).await?;
        Ok(Authentication {
            authenticator,
            registration,
            epoch,
        })
    }
}

struct Driver {
    machine: Broker<Message>,
    authentication: Option<Authentication>,
    /// The user of peers over inproc, if they are admitted.
    in_process: Option<String>,
    acceptor: Acceptor,
    /// Limits events that unauthenticated peers cause.
    event_rate: Arc<Mutex<EventRate>>,
    refusals: Arc<Mutex<Refusals>>,
    /// The refusals of earlier lives.
    earlier: Refusals,
    /// The machine knows peers by name, the acceptor and the tables here by routing id.
    names: Names,
    /// Messages that peers have not taken.
    outbound: Outbound,
    /// Decides whether to spin for the next message before sleeping.
    spinner: Spinner,
    /// The frame by which the acceptor reports that a peer's connection broke. It is random, so that no
    /// peer can send it by chance.
    gone: [u8; 16],
    inbox: UnboundedReceiver<Command>,
    queue: Arc<NoticeQueue<Notice>>,
    inbound: Inbound,
    /// Messages of peers that have exceeded their quantum.
    backlog: Turns<Inbound>,
    /// When the machine was last told which peers have a backlog.
    told_waiting: Time,
    /// The connections that send a large message which is not complete, each with the peer that is charged for it.
    payers: Table<RoutingId, RoutingId>,
    coalescer: Coalescer,
    /// Reused for each message.
    frames: Vec<Message>,
    /// The number of messages in the last turn.
    received: usize,
    deadline_gate: DeadlineGate,
    /// When the application is woken for the ends of requests that it was not woken for yet.
    wakes_at: Option<Time>,
    /// How long the connection of the present message had existed when its first message arrived, and this is it.
    arrived: Option<Duration>,
    /// Set when the driver has to stop: the end of the time for running requests, if it is limited.
    leaves_at: Option<Option<Time>>,
    /// See [`Command::Exit`].
    exit: Option<Sender<Infallible>>,
}
