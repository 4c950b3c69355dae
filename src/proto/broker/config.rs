//! Configuration of a broker.

use super::Departure;
use super::absence::LINGER;
use super::accounts::HeldLimits;
use super::services::Policies;
use crate::wire::{Dialects, Hello};
use std::time::Duration;

/// Limits of the queues. Bytes count bodies and options; the broker needs some hundred bytes more
/// for each request.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Maximum of requests in one queue. Default 262,144.
    pub queue: usize,
    /// Maximum of bytes in one queue. Default 256 MiB.
    pub queue_bytes: usize,
    /// Maximum of requests in all queues. Default 1,048,576.
    pub total: usize,
    /// Maximum of bytes in all queues. Default 1 GiB.
    pub total_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            queue: 262_144,
            queue_bytes: 256 << 20,
            total: 1 << 20,
            total_bytes: 1 << 30,
        }
    }
}

/// Configuration of a broker. The defaults are those of 0.0.92.
#[derive(Debug, Clone)]
pub struct BrokerConfig {
    /// Interval of heartbeats to a peer. Default 2500 ms.
    pub heartbeat: Duration,
    /// Number of silent intervals after which a peer counts as dead. Default 3. A worker of 0.0.92 is granted one
    /// more, as its own broker did.
    pub liveness: u32,
    /// The dialects that are served. Default all.
    pub dialects: Dialects,
    /// How long a request of an MDP client, which cannot state a timeout, waits for a worker; `None` is without
    /// limit. Default 60 s, as for clients of 0.0.92.
    pub expiry: Option<Duration>,
    /// How long an MDP worker with a request may be silent, because many such workers send no heartbeats while they
    /// compute. Default 15 minutes, as majortomo's broker grants.
    pub busy_timeout: Duration,
    /// The broker's session: different for each broker and each start.
    pub session: String,
    /// How long an extended peer whose connection has ended may take to return before its requests are given up. Zero
    /// gives them up at once, which suits transports whose connections end only with the process. Default 1 s.
    pub reconnect_grace: Duration,
    /// Minimum time of the search for requests of a dead broker. Default 5 s; `liveness` × `heartbeat` if that is
    /// longer.
    pub search: Duration,
    /// Limits of waiting requests.
    pub limits: Limits,
    /// Balancing policies and rate limits of services.
    pub policies: Policies,
    /// Limits of held bytes.
    pub held: HeldLimits,
    /// Maximum of bytes that wait to be sent to one peer. Default 64 MiB.
    pub peer_bytes: usize,
    /// Bytes of replies to a client, beyond one, that are kept until the client has acknowledged them. Further replies
    /// stay at their workers. Default 32 MiB.
    pub unacknowledged_bytes: usize,
    /// The size of bodies from which on a reply can stay at its worker. Default 1024: the log has room for very many
    /// smaller ones.
    pub hold_from: usize,
    /// Whether the end of each request is an event. Default false.
    pub log_requests: bool,
    /// Maximum of services with a meter of their own; all others are counted together. Default 1000.
    pub measured_services: usize,
    /// Maximum of bytes in the body of a message; `None` is without limit.
    pub max_message: Option<u64>,
    /// Seed of the hash tables of peers' ids, so that peers cannot choose ids that collide.
    pub seed: u64,
}

impl Default for BrokerConfig {
    fn default() -> Self {
        BrokerConfig {
            heartbeat: Duration::from_millis(2500),
            liveness: 3,
            dialects: Dialects::ALL,
            expiry: Some(Duration::from_secs(60)),
            busy_timeout: Duration::from_secs(15 * 60),
            session: String::new(),
            reconnect_grace: Duration::from_secs(1),
            search: Duration::from_secs(5),
            limits: Limits::default(),
            policies: Policies::default(),
            held: HeldLimits::default(),
            peer_bytes: 64 << 20,
            unacknowledged_bytes: 32 << 20,
            hold_from: 1024,
            log_requests: false,
            measured_services: 1000,
            max_message: None,
            seed: 0,
        }
    }
}

impl BrokerConfig {
    /// The broker's answer to a hello.
    pub(super) fn hello(&self) -> Hello {
        let mut hello = Hello::new(self.heartbeat.as_millis() as u64, self.liveness);
        hello.flow = true;
        hello.places = true;
        hello.streams = true;
        hello.deadlines = true;
        hello.roster = true;
        hello.session = self.session.clone();
        hello.max_message = self.max_message;
        hello
    }

    /// How long a new broker waits for the other side of a request from an earlier broker: as long as a peer may be
    /// silent.
    pub(super) fn grace(&self) -> Duration {
        let patience = self.heartbeat.saturating_mul(self.liveness);
        patience.max(self.search)
    }

    /// How much later than the broker the peer may notice that the connection is lost: each side counts from the last
    /// heartbeat that it received.
    pub(super) fn delay(&self, why: Departure, hello: Option<&Hello>) -> Duration {
        let theirs = hello.map_or(0, |hello| hello.heartbeat_ms);
        match why {
            Departure::Silence => self.heartbeat.max(Duration::from_millis(theirs)),
            _ => Duration::ZERO,
        }
    }

    /// The additional absence of a peer that does not know of the loss. After a reset at this end it notices the loss
    /// by its own patience. After silence its next connection may be silent as well.
    pub(super) fn unnoticed_loss(&self, why: Departure, hello: Option<&Hello>) -> Duration {
        let patience = match (why, hello) {
            (Departure::Silence, _) => self.patience(hello),
            (Departure::Broken, Some(hello)) => {
                let theirs = Duration::from_millis(hello.heartbeat_ms);
                self.heartbeat.max(theirs).saturating_mul(hello.liveness)
            }
            _ => Duration::ZERO,
        };
        // The heartbeat of a hello may be of any length.
        patience.min(LINGER)
    }

    /// How long a peer with this hello may be silent. The longer of the two heartbeat intervals counts, so that peers
    /// with different settings stay connected.
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
