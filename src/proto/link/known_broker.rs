//! The knowledge of a link about its broker: from the hello on this connection, and from earlier connections.

use super::LinkConfig;
use crate::proto::Time;
use crate::wire::Hello;
use std::time::Duration;

/// How long an unknown broker may take for its hello, see [`Link::await_hello`](super::Link::await_hello).
const HELLO_WITHIN: Duration = Duration::from_millis(500);

/// The life of a broker whose hello had a session. Requests outlive a connection to it, see
/// [`Link::broker`](super::Link::broker). The number counts the lives that this peer has met.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::proto) struct BrokerLife(u32);

/// The broker of this connection, or of the last one.
#[derive(Debug, Default)]
pub(super) struct KnownBroker {
    /// The hello of the broker on this connection.
    hello: Option<Hello>,
    /// The heartbeat interval of the last broker that sent a hello, as long as the next one is expected to send one
    /// too.
    expected: Option<Duration>,
    /// Whether there was no hello on the last connection that was up for as long as the broker may be silent.
    had_no_hello: bool,
    /// The end of the wait for the hello of an unknown broker.
    hello_until: Option<Time>,
    /// Whether the last broker was found to be of 0.0.92.
    is_old: bool,
    /// The life of the broker, if its hello had a session.
    life: Option<BrokerLife>,
    /// The session of the last broker that had one, and the number of different sessions.
    last_session: String,
    lives: u32,
    /// The permitted silence of the last broker that sent a hello.
    lost_patience: Duration,
}

impl KnownBroker {
    /// Handles a new connection. Before its hello, the broker is assumed to be the last one.
    pub(super) fn connection_began(&mut self) {
        self.life = (self.lives > 0).then_some(BrokerLife(self.lives));
    }

    /// Handles the end of the connection.
    pub(super) fn connection_ended(&mut self) {
        self.hello = None;
        self.hello_until = None;
    }

    /// Begins the wait for the hello, unless the last broker was of 0.0.92.
    pub(super) fn await_hello(&mut self, now: Time) {
        if !self.is_old {
            self.hello_until = Some(now + HELLO_WITHIN);
        }
    }

    /// When the wait for the hello ends.
    pub(super) fn hello_until(&self) -> Option<Time> {
        self.hello_until
    }

    /// Whether the wait for the hello has ended without one. Returns true once.
    pub(super) fn hello_is_overdue(&mut self, now: Time) -> bool {
        self.hello_until.take_if(|until| *until <= now).is_some()
    }

    /// Handles the broker's hello.
    pub(super) fn welcome(&mut self, hello: Hello, config: &LinkConfig) {
        let named = !hello.session.is_empty();
        if named && hello.session != self.last_session {
            self.last_session = hello.session.clone();
            self.lives += 1;
        }
        self.life = named.then_some(BrokerLife(self.lives));
        self.hello = Some(hello);
        self.hello_until = None;
        self.is_old = false;
        self.had_no_hello = false;
        self.lost_patience = self.patience(config, false).unwrap_or_default();
    }

    /// The hello on this connection, if the broker has sent one.
    pub(super) fn hello(&self) -> Option<&Hello> {
        self.hello.as_ref()
    }

    /// The life of the broker, if its hello had a session.
    pub(super) fn life(&self) -> Option<BrokerLife> {
        self.life
    }

    /// Whether nothing was ever heard of a broker, so that the last one may have sent a hello that did not arrive.
    pub(super) fn is_unheard(&self) -> bool {
        self.lives == 0 && self.expected.is_none() && !self.is_old
    }

    /// The permitted silence of the last broker that sent a hello.
    pub(super) fn lost_patience(&self) -> Duration {
        self.lost_patience
    }

    /// Records that the broker sends hellos, although there was none on this connection.
    pub(super) fn sends_hello(&mut self) {
        self.had_no_hello = false;
    }

    /// Records that there was no hello on a connection for as long as the broker may be silent.
    pub(super) fn sent_no_hello(&mut self) {
        self.had_no_hello = true;
    }

    /// Records that the broker is of 0.0.92.
    pub(super) fn found_old(&mut self) {
        self.expected = None;
        self.life = None;
        self.hello_until = None;
        self.is_old = true;
    }

    /// Expects that later brokers send a hello too.
    pub(super) fn expect_hello(&mut self) {
        let beat = self.hello.as_ref().map(|hello| hello.heartbeat_ms);
        self.expected = beat.map(Duration::from_millis).or(self.expected);
    }

    /// Whether the connection must not be used before the hello; see [`Link::awaits_hello`](super::Link::awaits_hello).
    /// `name_is_taken` means that another peer had the name at the last attempt, which only an extended broker reports.
    pub(super) fn awaits_hello(&self, config: &LinkConfig, name_is_taken: bool) -> bool {
        let known = self.lives > 0 || name_is_taken;
        let expected = config.expect_hello || (known && !self.had_no_hello);
        (expected || self.hello_until.is_some()) && self.hello.is_none()
    }

    /// How long the broker may be silent. The longer of the two heartbeat intervals counts, so that peers with
    /// different settings stay connected.
    pub(super) fn patience(&self, config: &LinkConfig, name_is_taken: bool) -> Option<Duration> {
        let beat = match &self.hello {
            Some(hello) => Some(Duration::from_millis(hello.heartbeat_ms)),
            None if config.expect_beats || config.expect_hello || name_is_taken => {
                Some(Duration::ZERO)
            }
            None => self.expected,
        };
        let interval = beat?.max(config.heartbeat);
        Some(interval.saturating_mul(config.liveness))
    }
}
