//! What the link tells its owner about the broker.

use super::{BrokerLife, Link};
use crate::wire::Hello;
use std::time::Duration;

impl Link {
    /// The broker of this connection, or of the last one, if its hello had a session. Requests and deliveries outlive
    /// a connection to such a broker. Before its hello, a broker is assumed to be the last one.
    pub(in crate::proto) fn broker(&self) -> Option<BrokerLife> {
        self.broker.life()
    }

    /// Whether requests may outlive the connection that was lost: the broker is extended, or nothing was ever heard of
    /// one.
    pub(in crate::proto) fn may_be_lasting(&self) -> bool {
        self.broker().is_some() || self.is_unheard()
    }

    /// Whether no broker was ever heard.
    pub(in crate::proto) fn is_unheard(&self) -> bool {
        self.broker.is_unheard()
    }

    /// Whether the connection must not be used before the broker's hello, because the broker is unknown until then.
    /// After a connection without a hello it may be used at once: a broker of 0.0.92 may have replaced the extended
    /// one. A failed handshake does not count as such a connection, because a proxy accepts connections while there is
    /// no broker.
    pub(in crate::proto) fn awaits_hello(&self) -> bool {
        self.broker
            .awaits_hello(&self.config, self.pauses.name_is_taken())
    }

    /// The permitted silence of the last broker.
    pub(in crate::proto) fn lost_patience(&self) -> Duration {
        self.broker.lost_patience()
    }

    /// How long the last broker may be away before its requests are given up.
    pub(in crate::proto) fn away(&self) -> Duration {
        self.lost_patience().max(self.config.away)
    }

    /// How long a broker may be silent that was never heard.
    pub(in crate::proto) fn own_patience(&self) -> Duration {
        self.config.heartbeat.saturating_mul(self.config.liveness)
    }

    /// Expects a hello of later brokers, as this one has sent it. Otherwise a connection that breaks before the hello
    /// would look like a 0.0.92 broker, which sends nothing to clients.
    pub(in crate::proto) fn expect_hello(&mut self) {
        self.broker.expect_hello();
    }

    /// Records that the broker has answered. An extended broker sends its hello first, so a broker without one is of
    /// 0.0.92, and alive.
    pub(in crate::proto) fn answered(&mut self) {
        if self.broker.hello().is_none() {
            self.broker.found_old();
            self.accepted();
        }
    }

    /// The hello of the broker on this connection, if it has sent one.
    pub(in crate::proto) fn peer(&self) -> Option<&Hello> {
        self.broker.hello()
    }

    /// How long the broker may be silent.
    pub(in crate::proto) fn patience(&self) -> Option<Duration> {
        (self.broker).patience(&self.config, self.pauses.name_is_taken())
    }
}
