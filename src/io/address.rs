//! Endpoints, parsed once.

use super::Error;
use std::io;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use zmq_sys::errno;

/// An endpoint: where a broker is bound or a peer connects.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    text: String,
    kind: Kind,
}

/// What an endpoint names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Kind {
    /// A host and the text of a port, which may be invalid or `*`.
    Tcp { host: Host, port: String },
    /// An ipc path in the file system.
    Path(String),
    /// An abstract name of Linux.
    Abstract(String),
    /// An ipc endpoint whose name libzmq chooses.
    Anonymous,
    /// A name within this process; empty if it is missing.
    Inproc(String),
    /// An invalid endpoint; the error comes from libzmq.
    Other,
}

/// The host of an endpoint of tcp.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Host {
    /// All addresses of this host.
    Everywhere,
    /// A number of IPv4 or, in brackets, of IPv6, with its scope.
    Number(String),
    /// A name to look up, or an interface; may be empty.
    Named(String),
    /// A source address and a host, which libzmq checks.
    WithSource,
}

/// Maximum length of the path of an ipc socket in bytes, without the NUL.
#[cfg(any(target_os = "linux", target_os = "windows"))]
const MAX_PATH: usize = 107;
#[cfg(not(any(target_os = "linux", target_os = "windows")))]
const MAX_PATH: usize = 103;

impl Address {
    /// Parses an endpoint in libzmq's notation.
    pub fn new(text: &str) -> Self {
        Address {
            kind: Kind::of(text),
            text: text.into(),
        }
    }

    /// The endpoint in libzmq's notation.
    pub fn text(&self) -> &str {
        &self.text
    }

    pub(super) fn kind(&self) -> &Kind {
        &self.kind
    }

    /// Whether the endpoint is within this process.
    pub fn is_inproc(&self) -> bool {
        matches!(self.kind, Kind::Inproc(_))
    }

    /// The path of the socket's file, if it is an ipc endpoint with one.
    pub(super) fn path(&self) -> Option<&str> {
        match &self.kind {
            Kind::Path(path) => Some(path),
            _ => None,
        }
    }

    /// The host name and the port, if the host has to be looked up.
    pub(super) fn name(&self) -> Option<(&str, u16)> {
        match &self.kind {
            Kind::Tcp {
                host: Host::Named(name),
                port,
            } if !name.is_empty() => Some((name, port.parse().ok().filter(|&port| port > 0)?)),
            _ => None,
        }
    }

    /// The address as the system has it, if the host is one; an error if its scope names no interface.
    pub(super) fn number(&self) -> Option<io::Result<SocketAddr>> {
        match &self.kind {
            Kind::Tcp { host, port } => host.number(port.parse().ok()?),
            _ => None,
        }
    }

    /// Whether both ends are on this machine.
    pub fn is_local(&self) -> bool {
        matches!(
            self.kind,
            Kind::Path(_) | Kind::Abstract(_) | Kind::Anonymous | Kind::Inproc(_)
        )
    }

    /// Whether the host is an IPv6 address, which libzmq refuses without an option.
    pub(super) fn is_ipv6(&self) -> bool {
        matches!(&self.kind, Kind::Tcp { host: Host::Number(number), .. } if number.starts_with('['))
    }

    /// Checks what libzmq does not check in time:
    /// - the port, which it truncates to 16 bits,
    /// - the length of a path, which it refuses only after it has removed the file,
    /// - the name of an inproc endpoint, which it is not asked about until the name is bound.
    pub(super) fn check(&self, doing: &str) -> Result<(), Error> {
        let is_wrong = match &self.kind {
            Kind::Inproc(name) => name.is_empty(),
            Kind::Tcp { port, .. } => {
                port.bytes().all(|c| c.is_ascii_digit()) && port.parse::<u16>().is_err()
            }
            _ => false,
        };
        if is_wrong {
            return Err(Error::from_errno(errno::EINVAL, doing));
        }
        let Some(path) = self.path().filter(|path| path.len() > MAX_PATH) else {
            return Ok(());
        };
        Err(Error {
            code: "ENAMETOOLONG",
            message: format!(
                "{doing}: the path has {} bytes, and this system allows at most {MAX_PATH}",
                path.len()
            ),
        })
    }
}

impl Kind {
    fn of(text: &str) -> Self {
        if let Some(rest) = text.strip_prefix("inproc:") {
            return Kind::Inproc(rest.strip_prefix("//").unwrap_or_default().into());
        }
        if let Some(path) = text.strip_prefix("ipc://") {
            return match (path.strip_prefix('@'), path.starts_with('*')) {
                (Some(name), _) => Kind::Abstract(name.into()),
                (None, true) => Kind::Anonymous,
                (None, false) => Kind::Path(path.into()),
            };
        }
        let Some((host, port)) = text
            .strip_prefix("tcp://")
            .and_then(|address| address.rsplit_once(':'))
        else {
            return Kind::Other;
        };
        Kind::Tcp {
            host: Host::of(host, port),
            port: port.into(),
        }
    }
}

impl Host {
    fn of(host: &str, port: &str) -> Self {
        if host.contains(';') || port.contains(';') {
            Host::WithSource
        } else if host == "*" {
            Host::Everywhere
        } else if host.starts_with('[') || host.parse::<IpAddr>().is_ok() {
            Host::Number(host.into())
        } else {
            Host::Named(host.into())
        }
    }

    /// The address with this port, if the host is a number; an error if its scope names no interface.
    pub(super) fn number(&self, port: u16) -> Option<io::Result<SocketAddr>> {
        let Host::Number(number) = self else {
            return None;
        };
        let number = number.trim_start_matches('[').trim_end_matches(']');
        match (number, port).to_socket_addrs() {
            Ok(mut found) => found.next().map(Ok),
            Err(error) => Some(Err(error)),
        }
    }
}

impl From<SocketAddr> for Address {
    fn from(address: SocketAddr) -> Self {
        Address::new(&format!("tcp://{address}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds() {
        let name = |text: &str| {
            let address = Address::new(text);
            address.name().map(|(host, port)| (host.to_owned(), port))
        };
        assert_eq!(name("tcp://localhost:1"), Some(("localhost".into(), 1)));
        assert_eq!(
            name("tcp://a.example:65535"),
            Some(("a.example".into(), 65535))
        );
        for other in [
            "tcp://127.0.0.1:1",
            "tcp://[::1]:1",
            "tcp://[fe80::1%eth0]:1",
            "tcp://*:1",
            "tcp://eth0;a.example:1",
            "tcp://a.example:0",
            "tcp://a.example:*",
            "tcp://a.example",
            "tcp://:1",
            "ipc://a.example:1",
            "inproc://a:1",
            "udp://a:1",
        ] {
            assert_eq!(name(other), None, "{other}");
        }
        let is_local = |text| Address::new(text).is_local();
        assert!(is_local("inproc://x") && is_local("ipc://x") && is_local("ipc://@x"));
        assert!(!is_local("tcp://127.0.0.1:1") && !is_local("tcp://a.example:1"));
        assert!(Address::new("inproc://x").is_inproc());
        assert!(!Address::new("ipc://inproc:").is_inproc());
        assert!(Address::new("tcp://[::1]:1").is_ipv6());
        let everywhere = |port: &str| Kind::Tcp {
            host: Host::Everywhere,
            port: port.into(),
        };
        assert_eq!(*Address::new("tcp://*:5").kind(), everywhere("5"));
        assert_eq!(*Address::new("tcp://*:*").kind(), everywhere("*"));
        assert_eq!(Address::new("ipc:///tmp/x").path(), Some("/tmp/x"));
        assert_eq!(Address::new("ipc://@x").path(), None);
        assert_eq!(*Address::new("ipc://@x").kind(), Kind::Abstract("x".into()));
        assert!(is_local("ipc://*"));
        let number = |text: &str| Address::new(text).number().and_then(Result::ok);
        assert_eq!(number("tcp://[::1]:7"), "[::1]:7".parse().ok());
        assert_eq!(number("tcp://127.0.0.1:7"), "127.0.0.1:7".parse().ok());
        assert_eq!(number("tcp://a.example:7"), None);
        assert_eq!(number("tcp://[::1]:*"), None);
        assert!(matches!(
            Address::new("tcp://[fe80::1%none0]:7").number(),
            Some(Err(_))
        ));
        let six: SocketAddr = "[fe80::1%3]:7".parse().unwrap();
        assert_eq!(Address::from(six).text(), "tcp://[fe80::1%3]:7");
    }

    #[test]
    fn errors_that_libzmq_would_miss_are_found() {
        let code = |text: &str| Address::new(text).check("x").err().map(|error| error.code);
        assert_eq!(code("tcp://127.0.0.1:65536"), Some("EINVAL"));
        assert_eq!(code("tcp://127.0.0.1:65535"), None);
        assert_eq!(code("tcp://eth0;a.example:65536"), Some("EINVAL"));
        assert_eq!(code("inproc://"), Some("EINVAL"));
        assert_eq!(code("inproc:x"), Some("EINVAL"));
        assert_eq!(code("inproc://x"), None);
        assert_eq!(
            code(&format!("ipc:///{}", "p".repeat(MAX_PATH))),
            Some("ENAMETOOLONG")
        );
        assert_eq!(code(&format!("ipc:///{}", "p".repeat(MAX_PATH - 1))), None);
    }
}
