//! Lookups of host names.
//!
//! The system looks a name up on a separate thread, because it may take any time. libzmq would do it
//! on the thread that carries all messages of the process.

use super::Error;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs};
use std::thread;
use std::time::Duration;
use tokio::sync::oneshot::{self, Receiver};

/// Pause after a failed lookup.
pub(super) const RETRY_PAUSE: Duration = Duration::from_secs(1);

/// The result of a lookup.
pub(super) type Resolved = Result<Vec<SocketAddr>, Error>;

/// Looks a name up on a separate thread, which calls `answered` when there is a result. Returns
/// `None` if no thread can be started.
pub(super) fn look_up(
    host: &str,
    port: u16,
    answered: impl FnOnce() + Send + 'static,
) -> Option<Receiver<Resolved>> {
    let doing = format!("cannot look up {host}");
    let (host, (found, inbox)) = (host.to_owned(), oneshot::channel());
    let looking = thread::Builder::new()
        .name("omdp-name".into())
        .spawn(move || {
            let addresses = (host.as_str(), port).to_socket_addrs();
            let addresses = addresses
                .map(Iterator::collect)
                .map_err(|error| Error::not_found(&error, &doing));
            let _ = found.send(match host.eq_ignore_ascii_case("localhost") {
                true => Ok(both_loopbacks(addresses.unwrap_or_default(), port)),
                false => addresses,
            });
            answered();
        });
    looking.is_ok().then_some(inbox)
}

/// Adds missing loopback addresses: `localhost` means this host on both families (RFC 6761),
/// whatever the system's tables contain.
fn both_loopbacks(mut found: Vec<SocketAddr>, port: u16) -> Vec<SocketAddr> {
    let loopbacks = [
        IpAddr::from(Ipv4Addr::LOCALHOST),
        Ipv6Addr::LOCALHOST.into(),
    ];
    for loopback in loopbacks.map(|address| SocketAddr::from((address, port))) {
        if !found.contains(&loopback) {
            found.push(loopback);
        }
    }
    found
}
