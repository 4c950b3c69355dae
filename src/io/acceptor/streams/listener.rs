//! The endpoints at which a broker accepts connections by itself.

use crate::io::address::{Host, Kind};
use crate::io::descriptor::Descriptor;
use crate::io::ipc_file::{Identity, check_path_is_free};
use crate::io::tcp::{KEEPALIVE, LISTEN_BACKLOG, has_ipv6};
use crate::io::{Address, Error};
use socket2::{Domain, SockAddr, Socket, TcpKeepalive, Type};
use std::fs;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::{AsRawFd, RawFd};
use std::time::Duration;

/// Where a broker can listen without libzmq.
enum ListenAddress {
    Tcp(SocketAddr),
    /// A path in the file system, or the name of an abstract socket with its `@`.
    Ipc(String),
}

impl ListenAddress {
    /// `None` if libzmq has to interpret the endpoint, or to report its error.
    fn of(endpoint: &Address) -> Option<Self> {
        let is_name = |name: &str| !name.is_empty() && !name.contains('\0');
        let (host, port) = match endpoint.kind() {
            Kind::Path(path) => {
                return is_name(path).then(|| ListenAddress::Ipc(path.clone()));
            }
            Kind::Abstract(name) => {
                let is_ours = cfg!(target_os = "linux") && is_name(name);
                return is_ours.then(|| ListenAddress::Ipc(format!("@{name}")));
            }
            Kind::Tcp { host, port } => (host, port),
            Kind::Anonymous | Kind::Inproc(_) | Kind::Other => return None,
        };
        let port: u16 = match &**port {
            "*" => 0,
            port => port.parse().ok()?,
        };
        Some(ListenAddress::Tcp(match host {
            Host::Everywhere if has_ipv6() => (Ipv6Addr::UNSPECIFIED, port).into(),
            Host::Everywhere => (Ipv4Addr::UNSPECIFIED, port).into(),
            // As libzmq has it, which listens on one family.
            Host::Named(name) if name.eq_ignore_ascii_case("localhost") => {
                (Ipv4Addr::LOCALHOST, port).into()
            }
            host => host.number(port)?.ok()?,
        }))
    }
}

/// Whether [`Listener::bind`] understands this endpoint.
pub(super) fn serves(endpoint: &Address) -> bool {
    ListenAddress::of(endpoint).is_some()
}

pub(super) struct Listener {
    socket: Socket,
    /// The endpoint, with the port in place of `*`.
    pub(super) text: String,
    /// The file of an ipc endpoint, which is removed with it.
    file: Option<Identity>,
    /// Whether connections may wait.
    pub(super) is_pending: bool,
}

/// A connection that was just accepted.
pub(super) struct Arrival {
    pub(super) descriptor: Descriptor,
    /// The address of the peer with the port; `None` over ipc.
    pub(super) address: Option<SocketAddr>,
}

impl Listener {
    pub(super) fn bind(endpoint: &Address, mode: Option<u32>) -> Result<Self, Error> {
        let doing = format!("cannot bind {}", endpoint.text());
        endpoint.check(&doing)?;
        check_path_is_free(endpoint, &doing)?;
        let failed = |error: io::Error| match error.raw_os_error() {
            Some(errno) => Error::from_errno(errno, &doing),
            None => Error::from_os(&error, &doing),
        };
        let invalid = || Error::from_errno(zmq_sys::errno::EINVAL, &doing);
        match ListenAddress::of(endpoint).ok_or_else(invalid)? {
            ListenAddress::Tcp(address) => Self::bind_tcp(endpoint, address).map_err(failed),
            ListenAddress::Ipc(path) => {
                let socket = Self::bind_ipc(endpoint, &path).map_err(failed)?;
                let file = Identity::of(endpoint, mode, &doing)?;
                // No peer can connect before the file has its mode.
                let listener = Self::listen(socket, endpoint.text().into(), file);
                listener.map_err(failed)
            }
        }
    }

    fn bind_tcp(endpoint: &Address, address: SocketAddr) -> io::Result<Self> {
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
        // A port is free as soon as its listener is closed, even if connections of it still exist.
        socket.set_reuse_address(true)?;
        if address.is_ipv6() {
            socket.set_only_v6(false)?;
        }
        socket.bind(&address.into())?;
        let bound = socket.local_addr()?.as_socket().unwrap_or(address);
        let text = match endpoint.text().rsplit_once(':') {
            // The scope as it was given.
            Some((host, _)) if host.contains('%') => format!("{host}:{}", bound.port()),
            _ => format!("tcp://{bound}"),
        };
        Self::listen(socket, text, None)
    }

    fn bind_ipc(endpoint: &Address, path: &str) -> io::Result<Socket> {
        let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
        if endpoint.path().is_some() {
            // `check_path_is_free` has found a file without a listener, or none.
            let _ = fs::remove_file(path);
            socket.bind(&SockAddr::unix(path)?)?;
        } else {
            let name = path.replacen('@', "\0", 1);
            socket.bind(&SockAddr::unix(name)?)?;
        }
        Ok(socket)
    }

    fn listen(socket: Socket, text: String, file: Option<Identity>) -> io::Result<Self> {
        socket.set_nonblocking(true)?;
        socket.listen(LISTEN_BACKLOG)?;
        Ok(Listener {
            socket,
            text,
            file,
            is_pending: true,
        })
    }

    /// Accepts a connection; `None` if none waits.
    pub(super) fn accept(&mut self) -> io::Result<Option<Arrival>> {
        let (socket, from) = match self.socket.accept() {
            Ok(accepted) => accepted,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                self.is_pending = false;
                return Ok(None);
            }
            Err(error) => return Err(error),
        };
        socket.set_nonblocking(true)?;
        let address = from.as_socket();
        if address.is_none() {
            let descriptor = Descriptor::Unix(socket.into());
            return Ok(Some(Arrival {
                descriptor,
                address,
            }));
        }
        socket.set_tcp_nodelay(true)?;
        let [idle, interval, count] = KEEPALIVE.map(i32::unsigned_abs);
        let keepalive = TcpKeepalive::new()
            .with_time(Duration::from_secs(idle.into()))
            .with_interval(Duration::from_secs(interval.into()))
            .with_retries(count);
        socket.set_tcp_keepalive(&keepalive)?;
        let descriptor = Descriptor::Tcp(socket.into());
        Ok(Some(Arrival {
            descriptor,
            address,
        }))
    }

    /// Closes the listener, then removes its file, which leads to it as long as it exists.
    pub(super) fn close(self) {
        drop(self.socket);
        if let Some(file) = self.file {
            file.remove();
        }
    }
}

impl AsRawFd for Listener {
    fn as_raw_fd(&self) -> RawFd {
        self.socket.as_raw_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endpoints_without_libzmq() {
        let place = |text: &str| match ListenAddress::of(&Address::new(text)) {
            Some(ListenAddress::Tcp(address)) => address.to_string(),
            Some(ListenAddress::Ipc(path)) => path,
            None => "libzmq".into(),
        };
        assert_eq!(place("tcp://127.0.0.1:5"), "127.0.0.1:5");
        assert_eq!(place("tcp://127.0.0.1:*"), "127.0.0.1:0");
        assert_eq!(place("tcp://localhost:*"), "127.0.0.1:0");
        assert_eq!(place("tcp://Localhost:7"), "127.0.0.1:7");
        assert_eq!(place("tcp://[::1]:0"), "[::1]:0");
        assert_eq!(place("ipc:///tmp/x"), "/tmp/x");
        assert!(["[::]:6", "0.0.0.0:6"].contains(&&*place("tcp://*:6")));
        if cfg!(target_os = "linux") {
            assert_eq!(place("ipc://@x"), "@x");
        }
        for other in [
            "tcp://eth0:5",
            "tcp://a.example:5",
            "tcp://127.0.0.1:65536",
            "tcp://127.0.0.1",
            "tcp://127.0.0.1:port",
            "ipc://*",
            "ipc://@",
            "ipc://",
            "inproc://x",
            "udp://127.0.0.1:5",
            "",
        ] {
            assert_eq!(place(other), "libzmq", "{other}");
        }
    }
}
