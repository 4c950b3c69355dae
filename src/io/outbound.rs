//! Messages of a broker to peers that do not accept them at once.
//!
//! The acceptor accepts messages for each peer up to a mark. Messages beyond it wait here, in order,
//! counted for each peer; none is dropped at a mark. When the waiting messages exceed [`Limits`],
//! the machine is told, and drops the peer.
//!
//! A peer has an entry here only while it is behind; other peers cost nothing.

mod peer;

use super::acceptor::Acceptor;
use super::sent::Sent;
use super::{Message, clock};
use crate::proto::broker::RoutingId;
use peer::{Flushed, Peer, cost};
pub(super) use peer::{Kind, Limits};
use std::collections::HashMap;
use std::time::Duration;

/// Further bytes for the ends of requests of a peer beyond the limit that cannot be disconnected.
const RESERVE: usize = 1024 * 1024;

/// Initial interval between attempts to send to peers that are behind. The acceptor's notification may
/// be consumed while sending to others, so attempts are repeated at growing intervals.
const RETRY: Duration = Duration::from_millis(5);
const MAX_RETRY: Duration = Duration::from_secs(1);

/// The result of sending a message.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// It was sent; or discarded, because the peer is behind by more than its reserve.
    Taken,
    /// It waits until the peer accepts more.
    Waiting,
    /// It waits, and exceeds the limit.
    Overflow,
    /// The peer no longer exists.
    NoPeer,
}

/// State changes of peers that were behind.
#[derive(Debug, Default)]
pub(super) struct Changes {
    /// Peers of whose waiting messages some were sent, with the bytes that are left.
    pub(super) less: Vec<(RoutingId, usize)>,
    /// Peers without waiting messages.
    pub(super) clear: Vec<RoutingId>,
    /// Peers that no longer exist.
    pub(super) gone: Vec<RoutingId>,
    /// Peers that have accepted nothing for too long.
    pub(super) stuck: Vec<RoutingId>,
}

/// The bytes that are handed to the acceptor at once, in equal shares for the peers that are behind.
const AT_ONCE: usize = 1024 * 1024;

pub(super) struct Outbound {
    limits: Limits,
    /// The cost of all waiting messages.
    total: usize,
    /// The peers that are behind.
    peers: HashMap<RoutingId, Peer>,
    /// Whether a peer has had its share, and may take more.
    goes_on: bool,
    retry: Duration,
}

impl Outbound {
    pub(super) fn new(limits: Limits) -> Self {
        Outbound {
            limits,
            total: 0,
            peers: HashMap::new(),
            goes_on: false,
            retry: RETRY,
        }
    }

    /// Waits until [`flush`](Self::flush) has to be called even without news of the acceptor. Only
    /// while a peer is behind.
    pub(super) async fn due(&self, acceptor: &Acceptor) {
        tokio::select! {
            () = acceptor.room() => {}
            () = tokio::time::sleep(self.retry) => {}
        }
    }

    pub(super) fn is_behind(&self) -> bool {
        !self.peers.is_empty()
    }

    /// Whether [`flush`](Self::flush) has to be called again at once.
    pub(super) fn goes_on(&self) -> bool {
        self.goes_on
    }

    /// Sends a message, or keeps it. `frames` is empty afterwards.
    pub(super) fn send(
        &mut self,
        acceptor: &mut Acceptor,
        to: &RoutingId,
        frames: &mut Vec<Message>,
        kind: Kind,
    ) -> Outcome {
        if self.is_behind() && self.peers.contains_key(to) {
            return self.keep(acceptor, to, frames, kind);
        }
        match acceptor.send(to, frames) {
            Sent::Yes => Outcome::Taken,
            Sent::Full => {
                self.peers.insert(to.clone(), Peer::new());
                self.retry = RETRY;
                self.keep(acceptor, to, frames, kind)
            }
            Sent::NoPeer => {
                frames.clear();
                Outcome::NoPeer
            }
        }
    }

    fn keep(
        &mut self,
        acceptor: &Acceptor,
        to: &RoutingId,
        frames: &mut Vec<Message>,
        kind: Kind,
    ) -> Outcome {
        let (limits, behind) = (self.limits, self.peers.len());
        let Some(peer) = self.peers.get_mut(to) else {
            frames.clear();
            return Outcome::NoPeer;
        };
        if kind == Kind::Last {
            peer.waiting.clear();
            self.total -= peer.bytes;
            peer.bytes = 0;
            peer.clear_overflow();
        }
        if peer.bytes > peer.most {
            frames.clear();
            return Outcome::Taken;
        }
        let cost = cost(frames);
        peer.bytes += cost;
        self.total += cost;
        peer.waiting.push_back(std::mem::take(frames));
        let overflow = !peer.overflowed
            && peer.waiting.len() > 1
            && (peer.is_too_far_behind(acceptor.in_flight(to), &limits, kind)
                || self.total > limits.total && peer.bytes > limits.total / behind);
        peer.overflowed |= overflow;
        match overflow {
            true => Outcome::Overflow,
            false => Outcome::Waiting,
        }
    }

    /// How many bytes wait for this peer.
    pub(super) fn waiting_for(&self, peer: &[u8]) -> usize {
        self.peers.get(peer).map_or(0, |peer| peer.bytes)
    }

    /// Reports that the machine drops this peer. Limits the further messages to it.
    pub(super) fn limit_to_reserve(&mut self, peer: &[u8]) {
        if let Some(peer) = self.peers.get_mut(peer) {
            peer.most = peer.bytes.saturating_add(RESERVE);
        }
    }

    /// Sends waiting messages, as many as the peers take.
    pub(super) fn flush(&mut self, acceptor: &mut Acceptor) -> Changes {
        let mut news = Changes::default();
        self.goes_on = false;
        if self.peers.is_empty() {
            return news;
        }
        let (mut progress, mut goes_on, mut sent) = (false, false, 0);
        let share = AT_ONCE / self.peers.len();
        let (now, patience) = (clock::now(), self.limits.patience);
        self.peers.retain(|id, peer| {
            let before = peer.bytes;
            let flushed = peer.flush(id, acceptor, share, now, patience);
            progress |= peer.bytes < before;
            match flushed {
                Flushed::NoPeer => {
                    news.gone.push(id.clone());
                    sent += before;
                    return false;
                }
                Flushed::All => news.clear.push(id.clone()),
                Flushed::Share => goes_on = true,
                Flushed::Full { is_stuck: true } => news.stuck.push(id.clone()),
                Flushed::Full { is_stuck: false } => {}
            }
            sent += before - peer.bytes;
            if peer.bytes < before {
                news.less.push((id.clone(), peer.bytes));
            }
            flushed != Flushed::All
        });
        self.total -= sent;
        self.goes_on = goes_on;
        self.retry = match progress {
            true => RETRY,
            false => (self.retry * 2).min(MAX_RETRY),
        };
        news
    }

    /// Drops the entry of a peer whose connection has ended.
    pub(super) fn forget(&mut self, peer: &[u8]) {
        if let Some(peer) = self.peers.remove(peer) {
            self.total -= peer.bytes;
        }
    }
}
