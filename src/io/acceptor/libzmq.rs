//! A ROUTER of libzmq, with the bytes that it holds and its reports about connections.

use super::Listen;
use crate::io::bytes_in_flight::BytesInFlight;
use crate::io::connections::{Connections, PeerFacts};
use crate::io::context;
use crate::io::inbound::Inbound;
use crate::io::monitor::{Monitor, Watch};
use crate::io::sent::Sent;
use crate::io::socket::{Bound, Socket};
use crate::io::{Error, Message};
use crate::proto::broker::RoutingId;
use std::collections::HashMap;
use std::ffi::{CStr, c_int};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::timeout;

/// The message property that holds the descriptor of the connection.
const DESCRIPTOR: &CStr = c"__fd";
/// The message property that holds the user, with security.
const USER: &CStr = c"User-Id";

/// Frames of at least this size are counted by bytes; libzmq limits smaller ones by their number.
const LARGE: usize = 4096;

/// The maximum number of counted bytes in libzmq for each peer, except for one message.
const MAX_IN_FLIGHT: usize = 1024 * 1024;

/// Counts of peers with nothing in libzmq may stay, up to this number.
const MAX_IDLE: usize = 256;

/// Maximum time for closing a listener. An otherwise idle thread of libzmq does it.
const CLOSE_PATIENCE: Duration = Duration::from_secs(1);

/// Whether the sender of a message is within this process, over inproc.
pub(in crate::io) fn is_from_this_process(inbound: &Inbound) -> bool {
    inbound.property(DESCRIPTOR).is_none()
}

pub(in crate::io) struct Libzmq {
    socket: Socket,
    pub(super) connections: Connections,
    bound: Vec<Bound>,
    /// The large frames in libzmq for each peer that has got some.
    in_flight: HashMap<RoutingId, Arc<BytesInFlight>>,
    freed: Arc<Notify>,
}

impl Libzmq {
    pub(super) async fn open(listen: &Listen, gone: &[u8]) -> Result<(Self, Vec<String>), Error> {
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
                    let _ = close_listeners(&socket, bound).await;
                    return Err(error);
                }
            }
        }
        let endpoints = bound.iter().map(|bound| bound.text().to_owned()).collect();
        match Connections::new(listen.connections, monitor) {
            Ok(connections) => {
                let libzmq = Libzmq {
                    socket,
                    connections,
                    bound,
                    in_flight: HashMap::new(),
                    freed: Arc::default(),
                };
                Ok((libzmq, endpoints))
            }
            Err((monitor, error)) => {
                monitor.end(&socket);
                let _ = close_listeners(&socket, bound).await;
                Err(error)
            }
        }
    }

    pub(super) async fn ready(&self) {
        tokio::select! {
            biased;
            () = self.connections.news() => {}
            _ = self.socket.ready() => {}
        }
    }

    pub(super) async fn room(&self) {
        self.freed.notified().await;
    }

    pub(super) fn is_readable(&self) -> bool {
        self.socket.events().is_ok_and(|(readable, _)| readable)
    }

    pub(super) fn receive(&self, inbound: &mut Inbound) -> bool {
        matches!(inbound.receive_routed(&self.socket), Ok(true))
    }

    pub(super) fn send(&mut self, to: &RoutingId, frames: &mut Vec<Message>) -> Sent {
        let is_large = frames.iter().any(|frame| frame.len() >= LARGE);
        let in_flight = is_large.then(|| self.in_flight_to(to));
        if in_flight
            .as_ref()
            .is_some_and(|in_flight| in_flight.bytes() >= MAX_IN_FLIGHT)
        {
            return Sent::Full;
        }
        frames.insert(0, Message::from(&**to));
        // The frames are counted until libzmq releases them.
        let sent = self.socket.send_prepared(frames, |frame| {
            let size = frame.len();
            if let Some(in_flight) = in_flight.as_ref().filter(|_| size >= LARGE) {
                *frame = std::mem::take(frame).counted(in_flight, size);
            }
        });
        let sent = sent.unwrap_or(Sent::NoPeer);
        if sent != Sent::Yes {
            frames.remove(0);
        }
        sent
    }

    fn in_flight_to(&mut self, to: &RoutingId) -> Arc<BytesInFlight> {
        if let Some(in_flight) = self.in_flight.get(to) {
            return in_flight.clone();
        }
        if self.in_flight.len() > MAX_IDLE {
            self.in_flight.retain(|_, in_flight| in_flight.bytes() > 0);
        }
        let in_flight = BytesInFlight::new(MAX_IN_FLIGHT / 2, self.freed.clone());
        self.in_flight.insert(to.clone(), in_flight.clone());
        in_flight
    }

    pub(super) fn in_flight(&self, peer: &[u8]) -> usize {
        self.in_flight
            .get(peer)
            .map_or(0, |in_flight| in_flight.bytes())
    }

    pub(super) fn taken(&self, peer: &[u8]) -> u64 {
        // Where nothing is counted, what libzmq has released tells that something was taken.
        let arrived = self.connections.arrived_at(peer).unwrap_or(0);
        arrived.wrapping_sub(self.in_flight(peer) as u64)
    }

    pub(super) fn heard(&mut self, inbound: &Inbound) -> Option<PeerFacts> {
        self.connections.heard(inbound.from(), || {
            let fd = inbound.property(DESCRIPTOR).and_then(|fd| fd.parse().ok());
            (fd, inbound.property(USER))
        })
    }

    pub(super) async fn close(self, rest: impl Sized) {
        self.connections.into_monitor().end(&self.socket);
        // Last, because it ends the connections of these listeners.
        let _ = close_listeners(&self.socket, self.bound).await;
        drop(self.socket);
        // It may have a share in the context.
        drop(rest);
        context::flushed().await;
    }
}

/// Closes the listeners and waits until the addresses are free. libzmq closes them on a thread of its own, and the
/// caller may bind them again at once.
async fn close_listeners(socket: &Socket, bound: Vec<Bound>) -> Result<(), Error> {
    let closed = Monitor::new(socket, Watch::ListenerClosed)?;
    let result = unbind_all(socket, &bound, &closed).await;
    closed.end(socket);
    #[cfg(unix)]
    bound.iter().for_each(Bound::remove_file);
    result
}

async fn unbind_all(socket: &Socket, bound: &[Bound], closed: &Monitor) -> Result<(), Error> {
    for endpoint in bound {
        if !socket.unbind(endpoint) {
            continue;
        }
        let closed = async {
            while closed.next().is_none() {
                closed.ready().await?;
            }
            Ok(())
        };
        match timeout(CLOSE_PATIENCE, closed).await {
            Ok(result) => result?,
            // An address that remains in use is an error at the next bind.
            Err(_) => return Ok(()),
        }
    }
    Ok(())
}
