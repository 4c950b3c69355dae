//! One connection of a broker.

use super::counted::{Fd, resets};
use super::endless::Owner;
use crate::proto::Time;
use crate::proto::broker::RoutingId;
use std::sync::Arc;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    /// In its handshake.
    Handshake,
    /// The handshake has ended; no message has arrived.
    Silent,
    /// A message has arrived.
    Speaking,
    /// Shut down here; libzmq has not reported the end.
    Ended,
}

#[derive(Debug)]
pub(super) struct Connection {
    /// The endpoint of the other side, as libzmq states it.
    pub(super) remote: String,
    pub(super) since: Time,
    /// Its number among the connections with its descriptor.
    pub(super) serial: u32,
    /// The resets of connections with its descriptor before it existed.
    pub(super) resets: u32,
    /// Whether the messages of its peer are over, and the driver knows how it ended.
    pub(super) is_over: bool,
    /// The bytes received over it when a message was last found incomplete.
    pub(super) seen: u64,
    /// When bytes of it last waited for permission.
    pub(super) waited: Time,
    /// The owner, whose incomplete messages have a maximum together.
    pub(super) owner: Arc<Owner>,
    pub(super) stage: Stage,
    pub(super) user: Option<Box<str>>,
    /// The peer, once a message of it has come.
    pub(super) peer: Option<RoutingId>,
}

impl Connection {
    /// Whether it was reset or timed out, which the process at the other side may not have noticed. Not set
    /// for ipc, where the end of a process causes a reset, nor for connections that this broker ended.
    pub(super) fn was_reset(&self, fd: Fd) -> bool {
        self.stage != Stage::Ended && !self.address().is_empty() && resets(fd) != self.resets
    }

    /// Since when it is silent, if it has sent no message. A first message that waits for permission is not silence.
    pub(super) fn silent_since(&self) -> Time {
        self.since.max(self.waited)
    }

    /// The address without the port.
    pub(super) fn address(&self) -> &str {
        address_of(&self.remote)
    }
}

/// An address without its port.
pub(in crate::io) fn host_of(address: &str) -> &str {
    address.rsplit_once(':').map_or("", |(host, _)| host)
}

/// The address in libzmq's form of a remote endpoint, without the port; empty over ipc.
pub(super) fn address_of(remote: &str) -> &str {
    host_of(remote.strip_prefix("tcp://").unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn a_first_message_that_waits_is_not_silence() {
        let [began, later] = [1, 5].map(|seconds| Time::ZERO + Duration::from_secs(seconds));
        let mut connection = Connection {
            remote: "tcp://10.0.0.1:1".into(),
            since: began,
            serial: 1,
            resets: 0,
            is_over: false,
            seen: 0,
            waited: began,
            owner: Arc::new(Owner::of_address("10.0.0.1")),
            stage: Stage::Silent,
            user: None,
            peer: None,
        };
        assert_eq!(connection.silent_since(), began);
        connection.waited = later;
        assert_eq!(connection.silent_since(), later);
    }
}
