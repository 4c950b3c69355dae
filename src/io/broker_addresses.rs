//! The addresses of a broker's endpoint, tried one after the other.
//!
//! Each address gets one attempt, in the system's order. After the last one the name is looked up
//! again.

use super::address::Address;
use super::context::watch_bound;
use super::jitter::jittered;
use super::lookup::{RETRY_PAUSE, Resolved, look_up};
use super::socket::Socket;
use super::task::ReactorTask;
use super::{Error, clock};
use crate::proto::Time;
use crate::proto::link::{Attempts, SEARCH};
#[cfg(unix)]
use socket2::{Domain, SockAddr, Socket as Socket2, Type};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::sync::oneshot::{self, Receiver};
use tokio::sync::{Notify, watch};
use tokio::time::{sleep_until, timeout};

/// Time from the first failed attempt to its report; then the longest interval between reports.
const REPORT_INTERVAL: Duration = Duration::from_secs(1);
const MAX_REPORT_INTERVAL: Duration = Duration::from_secs(60);

/// Maximum duration of a probe of why attempts fail.
const PROBE_TIMEOUT: Duration = Duration::from_secs(2);

enum State {
    /// Not a name: libzmq makes all attempts.
    Fixed,
    /// An inproc address that is not bound yet.
    Unbound(watch::Receiver<()>),
    /// The name is being looked up.
    Looking(Receiver<Resolved>),
    /// The next lookup follows at this time.
    Resting(Time),
    /// The address that is being tried, and the remaining ones.
    Trying(Address, std::vec::IntoIter<SocketAddr>),
}

/// A plain attempt to connect, for the reason of its failure.
struct Probe {
    inbox: Receiver<Option<Error>>,
    /// Ends with the probe.
    _task: ReactorTask,
}

pub(super) struct BrokerAddresses {
    address: Address,
    state: State,
    /// The time of the first failed attempt, and of the next report.
    failing: Option<(Time, Time)>,
    /// The running probe, and the reason of the last failure.
    probe: Option<Probe>,
    reason: Option<Error>,
    /// Notified when a lookup or a probe has a result.
    answered: Arc<Notify>,
    /// The pauses after the last address of a name.
    attempts: Attempts,
}

impl BrokerAddresses {
    pub(super) fn new(address: Address, attempts: Attempts) -> Self {
        BrokerAddresses {
            address,
            attempts,
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

    /// Starts with a new socket. Returns an error if the endpoint has no name and is invalid.
    pub(super) fn begin(&mut self, socket: &Socket) -> Result<(), Error> {
        if self.address.name().is_some() {
            self.look_up();
            return Ok(());
        }
        // The order prevents that a bind between the attempt and the wait is missed.
        let bound = watch_bound();
        self.state = match socket.connect(&self.address)? {
            true => State::Fixed,
            false => {
                self.begins_to_fail(clock::now());
                let text = self.address.text();
                self.reason = Some(Error {
                    code: "ECONNREFUSED",
                    message: format!(
                        "cannot connect to {text}: no broker of this process has bound it"
                    ),
                });
                State::Unbound(bound)
            }
        };
        Ok(())
    }

    /// Whether the address is not bound yet.
    pub(super) fn is_unbound(&self) -> bool {
        matches!(self.state, State::Unbound(_))
    }

    /// Reports a connection.
    pub(super) fn arrived(&mut self) {
        self.attempts.begin();
        self.failing = None;
        self.probe = None;
        self.reason = None;
    }

    /// Whether the owner is told that no socket could be opened: at once, then at growing intervals.
    pub(super) fn tells_failure(&mut self) -> bool {
        let now = clock::now();
        self.failing.get_or_insert((now, now));
        self.is_due(now)
    }

    /// Whether a report is due; then the next one follows after a longer time.
    fn is_due(&mut self, now: Time) -> bool {
        match &mut self.failing {
            Some((since, tell)) if *tell <= now => {
                *tell = now + (now - *since).clamp(REPORT_INTERVAL, MAX_REPORT_INTERVAL);
                true
            }
            _ => false,
        }
    }

    fn begins_to_fail(&mut self, now: Time) {
        self.failing.get_or_insert((now, now + REPORT_INTERVAL));
    }

    fn look_up(&mut self) {
        let Some((host, port)) = self.address.name() else {
            return;
        };
        let answered = self.answered.clone();
        self.state = match look_up(host, port, move || answered.notify_one()) {
            Some(inbox) => State::Looking(inbox),
            None => State::Resting(clock::now() + RETRY_PAUSE),
        };
    }

    /// Reports a failed attempt: the next address is tried.
    pub(super) fn failed(&mut self, socket: &Socket) {
        let now = clock::now();
        self.begins_to_fail(now);
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
                None => {
                    let searched = self
                        .failing
                        .map_or(Duration::ZERO, |(since, _)| now - since);
                    let pause = jittered(self.attempts.pause(searched));
                    self.state = State::Resting(now + pause);
                }
            }
        }
    }

    /// Whether the only address has been tried for so long that attempts are to be rare.
    pub(super) fn searches_for_long(&self) -> bool {
        let since = self.failing.map(|(since, _)| since);
        matches!(self.state, State::Fixed)
            && since.is_some_and(|since| clock::now() - since >= SEARCH)
    }

    /// Starts a probe: libzmq reports that an attempt failed, and not why.
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
        let task = ReactorTask::spawn(async move {
            let _ = answer.send(why(&address).await);
            answered.notify_one();
        });
        self.probe = Some(Probe { inbox, _task: task });
    }

    /// Processes results of lookups and probes. Returns why attempts fail, if a report is due.
    pub(super) fn advance(&mut self, socket: &Socket) -> Option<Error> {
        let now = clock::now();
        if let State::Unbound(bound) = &mut self.state {
            bound.mark_unchanged();
            match socket.connect(&self.address) {
                Ok(false) => return self.due(),
                Ok(true) => self.arrived(),
                Err(error) => self.reason = Some(error),
            }
            self.state = State::Fixed;
        }
        if let State::Looking(inbox) = &mut self.state {
            match inbox.try_recv() {
                Ok(Ok(found)) if !found.is_empty() => self.try_first(socket, found),
                Ok(result) => {
                    self.reason = result.err();
                    self.begins_to_fail(now);
                    self.state = State::Resting(now + RETRY_PAUSE);
                }
                Err(oneshot::error::TryRecvError::Empty) => {}
                Err(oneshot::error::TryRecvError::Closed) => {
                    self.state = State::Resting(now + RETRY_PAUSE)
                }
            }
        }
        if let State::Resting(until) = self.state
            && until <= now
        {
            self.look_up();
        }
        if let Some(Ok(reason)) = self.probe.as_mut().map(|probe| probe.inbox.try_recv()) {
            self.probe = None;
            self.reason = reason.or(self.reason.take());
        }
        self.due()
    }

    /// Reports why an attempt has failed that was made elsewhere.
    #[cfg(unix)]
    pub(super) fn note(&mut self, reason: Error) {
        let now = clock::now();
        self.begins_to_fail(now);
        self.reason = Some(reason);
    }

    /// Why attempts fail, if a report is due.
    pub(super) fn due(&mut self) -> Option<Error> {
        let now = clock::now();
        match self.reason.is_some() && self.is_due(now) {
            true => self.reason.clone(),
            false => None,
        }
    }

    fn try_first(&mut self, socket: &Socket, found: Vec<SocketAddr>) {
        let mut found = found.into_iter();
        self.state = State::Resting(clock::now() + RETRY_PAUSE);
        while let Some(first) = found.next() {
            let first = Address::from(first);
            match socket.connect(&first) {
                Ok(_) => {
                    self.state = State::Trying(first, found);
                    return;
                }
                Err(error) => self.reason = Some(error),
            }
        }
    }

    /// Waits until [`advance`](Self::advance) has something to do.
    pub(super) async fn news(&self) {
        let rest = async {
            match &self.state {
                State::Resting(until) => sleep_until(clock::instant(*until)).await,
                State::Unbound(bound) => self.bound_or_report(bound.clone()).await,
                _ => std::future::pending().await,
            }
        };
        tokio::select! {
            () = self.answered.notified() => {}
            () = rest => {}
        }
    }

    /// Waits until an inproc address is bound, or a report is due.
    async fn bound_or_report(&self, mut bound: watch::Receiver<()>) {
        let report = async {
            match self.failing {
                Some((_, tell)) => sleep_until(clock::instant(tell)).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            _ = bound.changed() => {}
            () = report => {}
        }
    }
}

/// The error of a plain connection attempt; `None` if it succeeds.
async fn why(address: &Address) -> Option<Error> {
    let doing = format!("cannot connect to {}", address.text());
    #[cfg(unix)]
    if let Some(place) = socket_file(address) {
        let tried = place.and_then(|place| {
            let socket = Socket2::new(Domain::UNIX, Type::STREAM, None)?;
            socket.set_nonblocking(true)?;
            socket.connect(&place)
        });
        return tried.err().map(|error| Error::from_os(&error, &doing));
    }
    let number = match address.number()? {
        Ok(number) => number,
        // The scope names no interface.
        Err(error) => return Some(Error::not_found(&error, &doing)),
    };
    let tried = timeout(PROBE_TIMEOUT, TcpStream::connect(number)).await;
    let tried = tried.unwrap_or_else(|_| Err(std::io::ErrorKind::TimedOut.into()));
    tried.err().map(|error| Error::from_os(&error, &doing))
}

/// Where a socket of an ipc endpoint is.
#[cfg(unix)]
fn socket_file(address: &Address) -> Option<std::io::Result<SockAddr>> {
    if let Some(path) = address.path() {
        return Some(SockAddr::unix(path));
    }
    #[cfg(target_os = "linux")]
    if let Some(name) = address.abstract_name() {
        let path = ["\0", name].concat();
        return Some(SockAddr::unix(path));
    }
    None
}
