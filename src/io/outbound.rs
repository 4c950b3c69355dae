//! Messages of a broker to peers that do not take them at once.
//!
//! libzmq keeps up to [`HIGH_WATER`](super::socket::HIGH_WATER) messages for each peer, whatever their size. The bytes of
//! large frames are therefore counted as well. Messages beyond either mark wait here, in order,
//! counted for each peer; none is dropped at a mark. When the waiting messages exceed [`Limits`],
//! the machine is told, and drops the peer.
//!
//! A peer has an entry here only while large frames are under way to it, or while it is behind;
//! other peers cost nothing.

use super::bytes_in_flight::BytesInFlight;
use super::socket::{Sent, Socket};
use super::{Error, Message, clock};
use crate::proto::Time;
use crate::proto::broker::RoutingId;
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;

/// Frames of at least this size are counted by bytes; smaller ones are limited by their number.
const LARGE: usize = 4096;

/// The maximum number of counted bytes in libzmq for each peer, except for one message.
const MAX_LENT: usize = 1024 * 1024;

/// Estimated cost of a frame beyond its bytes.
const OVERHEAD: usize = 64;

/// Further bytes for the ends of requests of a peer beyond the limit that cannot be disconnected.
const RESERVE: usize = 1024 * 1024;

/// Initial interval between attempts to send to peers that are behind. libzmq's notification may be
/// consumed while sending to others, so attempts are repeated at growing intervals.
const RETRY: Duration = Duration::from_millis(5);
const MAX_RETRY: Duration = Duration::from_secs(1);

/// The result of sending a message.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// It was sent; or discarded, because the peer is behind by more than its reserve.
    Taken,
    /// It waits until the peer takes more.
    Waiting,
    /// It waits, and exceeds the limit.
    Overflow,
    /// The peer no longer exists.
    NoPeer,
}

/// State changes of peers that were behind.
#[derive(Debug, Default)]
pub(super) struct News {
    /// Peers of whose waiting messages some were sent, with the bytes that are left.
    pub(super) less: Vec<(RoutingId, usize)>,
    /// Peers without waiting messages.
    pub(super) clear: Vec<RoutingId>,
    /// Peers that no longer exist.
    pub(super) gone: Vec<RoutingId>,
    /// Peers that have taken nothing for too long.
    pub(super) stuck: Vec<RoutingId>,
}

/// Limits of the waiting messages.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    /// Bytes for each peer without windows. A peer with windows may have [`SLACK`] times as much
    /// while it takes something.
    pub(super) peer: usize,
    /// Bytes in total. Beyond it, a peer with more than its equal share is too far behind.
    pub(super) total: usize,
    /// How long a peer may take nothing.
    pub(super) patience: Duration,
}

/// See [`Limits`]: windows limit what such a peer can have requested.
const SLACK: usize = 4;

struct Peer {
    in_flight: Arc<BytesInFlight>,
    /// When the peer last took a waiting message.
    progress: Time,
    waiting: VecDeque<Vec<Message>>,
    /// The cost of the waiting messages.
    bytes: usize,
    /// Whether the limit is exceeded and the machine was told.
    overflowed: bool,
    /// Afterwards: the cost that may still wait, for a peer that cannot be disconnected.
    most: usize,
}

pub(super) struct Outbound {
    limits: Limits,
    /// The cost of all waiting messages.
    total: usize,
    peers: HashMap<RoutingId, Peer>,
    /// The number of peers that are behind.
    behind: usize,
    freed: Arc<Notify>,
    retry: Duration,
}

impl Outbound {
    pub(super) fn new(limits: Limits) -> Self {
        Outbound {
            limits,
            total: 0,
            peers: HashMap::new(),
            behind: 0,
            freed: Arc::new(Notify::new()),
            retry: RETRY,
        }
    }

    /// Waits until [`flush`](Self::flush) has to be called even without news of the socket. Only
    /// while a peer is behind.
    pub(super) async fn due(&self) {
        tokio::select! {
            () = self.freed.notified() => {}
            () = tokio::time::sleep(self.retry) => {}
        }
    }

    pub(super) fn is_behind(&self) -> bool {
        self.behind > 0
    }

    /// Sends a message, which begins with the peer's id, or keeps it. `frames` is empty afterwards.
    pub(super) fn send(
        &mut self,
        socket: &Socket,
        to: &RoutingId,
        frames: &mut Vec<Message>,
        kind: Kind,
    ) -> Outcome {
        let large = frames.iter().any(|frame| frame.len() >= LARGE);
        if !large && self.behind == 0 {
            return match socket.send(frames) {
                Ok(Sent::Yes) => Outcome::Taken,
                Ok(Sent::Full) => self.keep(to, frames, kind),
                Ok(Sent::NoPeer) | Err(_) => {
                    frames.clear();
                    Outcome::NoPeer
                }
            };
        }
        if let Some(peer) = self.peers.get(to)
            && !peer.waiting.is_empty()
        {
            return self.keep(to, frames, kind);
        }
        let sent = match large {
            true => self.entry(to).lend(socket, frames),
            false => socket.send(frames),
        };
        match sent {
            Ok(Sent::Yes) => Outcome::Taken,
            Ok(Sent::Full) => self.keep(to, frames, kind),
            Ok(Sent::NoPeer) | Err(_) => {
                frames.clear();
                Outcome::NoPeer
            }
        }
    }

    fn entry(&mut self, to: &RoutingId) -> &mut Peer {
        // `HashMap::entry` would clone the id for each lookup.
        if !self.peers.contains_key(to) {
            let in_flight = BytesInFlight::new(MAX_LENT / 2, self.freed.clone());
            let peer = Peer {
                in_flight,
                progress: clock::now(),
                waiting: VecDeque::new(),
                bytes: 0,
                overflowed: false,
                most: usize::MAX,
            };
            self.peers.insert(to.clone(), peer);
        }
        self.peers.get_mut(to).expect("it was just put there")
    }

    fn keep(&mut self, to: &RoutingId, frames: &mut Vec<Message>, kind: Kind) -> Outcome {
        let (limits, behind, mut total) = (self.limits, self.behind, self.total);
        let peer = self.entry(to);
        let first = peer.waiting.is_empty();
        if first {
            peer.progress = clock::now();
        }
        if kind == Kind::Last {
            peer.waiting.clear();
            total -= peer.bytes;
            peer.bytes = 0;
            peer.forgive();
        }
        if peer.bytes > peer.most {
            frames.clear();
            self.total = total;
            return Outcome::Taken;
        }
        let cost = cost(frames);
        peer.bytes += cost;
        total += cost;
        peer.waiting.push_back(std::mem::take(frames));
        let overflow = !peer.overflowed
            && peer.waiting.len() > 1
            && (peer.is_too_far_behind(&limits, kind)
                || total > limits.total && peer.bytes > limits.total / behind.max(1));
        peer.overflowed |= overflow;
        self.total = total;
        if first {
            self.behind += 1;
            self.retry = RETRY;
        }
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
    pub(super) fn condemn(&mut self, peer: &[u8]) {
        if let Some(peer) = self.peers.get_mut(peer) {
            peer.most = peer.bytes.saturating_add(RESERVE);
        }
    }

    /// Sends waiting messages, as many as the peers take.
    pub(super) fn flush(&mut self, socket: &Socket) -> News {
        let mut news = News::default();
        if self.behind == 0 {
            if self.peers.len() > MAX_IDLE {
                self.peers.retain(|_, peer| peer.in_flight.bytes() > 0);
            }
            return news;
        }
        let mut progress = false;
        let (now, patience, mut sent) = (clock::now(), self.limits.patience, 0);
        self.peers.retain(|id, peer| {
            let before = peer.bytes;
            let mut stays = None;
            while let Some(mut frames) = peer.waiting.pop_front() {
                let cost = cost(&frames);
                match peer.lend(socket, &mut frames) {
                    Ok(Sent::Yes) => {
                        peer.bytes -= cost;
                        sent += cost;
                        peer.progress = now;
                        progress = true;
                    }
                    Ok(Sent::Full) => {
                        peer.waiting.push_front(frames);
                        if !peer.overflowed && now.since(peer.progress) >= patience {
                            peer.overflowed = true;
                            news.stuck.push(id.clone());
                        }
                        stays = Some(true);
                        break;
                    }
                    Ok(Sent::NoPeer) | Err(_) => {
                        news.gone.push(id.clone());
                        sent += std::mem::take(&mut peer.bytes);
                        stays = Some(false);
                        break;
                    }
                }
                if peer.waiting.is_empty() {
                    peer.forgive();
                    news.clear.push(id.clone());
                }
            }
            if peer.bytes < before {
                news.less.push((id.clone(), peer.bytes));
            }
            stays.unwrap_or_else(|| peer.in_flight.bytes() > 0)
        });
        self.total -= sent;
        self.behind -= news.clear.len() + news.gone.len();
        self.retry = match progress {
            true => RETRY,
            false => (self.retry * 2).min(MAX_RETRY),
        };
        news
    }

    /// Drops the entry of a peer whose connection has ended.
    pub(super) fn forget(&mut self, peer: &[u8]) {
        if let Some(peer) = self.peers.remove(peer)
            && !peer.waiting.is_empty()
        {
            self.behind -= 1;
            self.total -= peer.bytes;
        }
    }
}

/// Entries of peers that are not behind may stay until the next look, up to this number.
const MAX_IDLE: usize = 256;

/// The effect of a message on its receiver's limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// For a peer without windows.
    Plain,
    /// For a peer with windows.
    Windowed,
    /// The peer is disconnected: other waiting messages are discarded.
    Last,
}

impl Peer {
    fn is_too_far_behind(&self, limits: &Limits, kind: Kind) -> bool {
        let bytes = self.bytes + self.in_flight.bytes();
        if bytes <= limits.peer {
            return false;
        }
        let takes = clock::now().since(self.progress) < limits.patience;
        kind != Kind::Windowed || !takes || bytes > limits.peer.saturating_mul(SLACK)
    }

    fn forgive(&mut self) {
        self.overflowed = false;
        self.most = usize::MAX;
    }

    /// Sends a message, and counts its large frames until libzmq releases them.
    fn lend(&self, socket: &Socket, frames: &mut Vec<Message>) -> Result<Sent, Error> {
        if self.in_flight.bytes() >= MAX_LENT {
            return Ok(Sent::Full);
        }
        socket.send_prepared(frames, |frame| {
            let size = frame.len();
            if size >= LARGE {
                *frame = std::mem::take(frame).lent(&self.in_flight, size);
            }
        })
    }
}

fn cost(frames: &[Message]) -> usize {
    frames.iter().map(|frame| frame.len() + OVERHEAD).sum()
}
