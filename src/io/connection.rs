//! The connection of a worker or client to one broker, opened anew after each loss.

mod endpoint;
mod opening;
mod routing_ids;
mod sharing;
mod sharing_group;

pub use endpoint::Endpoint;
pub(super) use opening::Failed;
pub use routing_ids::RoutingIds;
use sharing::InGroup;
pub(super) use sharing::Use;
pub use sharing_group::SharingGroup;

use super::broker_addresses::BrokerAddresses;
use super::bytes_in_flight::BytesInFlight;
use super::inbound::Inbound;
use super::random;
use super::readiness::Readiness;
use super::transport::Transport;
use super::{Error, Message};
use crate::proto::link::Action;
use std::future::{pending, poll_fn};
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;
use tokio::sync::Notify;

pub(super) struct Connection {
    /// The machine's number of the broker.
    pub(super) broker: usize,
    endpoint: Endpoint,
    /// The frame by which libzmq reports that the connection broke. It is random, so that no broker
    /// can send it by chance.
    gone: [u8; 16],
    /// The number of sockets so far.
    opened: u64,
    addresses: BrokerAddresses,
    transport: Option<Transport>,
    /// How many consecutive handshakes were broken off.
    broken_off: u32,
    /// The longest duration of the next handshake.
    limit: Duration,
    /// Whether the broker has been searched for so long that attempts are rare.
    is_patient: bool,
    /// Whether the machine knows of a connection, and not yet of its end.
    pub(super) up: bool,
    in_group: InGroup,
    /// The machine's request for the socket that is still to be carried out.
    pub(super) action: Option<Action>,
    /// The bytes that libzmq holds, counted while the machine wants to know of congestion.
    in_flight: Arc<BytesInFlight>,
    freed: Arc<Notify>,
    /// The last report to the machine about congestion.
    congested: bool,
    /// See [`Transport::unfinished`], at the last look.
    unfinished: u64,
}

/// A connection is congested when more than this number of sent bytes were not accepted by the system.
const MAX_IN_FLIGHT: usize = 1024 * 1024;

/// Congestion ends at no more bytes than this.
const FEW_IN_FLIGHT: usize = MAX_IN_FLIGHT / 2;

/// Frames of at least this size that arrive over inproc are copied: their sender counts the bytes
/// until the frames are released.
const LARGE: usize = 4096;

/// Estimated cost of a message beyond its bytes.
const OVERHEAD: usize = 256;

impl Connection {
    pub(super) fn new(broker: usize, endpoint: Endpoint) -> Self {
        let freed = Arc::new(Notify::new());
        Connection {
            broker,
            addresses: BrokerAddresses::new(endpoint.address.clone(), endpoint.attempts.clone()),
            in_flight: BytesInFlight::new(FEW_IN_FLIGHT, freed.clone()),
            freed,
            congested: false,
            unfinished: 0,
            endpoint,
            gone: random::frame(),
            opened: 0,
            transport: None,
            broken_off: 0,
            limit: opening::SHORTEST,
            is_patient: false,
            up: false,
            in_group: InGroup::default(),
            action: None,
        }
    }

    /// Closes the connection. Unsent messages still go to the present broker, and to no other.
    pub(super) fn close(&mut self) {
        let was_up = std::mem::take(&mut self.up);
        self.in_group.waits = false;
        self.stop_asking();
        self.leave_apart();
        if let Some(transport) = self.transport.take() {
            transport.end(was_up);
        }
    }

    /// Continues to look up and try the broker's addresses. Returns, at intervals, why it cannot be
    /// reached.
    pub(super) fn advance(&mut self) -> Option<Error> {
        match self.transport.as_mut()? {
            transport if !transport.is_connecting() => None,
            Transport::Libzmq(dealer) => {
                let failure = self.addresses.advance(&dealer.socket);
                dealer.is_unbound = self.addresses.is_unbound();
                failure
            }
            #[cfg(unix)]
            Transport::Stream(_) => self.addresses.due(),
            Transport::Seat(_) => None,
        }
    }

    /// See [`BrokerAddresses::tells_failure`].
    pub(super) fn tells_failure(&mut self) -> bool {
        self.addresses.tells_failure()
    }

    /// Counts a message that is about to be sent until libzmq releases it.
    pub(super) fn count(&self, frames: &mut Vec<Message>) {
        if self.unsent().is_none()
            && let Some(body) = frames.pop()
        {
            let cost = body.len() + OVERHEAD;
            frames.push(body.counted(&self.in_flight, cost));
        }
    }

    /// Whether the connection is congested, if that has changed.
    pub(super) fn congestion(&mut self) -> Option<bool> {
        let bytes = self.unsent().unwrap_or_else(|| self.in_flight.bytes());
        let changed = match self.congested {
            true => bytes <= FEW_IN_FLIGHT,
            false => bytes > MAX_IN_FLIGHT,
        };
        self.congested ^= changed;
        changed.then_some(self.congested)
    }

    /// Copies large frames of a sender in this process, so that the originals are released.
    pub(super) fn detach(&self, frames: &mut [Message]) {
        if self.addresses.address().is_inproc() {
            let large = frames.iter_mut().filter(|frame| frame.len() >= LARGE);
            large.for_each(|frame| *frame = Message::from(&frame[..]));
        }
    }

    pub(super) fn is_connecting(&self) -> bool {
        let transport = self.transport.as_ref();
        transport.is_some_and(Transport::is_connecting)
    }

    /// Flushes up to this number of bytes. Returns false if something is left to be flushed.
    pub(super) fn flush_few(&mut self, few: usize) -> bool {
        if self.unsent().is_some_and(|bytes| bytes > few) {
            return false;
        }
        self.flush();
        self.unsent().is_none_or(|bytes| bytes == 0)
    }

    /// Whether the thread that has the driver writes to the system by itself.
    pub(super) fn writes(&self) -> bool {
        self.unsent().is_some()
    }

    fn unsent(&self) -> Option<usize> {
        self.transport.as_ref()?.unsent()
    }

    /// Reports that the system may have news.
    pub(super) fn wake(&mut self) {
        if let Some(transport) = &mut self.transport {
            transport.wake();
        }
    }

    /// Receives a message. Returns false if there is none.
    pub(super) fn receive(&mut self, inbound: &mut Inbound) -> bool {
        let transport = self.transport.as_mut();
        transport.is_some_and(|transport| transport.receive(inbound))
    }

    /// Accepts a message, which is sent by [`flush`](Self::flush) at the latest. Returns false if it
    /// cannot be sent.
    pub(super) fn send(&mut self, frames: &mut Vec<Message>) -> bool {
        let transport = self.transport.as_mut();
        transport.is_some_and(|transport| transport.send(frames))
    }

    pub(super) fn flush(&mut self) {
        if let Some(transport) = &mut self.transport {
            transport.flush();
        }
    }

    /// Whether more of a message that is not complete has arrived since the last look.
    pub(super) fn has_received_bytes(&mut self) -> bool {
        let unfinished = self.transport.as_ref().map_or(0, Transport::unfinished);
        let before = std::mem::replace(&mut self.unfinished, unfinished);
        unfinished > 0 && unfinished != before
    }

    /// Whether the message is libzmq's report that the connection broke.
    pub(super) fn is_gone(&self, frames: &[Message]) -> bool {
        matches!(frames, [only] if **only == self.gone)
    }

    /// Whether the connection is readable, and whether it is writable. `None` without one.
    pub(super) fn events(&mut self) -> Option<Result<(bool, bool), Error>> {
        self.transport.as_mut().map(Transport::events)
    }

    /// Whether the use of the connection since the last look at its events has revealed news.
    pub(super) fn has_news(&mut self) -> bool {
        match &mut self.transport {
            Some(transport) => transport.has_news(self.up),
            None => self.may_go_on(),
        }
    }

    /// Announces events of a connection that only sends and receives; `None` while it is opened,
    /// closed or congested.
    pub(super) fn readiness(&self) -> Option<Arc<Readiness>> {
        let is_steady = self.up && !self.is_connecting() && !self.congested;
        self.transport.as_ref().filter(|_| is_steady)?.readiness()
    }

    /// Waits until the connection may have news.
    async fn ready(&self) {
        let (transport, connecting) = (self.transport.as_ref(), self.is_connecting());
        tokio::select! {
            biased;
            () = async {
                match transport {
                    Some(transport) => transport.ready().await,
                    None => pending().await,
                }
            } => {}
            () = self.addresses.news(), if connecting => {}
            () = self.freed.notified(), if self.congested => {}
            () = self.end_of_wait(), if self.in_group.waits => {}
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
