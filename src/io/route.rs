//! The way to a broker: the addresses behind its endpoint, one after the other.
//!
//! A name is looked up by the system's rules, on a thread of its own, because that may take as long as
//! it likes: libzmq would do it on the thread that carries all messages of the process. Each address
//! gets one attempt, in the system's order; after the last the name is looked up again.

use super::address::Address;
use super::socket::Socket;
use super::{Error, clock};
use crate::proto::Time;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream, ToSocketAddrs};
use std::sync::Arc;
use std::thread;
use std::time::Duration;
use tokio::sync::Notify;
use tokio::sync::oneshot::{self, Receiver};
use tokio::time::sleep_until;

/// After a look-up that failed.
const AGAIN: Duration = Duration::from_secs(1);

/// How long attempts may fail before that is told, and how long at most until it is told again.
const TELL: Duration = Duration::from_secs(1);
const MAX_TELL: Duration = Duration::from_secs(60);

/// How long a look at why attempts fail may take.
const PROBE: Duration = Duration::from_secs(2);

type Found = Result<Vec<SocketAddr>, Error>;

enum State {
    /// Attempts are libzmq's matter.
    Fixed,
    /// The name is being looked up.
    Looking(Receiver<Found>),
    /// It could not be; it is looked up again then.
    Resting(Time),
    /// This address has its attempt, and these come after it.
    Trying(Address, std::vec::IntoIter<SocketAddr>),
}

pub(super) struct Route {
    address: Address,
    state: State,
    /// Since when attempts fail, and when to tell.
    failing: Option<(Time, Time)>,
    /// Why the last one did.
    probe: Option<Receiver<Option<Error>>>,
    reason: Option<Error>,
    /// A thread has answered.
    answered: Arc<Notify>,
}

impl Route {
    pub(super) fn new(address: Address) -> Self {
        Route {
            address,
            state: State::Fixed,
            failing: None,
            probe: None,
            reason: None,
            answered: Arc::default(),
        }
    }

    pub(super) fn address(&self) -> &Address {
        &self.address
    }

    /// A new socket begins. An endpoint that is no name is an error at once if it is none at all.
    pub(super) fn begin(&mut self, socket: &Socket) -> Result<(), Error> {
        if self.address.name().is_none() {
            self.state = State::Fixed;
            return socket.connect(&self.address);
        }
        self.look_up();
        Ok(())
    }

    /// There is a connection.
    pub(super) fn arrived(&mut self) {
        self.failing = None;
        self.probe = None;
        self.reason = None;
    }

    fn look_up(&mut self) {
        let Some((host, port)) = self.address.name() else {
            return;
        };
        let doing = format!("cannot look up {host}");
        let (host, (found, inbox)) = (host.to_owned(), oneshot::channel());
        let answered = self.answered.clone();
        let looking = thread::Builder::new()
            .name("omdp-name".into())
            .spawn(move || {
                let addresses = (host.as_str(), port).to_socket_addrs();
                let addresses = addresses.map(Iterator::collect).map_err(|error| Error {
                    code: "ENOTFOUND",
                    message: format!("{doing}: {error}"),
                });
                let _ = found.send(match host.eq_ignore_ascii_case("localhost") {
                    true => Ok(both_loopbacks(addresses.unwrap_or_default(), port)),
                    false => addresses,
                });
                answered.notify_one();
            });
        self.state = match looking {
            Ok(_) => State::Looking(inbox),
            Err(_) => State::Resting(clock::now() + AGAIN),
        };
    }

    /// An attempt failed: the next address has its turn.
    pub(super) fn failed(&mut self, socket: &Socket) {
        let now = clock::now();
        self.failing.get_or_insert((now, now + TELL));
        self.ask_why();
        if let State::Trying(at, rest) = &mut self.state {
            socket.detach(at);
            match rest.next() {
                Some(next) => {
                    *at = next.into();
                    if socket.connect(at).is_err() {
                        self.state = State::Resting(now);
                    }
                }
                // After the last one's attempt comes a rest, as between libzmq's own.
                None => self.state = State::Resting(now + REST),
            }
        }
    }

    /// libzmq says that an attempt failed, and not why.
    fn ask_why(&mut self) {
        if self.probe.is_some() {
            return;
        }
        let address = match &self.state {
            State::Trying(address, _) => address.clone(),
            _ => self.address.clone(),
        };
        let (answer, inbox) = oneshot::channel();
        let answered = self.answered.clone();
        let asking = thread::Builder::new()
            .name("omdp-probe".into())
            .spawn(move || {
                let _ = answer.send(why(&address));
                answered.notify_one();
            });
        self.probe = asking.is_ok().then_some(inbox);
    }

    /// Takes what has become of look-ups, and says why attempts fail, if that is to be told now.
    pub(super) fn advance(&mut self, socket: &Socket) -> Option<Error> {
        let now = clock::now();
        if let State::Looking(inbox) = &mut self.state {
            match inbox.try_recv() {
                Ok(Ok(found)) if !found.is_empty() => self.try_first(socket, found),
                Ok(result) => {
                    self.reason = result.err();
                    self.failing.get_or_insert((now, now + TELL));
                    self.state = State::Resting(now + AGAIN);
                }
                Err(oneshot::error::TryRecvError::Empty) => {}
                Err(oneshot::error::TryRecvError::Closed) => {
                    self.state = State::Resting(now + AGAIN)
                }
            }
        }
        if let State::Resting(until) = self.state
            && until <= now
        {
            self.look_up();
        }
        if let Some(Ok(reason)) = self.probe.as_mut().map(Receiver::try_recv) {
            self.probe = None;
            self.reason = reason.or(self.reason.take());
        }
        let (since, tell) = self.failing?;
        if tell > now || self.reason.is_none() {
            return None;
        }
        let next = now + (now - since).clamp(TELL, MAX_TELL);
        self.failing = Some((since, next));
        self.reason.clone()
    }

    fn try_first(&mut self, socket: &Socket, found: Vec<SocketAddr>) {
        let mut found = found.into_iter();
        self.state = State::Resting(clock::now() + AGAIN);
        while let Some(first) = found.next() {
            let first = Address::from(first);
            match socket.connect(&first) {
                Ok(()) => {
                    self.state = State::Trying(first, found);
                    return;
                }
                Err(error) => self.reason = Some(error),
            }
        }
    }

    /// Until [`advance`](Self::advance) has something to do.
    pub(super) async fn news(&self) {
        let rest = async {
            match self.state {
                State::Resting(until) => sleep_until(clock::instant(until)).await,
                _ => std::future::pending().await,
            }
        };
        tokio::select! {
            () = self.answered.notified() => {}
            () = rest => {}
        }
    }
}

/// Between the last address of a name and the next look-up.
const REST: Duration = Duration::from_millis(100);

/// `localhost` is this host, on both families (RFC 6761), whatever the system's tables say of it.
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

/// What a plain attempt ends with; nothing if it does not fail.
fn why(address: &Address) -> Option<Error> {
    let doing = format!("cannot connect to {}", address.text());
    #[cfg(unix)]
    if let Some(path) = address.path() {
        let tried = std::os::unix::net::UnixStream::connect(path);
        return tried.err().map(|error| Error::from_os(&error, &doing));
    }
    let number = address.text().strip_prefix("tcp://")?.parse().ok()?;
    let tried = TcpStream::connect_timeout(&number, PROBE);
    tried.err().map(|error| Error::from_os(&error, &doing))
}
