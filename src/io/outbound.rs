//! What a broker has to say to peers that do not take it at once.
//!
//! libzmq keeps up to [`HIGH_WATER`] messages for each peer, whatever their size, and takes no more.
//! So large frames are counted besides, and what neither mark lets through waits here, in order,
//! counted for each peer. Nothing is dropped at a mark. Past the limits of what may lie ready, see
//! [`Limits`], the machine is told, which takes its place from the peer.
//!
//! A peer has an entry in here only while it has large frames on their way, or is behind: whoever
//! keeps up costs nothing.

use super::bytes_in_flight::BytesInFlight;
use super::socket::{Sent, Socket};
use super::{Error, Message, clock};
use crate::proto::Time;
use crate::proto::broker::RoutingId;
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;

/// How many messages libzmq keeps for each peer.
pub(super) const HIGH_WATER: i32 = 1000;

/// From this size on frames are counted by their bytes; what is smaller is few enough by its number.
const LARGE: usize = 4096;

/// How many counted bytes libzmq keeps for each peer, but for one message.
const MAX_LENT: usize = 1024 * 1024;

/// What a frame costs beyond its bytes.
const OVERHEAD: usize = 64;

/// Past the limit a peer that can't be sent away gets so much more, for the ends of its requests.
const RESERVE: usize = 1024 * 1024;

/// Who is behind is tried again when libzmq has news, or has let go of bytes. Its news may be lost
/// on us while we send to others, so also after a time that grows while nothing comes of it.
const RETRY: Duration = Duration::from_millis(5);
const MAX_RETRY: Duration = Duration::from_secs(1);

/// What became of a message.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// It is on its way; or it was for a peer that is behind by more than the limit.
    Taken,
    /// It waits until the peer takes more.
    Waiting,
    /// It waits, and is more than may.
    Overflow,
    /// There is no such peer any more.
    NoPeer,
}

/// What has become of those who were behind.
#[derive(Debug, Default)]
pub(super) struct News {
    /// Nothing waits for these any more.
    pub(super) clear: Vec<RoutingId>,
    /// These are gone.
    pub(super) gone: Vec<RoutingId>,
    /// These have taken nothing for so long that they are too slow.
    pub(super) stuck: Vec<RoutingId>,
}

/// How much may lie ready.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    /// For one peer that knows no windows. One that does may have [`SLACK`] times as much for as long
    /// as it takes something.
    pub(super) peer: usize,
    /// In all. Past it a peer is too far behind that has more than its equal part.
    pub(super) total: usize,
    /// How long a peer may take nothing at all.
    pub(super) patience: Duration,
}

/// See [`Limits`]: windows bound what such a peer can have asked for.
const SLACK: usize = 4;

struct Peer {
    in_flight: Arc<BytesInFlight>,
    /// When it last took something of what waited.
    progress: Time,
    waiting: VecDeque<Vec<Message>>,
    /// What waits, and what it costs.
    bytes: usize,
    /// Whether it is too much, and the machine is to be told.
    overflowed: bool,
    /// Once it was told: what still may wait, for a peer that can't be sent away.
    most: usize,
}

pub(super) struct Outbound {
    limits: Limits,
    /// What waits for all.
    total: usize,
    peers: HashMap<RoutingId, Peer>,
    /// How many of them are behind.
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

    /// When to call [`flush`](Self::flush) although the socket has no news; `None` if nobody is
    /// behind.
    pub(super) async fn due(&self) {
        tokio::select! {
            () = self.freed.notified() => {}
            () = tokio::time::sleep(self.retry) => {}
        }
    }

    pub(super) fn is_behind(&self) -> bool {
        self.behind > 0
    }

    /// Sends a message, the peer's id before it, or keeps it; `frames` is empty afterwards.
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
        // Only for the peers that are in here, so that look-ups cost nobody else.
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

    /// The machine is about to take its place from a peer. What else it has to say to it is bounded.
    pub(super) fn condemn(&mut self, peer: &[u8]) {
        if let Some(peer) = self.peers.get_mut(peer) {
            peer.most = peer.bytes.saturating_add(RESERVE);
        }
    }

    /// Sends what waits, as far as it is taken.
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
                        return true;
                    }
                    Ok(Sent::NoPeer) | Err(_) => {
                        news.gone.push(id.clone());
                        sent += peer.bytes;
                        return false;
                    }
                }
                if peer.waiting.is_empty() {
                    peer.forgive();
                    news.clear.push(id.clone());
                }
            }
            peer.in_flight.bytes() > 0
        });
        self.total -= sent;
        self.behind -= news.clear.len() + news.gone.len();
        self.retry = match progress {
            true => RETRY,
            false => (self.retry * 2).min(MAX_RETRY),
        };
        news
    }

    /// The connection of this peer is gone, and what waited for it is for nobody.
    pub(super) fn forget(&mut self, peer: &[u8]) {
        if let Some(peer) = self.peers.remove(peer)
            && !peer.waiting.is_empty()
        {
            self.behind -= 1;
            self.total -= peer.bytes;
        }
    }
}

/// So many entries of peers that are not behind may stay until the next look.
const MAX_IDLE: usize = 256;

/// What a message means for the peer that gets it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A peer that knows no windows gets it.
    Plain,
    /// A peer that knows windows gets it.
    Windowed,
    /// The peer is sent away: what else waits for it is for nobody.
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

    /// Sends a message whose large frames are counted for as long as libzmq has them.
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
