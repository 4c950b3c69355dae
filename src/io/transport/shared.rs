//! One connection that the services of a worker share, each on a channel of its own.
//!
//! Each service has its own machine and its own [`Connection`](crate::io::connection::Connection), whose transport is a [`Seat`] on the
//! shared connection. A service that reads from its seat receives the messages of all, and puts those of the others into
//! their seats.

use super::{Transport, Waits};
use crate::io::inbound::Inbound;
use crate::io::readiness::Readiness;
use crate::io::{Error, Message};
use crate::wire::channel::{self, Channel};
use std::collections::VecDeque;
use std::future::pending;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The maximum number of received messages that wait at the seats.
const MOST_WAITING: usize = 256;

/// A shared connection. Its lock is never contended: all seats belong to one driver.
#[derive(Clone)]
pub(in crate::io) struct Shared(Arc<Mutex<State>>);

struct State {
    /// `None` once the last seat was left.
    transport: Option<Transport>,
    /// The frame by which libzmq reports that the connection broke.
    gone: [u8; 16],
    /// The number of channels that the broker supports at a time.
    most: usize,
    /// The latest channel.
    last: Option<Channel>,
    /// The number of the latest seat.
    seats: u64,
    occupied: Vec<Occupied>,
    /// The number of messages that wait at all seats.
    waiting: usize,
    /// Whether the connection has ended, or is of no further use.
    has_ended: bool,
}

struct Occupied {
    seat: u64,
    /// `None` for the connection itself, and for a seat that has sent nothing: the broker requires that channels are
    /// first used in the order of their numbers.
    channel: Option<Channel>,
    waiting: VecDeque<Inbound>,
}

/// The place of one service on a shared connection.
pub(in crate::io) struct Seat {
    shared: Shared,
    number: u64,
    is_first: bool,
}

impl Shared {
    /// Shares a connection. Returns it with the seat of its present owner, which has the connection itself.
    pub(in crate::io) fn new(transport: Transport, gone: [u8; 16], most: u16) -> (Self, Seat) {
        let state = State {
            transport: Some(transport),
            gone,
            most: most.into(),
            last: None,
            seats: 0,
            occupied: Vec::new(),
            waiting: 0,
            has_ended: false,
        };
        let shared = Shared(Arc::new(Mutex::new(state)));
        let seat = shared.occupy(&mut shared.state(), true);
        (shared, seat)
    }

    /// A seat for one more service; `None` if the connection has ended or is full.
    pub(in crate::io) fn join(&self) -> Option<Seat> {
        let mut state = self.state();
        (state.may_join()).then(|| self.occupy(&mut state, false))
    }

    /// Whether [`join`](Self::join) would succeed.
    pub(in crate::io) fn may_join(&self) -> bool {
        self.state().may_join()
    }

    fn occupy(&self, state: &mut State, is_first: bool) -> Seat {
        state.seats += 1;
        let number = state.seats;
        state.occupied.push(Occupied {
            seat: number,
            channel: None,
            waiting: VecDeque::new(),
        });
        Seat {
            shared: self.clone(),
            number,
            is_first,
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn may_join(&self) -> bool {
        let has_room = self.occupied.len() <= self.most && self.last != Some(Channel::MAX);
        has_room && !self.occupied.is_empty() && !self.has_ended
    }

    fn of(&mut self, seat: u64) -> Option<&mut Occupied> {
        self.occupied.iter_mut().find(|each| each.seat == seat)
    }

    fn has_mail(&mut self, seat: u64) -> bool {
        self.of(seat).is_some_and(|of| !of.waiting.is_empty())
    }

    /// Receives messages for all seats. Afterwards the connection has ended or there is nothing to receive, unless too
    /// many messages wait.
    fn receive(&mut self) {
        while !self.has_ended {
            match self.transport.as_mut().map(Transport::events) {
                // A connection that accepts no more bytes is broken.
                None | Some(Err(_) | Ok((false, false))) => self.has_ended = true,
                Some(Ok((false, true))) => return,
                Some(Ok((true, _))) if self.waiting >= MOST_WAITING => return,
                Some(Ok((true, _))) => self.receive_some(),
            }
        }
    }

    fn receive_some(&mut self) {
        while self.waiting < MOST_WAITING {
            let mut inbound = Inbound::new();
            let transport = self.transport.as_mut();
            if !transport.is_some_and(|transport| transport.receive(&mut inbound)) {
                return;
            }
            if inbound.begins_with(&self.gone) {
                self.has_ended = true;
                return;
            }
            let channel = inbound.channel();
            let seat = match channel {
                None => self.occupied.iter_mut().find(|each| each.is_first()),
                _ => (self.occupied.iter_mut()).find(|each| each.channel == channel),
            };
            // Otherwise the service has left.
            if let Some(seat) = seat {
                seat.waiting.push_back(inbound);
                self.waiting += 1;
            }
        }
    }
}

impl Occupied {
    fn is_first(&self) -> bool {
        self.seat == 1
    }
}

impl Seat {
    /// See [`Transport::events`]. The end follows the messages that have arrived before it.
    pub(in crate::io) fn events(&mut self) -> Result<(bool, bool), Error> {
        let mut state = self.shared.state();
        state.receive();
        let has_mail = state.has_mail(self.number);
        match state.has_ended && !has_mail {
            true => Err(Error {
                code: "EPIPE",
                message: "the shared connection has ended".into(),
            }),
            false => Ok((has_mail, true)),
        }
    }

    /// See [`Transport::has_news`].
    pub(in crate::io) fn has_news(&mut self, is_up: bool) -> bool {
        let mut state = self.shared.state();
        let has_mail = state.has_mail(self.number);
        if has_mail || !is_up || state.has_ended {
            return true;
        }
        let transport = state.transport.as_mut();
        transport.is_some_and(|transport| transport.has_news(true))
    }

    /// See [`Transport::wake`].
    pub(in crate::io) fn wake(&mut self) {
        if let Some(transport) = &mut self.shared.state().transport {
            transport.wake();
        }
    }

    /// See [`Transport::receive`].
    pub(in crate::io) fn receive(&mut self, inbound: &mut Inbound) -> bool {
        let mut state = self.shared.state();
        let next = state.of(self.number).and_then(|of| of.waiting.pop_front());
        let Some(next) = next else {
            return false;
        };
        state.waiting -= 1;
        *inbound = next;
        true
    }

    /// See [`Transport::send`].
    pub(in crate::io) fn send(&mut self, frames: &mut Vec<Message>) -> bool {
        let mut state = self.shared.state();
        if state.has_ended {
            return false;
        }
        if !self.is_first {
            let last = state.last;
            let next = || last.map_or(Some(Channel::MIN), |last| last.checked_add(1));
            let Some(occupied) = state.of(self.number) else {
                return false;
            };
            if occupied.channel.is_none() {
                occupied.channel = next();
                state.last = occupied.channel;
            }
            let Some(channel) = state.of(self.number).and_then(|of| of.channel) else {
                return false;
            };
            channel::put(channel, frames);
        }
        let transport = state.transport.as_mut();
        transport.is_some_and(|transport| transport.send(frames))
    }

    /// See [`Transport::flush`].
    pub(in crate::io) fn flush(&mut self) {
        if let Some(transport) = &mut self.shared.state().transport {
            transport.flush();
        }
    }

    /// See [`Transport::unsent`].
    pub(in crate::io) fn unsent(&self) -> Option<usize> {
        self.shared.state().transport.as_ref()?.unsent()
    }

    /// See [`Transport::unfinished`].
    pub(in crate::io) fn unfinished(&self) -> u64 {
        let state = self.shared.state();
        state.transport.as_ref().map_or(0, Transport::unfinished)
    }

    /// See [`Transport::readiness`].
    pub(in crate::io) fn readiness(&self) -> Option<Arc<Readiness>> {
        self.shared.state().transport.as_ref()?.readiness()
    }

    /// See [`Transport::ready`].
    pub(in crate::io) async fn ready(&self) {
        match self.waits() {
            Some(waits) => waits.ready().await,
            None => pending().await,
        }
    }

    fn waits(&self) -> Option<Waits> {
        self.shared.state().transport.as_ref()?.waits()
    }

    /// Leaves the connection. Returns it if no other seat is left.
    pub(in crate::io) fn leave(self) -> Option<Transport> {
        let mut state = self.shared.state();
        if let Some(at) = (state.occupied.iter()).position(|each| each.seat == self.number) {
            let left = state.occupied.swap_remove(at);
            state.waiting -= left.waiting.len();
        }
        match state.occupied.is_empty() {
            true => state.transport.take(),
            false => None,
        }
    }

    /// Ends the connection for all, because the broker is silent.
    pub(in crate::io) fn abandon(&self) {
        self.shared.state().has_ended = true;
    }
}
