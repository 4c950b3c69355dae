//! The connection of a worker or client to one broker: a DEALER, opened anew after each loss.

use super::bytes_in_flight::BytesInFlight;
use super::monitor::{Monitor, Watch};
use super::readiness::Readiness;
use super::route::Route;
use super::security::{ClientSecurity, HandshakeFailure};
use super::socket::Socket;
use super::{Address, Error, Message};
use crate::proto::link::Action;
use std::ffi::c_int;
use std::future::{pending, poll_fn};
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;
use tokio::sync::Notify;

/// Parameters of a connection.
#[derive(Debug, Clone)]
pub struct Endpoint {
    /// The endpoint of the broker.
    pub address: Address,
    /// The routing id for the broker's ROUTER: 1 to 255 bytes, or empty to have the ROUTER choose
    /// one for each connection.
    pub routing_id: Vec<u8>,
    /// The credentials of this peer.
    pub security: ClientSecurity,
    /// The largest accepted body, in bytes.
    pub max_message: u64,
    /// The interval between libzmq's attempts to connect, in ms.
    pub reconnect_ms: i32,
    /// How long a connection without acknowledgements by the other host is kept, for a broker that
    /// sends no heartbeats.
    pub patience: Option<Duration>,
    /// The frame by which libzmq reports that the connection broke. It is random, so that no broker
    /// can send it by chance.
    pub gone: [u8; 16],
}

pub(super) struct Connection {
    /// The machine's number of the broker.
    pub(super) broker: usize,
    endpoint: Endpoint,
    route: Route,
    pub(super) socket: Option<Socket>,
    /// Reports of the connection attempts, until the socket is connected. `None` over inproc, which
    /// has no reports.
    connecting: Option<Monitor>,
    /// How many consecutive handshakes were broken off.
    broken_off: u32,
    /// Whether the machine knows of a connection, and not yet of its end.
    pub(super) up: bool,
    /// Whether the socket was used since the last look at its events. libzmq may have read its
    /// mailbox then, and its descriptor signals each event only once.
    pub(super) unsure: bool,
    /// The machine's request for the socket that is still to be carried out.
    pub(super) action: Option<Action>,
    /// The bytes that libzmq holds, counted while the machine wants to know of congestion.
    in_flight: Arc<BytesInFlight>,
    freed: Arc<Notify>,
    /// The last report to the machine about congestion.
    congested: bool,
}

/// More bytes than this in libzmq are congestion.
const MAX_LENT: usize = 1024 * 1024;

/// Frames of at least this size that arrive over inproc are copied: their sender counts the bytes
/// until the frames are released.
const LARGE: usize = 4096;

/// Estimated cost of a message beyond its bytes.
const OVERHEAD: usize = 256;

/// Maximum duration of a handshake, equal to the brokers' default. Nothing else would end a
/// handshake on a connection that swallows everything: libzmq's own limit is half a minute.
const HANDSHAKE_MS: c_int = 10_000;

impl Connection {
    pub(super) fn new(broker: usize, endpoint: Endpoint) -> Self {
        let freed = Arc::new(Notify::new());
        Connection {
            broker,
            route: Route::new(endpoint.address.clone()),
            in_flight: BytesInFlight::new(MAX_LENT / 2, freed.clone()),
            freed,
            congested: false,
            endpoint,
            socket: None,
            connecting: None,
            broken_off: 0,
            up: false,
            unsure: false,
            action: None,
        }
    }

    pub(super) fn open(&mut self) -> Result<(), Error> {
        let Endpoint {
            address,
            routing_id,
            security,
            max_message,
            reconnect_ms,
            patience,
            gone,
        } = &self.endpoint;
        let socket = Socket::dealer(routing_id, *reconnect_ms as c_int, gone)?;
        socket.secure_client(security)?;
        socket.limit_handshakes(HANDSHAKE_MS)?;
        socket.limit_frames(*max_message)?;
        if let Some(patience) = patience {
            socket.limit_silence(*patience)?;
        }
        let monitor = match address.is_inproc() {
            true => None,
            false => Some(Monitor::new(&socket, Watch::Connecting)?),
        };
        let connected = self.route.begin(&socket);
        match (&connected, monitor) {
            (Err(_), Some(monitor)) => monitor.end(&socket),
            (_, monitor) => self.connecting = monitor,
        }
        connected?;
        self.socket = Some(socket);
        self.unsure = true;
        Ok(())
    }

    /// Closes the socket. Unsent messages still go to the present broker, and to no other.
    pub(super) fn close(&mut self) {
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

    /// Processes the reports of the handshake. Returns the reason if it has failed for good.
    pub(super) fn handshake(&mut self) -> Option<HandshakeFailure> {
        let socket = self.socket.as_ref()?;
        while let Some(report) = self.connecting.as_ref().and_then(Monitor::next) {
            if report.event == zmq_sys::ZMQ_EVENT_CONNECT_RETRIED {
                self.route.failed(socket);
                continue;
            }
            let Some(failure) = HandshakeFailure::from_event(report.event, report.value as u32)
            else {
                self.route.arrived();
                self.broken_off = 0;
                if let Some(monitor) = self.connecting.take() {
                    monitor.end(socket);
                }
                break;
            };
            // Without a mechanism a connection may break at any time, and libzmq opens it again.
            // Repeated breaks before it is ready are deliberate.
            self.broken_off += 1;
            let secured = !matches!(self.endpoint.security, ClientSecurity::Null);
            if secured || failure != HandshakeFailure::Closed || self.broken_off > 2 {
                self.broken_off = 0;
                return Some(failure);
            }
        }
        None
    }

    /// Continues to look up and try the broker's addresses. Returns, at intervals, why it cannot be
    /// reached.
    pub(super) fn advance(&mut self) -> Option<Error> {
        let socket = self.socket.as_ref().filter(|_| self.connecting.is_some())?;
        self.route.advance(socket)
    }

    /// See [`Route::tells_failure`].
    pub(super) fn tells_failure(&mut self) -> bool {
        self.route.tells_failure()
    }

    /// Counts a message that is about to be sent until libzmq releases it.
    pub(super) fn count(&self, frames: &mut Vec<Message>) {
        if let Some(body) = frames.pop() {
            let cost = body.len() + OVERHEAD;
            frames.push(body.lent(&self.in_flight, cost));
        }
    }

    /// Whether the connection is congested, if that has changed.
    pub(super) fn congestion(&mut self) -> Option<bool> {
        let changed = match self.congested {
            true => self.in_flight.is_few(),
            false => self.in_flight.bytes() > MAX_LENT,
        };
        self.congested ^= changed;
        changed.then_some(self.congested)
    }

    /// Copies large frames of a sender in this process, so that the originals are released.
    pub(super) fn detach(&self, frames: &mut [Message]) {
        if self.route.address().is_inproc() {
            let large = frames.iter_mut().filter(|frame| frame.len() >= LARGE);
            large.for_each(|frame| *frame = Message::from(&frame[..]));
        }
    }

    pub(super) fn is_connecting(&self) -> bool {
        self.connecting.is_some()
    }

    /// Whether the message is libzmq's report that the connection broke.
    pub(super) fn is_gone(&self, frames: &[Message]) -> bool {
        matches!(frames, [only] if **only == self.endpoint.gone)
    }

    /// Asks the socket for its events: whether it is readable, and whether it is writable. `None`
    /// without a socket.
    pub(super) fn events(&mut self) -> Option<Result<(bool, bool), Error>> {
        self.unsure = false;
        self.socket.as_ref().map(Socket::events)
    }

    /// Whether the use of the socket since the last look at its events has revealed news.
    pub(super) fn has_news(&mut self) -> bool {
        if !self.unsure {
            return false;
        }
        let Some(Ok((readable, writable))) = self.events() else {
            return false;
        };
        readable || (self.connecting.is_none() && writable != self.up)
    }

    /// What announces news of a connection that only sends and receives; `None` while it is opened,
    /// closed or congested.
    pub(super) fn readiness(&self) -> Option<Arc<Readiness>> {
        let is_steady = self.up && self.connecting.is_none() && !self.congested;
        self.socket.as_ref().filter(|_| is_steady)?.readiness()
    }

    /// Waits until the socket or the monitor may have news.
    async fn ready(&self) {
        let (socket, connecting) = (self.socket.as_ref(), self.connecting.as_ref());
        // An error of the wait is found again, and handled, when the socket is used.
        tokio::select! {
            biased;
            _ = async { socket?.ready().await.ok() }, if socket.is_some() => {}
            _ = async { connecting?.ready().await.ok() }, if connecting.is_some() => {}
            () = self.route.news(), if connecting.is_some() => {}
            () = self.freed.notified(), if self.congested => {}
            else => pending().await,
        }
    }
}

/// Waits until one of the connections may have news.
pub(super) async fn any_ready(connections: &[Connection]) {
    match connections {
        [only] => only.ready().await,
        _ => any(connections.iter().map(Connection::ready)).await,
    }
}

/// As above, for connections that only send and receive.
pub(super) async fn any_has_news(connections: &[Arc<Readiness>]) {
    // An error of the wait is found again, and handled, when the socket is used.
    match connections {
        [only] => drop(only.wait().await),
        _ => any(connections.iter().map(|each| each.wait())).await,
    }
}

async fn any<F: Future>(all: impl Iterator<Item = F>) {
    let mut all: Vec<_> = all.map(Box::pin).collect();
    poll_fn(|context| {
        for ready in &mut all {
            if ready.as_mut().poll(context).is_ready() {
                return Poll::Ready(());
            }
        }
        Poll::Pending
    })
    .await;
}
