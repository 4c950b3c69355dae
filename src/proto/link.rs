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

mod pauses;

use super::Time;
use crate::wire::Hello;
use pauses::Pauses;
pub use pauses::{Attempts, SEARCH};
use std::time::Duration;

/// Configuration of a link. The defaults are those of 0.0.92.
#[derive(Debug, Clone)]
pub struct LinkConfig {
    /// Interval of heartbeats. Default 2500 ms.
    pub heartbeat: Duration,
    /// Number of silent intervals after which the broker counts as dead. Default 3.
    pub liveness: u32,
    /// Time from the end of a connection on which the broker had accepted this side to the next attempt, if the
    /// transport reports the end; doubled by each attempt in vain, up to `reconnect`. Default 10 ms.
    pub soon: Duration,
    /// Time from any other loss of a link to the next attempt. Default 100 ms.
    pub reconnect: Duration,
    /// Maximum of the time between attempts, which doubles with each attempt that finds no broker. Default 30 s.
    pub reconnect_max: Duration,
    /// How long a lost broker may be away before its requests are given up; at least the permitted silence. Default
    /// 60 s.
    pub away: Duration,
    /// Seed of the jitter: each pause is changed by up to a quarter, so that peers of a lost broker do not reconnect
    /// at the same moment. 0 disables the jitter.
    pub seed: u64,
    /// Whether a broker must be heard regularly even without a hello. A 0.0.92 broker sends heartbeats to workers but
    /// not to clients, so clients can only expect a hello: see [`Loss::Silence`].
    pub expect_beats: bool,
    /// Whether the broker is known to send a hello: it has security, which 0.0.92 does not support.
    pub expect_hello: bool,
    /// The name in this side's hello, for a broker that cannot tell it from the routing id; empty if the routing id is
    /// the name.
    pub name: String,
    /// Maximum of bytes in the body of a message to this side.
    pub max_message: Option<u64>,
}

impl LinkConfig {
    /// The name for a hello.
    pub(super) fn name(&self) -> Option<String> {
        (!self.name.is_empty()).then(|| self.name.clone())
    }
}

/// The action that the owner has to take on its socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Create a socket and connect it; call `handle_up` when the transport accepts messages.
    Open,
    /// Close the socket, after all drained messages were handed to it.
    Close,
    /// The same, because the broker is silent: no other worker or client can use the connection either.
    Abandon,
}

/// The reason for the loss of a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Loss {
    /// The connection broke.
    Transport,
    /// No message arrived for `heartbeat` × `liveness`; or no hello for as long, where an earlier broker has sent
    /// one.
    Silence,
    /// The broker sent DISCONNECT.
    Refused,
    /// A request was given up whose late reply could be mistaken for that of another.
    Abandoned,
    /// The thread of the application did not answer for too long.
    Blocked,
    /// The broker reported that another peer has the name.
    NameTaken,
    /// This side was stopped.
    Stopped,
    /// The broker was removed from those of this side.
    Removed,
}

impl Loss {
    /// The word for the reason in `disconnect` events.
    pub fn as_str(self) -> &'static str {
        match self {
            Loss::Transport => "connection lost",
            Loss::Silence => "heartbeat lost",
            Loss::Refused => "disconnected by the broker",
            Loss::Abandoned => "request given up",
            Loss::Blocked => "event loop blocked",
            Loss::NameTaken => "name taken",
            Loss::Stopped => "stopped",
            Loss::Removed => "endpoint removed",
        }
    }
}

/// The result of a deadline.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Due {
    /// A heartbeat is to be sent.
    Beat,
    /// The time for the hello of an unknown broker has passed: it may be of 0.0.92.
    NoHello,
    /// The link is lost.
    Lost(Loss),
}

/// How long an unknown broker may take for its hello, see [`Link::await_hello`].
pub(super) const HELLO_WITHIN: Duration = Duration::from_millis(500);

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
    next_beat: Time,
    /// The hello of the broker on this connection.
    peer: Option<Hello>,
    /// The heartbeat interval of the last broker that sent a hello, as long as the next one is expected to send one
    /// too.
    expected: Option<Duration>,
    action: Option<Action>,
    pauses: Pauses,
    /// When the last connection with a hello was lost, and when the last one on which another peer had the name.
    lost_at: Option<Time>,
    aside_since: Time,
    /// Whether there was no hello on the last connection that was up for as long as the broker may be silent.
    had_no_hello: bool,
    /// The end of the wait for the hello of an unknown broker.
    hello_until: Option<Time>,
    /// Whether the last broker was found to be of 0.0.92.
    is_old: bool,
    /// The broker of this connection, or of the last one.
    broker: Option<BrokerLife>,
    /// The session of the last broker that had one, and the number of different sessions.
    last_session: String,
    lives: u32,
    /// How long that broker may be away before it is given up.
    lost_patience: Duration,
}

/// The life of a broker whose hello had a session. Requests outlive a connection to it, see [`Link::broker`]. The
/// number counts the lives that this peer has met.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct BrokerLife(u32);

impl Link {
    pub(super) fn new(config: LinkConfig) -> Self {
        Link {
            pauses: Pauses::new(&config),
            config,
            state: State::Closed,
            last_heard: Time::ZERO,
            next_beat: Time::ZERO,
            peer: None,
            expected: None,
            action: None,
            lost_at: None,
            aside_since: Time::ZERO,
            had_no_hello: false,
            hello_until: None,
            is_old: false,
            broker: None,
            last_session: String::new(),
            lives: 0,
            lost_patience: Duration::ZERO,
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
        self.peer = None;
        self.hello_until = None;
    }

    /// Handles that the transport accepts messages. Returns false if no connection was being opened.
    pub(super) fn handle_up(&mut self, now: Time) -> bool {
        if self.state != State::Opening {
            return false;
        }
        self.state = State::Up;
        // Before its hello, the broker is assumed to be the last one.
        self.broker = (self.lives > 0).then_some(BrokerLife(self.lives));
        self.last_heard = now;
        self.next_beat = now + self.config.heartbeat;
        true
    }

    /// Sends nothing on a new connection until the broker's hello, for a short time at most. If the connection breaks
    /// before, no request was sent, so none can be lost. A broker of 0.0.92 sends no hello, and is remembered once it has
    /// answered.
    pub(super) fn await_hello(&mut self, now: Time) {
        if !self.is_old {
            self.hello_until = Some(now + HELLO_WITHIN);
        }
    }

    /// Gives the connection up. The next attempt follows after the reconnect interval. Returns false if there is no
    /// connection.
    pub(super) fn lose(&mut self, now: Time, why: Loss) -> bool {
        if !matches!(self.state, State::Opening | State::Up) {
            return false;
        }
        let was_in_use = self.peer.is_some();
        if was_in_use {
            self.lost_at = Some(now);
        }
        let soon = match why {
            Loss::Transport => self.pauses.soon(was_in_use),
            _ => None,
        };
        let pause = soon.unwrap_or_else(|| self.pause(now));
        self.state = State::Backoff { until: now + pause };
        self.peer = None;
        self.hello_until = None;
        self.action = Some(Action::Close);
        true
    }

    /// Gives the connection up because another peer has the name. It may have left by the next attempt, which disturbs
    /// it if the routing id is the name.
    pub(super) fn step_aside(&mut self, now: Time) {
        if self.lose(now, Loss::NameTaken) {
            let wait = self.pauses.next_aside();
            self.aside_since = now;
            // Only an extended broker refuses a name.
            self.had_no_hello = false;
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
    pub(super) fn hurry(&mut self) {
        if let State::Backoff { until } = &mut self.state
            && let Some(pause) = self.pauses.short_aside()
        {
            *until = (*until).min(self.aside_since + pause);
        }
    }

    /// Ends the pause, because the broker is there, unless another peer has the name.
    pub(super) fn retry_at_once(&mut self, now: Time) {
        if let State::Backoff { until } = &mut self.state
            && !self.pauses.is_aside()
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

    /// When the last message of the broker arrived.
    pub(super) fn last_heard(&self) -> Time {
        self.last_heard
    }

    pub(super) fn welcome(&mut self, hello: Hello) {
        let named = !hello.session.is_empty();
        if named && hello.session != self.last_session {
            self.last_session = hello.session.clone();
            self.lives += 1;
        }
        self.broker = named.then_some(BrokerLife(self.lives));
        self.peer = Some(hello);
        self.pauses.named();
        self.hello_until = None;
        self.is_old = false;
        self.had_no_hello = false;
        self.accepted();
        self.lost_patience = self.patience().unwrap_or_default();
    }

    /// The broker of this connection, or of the last one, if its hello had a session. Requests and deliveries outlive
    /// a connection to such a broker. Before its hello, a broker is assumed to be the last one.
    pub(super) fn broker(&self) -> Option<BrokerLife> {
        self.broker
    }

    /// Whether the connection must not be used before the broker's hello, because the broker is unknown until then.
    /// Not required after a connection without a hello, so that a broker of 0.0.92 can replace an extended one. A
    /// handshake that fails is no such connection: a proxy accepts connections while there is no broker.
    pub(super) fn awaits_hello(&self) -> bool {
        let known = self.lives > 0 || self.pauses.is_aside();
        let expected = self.config.expect_hello || (known && !self.had_no_hello);
        (expected || self.hello_until.is_some()) && self.peer.is_none()
    }

    /// The permitted silence of the last broker.
    pub(super) fn lost_patience(&self) -> Duration {
        self.lost_patience
    }

    /// How long the last broker may be away before its requests are given up.
    pub(super) fn away(&self) -> Duration {
        self.lost_patience.max(self.config.away)
    }

    /// Expects a hello of later brokers, as this one has sent it. Otherwise a connection that breaks before the hello
    /// would look like a 0.0.92 broker, which sends nothing to clients.
    pub(super) fn expect_hello(&mut self) {
        let beat = self.peer.as_ref().map(|peer| peer.heartbeat_ms);
        self.expected = beat.map(Duration::from_millis).or(self.expected);
    }

    /// Records that the broker has answered. An extended broker sends its hello first, so a broker without one is of
    /// 0.0.92, and alive.
    pub(super) fn answered(&mut self) {
        if self.peer.is_none() {
            self.expected = None;
            self.broker = None;
            self.hello_until = None;
            self.is_old = true;
            self.accepted();
        }
    }

    /// The hello of the broker on this connection, if it has sent one.
    pub(super) fn peer(&self) -> Option<&Hello> {
        self.peer.as_ref()
    }

    pub(super) fn is_up(&self) -> bool {
        self.state == State::Up
    }

    /// How long the broker may be silent. The longer of the two heartbeat intervals counts, so that peers with
    /// different settings stay connected.
    pub(super) fn patience(&self) -> Option<Duration> {
        let beat = match &self.peer {
            Some(peer) => Some(Duration::from_millis(peer.heartbeat_ms)),
            None if self.config.expect_beats
                || self.config.expect_hello
                || self.pauses.is_aside() =>
            {
                Some(Duration::ZERO)
            }
            None => self.expected,
        };
        let interval = beat?.max(self.config.heartbeat);
        Some(interval.saturating_mul(self.config.liveness))
    }

    pub(super) fn next_deadline(&self) -> Option<Time> {
        match self.state {
            State::Closed | State::Suspended | State::Opening => None,
            State::Backoff { .. } if self.action.is_some() => None,
            State::Backoff { until } => Some(until),
            State::Up => {
                let silent = self.patience().map(|patience| self.last_heard + patience);
                let times = [Some(self.next_beat), silent, self.hello_until];
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
                let silent = self.patience().map(|patience| self.last_heard + patience);
                if silent.is_some_and(|at| at <= now) {
                    if self.peer.is_none() {
                        self.refused();
                        self.had_no_hello = true;
                        self.pauses.named();
                    }
                    self.lose(now, Loss::Silence);
                    self.action = Some(Action::Abandon);
                    return Some(Due::Lost(Loss::Silence));
                }
                if self.hello_until.take_if(|until| *until <= now).is_some() {
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
