//! The connection of a worker or client to one broker: a DEALER, made anew after each loss.

use super::bytes_in_flight::BytesInFlight;
use super::monitor::{Monitor, Watch};
use super::route::Route;
use super::security::{ClientSecurity, HandshakeFailure};
use super::socket::Socket;
use super::{Address, Error, Message};
use std::ffi::c_int;
use std::future::{pending, poll_fn};
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;
use tokio::sync::Notify;

/// Where a worker or client connects, and as whom.
#[derive(Debug, Clone)]
pub struct Endpoint {
    /// Where the broker is.
    pub address: Address,
    /// The identity that the broker's ROUTER sees: 1 to 255 bytes, or empty for one that the ROUTER
    /// makes for each connection.
    pub identity: Vec<u8>,
    /// How this peer proves who it is.
    pub security: ClientSecurity,
    /// The largest body that is taken.
    pub max_message: u64,
    /// Between two attempts of libzmq to connect, in ms.
    pub reconnect_ms: i32,
    /// How long the system of a broker that need not say anything may acknowledge nothing.
    pub patience: Option<Duration>,
    /// The frame by which the transport says that the connection broke. Random, so that it can't
    /// be mistaken for what a broker sent.
    pub gone: [u8; 16],
}

pub(super) struct Connection {
    /// The number that the machine knows its broker by.
    pub(super) broker: usize,
    endpoint: Endpoint,
    route: Route,
    pub(super) socket: Option<Socket>,
    /// Until the socket has its connection: tells when. Over inproc there is nothing to tell.
    connecting: Option<Monitor>,
    /// How often in a row the handshake was broken off.
    broken_off: u32,
    /// Whether the machine was told that there is a connection, and not yet that it broke.
    pub(super) up: bool,
    /// Of what lies in libzmq, while the machine wants to know.
    in_flight: Arc<BytesInFlight>,
    freed: Arc<Notify>,
    /// What the machine was told of it.
    congested: bool,
}

/// So much in libzmq is too much.
const MAX_LENT: usize = 1024 * 1024;

/// From this size on what came over inproc is copied: the sender counts the bytes until they are
/// let go of.
const LARGE: usize = 4096;

/// What a message costs beyond its bytes.
const OVERHEAD: usize = 256;

/// How long a handshake may take, as brokers grant by default. On a connection that swallows everything it would end by nothing
/// else, and libzmq's own patience is half a minute.
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
        }
    }

    pub(super) fn open(&mut self) -> Result<(), Error> {
        let Endpoint {
            address,
            identity,
            security,
            max_message,
            reconnect_ms,
            patience,
            gone,
        } = &self.endpoint;
        let socket = Socket::dealer(identity, *reconnect_ms as c_int, gone)?;
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
        Ok(())
    }

    /// What is not sent yet still goes out to a broker that is there, and to no other.
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

    /// Looks whether the handshake is over, and gives what it failed with if that is for good.
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
            // Without a mechanism a connection may break at any time, and libzmq makes it again; if
            // it breaks again and again before it is ready, somebody means it.
            self.broken_off += 1;
            let secured = !matches!(self.endpoint.security, ClientSecurity::Null);
            if secured || failure != HandshakeFailure::Closed || self.broken_off > 2 {
                self.broken_off = 0;
                return Some(failure);
            }
        }
        None
    }

    /// Goes on with finding the broker, and says why it can't be reached, now and then.
    pub(super) fn advance(&mut self) -> Option<Error> {
        let socket = self.socket.as_ref().filter(|_| self.connecting.is_some())?;
        self.route.advance(socket)
    }

    /// Counts a message that is about to be sent for as long as libzmq has it.
    pub(super) fn count(&self, frames: &mut Vec<Message>) {
        if let Some(body) = frames.pop() {
            let cost = body.len() + OVERHEAD;
            frames.push(body.lent(&self.in_flight, cost));
        }
    }

    /// Whether too much of what is counted lies in libzmq, if that has changed.
    pub(super) fn congestion(&mut self) -> Option<bool> {
        let changed = match self.congested {
            true => self.in_flight.is_few(),
            false => self.in_flight.bytes() > MAX_LENT,
        };
        self.congested ^= changed;
        changed.then_some(self.congested)
    }

    /// Lets go of large frames of a sender in this process.
    pub(super) fn detach(&self, frames: &mut [Message]) {
        if self.route.address().is_inproc() {
            let large = frames.iter_mut().filter(|frame| frame.len() >= LARGE);
            large.for_each(|frame| *frame = Message::from(&frame[..]));
        }
    }

    pub(super) fn is_connecting(&self) -> bool {
        self.connecting.is_some()
    }

    /// Whether a message is not the broker's but the transport's word that the connection broke.
    pub(super) fn is_gone(&self, frames: &[Message]) -> bool {
        matches!(frames, [only] if **only == self.endpoint.gone)
    }

    /// Whether sending made libzmq notice something: it looks at its mailbox then too, and its
    /// descriptor tells of each thing only once.
    pub(super) fn has_news(&self) -> bool {
        let Some(Ok((readable, writable))) = self.socket.as_ref().map(Socket::events) else {
            return false;
        };
        readable || (self.connecting.is_none() && writable != self.up)
    }

    /// Until the socket may have something to say.
    async fn ready(&self) {
        let (socket, connecting) = (self.socket.as_ref(), self.connecting.as_ref());
        // An error of the watch is found again, and handled, when the socket is used.
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

/// Until one of the connections may have something to say.
pub(super) async fn any_ready(connections: &[Connection]) {
    if let [only] = connections {
        return only.ready().await;
    }
    let mut all: Vec<_> = connections
        .iter()
        .map(|connection| Box::pin(connection.ready()))
        .collect();
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
