//! The configuration of a link.

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
    pub(in crate::proto) fn name(&self) -> Option<String> {
        (!self.name.is_empty()).then(|| self.name.clone())
    }
}
