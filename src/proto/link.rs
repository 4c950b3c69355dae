//! A worker's or client's link to its broker: opened, heard, lost, opened again.
//!
//! The owner of the socket carries out [`Action`]s and reports what the transport says; the link
//! keeps the heartbeats, notices a silent broker, and paces the reconnects. A lost link always
//! means a new socket: nothing that was queued in the old one can surprise the next broker.
//!
//! | state   | event                | action             | next    |
//! |---------|----------------------|--------------------|---------|
//! | Closed  | open                 | Open               | Opening |
//! | Opening | transport up         | (owner says hello) | Up      |
//! | Up      | heartbeat interval   | Beat               | Up      |
//! | Up      | transport down, silence, no hello, DISCONNECT | Close | Backoff |
//! | Backoff | reconnect interval   | Open               | Opening |
//! | Up      | suspend              | Close              | Suspended |
//! | Suspended | reopen             | Open               | Opening |
//! | Up      | the name is another's | Close             | Closed  |
//! | any     | close                | Close              | Closed  |

use super::Time;
use crate::wire::Hello;
use std::time::Duration;

/// How a link behaves. The defaults are those of 0.0.92.
#[derive(Debug, Clone)]
pub struct LinkConfig {
    /// Between two heartbeats. Default 2500 ms.
    pub heartbeat: Duration,
    /// How many silent intervals make a dead broker. Default 3.
    pub liveness: u32,
    /// From the loss of a link to the next attempt. Default 100 ms.
    pub reconnect: Duration,
    /// Each attempt in a row that leads to no broker doubles the pause before the next, up to this.
    /// Default 30 s.
    pub reconnect_max: Duration,
    /// Shortens or lengthens each pause by up to a quarter, so that peers that lost one broker do
    /// not come to the next in the same moment. 0 is for pauses of the exact length.
    pub seed: u64,
    /// Whether a broker that has not said hello must be heard from nevertheless. A 0.0.92 broker
    /// sends heartbeats to workers and none to clients, so what clients wait for is a hello: see
    /// [`Loss::Silence`].
    pub expect_beats: bool,
    /// Whether the broker is known to say hello, since it has security, which 0.0.92 has not.
    pub expect_hello: bool,
    /// The largest body that this side takes, in bytes.
    pub max_message: Option<u64>,
}

/// What the owner is to do with its socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Make a socket and connect it; report `handle_up` when the transport can take messages.
    Open,
    /// Close the socket, once what was drained before has been handed to it.
    Close,
}

/// Why a link was lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Loss {
    /// The connection broke.
    Transport,
    /// Nothing was heard for `heartbeat` x `liveness`; or no hello has come for as long, on a
    /// connection to where a broker has said hello before.
    Silence,
    /// The broker said DISCONNECT.
    Refused,
    /// A request was given up whose reply could be taken for that of another.
    Abandoned,
    /// The thread of this side's user answered nothing for too long.
    Blocked,
    /// The broker said that another peer has the name. There is no next attempt.
    NameTaken,
    /// This side was stopped.
    Stopped,
    /// This side was told that it is none of its brokers any more.
    Removed,
}

impl Loss {
    /// The word that `disconnect` events carry.
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

/// What has become due.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Due {
    /// Send a heartbeat.
    Beat,
    /// The link was lost just now.
    Lost(Loss),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Closed,
    Backoff {
        until: Time,
    },
    /// Given up until somebody says otherwise.
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
    /// What the broker of this connection said of itself.
    peer: Option<Hello>,
    /// The heartbeat of the last broker that said hello, while the next is expected to say it too.
    expected: Option<Duration>,
    action: Option<Action>,
    /// How many connections in a row led to no broker that has this peer.
    failures: u32,
    /// Makes the next pause longer or shorter.
    jitter: u64,
    /// The broker of this connection, or of the one that was lost last.
    broker: Option<BrokerLife>,
    /// The session of the last broker that had one, and how many different ones there were.
    last_session: String,
    lives: u32,
    /// How long that broker may be away before it is given up.
    lost_patience: Duration,
}

/// The life of a broker that gave it a name: requests outlive a connection to it, see
/// [`Link::broker`]. A number for each life that this peer has met.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct BrokerLife(u32);

impl Link {
    pub(super) fn new(config: LinkConfig) -> Self {
        Link {
            jitter: config.seed,
            config,
            state: State::Closed,
            last_heard: Time::ZERO,
            next_beat: Time::ZERO,
            peer: None,
            expected: None,
            action: None,
            failures: 0,
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
    }

    /// The transport takes messages. False if it said so out of turn.
    pub(super) fn handle_up(&mut self, now: Time) -> bool {
        if self.state != State::Opening {
            return false;
        }
        self.state = State::Up;
        // Until this one has said who it is, it is taken for another connection to the last.
        self.broker = (self.lives > 0).then_some(BrokerLife(self.lives));
        self.last_heard = now;
        self.next_beat = now + self.config.heartbeat;
        true
    }

    /// Gives this connection up; the next one is opened after the reconnect interval. False if
    /// there is none to lose.
    pub(super) fn lose(&mut self, now: Time) -> bool {
        if !matches!(self.state, State::Opening | State::Up) {
            return false;
        }
        self.state = State::Backoff {
            until: now + self.pause(),
        };
        self.peer = None;
        self.action = Some(Action::Close);
        true
    }

    /// Gives this connection up for a new one, at once.
    pub(super) fn renew(&mut self) {
        if self.state == State::Up {
            self.lose(Time::ZERO);
            self.state = State::Backoff { until: Time::ZERO };
        }
    }

    /// Gives this connection up; the next one is opened when [`reopen`](Self::reopen) says so.
    pub(super) fn suspend(&mut self, now: Time) {
        if self.lose(now) {
            self.state = State::Suspended;
        }
    }

    pub(super) fn reopen(&mut self, now: Time) {
        if self.state == State::Suspended {
            self.state = State::Backoff { until: now };
        }
    }

    /// Twice as long after each attempt that failed, so that peers do not wear a broker out that
    /// is overloaded or does not want them.
    fn pause(&mut self) -> Duration {
        let LinkConfig {
            reconnect,
            reconnect_max,
            ..
        } = self.config;
        let doublings = self.failures.saturating_sub(1).min(16);
        let pause = reconnect.saturating_mul(1 << doublings);
        let pause = pause.min(reconnect_max.max(reconnect));
        if self.jitter == 0 {
            return pause;
        }
        // Xorshift, which never leads to 0.
        self.jitter ^= self.jitter << 13;
        self.jitter ^= self.jitter >> 7;
        self.jitter ^= self.jitter << 17;
        let percent = 75 + (self.jitter >> 32) % 51;
        pause.mul_f64(percent as f64 / 100.0)
    }

    /// The broker has turned this peer away, as a whole; to be followed by [`lose`](Self::lose).
    pub(super) fn refused(&mut self) {
        self.failures = self.failures.saturating_add(1);
    }

    /// The broker has this peer.
    pub(super) fn accepted(&mut self) {
        self.failures = 0;
    }

    /// Any message of the broker is a sign of life.
    pub(super) fn heard(&mut self, now: Time) {
        self.last_heard = now;
    }

    /// When it said something last.
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
        self.accepted();
        self.lost_patience = self.patience().unwrap_or_default();
    }

    /// The broker of this connection, or of the one that was lost last, if it gave its life a name:
    /// what it was sent, and what it gave, outlives the connection. Before its hello a broker counts
    /// as the last one.
    pub(super) fn broker(&self) -> Option<BrokerLife> {
        self.broker
    }

    /// Whether this connection is for nothing before its broker has said hello. What is sent ahead of
    /// that is sent to nobody knows whom. Not so when the connection before had no hello either, so
    /// that a broker of 0.0.92 may take the place of another.
    pub(super) fn awaits_hello(&self) -> bool {
        let expected = self.config.expect_hello || (self.lives > 0 && self.failures == 0);
        expected && self.peer.is_none()
    }

    /// How long the broker that was here last may be away before what it had is given up.
    pub(super) fn lost_patience(&self) -> Duration {
        self.lost_patience
    }

    /// Whoever comes after the broker of this connection is expected to say hello as it did. Else a
    /// line that dies before the hello looks like a 0.0.92 broker, which says nothing to clients.
    pub(super) fn expect_hello(&mut self) {
        let beat = self.peer.as_ref().map(|peer| peer.heartbeat_ms);
        self.expected = beat.map(Duration::from_millis).or(self.expected);
    }

    /// The broker has answered what it was sent on this connection. One that says hello does so
    /// before, so one that has not is of 0.0.92, and is there.
    pub(super) fn answered(&mut self) {
        if self.peer.is_none() {
            self.expected = None;
            self.broker = None;
            self.accepted();
        }
    }

    /// The hello of the broker at the other end, if it has one.
    pub(super) fn peer(&self) -> Option<&Hello> {
        self.peer.as_ref()
    }

    pub(super) fn is_up(&self) -> bool {
        self.state == State::Up
    }

    /// How long the broker may be silent: the slower of the two hearts sets the pace, so that
    /// different settings at the two ends do not flap.
    pub(super) fn patience(&self) -> Option<Duration> {
        let beat = match &self.peer {
            Some(peer) => Some(Duration::from_millis(peer.heartbeat_ms)),
            None if self.config.expect_beats || self.config.expect_hello => Some(Duration::ZERO),
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
                Some(silent.map_or(self.next_beat, |at| at.min(self.next_beat)))
            }
        }
    }

    pub(super) fn handle_timeout(&mut self, now: Time) -> Option<Due> {
        match self.state {
            // Not before the old socket was closed.
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
                    }
                    self.lose(now);
                    return Some(Due::Lost(Loss::Silence));
                }
                if self.next_beat > now {
                    return None;
                }
                // From now, not from the missed beat: after a long sleep one beat is enough.
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
