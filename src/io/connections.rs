//! The connections of a broker: their number, their owners, and the silent ones.
//!
//! libzmq accepts every connection and keeps it. It reports each with its descriptor, so that an
//! excess connection can be shut down from outside; libzmq then closes it as if the other side had.
//! A connection costs a peer nothing until its first message, so silent connections are ended first
//! when there are too many.

mod descriptor;
mod endless;

use super::Error;
use super::monitor::{Monitor, Report};
use super::security::HandshakeFailure;
use crate::proto::Time;
use crate::proto::broker::RoutingId;
use descriptor::{Fd, Hand, Reserve};
use endless::Endless;
use std::cell::Cell;
use std::collections::{BTreeSet, HashMap};
use std::ops::Bound;
use std::time::Duration;

/// Limits on connections.
#[derive(Debug, Clone, Copy)]
pub struct ConnectionLimits {
    /// Maximum number of connections in total.
    pub all: usize,
    /// Maximum number for each address; ipc connections have no address.
    pub of_address: usize,
    /// Maximum number for each user.
    pub of_user: usize,
    /// How long a connection may be silent after its handshake.
    pub silence: Option<Duration>,
    /// Maximum size of a message in bytes.
    pub message: u64,
    /// Whether names belong to their holders, see [`Connections::patience`].
    pub names_are_held: bool,
}

/// A report for the operator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ConnectionNotice {
    /// A connection was ended.
    Ended {
        /// The address of the peer; empty over ipc.
        address: String,
        /// The reason.
        reason: &'static str,
    },
    /// A handshake failed for another reason than the authenticator's refusal.
    Failed {
        /// The address of the peer; empty over ipc.
        address: String,
        /// The reason.
        failure: HandshakeFailure,
    },
    /// The process has no descriptor left for another connection.
    NoDescriptors {
        /// The number of open connections.
        connections: usize,
    },
}

/// The maximum number of bytes that a connection receives before the end of its handshake.
const MAX_HANDSHAKE_BYTES: u64 = 65_536;

/// Interval between checks while connections are in a handshake or silent.
const LOOK: Duration = Duration::from_millis(100);

/// Interval between checks otherwise, on systems that report received bytes.
const CALM: Duration = Duration::from_millis(500);

/// How often a busy driver takes reports.
const ASK: Duration = Duration::from_millis(10);

/// The maximum number of connections in one check: each takes some system calls.
const MOST: usize = 512;

/// A handshake that takes longer makes room for others.
const SLOW: Duration = Duration::from_secs(1);

/// The initial limit of silence for a peer whose name may be held by another connection.
const UNHEARD: Duration = Duration::from_secs(1);

/// The maximum number of addresses with a count of unheard connections.
const MAX_UNHEARD: usize = 4096;

/// Interval between reports that descriptors run out.
const TELL: Duration = Duration::from_secs(1);

/// What was not known of the connection over which a message has come.
pub(super) struct News {
    pub(super) peer: RoutingId,
    /// With the port; over ipc there is none.
    pub(super) address: Option<String>,
    /// Nothing had come over it before.
    pub(super) is_first: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// In its handshake.
    Shaking,
    /// The handshake has ended; no message has arrived.
    Silent,
    /// A message has arrived.
    Speaking,
    /// Shut down here; libzmq has not reported the end.
    Ended,
}

#[derive(Debug)]
struct Connection {
    remote: String,
    since: Time,
    stage: Stage,
    user: Option<Box<str>>,
    peer: Option<RoutingId>,
}

impl Connection {
    /// The address without the port.
    fn address(&self) -> &str {
        address_of(&self.remote)
    }
}

fn address_of(remote: &str) -> &str {
    let address = remote.strip_prefix("tcp://").unwrap_or_default();
    address.rsplit_once(':').map_or("", |(address, _)| address)
}

pub(super) struct Connections {
    limits: ConnectionLimits,
    monitor: Monitor,
    open: HashMap<Fd, Connection>,
    by_remote: HashMap<String, Fd>,
    of_address: HashMap<Box<str>, usize>,
    of_user: HashMap<Box<str>, usize>,
    /// The connection of each peer that has sent a message, and the value of `serial` at that time.
    speakers: HashMap<RoutingId, (Fd, u64)>,
    /// The silent connections by age.
    quiet: BTreeSet<(Time, Fd)>,
    /// The connections of lost peers, and how often they were checked since.
    given_up: Vec<(Fd, u32)>,
    /// The number of connections accepted so far.
    serial: u64,
    hand: Hand,
    reserve: Reserve,
    /// While descriptors are short: the number of connections that fit, and when this was
    /// determined.
    room: Option<(usize, Time)>,
    told: Option<Time>,
    /// Whether libzmq may have reports, and when they were last taken.
    has_news: Cell<bool>,
    asked: Time,
    /// When the silent connections were last checked, and the last of them that was.
    looked: Time,
    cursor: (Time, Fd),
    /// How many consecutive connections of an address were ended because no message was heard.
    unheard: HashMap<Box<str>, u32>,
    endless: Endless,
    /// The connections whose bytes are still to be checked in this round.
    round: Vec<Fd>,
    notices: Vec<ConnectionNotice>,
    /// The peers whose connections have ended, until they are drained.
    ended: Vec<RoutingId>,
}

impl Connections {
    /// Returns the monitor if there is no descriptor for the reserve.
    pub(super) fn new(
        limits: ConnectionLimits,
        monitor: Monitor,
    ) -> Result<Self, (Monitor, Error)> {
        let hand = match Hand::new() {
            Ok(hand) => hand,
            Err(error) => {
                return Err((monitor, Error::from_os(&error, "cannot watch connections")));
            }
        };
        let mut reserve = Reserve::default();
        reserve.fill();
        Ok(Connections {
            endless: Endless::new(limits.message),
            round: Vec::new(),
            limits,
            monitor,
            open: HashMap::new(),
            by_remote: HashMap::new(),
            of_address: HashMap::new(),
            of_user: HashMap::new(),
            speakers: HashMap::new(),
            quiet: BTreeSet::new(),
            given_up: Vec::new(),
            serial: 0,
            hand,
            reserve,
            room: None,
            told: None,
            has_news: Cell::new(true),
            asked: Time::ZERO,
            looked: Time::ZERO,
            cursor: (Time::ZERO, 0),
            unheard: HashMap::new(),
            notices: Vec::new(),
            ended: Vec::new(),
        })
    }

    pub(super) fn into_monitor(self) -> Monitor {
        self.monitor
    }

    /// Waits until libzmq has reports, since the last [`update`](Self::update).
    pub(super) async fn news(&self) {
        // An error is found again with the next report.
        let _ = self.monitor.news().await;
        self.has_news.set(true);
    }

    /// When [`update`](Self::update) has to run even without reports.
    pub(super) fn next_deadline(&self) -> Option<Time> {
        let soon = !self.quiet.is_empty() || !self.given_up.is_empty() || self.room.is_some();
        let soon = soon || self.endless.listens();
        let ever = cfg!(target_os = "linux") && !self.of_address.is_empty();
        (soon || ever).then(|| self.looked + if soon { LOOK } else { CALM })
    }

    pub(super) fn drain_notices(&mut self) -> impl Iterator<Item = ConnectionNotice> {
        self.notices.drain(..)
    }

    /// Takes libzmq's reports, and ends connections that were silent for too long.
    pub(super) fn update(&mut self, now: Time) {
        // A busy driver does not wait for reports, and asking costs as much as a message.
        if !self.has_news.take() && now.since(self.asked) < ASK {
            return;
        }
        self.asked = now;
        loop {
            while let Some(report) = self.monitor.next() {
                self.on_report(now, report);
            }
            // Asking re-arms the monitor's descriptor.
            if !self.monitor.has_more() {
                break;
            }
        }
        if self.next_deadline().is_some_and(|at| at <= now) {
            self.looked = now;
            self.look(now);
        }
    }

    /// Takes all current reports of libzmq.
    pub(super) fn catch_up(&mut self, now: Time) {
        self.has_news.set(true);
        self.update(now);
    }

    /// Whether [`heard`](Self::heard) has to be called for messages.
    pub(super) fn listens(&self) -> bool {
        !self.quiet.is_empty() || self.endless.listens()
    }

    /// Reports that all received messages have been taken.
    pub(super) fn drained(&mut self) {
        for fd in self.endless.judge() {
            self.end(fd, "a message without an end");
        }
    }

    /// The address of this peer's connection, with the port; over ipc there is none.
    pub(super) fn address(&self, peer: &[u8]) -> Option<&str> {
        let (fd, _) = self.speakers.get(peer)?;
        self.open.get(fd)?.remote.strip_prefix("tcp://")
    }

    /// Ends the connection of this peer, which has another one.
    pub(super) fn end_replaced(&mut self, peer: &[u8]) {
        // The descriptor may be that of a new connection.
        if let Some(&(fd, _)) = self.speakers.get(peer)
            && self.open.get(&fd).and_then(|entry| entry.peer.as_deref()) == Some(peer)
        {
            self.end_quietly(fd);
        }
    }

    /// Whether the connection of this peer is known.
    pub(super) fn knows(&self, peer: &[u8]) -> bool {
        self.speakers.contains_key(peer)
    }

    /// The peers whose connections have ended.
    pub(super) fn drain_ended(&mut self) -> std::vec::Drain<'_, RoutingId> {
        self.ended.drain(..)
    }

    /// Reports a message of this peer. `connection` asks the transport for the descriptor of the
    /// peer's connection, and for its user. Returns the peer and its address with the port if they
    /// were not known, and whether this is the first message of the connection.
    pub(super) fn heard<'a>(
        &mut self,
        peer: &[u8],
        connection: impl FnOnce() -> (Option<Fd>, Option<&'a str>),
    ) -> Option<News> {
        // `connection` is the most expensive part: it is called once for each connection accepted
        // since.
        if let Some(&(fd, serial)) = self.speakers.get(peer) {
            self.endless.heard(fd);
            if serial == self.serial {
                return None;
            }
        }
        let (fd, user) = connection();
        let fd = fd?;
        self.endless.heard(fd);
        let is_first = self.open.get(&fd)?.stage != Stage::Speaking;
        let id: RoutingId = peer.into();
        let before = self.speakers.insert(id.clone(), (fd, self.serial));
        // The transport has given the name to this one, and leaves that alone, which would hear nothing any more.
        if let Some((before, _)) = before.filter(|&(before, _)| before != fd) {
            self.end_quietly(before);
        }
        let entry = self.open.get_mut(&fd)?;
        self.quiet.remove(&(entry.since, fd));
        if entry.stage == Stage::Ended {
            return None;
        }
        entry.stage = Stage::Speaking;
        let address = entry.remote.strip_prefix("tcp://").map(str::to_owned);
        if !self.unheard.is_empty() {
            self.unheard.remove(address_of(&entry.remote));
        }
        entry.peer = Some(id.clone());
        if let Some(user) = user.filter(|_| entry.user.is_none()) {
            entry.user = Some(user.into());
            let count = self.of_user.entry(user.into()).or_default();
            *count += 1;
            if *count > self.limits.of_user {
                self.end(fd, "too many connections of this user");
            }
        }
        Some(News {
            peer: id,
            address,
            is_first,
        })
    }

    /// Reports that the machine has lost this peer. Its connection ends a moment later, so that the
    /// DISCONNECT arrives.
    pub(super) fn lost(&mut self, peer: &[u8]) {
        if let Some(&(fd, _)) = self.speakers.get(peer)
            && self.open.get(&fd).and_then(|entry| entry.peer.as_deref()) == Some(peer)
        {
            self.given_up.push((fd, 0));
        }
    }

    /// The first check may follow at once, the second and the third after a full interval each.
    fn end_given_up(&mut self) {
        for (_, looks) in &mut self.given_up {
            *looks += 1;
        }
        let is_due = |&mut (_, looks): &mut (Fd, u32)| looks > 2;
        let due: Vec<Fd> = self
            .given_up
            .extract_if(.., is_due)
            .map(|(fd, _)| fd)
            .collect();
        for fd in due {
            self.end_quietly(fd);
        }
    }

    fn on_report(&mut self, now: Time, report: Report) {
        let Report {
            event,
            value,
            remote,
        } = report;
        match event {
            zmq_sys::ZMQ_EVENT_ACCEPTED => self.accepted(now, value as Fd, remote),
            zmq_sys::ZMQ_EVENT_ACCEPT_FAILED => self.not_accepted(now, value),
            zmq_sys::ZMQ_EVENT_DISCONNECTED => self.forget(value as Fd),
            zmq_sys::ZMQ_EVENT_HANDSHAKE_SUCCEEDED => {
                if let Some(entry) = self
                    .by_remote
                    .get(&remote)
                    .and_then(|fd| self.open.get_mut(fd))
                    && entry.stage == Stage::Shaking
                {
                    entry.stage = Stage::Silent;
                }
            }
            _ => {
                if let Some(failure) = HandshakeFailure::from_event(event, value as u32) {
                    let ended = self.by_remote.get(&remote).and_then(|fd| self.open.get(fd));
                    // An end that was caused here was reported before.
                    if ended.is_none_or(|entry| entry.stage != Stage::Ended) {
                        self.notices.push(ConnectionNotice::Failed {
                            address: address_of(&remote).into(),
                            failure,
                        });
                    }
                }
            }
        }
    }

    fn accepted(&mut self, now: Time, fd: Fd, remote: String) {
        // A connection with the same descriptor has ended, even if its end was not reported.
        self.forget(fd);
        self.serial += 1;
        let address: Box<str> = address_of(&remote).into();
        if !address.is_empty() {
            self.by_remote.insert(remote.clone(), fd);
            *self.of_address.entry(address.clone()).or_default() += 1;
        }
        let connection = Connection {
            remote,
            since: now,
            stage: Stage::Shaking,
            user: None,
            peer: None,
        };
        self.open.insert(fd, connection);
        self.quiet.insert((now, fd));
        let of_address = self.of_address.get(&address).copied().unwrap_or(0);
        if of_address > self.limits.of_address {
            return self.end(fd, "too many connections of this address");
        }
        let room = self.room.map_or(usize::MAX, |(room, _)| room);
        if self.open.len() > self.limits.all.min(room) {
            // A connection that had the time to send a message and did not is ended first.
            let oldest = self
                .quiet
                .first()
                .copied()
                .filter(|(since, _)| now.since(*since) >= SLOW);
            self.end(oldest.map_or(fd, |(_, fd)| fd), "too many connections");
        }
    }

    /// Handles a connection that libzmq could not accept for lack of a descriptor: the reserve lets
    /// libzmq accept it, and one connection is ended.
    fn not_accepted(&mut self, now: Time, errno: u64) {
        if !is_out_of_descriptors(errno) {
            return;
        }
        self.reserve.release();
        let connections = self.open.len();
        self.room.get_or_insert((connections, now)).1 = now;
        if self.told.is_none_or(|told| now.since(told) >= TELL) {
            self.told = Some(now);
            self.notices
                .push(ConnectionNotice::NoDescriptors { connections });
        }
    }

    fn look(&mut self, now: Time) {
        self.end_given_up();
        self.look_at_bytes();
        if let Some((_, since)) = self.room {
            self.reserve.fill();
            if now.since(since) >= TELL {
                self.room = None;
            }
        }
        let mut ended = Vec::new();
        let behind = self
            .quiet
            .range((Bound::Excluded(self.cursor), Bound::Unbounded));
        let turn: Vec<_> = behind.take(MOST).copied().collect();
        self.cursor = match turn.last() {
            Some(&last) if turn.len() == MOST => last,
            _ => (Time::ZERO, 0),
        };
        for (since, fd) in turn {
            let Some(entry) = self.open.get(&fd) else {
                continue;
            };
            let age = now.since(since);
            match entry.stage {
                Stage::Shaking
                    if self
                        .hand
                        .received(fd, &entry.remote)
                        .is_some_and(|bytes| bytes > MAX_HANDSHAKE_BYTES) =>
                {
                    ended.push((fd, "too many bytes before the handshake"));
                }
                Stage::Silent
                    if self
                        .patience(entry.address())
                        .is_some_and(|most| age >= most) =>
                {
                    ended.push((fd, "silent for too long"));
                }
                _ => {}
            }
        }
        for (fd, reason) in ended {
            if self.limits.names_are_held
                && let Some(entry) = self.open.get(&fd)
                && entry.stage == Stage::Silent
                && self.unheard.len() < MAX_UNHEARD
            {
                *self.unheard.entry(entry.address().into()).or_default() += 1;
            }
            self.end(fd, reason);
        }
    }

    /// Checks the received bytes of some connections, and of all suspects.
    fn look_at_bytes(&mut self) {
        if !cfg!(target_os = "linux") {
            return;
        }
        if self.round.is_empty() {
            self.round.extend(self.open.keys());
        }
        let rest = self.round.len().saturating_sub(MOST);
        let mut turn = self.round.split_off(rest);
        turn.extend(self.endless.suspects());
        for fd in turn {
            let Some(entry) = self.open.get(&fd) else {
                continue;
            };
            if !matches!(entry.stage, Stage::Silent | Stage::Speaking) {
                continue;
            }
            if let Some(received) = self.hand.received(fd, &entry.remote) {
                self.endless.look(fd, received);
            }
        }
    }

    /// How long a connection from this address may be silent.
    ///
    /// With security, libzmq discards what a peer sends under a name that another connection holds.
    /// It does not report this, and continues after the other connection has ended. A peer whose
    /// connection is ended comes back and is heard if the name is free by then. A truly silent peer
    /// comes back, too, so the limit grows.
    fn patience(&self, address: &str) -> Option<Duration> {
        let most = self.limits.silence?;
        if !self.limits.names_are_held {
            return Some(most);
        }
        let times = self.unheard.get(address).copied().unwrap_or(0);
        let grown = UNHEARD.saturating_mul(1 << times.min(16));
        Some(grown.min(most))
    }

    fn end(&mut self, fd: Fd, reason: &'static str) {
        if let Some(entry) = self.open.get(&fd) {
            self.notices.push(ConnectionNotice::Ended {
                address: entry.address().into(),
                reason,
            });
            self.end_quietly(fd);
        }
    }

    fn end_quietly(&mut self, fd: Fd) {
        let Some(entry) = self.open.get_mut(&fd) else {
            return;
        };
        entry.stage = Stage::Ended;
        self.quiet.remove(&(entry.since, fd));
        self.hand.end(fd, &entry.remote);
    }

    fn forget(&mut self, fd: Fd) {
        let Some(entry) = self.open.remove(&fd) else {
            return;
        };
        self.endless.forget(fd);
        self.given_up.retain(|&(of, _)| of != fd);
        self.quiet.remove(&(entry.since, fd));
        if self.by_remote.get(&entry.remote) == Some(&fd) {
            self.by_remote.remove(&entry.remote);
        }
        release(&mut self.of_address, entry.address());
        if let Some(user) = &entry.user {
            release(&mut self.of_user, user);
        }
        if let Some(peer) = &entry.peer
            && self.speakers.get(peer).is_some_and(|(of, _)| *of == fd)
        {
            self.speakers.remove(peer);
            self.ended.push(peer.clone());
        }
    }
}

fn release(counts: &mut HashMap<Box<str>, usize>, of: &str) {
    if let Some(count) = counts.get_mut(of) {
        *count -= 1;
        if *count == 0 {
            counts.remove(of);
        }
    }
}

#[cfg(unix)]
fn is_out_of_descriptors(errno: u64) -> bool {
    [libc::EMFILE, libc::ENFILE]
        .map(|known| known as u64)
        .contains(&errno)
}

#[cfg(not(unix))]
fn is_out_of_descriptors(errno: u64) -> bool {
    errno == zmq_sys::errno::EMFILE as u64
}
