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

#[derive(Debug, Clone, PartialEq, Eq)]
enum Kind {
    /// A numeric host.
    Tcp,
    /// All addresses of this host.
    Everywhere {
        port: String,
    },
    /// A host name.
    Named {
        host: String,
        port: u16,
    },
    /// An ipc path in the file system.
    Path(String),
    /// An abstract name of Linux.
    Abstract(String),
    /// An ipc endpoint whose name libzmq chooses.
    Anonymous,
    Inproc,
    /// An invalid endpoint; the error comes from libzmq.
    Other,
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

    /// Whether the endpoint is within this process.
    pub fn is_inproc(&self) -> bool {
        self.kind == Kind::Inproc
    }

    /// The path of the socket's file, if it is an ipc endpoint with one.
    pub(super) fn path(&self) -> Option<&str> {
        match &self.kind {
            Kind::Path(path) => Some(path),
            _ => None,
        }
    }

    /// The name, if it is an ipc endpoint with an abstract one.
    #[cfg_attr(not(target_os = "linux"), allow(dead_code))]
    pub(super) fn abstract_name(&self) -> Option<&str> {
        match &self.kind {
            Kind::Abstract(name) => Some(name),
            _ => None,
        }
    }

    /// The port, if the endpoint means all addresses of this host.
    pub(super) fn everywhere(&self) -> Option<&str> {
        match &self.kind {
            Kind::Everywhere { port } => Some(port),
            _ => None,
        }
    }

    /// The host name and the port, if the host has to be looked up.
    pub(super) fn name(&self) -> Option<(&str, u16)> {
        match &self.kind {
            Kind::Named { host, port } => Some((host, *port)),
            _ => None,
        }
    }

    /// The address as the system has it, if the host is one; an error if its scope names no interface.
    pub(super) fn number(&self) -> Option<io::Result<SocketAddr>> {
        if self.kind != Kind::Tcp {
            return None;
        }
        let (host, port) = self.text.strip_prefix("tcp://")?.rsplit_once(':')?;
        let host = host.trim_start_matches('[').trim_end_matches(']');
        let found = (host, port.parse().ok()?).to_socket_addrs();
        found
            .map(|mut each| each.next())
            .map_or_else(|error| Some(Err(error)), |first| first.map(Ok))
    }

    /// Whether both ends are on this machine.
    pub fn is_local(&self) -> bool {
        matches!(
            self.kind,
            Kind::Path(_) | Kind::Abstract(_) | Kind::Anonymous | Kind::Inproc
        )
    }

    /// Whether the host is an IPv6 address, which libzmq refuses without an option.
    pub(super) fn is_ipv6(&self) -> bool {
        self.kind == Kind::Tcp && self.text.starts_with("tcp://[")
    }

    /// Checks what libzmq does not: it truncates a port to 16 bits, it refuses a path that is too
    /// long only after it has removed the file, and it is not asked about an inproc name that is not
    /// bound.
    pub(super) fn check(&self, doing: &str) -> Result<(), Error> {
        let has_name = |name: &str| !name.is_empty();
        if self.is_inproc() && !self.text.strip_prefix("inproc://").is_some_and(has_name) {
            return Err(Error::from_errno(errno::EINVAL, doing));
        }
        let port = self
            .text
            .strip_prefix("tcp://")
            .and_then(|address| address.rsplit_once(':'))
            .map(|(_, port)| port);
        if let Some(port) = port
            && port.bytes().all(|c| c.is_ascii_digit())
            && port.parse::<u16>().is_err()
        {
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
        if text.starts_with("inproc:") {
            return Kind::Inproc;
        }
        if let Some(path) = text.strip_prefix("ipc://") {
            return match (path.strip_prefix('@'), path.starts_with('*')) {
                (Some(name), _) => Kind::Abstract(name.into()),
                (None, true) => Kind::Anonymous,
                (None, false) => Kind::Path(path.into()),
            };
        }
        let host_and_port = text.strip_prefix("tcp://").and_then(|address| {
            // The part before a semicolon is the source address, which libzmq checks.
            address.rsplit_once(':').filter(|_| !address.contains(';'))
        });
        let Some((host, port)) = host_and_port else {
            return Kind::Other;
        };
        if host == "*" {
            return Kind::Everywhere { port: port.into() };
        }
        if host.starts_with('[') || host.parse::<IpAddr>().is_ok() {
            return Kind::Tcp;
        }
        match port.parse() {
            Ok(port) if !host.is_empty() && port > 0 => Kind::Named {
                host: host.into(),
                port,
            },
            _ => Kind::Other,
        }
    }
}

impl From<SocketAddr> for Address {
    fn from(address: SocketAddr) -> Self {
        Address {
            text: format!("tcp://{address}"),
            kind: Kind::Tcp,
        }
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
        assert_eq!(Address::new("tcp://*:5").everywhere(), Some("5"));
        assert_eq!(Address::new("tcp://*:*").everywhere(), Some("*"));
        assert_eq!(Address::new("ipc:///tmp/x").path(), Some("/tmp/x"));
        assert_eq!(Address::new("ipc://@x").path(), None);
        assert_eq!(Address::new("ipc://@x").abstract_name(), Some("x"));
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
    fn what_libzmq_would_get_wrong_is_refused() {
        let code = |text: &str| Address::new(text).check("x").err().map(|error| error.code);
        assert_eq!(code("tcp://127.0.0.1:65536"), Some("EINVAL"));
        assert_eq!(code("tcp://127.0.0.1:65535"), None);
        assert_eq!(
            code(&format!("ipc:///{}", "p".repeat(MAX_PATH))),
            Some("ENAMETOOLONG")
        );
        assert_eq!(code(&format!("ipc:///{}", "p".repeat(MAX_PATH - 1))), None);
    }
}
