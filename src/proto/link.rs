//! The link of a worker or client to its broker.
//!
//! The owner of the socket carries out [`Action`]s and reports the events of the transport. The link schedules
//! heartbeats, detects a silent broker, and schedules reconnects. A lost link always means a new socket, so messages
//! queued in the old one cannot reach the next broker.
//!
//! | state   | event                | action             | next    |
//! |---------|----------------------|--------------------|---------|
//! | Closed  | open                 | Open               | Opening |
//! | Opening | transport up         | (owner sends the hello) | Up |
//! | Up      | heartbeat interval   | Beat               | Up      |
//! | Up      | transport down, no hello, DISCONNECT | Close | Backoff |
//! | Up      | silence              | Abandon            | Backoff |
//! | Backoff | reconnect interval   | Open               | Opening |
//! | Up      | suspend              | Close              | Suspended |
//! | Suspended | reopen             | Open               | Opening |
//! | Up      | name taken           | Close              | Backoff |
//! | any     | close                | Close              | Closed  |
//!
//! All transitions are in this file. The knowledge about the broker, and the pauses between attempts, are types of their
//! own.

mod about_broker;
mod action;
mod config;
mod known_broker;
mod loss;
mod pauses;

use super::Time;
use crate::wire::Hello;
pub use action::Action;
pub(super) use action::Due;
pub use config::LinkConfig;
pub(super) use known_broker::BrokerLife;
use known_broker::KnownBroker;
pub use loss::Loss;
use pauses::Pauses;
pub use pauses::{Attempts, SEARCH};
use std::time::Duration;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Closed,
    Backoff {
        until: Time,
    },
    /// Closed until [`Link::reopen`].
    Suspended,
    Opening,
    Up,
}

#[derive(Debug)]
pub(super) struct Link {
    config: LinkConfig,
    state: State,
    last_heard: Time,
    /// When bytes of a message that is not complete last arrived.
    last_bytes: Time,
    next_beat: Time,
    broker: KnownBroker,
    action: Option<Action>,
    pauses: Pauses,
    /// When the last connection with a hello was lost.
    lost_at: Option<Time>,
    /// When the broker last refused the name of this peer.
    name_refused_at: Time,
}

impl Link {
    pub(super) fn new(config: LinkConfig) -> Self {
        Link {
            pauses: Pauses::new(&config),
            config,
            state: State::Closed,
            last_heard: Time::ZERO,
            last_bytes: Time::ZERO,
            next_beat: Time::ZERO,
            broker: KnownBroker::default(),
            action: None,
            lost_at: None,
            name_refused_at: Time::ZERO,
        }
    }

    pub(super) fn open(&mut self) {
        debug_assert_eq!(self.state, State::Closed);
        self.state = State::Opening;
        self.action = Some(Action::Open);
    }

    pub(super) fn close(&mut self) {
        if matches!(self.state, State::Opening | State::Up) {
            self.action = Some(Action::Close);
        }
        self.state = State::Closed;
        self.broker.connection_ended();
    }

    /// Handles that the transport accepts messages. Returns false if no connection was being opened.
    pub(super) fn handle_up(&mut self, now: Time) -> bool {
        if self.state != State::Opening {
            return false;
        }
        self.state = State::Up;
        self.broker.connection_began();
        self.last_heard = now;
        self.next_beat = now + self.config.heartbeat;
        true
    }

    /// Sends nothing on a new connection until the broker's hello, for a short time at most. If the connection breaks
    /// before, no request was sent, so none can be lost. A broker of 0.0.92 sends no hello, and is remembered once it
    /// has answered.
    pub(super) fn await_hello(&mut self, now: Time) {
        self.broker.await_hello(now);
    }

    /// Gives the connection up. The next attempt follows after the reconnect interval. Returns false if there is no
    /// connection.
    pub(super) fn lose(&mut self, now: Time, why: Loss) -> bool {
        if !matches!(self.state, State::Opening | State::Up) {
            return false;
        }
        let was_in_use = self.broker.hello().is_some();
        if was_in_use {
            self.lost_at = Some(now);
        }
        let soon = match why {
            Loss::Transport => self.pauses.soon(was_in_use),
            _ => None,
        };
        let pause = soon.unwrap_or_else(|| self.pause(now));
        self.state = State::Backoff { until: now + pause };
        self.broker.connection_ended();
        self.action = Some(Action::Close);
        true
    }

    /// Gives the connection up because another peer has the name. It may have left by the next attempt, which disturbs
    /// it if the routing id is the name.
    pub(super) fn name_refused(&mut self, now: Time) {
        if self.lose(now, Loss::NameTaken) {
            let wait = self.pauses.next_for_name();
            self.name_refused_at = now;
            // Only an extended broker refuses a name.
            self.broker.sends_hello();
            self.state = State::Backoff { until: now + wait };
        }
    }

    /// Gives the connection up because another peer has the name, which the broker has asked for a sign of life. The
    /// next hello may be answered with certainty.
    pub(super) fn ask_again(&mut self, now: Time) -> bool {
        let is_lost = self.lose(now, Loss::NameTaken);
        if is_lost && let Some(pause) = self.pauses.soon_again() {
            self.state = State::Backoff { until: now + pause };
        }
        is_lost
    }

    /// Asks for the name again soon, because it is needed now.
    pub(super) fn ask_for_name_soon(&mut self) {
        if let State::Backoff { until } = &mut self.state
            && let Some(pause) = self.pauses.short_for_name()
        {
            *until = (*until).min(self.name_refused_at + pause);
        }
    }

    /// Ends the pause, because the broker is there, unless another peer has the name.
    pub(super) fn retry_at_once(&mut self, now: Time) {
        if let State::Backoff { until } = &mut self.state
            && !self.pauses.name_is_taken()
        {
            *until = (*until).min(now);
        }
    }

    /// Whether it is closed until it is opened by a command.
    pub(super) fn is_closed(&self) -> bool {
        self.state == State::Closed
    }

    /// Replaces the connection by a new one at once.
    pub(super) fn renew(&mut self) {
        if self.state == State::Up {
            self.lose(Time::ZERO, Loss::Abandoned);
            self.state = State::Backoff { until: Time::ZERO };
        }
    }

    /// Gives the connection up until [`reopen`](Self::reopen).
    pub(super) fn suspend(&mut self, now: Time) {
        if self.lose(now, Loss::Blocked) {
            self.state = State::Suspended;
        }
    }

    pub(super) fn reopen(&mut self, now: Time) {
        if self.state == State::Suspended {
            self.state = State::Backoff { until: now };
        }
    }

    /// The pause before the next attempt, short while requests of a lost broker may wait somewhere.
    fn pause(&mut self, now: Time) -> Duration {
        let away = self.away();
        let is_awaited = self.lost_at.is_some_and(|at| now.since(at) < away);
        self.pauses.next(is_awaited)
    }

    /// Counts a connection on which the broker refused this peer. [`lose`](Self::lose) must follow.
    pub(super) fn refused(&mut self) {
        self.pauses.failed();
    }

    /// Records that the broker has accepted this peer.
    pub(super) fn accepted(&mut self) {
        self.pauses.accepted();
    }

    /// Records a sign of life of the broker.
    pub(super) fn heard(&mut self, now: Time) {
        self.last_heard = now;
    }

    /// Records that a part of a message of the broker has arrived: a large one may take longer than the broker may be
    /// silent.
    pub(super) fn receives(&mut self, now: Time) {
        self.last_bytes = now;
    }

    /// When the broker counts as silent.
    fn silent_at(&self) -> Option<Time> {
        let last = self.last_heard.max(self.last_bytes);
        self.patience().map(|patience| last + patience)
    }

    /// When the last message of the broker arrived.
    pub(super) fn last_heard(&self) -> Time {
        self.last_heard
    }

    /// Handles the broker's hello.
    pub(super) fn welcome(&mut self, hello: Hello) {
        self.broker.welcome(hello, &self.config);
        self.pauses.named();
        self.accepted();
    }

    pub(super) fn is_up(&self) -> bool {
        self.state == State::Up
    }

    pub(super) fn next_deadline(&self) -> Option<Time> {
        match self.state {
            State::Closed | State::Suspended | State::Opening => None,
            State::Backoff { .. } if self.action.is_some() => None,
            State::Backoff { until } => Some(until),
            State::Up => {
                let silent = self.silent_at();
                let times = [Some(self.next_beat), silent, self.broker.hello_until()];
                times.into_iter().flatten().min()
            }
        }
    }

    pub(super) fn handle_timeout(&mut self, now: Time) -> Option<Due> {
        match self.state {
            // The old socket must have been closed.
            State::Backoff { until } if until <= now && self.action.is_none() => {
                self.state = State::Opening;
                self.action = Some(Action::Open);
                None
            }
            State::Up => {
                let silent = self.silent_at();
                if silent.is_some_and(|at| at <= now) {
                    if self.broker.hello().is_none() {
                        self.refused();
                        self.broker.sent_no_hello();
                        self.pauses.named();
                    }
                    self.lose(now, Loss::Silence);
                    self.action = Some(Action::Abandon);
                    return Some(Due::Lost(Loss::Silence));
                }
                if self.broker.hello_is_overdue(now) {
                    return Some(Due::NoHello);
                }
                if self.next_beat > now {
                    return None;
                }
                // Counted from now: after a long suspension one heartbeat is enough.
                self.next_beat = now + self.config.heartbeat;
                Some(Due::Beat)
            }
            _ => None,
        }
    }

    pub(super) fn poll_action(&mut self) -> Option<Action> {
        self.action.take()
    }
}
