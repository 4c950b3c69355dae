//! Opening a connection, and the handshake.

use super::Connection;
use crate::io::Error;
use crate::io::connection::Endpoint;
use crate::io::monitor::{Monitor, Watch};
use crate::io::security::{ClientSecurity, HandshakeFailure};
use crate::io::socket::Socket;
#[cfg(unix)]
use crate::io::socket::{CONNECT, probes};
#[cfg(unix)]
use crate::io::stream::{Progress, Stream, Target};
use crate::io::transport::{Dealer, Transport};
#[cfg(unix)]
use crate::wire::sizes::FRAME_RESERVE;
use std::ffi::c_int;
#[cfg(unix)]
use std::time::Duration;

/// Maximum duration of a handshake, equal to the brokers' default. Nothing else would end a
/// handshake on a connection that swallows everything: libzmq's own limit is half a minute.
const HANDSHAKE_MS: c_int = 10_000;

impl Connection {
    pub(super) fn open_own(&mut self) -> Result<(), Error> {
        self.opened += 1;
        #[cfg(unix)]
        if self.suits_stream() {
            let address = &self.endpoint.address;
            address.check(&format!("cannot connect to {}", address.text()))?;
            let stream = Stream::connect(self.target())?;
            self.transport = Some(Transport::Stream(stream));
            return Ok(());
        }
        self.open_socket()
    }

    /// Whether the connection needs no libzmq.
    #[cfg(unix)]
    fn suits_stream(&self) -> bool {
        let Endpoint {
            address, security, ..
        } = &self.endpoint;
        matches!(security, ClientSecurity::Null)
            && (address.path().is_some() || address.name().is_some() || address.number().is_some())
    }

    #[cfg(unix)]
    fn target(&self) -> Target {
        let Endpoint {
            address,
            routing_id,
            reconnect_ms,
            patience,
            max_message,
            ..
        } = &self.endpoint;
        Target {
            address: address.clone(),
            routing_id: routing_id.of(self.opened),
            reconnect: Duration::from_millis((*reconnect_ms).max(1) as u64),
            connect: CONNECT,
            handshake: Duration::from_millis(HANDSHAKE_MS as u64),
            silence: patience.map(probes),
            max_frame: max_message.saturating_add(FRAME_RESERVE),
        }
    }

    fn open_socket(&mut self) -> Result<(), Error> {
        let Endpoint {
            address,
            routing_id,
            security,
            max_message,
            reconnect_ms,
            patience,
            gone,
            group: _,
        } = &self.endpoint;
        let socket = Socket::dealer(&routing_id.of(self.opened), *reconnect_ms as c_int, gone)?;
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
        if let Err(error) = self.route.begin(&socket) {
            if let Some(monitor) = monitor {
                monitor.end(&socket);
            }
            return Err(error);
        }
        self.transport = Some(Transport::Libzmq(Dealer::new(socket, monitor)));
        Ok(())
    }

    /// Processes what has happened while connecting. Returns the reason if the handshake has failed
    /// for good.
    pub(in crate::io) fn handshake(&mut self) -> Option<HandshakeFailure> {
        match self.transport.as_mut()? {
            Transport::Libzmq(_) => self.handshake_of_socket(),
            #[cfg(unix)]
            Transport::Stream(_) => self.handshake_of_stream(),
            Transport::Seat(_) => None,
        }
    }

    #[cfg(unix)]
    fn handshake_of_stream(&mut self) -> Option<HandshakeFailure> {
        while let Some(Transport::Stream(stream)) = &mut self.transport {
            match stream.progress()? {
                Progress::Failed(error) => self.route.note(error),
                Progress::BrokenOff => {
                    if self.breaks_off_for_good() {
                        return Some(HandshakeFailure::Closed);
                    }
                }
                Progress::Refused(failure) => return Some(failure),
                Progress::Ready(ready) => {
                    stream.begin(ready);
                    self.route.arrived();
                    self.broken_off = 0;
                }
            }
        }
        None
    }

    /// Counts a handshake that was broken off. A connection may break at any time, and the next
    /// attempt follows. Repeated breaks before it is ready are deliberate.
    fn breaks_off_for_good(&mut self) -> bool {
        self.broken_off += 1;
        let is_deliberate = self.broken_off > 2;
        if is_deliberate {
            self.broken_off = 0;
        }
        is_deliberate
    }

    fn handshake_of_socket(&mut self) -> Option<HandshakeFailure> {
        loop {
            let Some(Transport::Libzmq(dealer)) = &mut self.transport else {
                return None;
            };
            let report = dealer.connecting.as_ref().and_then(Monitor::next)?;
            if report.event == zmq_sys::ZMQ_EVENT_CONNECT_RETRIED {
                self.route.failed(&dealer.socket);
                continue;
            }
            let Some(failure) = HandshakeFailure::from_event(report.event, report.value as u32)
            else {
                self.route.arrived();
                self.broken_off = 0;
                if let Some(monitor) = dealer.connecting.take() {
                    monitor.end(&dealer.socket);
                }
                return None;
            };
            // With a mechanism, libzmq would retry at once, or never.
            let secured = !matches!(self.endpoint.security, ClientSecurity::Null);
            if secured || failure != HandshakeFailure::Closed {
                self.broken_off = 0;
                return Some(failure);
            }
            if self.breaks_off_for_good() {
                return Some(failure);
            }
        }
    }
}
