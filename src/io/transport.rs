//! Carries the messages of a worker or client: by a DEALER of libzmq, or by a stream. A stream is
//! faster, and carries tcp and ipc without security. libzmq carries all other connections. Services
//! of one worker can share either of them.

mod shared;

pub(super) use shared::{Seat, Shared};

use super::Message;
use super::connections::{Fd, received, unfinished};
use super::error::Error;
use super::inbound::Inbound;
use super::monitor::Monitor;
use super::readiness::Readiness;
#[cfg(unix)]
use super::sent::LINGER;
use super::sent::Sent;
use super::socket::Socket;
#[cfg(unix)]
use super::stream::Stream;
use std::sync::Arc;

pub(super) enum Transport {
    Libzmq(Dealer),
    #[cfg(unix)]
    Stream(Stream),
    Seat(Seat),
}

pub(super) struct Dealer {
    pub(super) socket: Socket,
    /// Reports of the connection attempts, until the socket is connected. `None` over inproc, which
    /// has no reports.
    pub(super) connecting: Option<Monitor>,
    /// The descriptor of the latest connection, which may have ended.
    pub(super) descriptor: Option<Fd>,
    /// Whether an inproc address is not bound yet, so that the socket is not connected.
    pub(super) is_unbound: bool,
    /// Whether the socket was used since the last look at its events. libzmq may have read its
    /// mailbox then, and its descriptor signals each event only once.
    unsure: bool,
}

impl Dealer {
    pub(super) fn new(socket: Socket, connecting: Option<Monitor>, is_unbound: bool) -> Self {
        Dealer {
            socket,
            connecting,
            descriptor: None,
            is_unbound,
            unsure: true,
        }
    }

    /// Closes the socket, which was ready, or not.
    fn end(self, was_up: bool) {
        if let Some(monitor) = self.connecting {
            monitor.end(&self.socket);
        }
        if !was_up {
            self.socket.abandon();
        }
    }

    /// See [`Transport::unfinished`].
    fn unfinished(&self) -> u64 {
        match self.descriptor {
            Some(fd) if unfinished(fd) > 0 => received(fd),
            _ => 0,
        }
    }

    fn has_news(&mut self, is_up: bool) -> bool {
        if !std::mem::take(&mut self.unsure) {
            return false;
        }
        let Ok((readable, writable)) = self.socket.events() else {
            return false;
        };
        readable || (self.connecting.is_none() && writable != is_up)
    }
}

/// Makes a call to one of them; the other calls are equal if only one is given for both.
macro_rules! each {
    ($self:ident, $dealer:pat => $with:expr, $other:ident => $call:expr) => {
        each!($self, $dealer => $with, $other => $call, $other => $call)
    };
    ($self:ident, $dealer:pat => $with:expr, $stream:pat => $without:expr, $seat:pat => $seated:expr) => {
        match $self {
            Transport::Libzmq($dealer) => $with,
            #[cfg(unix)]
            Transport::Stream($stream) => $without,
            Transport::Seat($seat) => $seated,
        }
    };
}

impl Transport {
    /// Ends the transport, which was ready, or not.
    pub(super) fn end(self, was_up: bool) {
        each!(
            self,
            dealer => dealer.end(was_up),
            stream => {
                if was_up {
                    stream.close(LINGER);
                }
            },
            seat => {
                if let Some(transport) = seat.leave() {
                    transport.end(was_up);
                }
            }
        )
    }

    pub(super) fn is_connecting(&self) -> bool {
        each!(
            self,
            dealer => dealer.connecting.is_some() || dealer.is_unbound,
            stream => stream.is_connecting(),
            _ => false
        )
    }

    /// Reports that the system may have bytes.
    pub(super) fn wake(&mut self) {
        each!(self, _ => {}, other => other.wake())
    }

    /// Whether the transport is readable, and whether it is writable. An error is an end.
    pub(super) fn events(&mut self) -> Result<(bool, bool), Error> {
        each!(
            self,
            dealer => {
                dealer.unsure = false;
                dealer.socket.events()
            },
            other => other.events()
        )
    }

    /// Whether the use of the transport since its events were last read has revealed an event.
    pub(super) fn has_news(&mut self, is_up: bool) -> bool {
        each!(
            self,
            dealer => dealer.has_news(is_up),
            stream => stream.may_have_news(is_up),
            seat => seat.has_news(is_up)
        )
    }

    /// Receives a message. Returns false if there is none.
    pub(super) fn receive(&mut self, inbound: &mut Inbound) -> bool {
        each!(
            self,
            dealer => {
                dealer.unsure = true;
                matches!(inbound.receive(&dealer.socket), Ok(true))
            },
            stream => inbound.receive_from(stream),
            seat => seat.receive(inbound)
        )
    }

    /// A number that changes when more of a message that is not complete arrives, as far as this is known; otherwise 0.
    pub(super) fn unfinished(&self) -> u64 {
        each!(
            self,
            dealer => dealer.unfinished(),
            stream => stream.unfinished() as u64,
            seat => seat.unfinished()
        )
    }

    /// Accepts a message, which is sent by [`flush`](Self::flush) at the latest. Returns false if it
    /// cannot be sent.
    pub(super) fn send(&mut self, frames: &mut Vec<Message>) -> bool {
        each!(
            self,
            dealer => {
                dealer.unsure = true;
                matches!(dealer.socket.send(frames), Ok(Sent::Yes))
            },
            other => other.send(frames)
        )
    }

    pub(super) fn flush(&mut self) {
        each!(self, _ => {}, other => other.flush())
    }

    /// The number of bytes that the system has not accepted, if it is known.
    pub(super) fn unsent(&self) -> Option<usize> {
        each!(self, _ => None, stream => Some(stream.unsent()), seat => seat.unsent())
    }

    /// Announces events while the transport only sends and receives, and has sent everything.
    pub(super) fn readiness(&self) -> Option<Arc<Readiness>> {
        each!(self, dealer => dealer.socket.readiness(), other => other.readiness())
    }

    /// Waits until there may be an event. An error of the wait is found again, and handled, when the
    /// transport is used.
    pub(super) async fn ready(&self) {
        match self {
            Transport::Libzmq(Dealer {
                socket,
                connecting: Some(connecting),
                ..
            }) => tokio::select! {
                biased;
                _ = socket.ready() => {}
                _ = connecting.ready() => {}
            },
            Transport::Libzmq(dealer) => drop(dealer.socket.ready().await),
            #[cfg(unix)]
            Transport::Stream(stream) => drop(stream.ready().await),
            Transport::Seat(seat) => seat.ready().await,
        }
    }

    /// The wait of [`ready`](Self::ready) once the transport is connected.
    pub(super) fn waits(&self) -> Option<Waits> {
        each!(
            self,
            dealer => Some(Waits {
                readiness: dealer.socket.readiness()?,
                #[cfg(unix)]
                for_room: false,
            }),
            stream => Some(Waits {
                readiness: stream.any_readiness()?,
                for_room: stream.unsent() > 0,
            }),
            _ => None
        )
    }
}

/// A wait for a transport that other code uses meanwhile.
pub(super) struct Waits {
    readiness: Arc<Readiness>,
    /// Whether there are unsent bytes.
    #[cfg(unix)]
    for_room: bool,
}

impl Waits {
    pub(super) async fn ready(&self) {
        #[cfg(unix)]
        if self.for_room {
            return tokio::select! {
                biased;
                _ = self.readiness.wait() => {}
                _ = self.readiness.room() => {}
            };
        }
        drop(self.readiness.wait().await);
    }
}
