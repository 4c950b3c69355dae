//! How a broker behaves.

use super::Departure;
use super::accounts::HeldLimits;
use super::limits::Limits;
use super::services::Policies;
use crate::wire::{Dialects, Hello};
use std::time::Duration;

/// How a broker behaves. The defaults are those of 0.0.92.
#[derive(Debug, Clone)]
pub struct BrokerConfig {
    /// Between two heartbeats to a peer. Default 2500 ms.
    pub heartbeat: Duration,
    /// How many silent intervals make a dead peer. Default 3; a worker of 0.0.92 gets one more,
    /// as its broker granted.
    pub liveness: u32,
    /// Which dialects it speaks. Default all.
    pub dialects: Dialects,
    /// How long a request of an MDP client, which can't say, waits for a worker; `None` is without
    /// end. Default 60 s, as for clients of 0.0.92.
    pub expiry: Option<Duration>,
    /// How long an MDP worker that has a request may be silent: many work in the thread that would
    /// have to send the heartbeats. Default 15 minutes, as majortomo's broker grants.
    pub busy_timeout: Duration,
    /// Differs from one broker to the next of the same address, and from one start to the next.
    pub session: String,
    /// How long a peer of 1.x whose connection ended may take to come back before what it had is given
    /// up. Zero: not at all, as where a connection ends with its process alone. Default 1 s.
    pub reconnect_grace: Duration,
    /// How much may wait.
    pub limits: Limits,
    /// Which workers get requests.
    pub policies: Policies,
    /// How much may be kept.
    pub held: HeldLimits,
    /// How many bytes may lie ready for one peer. Default 64 MiB.
    pub peer_bytes: usize,
    /// Whether each request that ends is an event. Default false.
    pub log_requests: bool,
    /// How many services have numbers of their own; those of the others are added up. Default 1000.
    pub measured_services: usize,
    /// The largest body that it takes, in bytes.
    pub max_message: Option<u64>,
    /// Seeds the hash tables that peers' ids go into, so that nobody can choose ids that collide.
    pub seed: u64,
}

impl BrokerConfig {
    /// What the broker answers to a hello.
    pub(super) fn hello(&self) -> Hello {
        let mut hello = Hello::new(self.heartbeat.as_millis() as u64, self.liveness);
        hello.flow = true;
        hello.places = true;
        hello.streams = true;
        hello.deadlines = true;
        hello.session = self.session.clone();
        hello.max_message = self.max_message;
        hello
    }

    /// How long a broker that has just come waits for both sides of a request that another one had:
    /// as long as it would have patience with them.
    pub(super) fn grace(&self) -> Duration {
        self.heartbeat.saturating_mul(self.liveness)
    }

    /// How much later than this side the other one notices what is wrong with a connection: both count
    /// from the last heartbeat that they have heard.
    pub(super) fn delay(&self, why: Departure, hello: Option<&Hello>) -> Duration {
        let theirs = hello.map_or(0, |hello| hello.heartbeat_ms);
        match why {
            Departure::Silence => self.heartbeat.max(Duration::from_millis(theirs)),
            _ => Duration::ZERO,
        }
    }

    /// How long a peer with this hello may be silent: the slower of the two hearts sets the pace,
    /// so that different settings at the two ends do not flap.
    pub(super) fn patience(&self, hello: Option<&Hello>) -> Duration {
        let (interval, liveness) = match hello {
            Some(hello) => {
                let theirs = Duration::from_millis(hello.heartbeat_ms);
                (self.heartbeat.max(theirs), self.liveness)
            }
            None => (self.heartbeat, self.liveness + 1),
        };
        interval.saturating_mul(liveness)
    }
}
