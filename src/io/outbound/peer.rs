//! A peer that is behind: its waiting messages, and when it is too far behind.

use crate::io::acceptor::Acceptor;
use crate::io::sent::Sent;
use crate::io::{Message, clock};
use crate::proto::Time;
use crate::proto::broker::RoutingId;
use std::collections::VecDeque;
use std::time::Duration;

/// Estimated cost of a frame beyond its bytes.
const OVERHEAD: usize = 64;

/// Limits of the waiting messages.
#[derive(Debug, Clone, Copy)]
pub(in crate::io) struct Limits {
    /// Bytes for each peer without windows. A peer with windows may have [`SLACK`] times as much
    /// while it takes something.
    pub(in crate::io) peer: usize,
    /// Bytes in total. Beyond it, a peer with more than its equal share is too far behind.
    pub(in crate::io) total: usize,
    /// How long a peer may take nothing.
    pub(in crate::io) patience: Duration,
}

/// See [`Limits`]: windows limit what such a peer can have requested.
const SLACK: usize = 4;

/// The effect of a message on its receiver's limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::io) enum Kind {
    /// For a peer without windows.
    Plain,
    /// For a peer with windows.
    Windowed,
    /// The peer is disconnected: other waiting messages are discarded.
    Last,
}

/// How often the system is asked what a peer has taken that takes no further message, at most.
const ASKS: Duration = Duration::from_millis(20);

/// The result of sending the waiting messages of a peer.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Flushed {
    /// No message waits any more.
    All,
    /// As many bytes were sent as the peer may have at once.
    Share,
    /// The peer takes nothing at the moment, and for the first time since longer than permitted if it is stuck.
    Full { is_stuck: bool },
    /// No connection takes it.
    NoPeer,
}

pub(super) struct Peer {
    /// When the peer last took a waiting message, or a part of one.
    pub(super) progress: Time,
    /// See [`Acceptor::taken`], at the last look.
    pub(super) taken: u64,
    /// When that look was.
    pub(super) asked: Time,
    pub(super) waiting: VecDeque<Vec<Message>>,
    /// The cost of the waiting messages.
    pub(super) bytes: usize,
    /// Whether the limit is exceeded and the machine was told.
    pub(super) overflowed: bool,
    /// Afterwards: the cost that may still wait, for a peer that cannot be disconnected.
    pub(super) most: usize,
}

impl Peer {
    pub(super) fn new() -> Self {
        Peer {
            progress: clock::now(),
            taken: 0,
            asked: Time::ZERO,
            waiting: VecDeque::new(),
            bytes: 0,
            overflowed: false,
            most: usize::MAX,
        }
    }

    /// Sends waiting messages, a little more than `share` bytes at most.
    pub(super) fn flush(
        &mut self,
        id: &RoutingId,
        acceptor: &mut Acceptor,
        share: usize,
        now: Time,
        patience: Duration,
    ) -> Flushed {
        let before = self.bytes;
        while let Some(mut frames) = self.waiting.pop_front() {
            if before - self.bytes > share {
                self.waiting.push_front(frames);
                return Flushed::Share;
            }
            let cost = cost(&frames);
            match acceptor.send(id, &mut frames) {
                Sent::Yes => {
                    self.bytes -= cost;
                    self.progress = now;
                }
                Sent::Full => {
                    self.waiting.push_front(frames);
                    let is_stuck = self.is_stuck(now, patience, || acceptor.taken(id));
                    return Flushed::Full { is_stuck };
                }
                Sent::NoPeer => return Flushed::NoPeer,
            }
        }
        Flushed::All
    }

    /// Whether the peer has taken nothing for longer than permitted, and the machine was not told. `taken` asks the
    /// acceptor, at intervals only.
    fn is_stuck(&mut self, now: Time, patience: Duration, taken: impl FnOnce() -> u64) -> bool {
        if now.since(self.asked) < ASKS.min(patience / 8) {
            return false;
        }
        self.asked = now;
        // A large message is taken in many parts.
        let taken = taken();
        if std::mem::replace(&mut self.taken, taken) != taken {
            self.progress = now;
        }
        let is_stuck = !self.overflowed && now.since(self.progress) >= patience;
        self.overflowed |= is_stuck;
        is_stuck
    }

    pub(super) fn is_too_far_behind(&self, in_flight: usize, limits: &Limits, kind: Kind) -> bool {
        let bytes = self.bytes + in_flight;
        if bytes <= limits.peer {
            return false;
        }
        let takes = clock::now().since(self.progress) < limits.patience;
        kind != Kind::Windowed || !takes || bytes > limits.peer.saturating_mul(SLACK)
    }

    pub(super) fn clear_overflow(&mut self) {
        self.overflowed = false;
        self.most = usize::MAX;
    }
}

pub(super) fn cost(frames: &[Message]) -> usize {
    frames.iter().map(|frame| frame.len() + OVERHEAD).sum()
}
