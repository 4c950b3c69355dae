//! The addresses of a broker's endpoint, tried one after the other.
//!
//! Each address gets one attempt, in the system's order. After the last one the name is looked up
//! again. If all attempts fail, that is reported after a second and then at growing intervals: event
//! `unreachable`.

mod probe;

use super::address::Address;
use super::context::watch_bound;
use super::lookup::{RETRY_PAUSE, Resolved, look_up};
use super::random::jittered;
use super::socket::Socket;
use super::{Error, clock};
use crate::proto::Time;
use crate::proto::link::{Attempts, SEARCH};
use probe::Probe;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::oneshot::{self, Receiver};
use tokio::sync::{Notify, watch};
use tokio::time::sleep_until;

/// Time from the first failed attempt to its report; then the longest interval between reports.
const REPORT_INTERVAL: Duration = Duration::from_secs(1);
const MAX_REPORT_INTERVAL: Duration = Duration::from_secs(60);

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
        let answered = self.answered.clone();
        self.probe = Some(Probe::start(address, answered));
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
        if let Some(reason) = self.probe.as_mut().and_then(Probe::result) {
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
