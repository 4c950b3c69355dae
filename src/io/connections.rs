//! The connections of a broker: their number, their owners, and the silent ones.
//!
//! libzmq accepts every connection and keeps it. It reports each with its descriptor, so that an
//! excess connection can be shut down from outside; libzmq then closes it as if the other side had.
//! A connection costs a peer nothing until its first message, so silent connections are ended first
//! when there are too many.

mod checks;
mod counted;
mod counts;
mod descriptor;
mod endless;
mod entry;
mod given_up;
mod limits;
mod peers;
mod quiet;
mod reports;
mod shortage;

use super::Error;
use super::monitor::Monitor;
use crate::proto::Time;
use crate::proto::broker::RoutingId;
use counted::Room;
pub(super) use counted::{Fd, received, unfinished};
pub(super) use counts::Counts;
use descriptor::DescriptorCopy;
use endless::Endless;
pub use endless::UnfinishedLimits;
#[cfg(unix)]
pub(super) use entry::host_of;
use entry::{Connection, Stage};
pub(super) use given_up::GivenUp;
pub use limits::{ConnectionLimits, ConnectionNotice};
pub(super) use peers::PeerFacts;
pub(super) use quiet::{Patience, Quiet};
pub(super) use shortage::{Shortage, is_out_of_descriptors};
use std::cell::Cell;
use std::collections::{HashMap, HashSet};
use std::time::Duration;

/// Interval between checks while connections are in a handshake or silent.
pub(super) const LOOK: Duration = Duration::from_millis(100);

/// Interval between checks of connections with incomplete messages.
const UNFINISHED_CHECK_INTERVAL: Duration = Duration::from_millis(20);

/// The longest interval between checks otherwise, on systems where received bytes are counted.
const CALM_CHECK_INTERVAL: Duration = Duration::from_millis(500);

/// How often a busy driver takes reports.
const REPORT_INTERVAL: Duration = Duration::from_millis(10);

/// The maximum number of connections in one check: each takes some system calls.
pub(super) const MAX_CHECKED: usize = 512;

/// Why a connection ends whose message has more frames than permitted.
pub(super) const TOO_MANY_FRAMES: &str = "too many frames of a message";

/// The maximum number of peers whose connections were reset and whose last messages have not been received.
const MAX_RESET: usize = 65_536;

/// A handshake that takes longer makes room for others.
const SLOW: Duration = Duration::from_secs(1);

pub(super) struct Connections {
    limits: ConnectionLimits,
    monitor: Monitor,
    open: HashMap<Fd, Connection>,
    by_remote: HashMap<String, Fd>,
    of_address: Counts,
    of_user: Counts,
    /// The connection of each peer that has sent a message, and the value of `serial` at that time.
    of_peer: HashMap<RoutingId, (Fd, u64)>,
    quiet: Quiet<Fd>,
    patience: Patience,
    given_up: GivenUp<Fd>,
    /// The number of connections accepted so far.
    serial: u64,
    copy: DescriptorCopy,
    shortage: Shortage,
    /// Whether libzmq may have reports, and when they were last taken.
    has_news: Cell<bool>,
    asked: Time,
    /// When the connections were last checked, and those that may send a message without an end.
    looked: Time,
    looked_at_unfinished: Time,
    endless: Endless,
    /// The size of incomplete messages above which [`Endless`] decides.
    _room: Room,
    /// The connections whose bytes are still to be checked in this round.
    round: Vec<Fd>,
    /// The peers of which more of a message that is not complete has arrived, and whether there were any at the last check.
    receiving: Vec<RoutingId>,
    receives: bool,
    /// The peers whose connections were reset, and of which messages may be left.
    reset: HashSet<RoutingId>,
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
        let copy = match DescriptorCopy::new() {
            Ok(copy) => copy,
            Err(error) => {
                return Err((monitor, Error::from_os(&error, "cannot watch connections")));
            }
        };
        Ok(Connections {
            patience: Patience::new(limits.silence, limits.names_are_held),
            endless: Endless::new(limits.message, limits.unfinished),
            _room: Room::new(limits.unfinished.room()),
            round: Vec::new(),
            limits,
            monitor,
            open: HashMap::new(),
            by_remote: HashMap::new(),
            of_address: Counts::default(),
            of_user: Counts::default(),
            of_peer: HashMap::new(),
            quiet: Quiet::default(),
            given_up: GivenUp::new(),
            serial: 0,
            copy,
            shortage: Shortage::new(),
            has_news: Cell::new(true),
            asked: Time::ZERO,
            looked: Time::ZERO,
            looked_at_unfinished: Time::ZERO,
            receiving: Vec::new(),
            receives: false,
            reset: HashSet::new(),
            notices: Vec::new(),
            ended: Vec::new(),
        })
    }

    /// The number of connections.
    pub(super) fn len(&self) -> usize {
        self.open.len()
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
        let soon = !self.quiet.is_empty() || !self.given_up.is_empty() || self.shortage.is_there();
        // Of very many, those that are not checked now have their turn soon.
        let soon = soon || !self.round.is_empty() || self.receives;
        let ever = cfg!(unix) && !self.open.is_empty();
        // Several times in the time in which a peer may be silent, because a part of a message is a sign of life.
        let calm = (self.limits.patience / 3).min(CALM_CHECK_INTERVAL);
        let all = (soon || ever).then(|| self.looked + if soon { LOOK } else { calm.max(LOOK) });
        let unfinished = self
            .endless
            .watches()
            .then(|| self.looked_at_unfinished + UNFINISHED_CHECK_INTERVAL);
        all.into_iter().chain(unfinished).min()
    }

    pub(super) fn drain_notices(&mut self) -> std::vec::Drain<'_, ConnectionNotice> {
        self.notices.drain(..)
    }

    /// Takes libzmq's reports, and ends connections that were silent for too long.
    pub(super) fn update(&mut self, now: Time) {
        // A busy driver does not wait for reports, and asking costs as much as a message.
        if !self.has_news.take() && now.since(self.asked) < REPORT_INTERVAL {
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
        let is_due = self.next_deadline().is_some_and(|at| at <= now);
        // Before the regular check, because those that wait wait for this one.
        let interval = UNFINISHED_CHECK_INTERVAL;
        if is_due || (Room::is_used_up() && self.looked_at_unfinished + interval <= now) {
            if self.looked + LOOK <= now {
                self.looked = now;
                self.look(now);
            }
            self.looked_at_unfinished = now;
            self.look_at_unfinished(now);
        }
    }

    /// Takes all current reports of libzmq.
    pub(super) fn catch_up(&mut self, now: Time) {
        self.has_news.set(true);
        self.update(now);
    }

    /// Whether [`heard`](Self::heard) has to be called for messages.
    pub(super) fn listens(&self) -> bool {
        !self.quiet.is_empty()
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
        self.quiet.remove(entry.since, fd);
        self.copy.end(fd, entry.serial, &entry.remote);
    }
}
