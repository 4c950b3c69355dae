//! What connections of tcp have in common, with libzmq and without: how the system detects that the other end is dead,
//! and what a listener requires.

use std::ffi::c_int;
use std::time::Duration;

/// After how many seconds without an answer the system ends a connection.
pub(super) const DEAD_S: c_int = 10;

/// Keep-alive of a broker's connections: idle time, interval between probes (both in seconds), and
/// number of probes. A waiting client may be silent for any time, so nothing else detects that it
/// has vanished.
pub(super) const KEEPALIVE: [c_int; 3] = [60, 10, 6];

/// A client's kernel probes the broker's host this often within its patience.
pub(super) const PROBES: c_int = 3;

/// The shortest silence that ends a connection.
pub(super) const SHORTEST_SILENCE: Duration = Duration::from_secs(DEAD_S as u64);

/// The longest keep-alive interval that every system supports, in seconds.
pub(super) const MAX_PROBE_S: u64 = 7200;

/// The maximum number of connections that wait to be accepted.
pub(super) const LISTEN_BACKLOG: c_int = 1024;

/// The time and the number of probes that [`Socket::limit_silence`](super::socket::Socket::limit_silence) sets, for
/// other sockets.
#[cfg(unix)]
pub(super) fn probes(patience: Duration) -> (Duration, u32) {
    let longest = Duration::from_secs(MAX_PROBE_S) * PROBES as u32;
    let patience = patience.clamp(SHORTEST_SILENCE, longest);
    (patience, PROBES as u32)
}

/// Whether this host can listen on IPv6.
pub(super) fn has_ipv6() -> bool {
    std::net::UdpSocket::bind("[::]:0").is_ok()
}
