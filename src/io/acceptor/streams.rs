//! A ROUTER without libzmq: the thread of a broker accepts, reads and writes its connections over tcp
//! and ipc by itself. libzmq's I/O thread, which would do it otherwise, costs a wake-up for each
//! message and direction, and cannot stop reading one peer alone.
//!
//! A connection that may have something to read is in a queue, and gives one message in its turn.
//! Messages that the driver sends in a turn are written at its end, with one call for each connection.

mod arrivals;
mod buffers;
mod connection;
mod ends;
mod listener;
mod poller;
mod receiving;
mod sending;
#[cfg(test)]
mod tests;

use super::Listen;
use crate::io::Error;
use crate::io::acceptor::Unfinished;
use crate::io::clock;
use crate::io::connections::{
    ConnectionLimits, ConnectionNotice, Counts, GivenUp, Patience, PeerFacts, Quiet, Shortage,
};
use crate::io::random::random;
use crate::io::spin::Spin;
use crate::proto::Time;
use crate::proto::broker::RoutingId;
use crate::proto::table::Table;
use crate::wire::sizes::frame_of;
use buffers::Buffers;
use connection::{Connection, Sizes};
use listener::Listener;
use poller::Poller;
use slab::Slab;
use std::collections::VecDeque;
use std::time::Duration;

/// Tolerance for the frames of a message other than its body.
const SLACK: u64 = 2 << 20;

pub(in crate::io) struct Streams {
    poller: Poller,
    listeners: Vec<Listener>,
    connections: Slab<Box<Connection>>,
    by_id: Table<RoutingId, usize>,
    /// The last routing id that was made for a peer without one.
    serial: u32,
    sizes: Sizes,
    handshake: Option<Duration>,
    /// Whether the thread may wait for the rest of a large frame, and whether it may now: no message waits for the end of
    /// the turn.
    waits: bool,
    may_wait: bool,
    /// The connections that may have something to read, in the order of their turns.
    queue: VecDeque<usize>,
    /// The connections with bytes to be written.
    dirty: Vec<usize>,
    /// Its memory for the next turn.
    written: Vec<usize>,
    buffers: Buffers,
    /// Peers whose connections have ended, of which no message is left, each with whether it was reset; and the frame
    /// that says it.
    gone: VecDeque<(RoutingId, bool)>,
    gone_frame: Vec<u8>,
    /// The facts about the connection of the last message that were not known.
    first: Option<PeerFacts>,
    limits: ConnectionLimits,
    of_address: Counts,
    /// The connections without a message.
    quiet: Quiet<usize>,
    patience: Patience,
    given_up: GivenUp<usize>,
    /// The connections whose peers have set a time to live by a PING.
    expiring: Vec<usize>,
    shortage: Shortage,
    /// The time of the turn, and when the connections were last checked.
    now: Time,
    looked: Time,
    notices: Vec<ConnectionNotice>,
    /// The changes of messages that are not complete.
    unfinished: Vec<Unfinished>,
    /// The peers of which more of a message that is not complete has arrived.
    receiving: Vec<RoutingId>,
    /// The connections whose events wait for many bytes of a large message.
    slumbering: VecDeque<(Time, usize)>,
    ended: Vec<RoutingId>,
}

impl Streams {
    /// Whether this broker does not need libzmq.
    pub(super) fn serves(listen: &Listen) -> bool {
        listen.security.is_none() && listen.endpoints.iter().all(listener::serves)
    }

    pub(super) fn open(listen: &Listen, gone: &[u8]) -> Result<(Self, Vec<String>), Error> {
        let poller = Poller::new()?;
        let mut listeners: Vec<Listener> = Vec::new();
        for endpoint in &listen.endpoints {
            let bound = Listener::bind(endpoint, listen.ipc_mode).and_then(|listener| {
                let token = arrivals::token_of(listeners.len());
                match poller.listen(&listener, token) {
                    Ok(()) => Ok(listener),
                    Err(error) => {
                        listener.close();
                        Err(Error::from_os(&error, "cannot watch a listener"))
                    }
                }
            });
            match bound {
                Ok(listener) => listeners.push(listener),
                Err(error) => {
                    listeners.into_iter().for_each(Listener::close);
                    return Err(error);
                }
            }
        }
        let endpoints = listeners.iter().map(|each| each.text.clone()).collect();
        let limits = listen.connections;
        let handshake = u64::try_from(listen.handshake_ms).ok().filter(|ms| *ms > 0);
        let streams = Streams {
            poller,
            listeners,
            connections: Slab::new(),
            by_id: Table::default(),
            serial: random() as u32,
            sizes: Sizes {
                frame: frame_of(listen.max_message),
                message: limits.message.saturating_add(SLACK),
            },
            handshake: handshake.map(Duration::from_millis),
            waits: listen.spin != Spin::For(Duration::ZERO),
            may_wait: false,
            queue: VecDeque::new(),
            dirty: Vec::new(),
            written: Vec::new(),
            buffers: Buffers::default(),
            gone: VecDeque::new(),
            gone_frame: gone.to_vec(),
            first: None,
            limits,
            of_address: Counts::default(),
            quiet: Quiet::default(),
            patience: Patience::new(limits.silence, limits.names_are_held),
            given_up: GivenUp::new(),
            expiring: Vec::new(),
            shortage: Shortage::new(),
            now: clock::now(),
            looked: Time::ZERO,
            notices: Vec::new(),
            unfinished: Vec::new(),
            receiving: Vec::new(),
            slumbering: VecDeque::new(),
            ended: Vec::new(),
        };
        Ok((streams, endpoints))
    }

    pub(super) async fn ready(&self) {
        self.poller.ready().await;
    }

    /// Whether a message may be received without a further event of the system.
    pub(super) fn has_more(&self) -> bool {
        !self.queue.is_empty()
            || !self.dirty.is_empty()
            || !self.gone.is_empty()
            || self.poller.has_news()
            || self.listeners.iter().any(|listener| listener.is_pending)
    }

    /// Takes the events of the system.
    pub(super) fn look(&mut self) {
        for event in self.poller.look() {
            if let Some(listener) = arrivals::listener_of(event.token, &mut self.listeners) {
                listener.is_pending = true;
                continue;
            }
            // A connection that has just ended may have had an event.
            let Some(connection) = self.connections.get_mut(event.token) else {
                continue;
            };
            if event.readable {
                connection.input.wake();
                connection.ends |= event.ends;
                if !connection.is_queued {
                    connection.is_queued = true;
                    self.queue.push_back(event.token);
                }
            }
            if event.writable && connection.output.len() > 0 && !connection.is_dirty {
                connection.is_dirty = true;
                self.dirty.push(event.token);
            }
        }
    }

    /// The number of connections.
    pub(super) fn len(&self) -> usize {
        self.connections.len()
    }

    /// Whether the last message was the first of its connection.
    pub(super) fn listens(&self) -> bool {
        self.first.is_some()
    }

    /// The facts about the connection of the last message that were not known.
    pub(super) fn take_first(&mut self) -> Option<PeerFacts> {
        self.first.take()
    }

    pub(super) fn knows(&self, peer: &[u8]) -> bool {
        self.by_id.contains_key(peer)
    }

    pub(super) fn drain_ended(&mut self) -> std::vec::Drain<'_, RoutingId> {
        self.ended.drain(..)
    }

    #[inline]
    pub(super) fn take_unfinished(&mut self) -> Option<Vec<Unfinished>> {
        (!self.unfinished.is_empty()).then(|| std::mem::take(&mut self.unfinished))
    }

    #[inline]
    pub(super) fn take_receiving(&mut self) -> Option<Vec<RoutingId>> {
        (!self.receiving.is_empty()).then(|| std::mem::take(&mut self.receiving))
    }

    pub(super) fn drain_notices(&mut self) -> std::vec::Drain<'_, ConnectionNotice> {
        self.notices.drain(..)
    }
}
