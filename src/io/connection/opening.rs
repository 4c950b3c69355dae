//! Opening a connection, and the handshake.

use super::Connection;
use crate::io::Error;
use crate::io::connection::Endpoint;
use crate::io::connections::Fd;
use crate::io::monitor::{Monitor, Watch};
use crate::io::security::{ClientSecurity, HandshakeFailure};
use crate::io::socket::Socket;
#[cfg(unix)]
use crate::io::stream::{Progress, Stream, Target};
#[cfg(unix)]
use crate::io::tcp::probes;
use crate::io::transport::{Dealer, Transport};
#[cfg(unix)]
use crate::wire::sizes::frame_of;
use std::ffi::c_int;
use std::time::Duration;

/// Maximum duration of an attempt, and of a handshake, equal to the brokers' default. Nothing else
/// would end a handshake on a connection that is open but delivers nothing: libzmq's own limit is half a
/// minute.
const LONGEST: Duration = Duration::from_secs(10);

/// The same for the first attempt after a connection; it doubles each time. A busy broker gets more time with each
/// attempt. A connection that carries nothing costs at most the time for which the broker keeps an unheard peer.
pub(super) const SHORTEST: Duration = Duration::from_secs(2);

/// The end of a handshake.
pub(in crate::io) enum Failed {
    /// It was broken off, as any connection may break.
    ForNow,
    /// The broker refuses this peer.
    ForGood(HandshakeFailure),
}

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
            attempts,
            patience,
            max_message,
            ..
        } = &self.endpoint;
        Target {
            address: address.clone(),
            routing_id: routing_id.of(self.opened),
            attempts: attempts.clone(),
            limit: self.limit,
            longest: LONGEST,
            silence: patience.map(probes),
            max_frame: frame_of(*max_message),
        }
    }

    fn open_socket(&mut self) -> Result<(), Error> {
        let Endpoint {
            address,
            routing_id,
            security,
            max_message,
            attempts,
            patience,
            group: _,
        } = &self.endpoint;
        let socket = Socket::dealer(&routing_id.of(self.opened), &self.gone)?;
        socket.set_reconnect_pauses(attempts, self.is_patient)?;
        socket.secure_client(security)?;
        let limit = if self.is_patient { LONGEST } else { self.limit };
        socket.limit_attempts(limit.as_millis() as c_int)?;
        socket.limit_frames(*max_message)?;
        if let Some(patience) = patience {
            socket.limit_silence(*patience)?;
        }
        let monitor = match address.is_inproc() {
            true => None,
            false => Some(Monitor::new(&socket, Watch::Connecting)?),
        };
        if let Err(error) = self.addresses.begin(&socket) {
            if let Some(monitor) = monitor {
                monitor.end(&socket);
            }
            return Err(error);
        }
        let dealer = Dealer::new(socket, monitor, self.addresses.is_unbound());
        self.transport = Some(Transport::Libzmq(dealer));
        Ok(())
    }

    /// Processes what has happened while connecting. Returns the reason if the handshake has failed:
    /// another one needs another socket.
    pub(in crate::io) fn handshake(&mut self) -> Option<Failed> {
        match self.transport.as_mut()? {
            Transport::Libzmq(_) => self.handshake_of_socket(),
            #[cfg(unix)]
            Transport::Stream(_) => self.handshake_of_stream(),
            Transport::Seat(_) => None,
        }
    }

    #[cfg(unix)]
    fn handshake_of_stream(&mut self) -> Option<Failed> {
        while let Some(Transport::Stream(stream)) = &mut self.transport {
            match stream.progress()? {
                Progress::Failed(error) => self.addresses.note(error),
                Progress::BrokenOff => {
                    if self.breaks_off_for_good() {
                        return Some(Failed::ForGood(HandshakeFailure::Closed));
                    }
                }
                Progress::Refused(failure) => return Some(Failed::ForGood(failure)),
                Progress::Ready(ready) => {
                    stream.begin(ready);
                    self.addresses.arrived();
                    self.broken_off = 0;
                    self.limit = SHORTEST;
                }
            }
        }
        None
    }

    /// Counts a handshake that was broken off. A connection may break at any time, and the next
    /// attempt follows. Repeated breaks before it is ready are deliberate.
    fn breaks_off_for_good(&mut self) -> bool {
        self.broken_off += 1;
        self.limit = (2 * self.limit).min(LONGEST);
        let is_deliberate = self.broken_off > 2;
        if is_deliberate {
            self.broken_off = 0;
        }
        is_deliberate
    }

    fn handshake_of_socket(&mut self) -> Option<Failed> {
        loop {
            let Some(Transport::Libzmq(dealer)) = &mut self.transport else {
                return None;
            };
            let report = dealer.connecting.as_ref().and_then(Monitor::next)?;
            if report.event == zmq_sys::ZMQ_EVENT_CONNECTED {
                dealer.descriptor = Some(report.value as Fd);
                continue;
            }
            if report.event == zmq_sys::ZMQ_EVENT_CONNECT_RETRIED {
                self.addresses.failed(&dealer.socket);
                if !self.is_patient && self.addresses.searches_for_long() {
                    self.slow_down();
                }
                continue;
            }
            let Some(failure) = HandshakeFailure::from_event(report.event, report.value as u32)
            else {
                self.addresses.arrived();
                self.broken_off = 0;
                self.limit = SHORTEST;
                self.is_patient = false;
                if let Some(monitor) = dealer.connecting.take() {
                    monitor.end(&dealer.socket);
                }
                return None;
            };
            if failure != HandshakeFailure::Closed || self.breaks_off_for_good() {
                self.broken_off = 0;
                return Some(Failed::ForGood(failure));
            }
            // With a mechanism, libzmq would retry at once, or never.
            if !matches!(self.endpoint.security, ClientSecurity::Null) {
                return Some(Failed::ForNow);
            }
        }
    }

    /// Replaces a socket that does not reach its address by one with longer pauses.
    fn slow_down(&mut self) {
        let Some(earlier) = self.transport.take() else {
            return;
        };
        self.is_patient = true;
        match self.open_socket() {
            Ok(()) => earlier.end(false),
            Err(_) => self.transport = Some(earlier),
        }
    }
}
