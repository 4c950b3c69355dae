//! What carries the messages of a worker or client: a DEALER of libzmq, or a connection of our own.
//! The latter is faster, and speaks tcp and ipc without security. libzmq has the rest.

use super::Message;
use super::error::Error;
use super::inbound::Inbound;
use super::monitor::Monitor;
use super::readiness::Readiness;
use super::socket::{Sent, Socket};
#[cfg(unix)]
use super::stream::Stream;
use std::sync::Arc;

pub(super) enum Transport {
    Libzmq(Dealer),
    #[cfg(unix)]
    Stream(Stream),
}

pub(super) struct Dealer {
    pub(super) socket: Socket,
    /// Reports of the connection attempts, until the socket is connected. `None` over inproc, which
    /// has no reports.
    pub(super) connecting: Option<Monitor>,
    /// Whether the socket was used since the last look at its events. libzmq may have read its
    /// mailbox then, and its descriptor signals each event only once.
    unsure: bool,
}

impl Dealer {
    pub(super) fn new(socket: Socket, connecting: Option<Monitor>) -> Self {
        Dealer {
            socket,
            connecting,
            unsure: true,
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

impl Transport {
    pub(super) fn is_connecting(&self) -> bool {
        match self {
            Transport::Libzmq(dealer) => dealer.connecting.is_some(),
            #[cfg(unix)]
            Transport::Stream(stream) => stream.is_connecting(),
        }
    }

    /// Reports that the system may have bytes.
    pub(super) fn wake(&mut self) {
        match self {
            Transport::Libzmq(_) => {}
            #[cfg(unix)]
            Transport::Stream(stream) => stream.wake(),
        }
    }

    /// Whether the transport is readable, and whether it is writable. An error is an end.
    pub(super) fn events(&mut self) -> Result<(bool, bool), Error> {
        match self {
            Transport::Libzmq(dealer) => {
                dealer.unsure = false;
                dealer.socket.events()
            }
            #[cfg(unix)]
            Transport::Stream(stream) => stream.events(),
        }
    }

    /// Whether the use of the transport since the last look at its events has revealed news.
    pub(super) fn has_news(&mut self, is_up: bool) -> bool {
        match self {
            Transport::Libzmq(dealer) => dealer.has_news(is_up),
            #[cfg(unix)]
            Transport::Stream(stream) => stream.may_have_news(is_up),
        }
    }

    /// Receives a message. Returns false if there is none.
    pub(super) fn receive(&mut self, inbound: &mut Inbound) -> bool {
        match self {
            Transport::Libzmq(dealer) => {
                dealer.unsure = true;
                matches!(inbound.receive(&dealer.socket), Ok(true))
            }
            #[cfg(unix)]
            Transport::Stream(stream) => inbound.receive_from(stream),
        }
    }

    /// Takes a message, which leaves at the latest with [`flush`](Self::flush). Returns false if
    /// nobody takes it.
    pub(super) fn send(&mut self, frames: &mut Vec<Message>) -> bool {
        match self {
            Transport::Libzmq(dealer) => {
                dealer.unsure = true;
                matches!(dealer.socket.send(frames), Ok(Sent::Yes))
            }
            #[cfg(unix)]
            Transport::Stream(stream) => stream.send(frames),
        }
    }

    pub(super) fn flush(&mut self) {
        match self {
            Transport::Libzmq(_) => {}
            #[cfg(unix)]
            Transport::Stream(stream) => stream.flush(),
        }
    }

    /// The number of bytes that the system has not taken, if they are known.
    pub(super) fn unsent(&self) -> Option<usize> {
        match self {
            Transport::Libzmq(_) => None,
            #[cfg(unix)]
            Transport::Stream(stream) => Some(stream.unsent()),
        }
    }

    /// What announces news while the transport only sends and receives, and has sent everything.
    pub(super) fn readiness(&self) -> Option<Arc<Readiness>> {
        match self {
            Transport::Libzmq(dealer) => dealer.socket.readiness(),
            #[cfg(unix)]
            Transport::Stream(stream) => stream.readiness(),
        }
    }

    /// Waits until there may be news. An error of the wait is found again, and handled, when the
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
        }
    }
}
