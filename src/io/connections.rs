//! The connections of a broker: how many there are, of whom, and which of them say nothing.
//!
//! libzmq accepts whoever comes and keeps whoever stays. It reports each connection with its
//! descriptor, and so one that is too many can be ended from outside; libzmq then lets go of it as if
//! the other side had. Until a peer has said its first message its connection costs it nothing, so
//! such connections are the first to go when there are too many.

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

/// How many connections there may be.
#[derive(Debug, Clone, Copy)]
pub struct ConnectionLimits {
    /// In all.
    pub all: usize,
    /// From one address; over ipc nobody has one.
    pub of_address: usize,
    /// Of one user.
    pub of_user: usize,
    /// How long one may say nothing after its handshake.
    pub silence: Option<Duration>,
    /// How many bytes a message may have.
    pub message: u64,
    /// Whether a name belongs to whoever holds it, see [`Connections::patience`].
    pub names_are_held: bool,
}

/// What the operator is to know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ConnectionNotice {
    /// A connection was ended.
    Ended {
        /// Whose it was; empty over ipc.
        address: String,
        /// Why.
        reason: &'static str,
    },
    /// A handshake failed for another reason than that the authenticator refused.
    Failed {
        /// Whose it was; empty over ipc.
        address: String,
        /// Why.
        failure: HandshakeFailure,
    },
    /// The process has no descriptor left for another connection.
    NoDescriptors {
        /// How many connections there are.
        connections: usize,
    },
}

/// More does not come before the end of a handshake.
const MAX_HANDSHAKE_BYTES: u64 = 65_536;

/// How often connections that shake hands, or are silent, are looked at.
const LOOK: Duration = Duration::from_millis(100);

/// How often the others are looked at, where the system tells how much has come over them.
const CALM: Duration = Duration::from_millis(500);

/// How often a busy driver takes reports.
const ASK: Duration = Duration::from_millis(10);

/// So many at a time: each takes some calls of the system.
const MOST: usize = 512;

/// A handshake that takes longer makes room for others.
const SLOW: Duration = Duration::from_secs(1);

/// How long a peer may say nothing that has a name which another may hold, at first.
const UNHEARD: Duration = Duration::from_secs(1);

/// Of so many addresses it is counted how often they were not heard.
const MAX_UNHEARD: usize = 4096;

/// How often it is said that descriptors run out.
const TELL: Duration = Duration::from_secs(1);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// It has not shaken hands.
    Shaking,
    /// It has, and has said nothing.
    Silent,
    /// It has said something.
    Speaking,
    /// It was ended, and libzmq has not noticed.
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
    /// Without the port.
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
    /// Who has spoken: by which connection, and after how many others had come.
    speakers: HashMap<RoutingId, (Fd, u64)>,
    /// Those that have said nothing, the oldest first.
    quiet: BTreeSet<(Time, Fd)>,
    /// Those of peers that were given up, and how often they were looked at since.
    given_up: Vec<(Fd, u32)>,
    /// How many have come.
    serial: u64,
    hand: Hand,
    reserve: Reserve,
    /// How many there are room for, while descriptors are short.
    room: Option<(usize, Time)>,
    told: Option<Time>,
    /// Whether libzmq may have something to report, and when it was asked last.
    has_news: Cell<bool>,
    asked: Time,
    /// When the silent ones were looked at, and up to which.
    looked: Time,
    cursor: (Time, Fd),
    /// How often in a row the connections of an address were ended because nothing was heard of them.
    unheard: HashMap<Box<str>, u32>,
    endless: Endless,
    /// Whose bytes are still to be looked at in this round.
    round: Vec<Fd>,
    notices: Vec<ConnectionNotice>,
    /// The peers whose connections have ended, until somebody takes note.
    ended: Vec<RoutingId>,
}

impl Connections {
    /// Gives the monitor back if there is no descriptor for what it takes.
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

    /// Until libzmq has something to report, since the last [`update`](Self::update).
    pub(super) async fn news(&self) {
        // An error would be found again at the next report.
        let _ = self.monitor.news().await;
        self.has_news.set(true);
    }

    /// When [`update`](Self::update) has something to look at, whatever is reported.
    pub(super) fn next_deadline(&self) -> Option<Time> {
        let soon = !self.quiet.is_empty() || !self.given_up.is_empty() || self.room.is_some();
        let soon = soon || self.endless.listens();
        let ever = cfg!(target_os = "linux") && !self.of_address.is_empty();
        (soon || ever).then(|| self.looked + if soon { LOOK } else { CALM })
    }

    pub(super) fn drain_notices(&mut self) -> impl Iterator<Item = ConnectionNotice> {
        self.notices.drain(..)
    }

    /// Takes what libzmq has reported, and ends what has been silent for too long.
    pub(super) fn update(&mut self, now: Time) {
        // A driver that is busy does not come to wait, and asking costs as much as a message.
        if !self.has_news.take() && now.since(self.asked) < ASK {
            return;
        }
        self.asked = now;
        loop {
            while let Some(report) = self.monitor.next() {
                self.on_report(now, report);
            }
            // Asking re-arms the descriptor that tells of news.
            if !self.monitor.has_more() {
                break;
            }
        }
        if self.next_deadline().is_some_and(|at| at <= now) {
            self.looked = now;
            self.look(now);
        }
    }

    /// Takes what libzmq has reported by now.
    pub(super) fn catch_up(&mut self, now: Time) {
        self.has_news.set(true);
        self.update(now);
    }

    /// Whether it matters who says something, so that [`heard`](Self::heard) has to be told of messages.
    pub(super) fn listens(&self) -> bool {
        !self.quiet.is_empty() || self.endless.listens()
    }

    /// All messages that were there have been taken.
    pub(super) fn drained(&mut self) {
        for fd in self.endless.judge() {
            self.end(fd, "a message without an end");
        }
    }

    /// Whether it is known by which connection this peer speaks.
    pub(super) fn knows(&self, peer: &[u8]) -> bool {
        self.speakers.contains_key(peer)
    }

    /// The peers whose connections have ended.
    pub(super) fn drain_ended(&mut self) -> std::vec::Drain<'_, RoutingId> {
        self.ended.drain(..)
    }

    /// A message has come from this peer. `connection` asks the transport by which connection, and of
    /// which user it is. The peer and its address with the port, if they were not known.
    pub(super) fn heard<'a>(
        &mut self,
        peer: &[u8],
        connection: impl FnOnce() -> (Option<Fd>, Option<&'a str>),
    ) -> Option<(RoutingId, String)> {
        // Asking takes longer than all else: once for each that has come since.
        if let Some(&(fd, serial)) = self.speakers.get(peer) {
            self.endless.heard(fd);
            if serial == self.serial {
                return None;
            }
        }
        let (fd, user) = connection();
        let fd = fd?;
        self.endless.heard(fd);
        let entry = self.open.get_mut(&fd)?;
        let id: RoutingId = peer.into();
        self.speakers.insert(id.clone(), (fd, self.serial));
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
        address.map(|address| (id, address))
    }

    /// The machine has given this peer up. Its connection ends a moment later, so that the goodbye arrives.
    pub(super) fn lost(&mut self, peer: &[u8]) {
        if let Some(&(fd, _)) = self.speakers.get(peer)
            && self.open.get(&fd).and_then(|entry| entry.peer.as_deref()) == Some(peer)
        {
            self.given_up.push((fd, 0));
        }
    }

    /// The first look may come at once, the second and the third a full interval later each.
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
                    // What was ended here has been told already.
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
        // One of that number whose end was not reported can't be there any more.
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
            // Who has had time to speak and has not used it goes first.
            let oldest = self
                .quiet
                .first()
                .copied()
                .filter(|(since, _)| now.since(*since) >= SLOW);
            self.end(oldest.map_or(fd, |(_, fd)| fd), "too many connections");
        }
    }

    /// There was no descriptor for a connection: with what is kept for this libzmq accepts it after
    /// all, and one is ended.
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
                    ended.push((fd, "too much before the handshake"));
                }
                Stage::Silent
                    if self
                        .patience(entry.address())
                        .is_some_and(|most| age >= most) =>
                {
                    ended.push((fd, "nothing heard of it"));
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

    /// How much has come over some of the connections, and over all suspects.
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

    /// How long a connection from there may say nothing.
    ///
    /// With security on, libzmq does not pass on what comes under a name that another connection holds,
    /// and says so to nobody, also after the other is gone. Ended, such a peer comes back, and is heard
    /// if the name is free by then. One that really says nothing comes back too, so the time grows.
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
