//! Clients that were given up but may return, with those of their requests that a worker may have started. The others
//! can simply start when the client returns.
//!
//! A client whose connection has ended at this side only notices it by the silence. By then it was given up, but most of
//! its requests have ended. Their replies are kept for a while.

use super::absence::LINGER;
use super::clients::Started;
use super::context::Context;
use super::keys::{ClientKey, RequestKey};
use super::reply_log::{Entry, ReplyLogs};
use super::requests::{Request, Requests, State};
use super::session::life;
use super::{Departure, Principal, RoutingId, Timer};
use crate::proto::Time;
use crate::proto::deadlines::TimerKey;
use crate::wire::Frame;
use std::collections::{HashSet, VecDeque};
use std::sync::Arc;

/// Maximum of remembered lives, and of requests of all lives.
const MAX_LIVES: usize = 1024;
const MAX_REQUESTS: usize = 65_536;

/// Maximum of remembered requests of one life. If more may have started, none is remembered, and all are searched for
/// when the client returns.
const MAX_OF_ONE: usize = MAX_REQUESTS / 8;

/// The part of the bytes that the broker may hold in total which the kept replies may have.
const SHARE: usize = 8;

#[derive(Debug)]
struct Life<F> {
    name: Box<str>,
    peer: RoutingId,
    user: Option<Arc<Principal>>,
    started: Started,
    /// Replies that have ended, in order, and how long they are kept.
    replies: Vec<Entry<F>>,
    until: Time,
}

impl<F: Frame> Life<F> {
    fn bytes(&self) -> usize {
        self.replies.iter().map(Entry::cost).sum()
    }
}

#[derive(Debug)]
pub(super) struct GivenUpClients<F> {
    lives: VecDeque<Life<F>>,
    requests: usize,
    /// Bytes of the kept replies.
    bytes: usize,
    /// When replies are dropped. There is one as long as any are kept.
    pub(super) timer: Option<TimerKey>,
}

impl<F: Frame> GivenUpClients<F> {
    pub(super) fn new() -> Self {
        GivenUpClients {
            lives: VecDeque::new(),
            requests: 0,
            bytes: 0,
            timer: None,
        }
    }

    /// Remembers which requests of a client that is given up may have started: `among`, if its requests were looked at
    /// before. If it returns nevertheless, the others can simply start.
    pub(super) fn remember(
        &mut self,
        cx: &mut Context<F>,
        logs: &mut ReplyLogs<F>,
        key: ClientKey,
        (why, user): (Departure, Option<Arc<Principal>>),
        among: Option<Started>,
    ) {
        let Some(client) = cx.clients.get_mut(key) else {
            return;
        };
        let Some(hello) = client.hello.as_ref().filter(|_| !client.log_is_incomplete) else {
            return;
        };
        let mut started = client.started.take().unwrap_or_default();
        started.extend(logs.rids(key).map(|rid| (Box::from(rid), u16::MAX)));
        match among {
            Some(among) => started.extend(among),
            None => {
                let among = started_among(&cx.requests, client.requests.iter());
                started.extend(among.take(MAX_OF_ONE + 1));
            }
        }
        let mut life = Life {
            name: life(&hello.session).into(),
            peer: client.id.clone(),
            user,
            started,
            replies: Vec::new(),
            until: cx.now + LINGER.min(cx.config.patience(Some(hello)) * 2),
        };
        let is_lost = [Departure::Connection, Departure::Broken, Departure::Silence];
        if is_lost.contains(&why) {
            let most = cx.config.held.total / SHARE;
            life.replies = ended(logs.take_all(key), most.saturating_sub(self.bytes));
        }
        self.add(life);
        self.arm(cx);
    }

    fn add(&mut self, life: Life<F>) {
        if life.name.is_empty() || life.started.len() > MAX_OF_ONE {
            return;
        }
        self.take_life(&life.name);
        self.requests += life.started.len();
        self.bytes += life.bytes();
        self.lives.push_back(life);
        while self.lives.len() > MAX_LIVES || self.requests > MAX_REQUESTS {
            if let Some(oldest) = self.lives.pop_front() {
                self.requests -= oldest.started.len();
                self.bytes -= oldest.bytes();
            }
        }
    }

    /// Removes and returns what is known of a life that has returned. Another user gets no replies.
    pub(super) fn take(
        &mut self,
        cx: &mut Context<F>,
        session: &str,
        user: Option<Arc<Principal>>,
    ) -> Option<(Started, Vec<Entry<F>>)> {
        let known = self.take_life(life(session))?;
        self.arm(cx);
        let replies = if known.user == user {
            known.replies
        } else {
            Vec::new()
        };
        Some((known.started, replies))
    }

    fn take_life(&mut self, name: &str) -> Option<Life<F>> {
        let at = self.lives.iter().position(|known| *known.name == *name)?;
        let known = self.lives.remove(at)?;
        self.requests -= known.started.len();
        self.bytes -= known.bytes();
        Some(known)
    }

    fn arm(&mut self, cx: &mut Context<F>) {
        cx.deadlines.cancel(self.timer.take());
        let lives = self.lives.iter().filter(|life| !life.replies.is_empty());
        if let Some(at) = lives.map(|life| life.until).min() {
            self.timer = Some(cx.deadlines.set(at, Timer::GivenUp));
        }
    }

    /// Drops the replies whose time is over.
    pub(super) fn due(&mut self, cx: &mut Context<F>) {
        self.timer = None;
        for life in &mut self.lives {
            if life.until <= cx.now {
                self.bytes -= life.bytes();
                life.replies = Vec::new();
            }
        }
        self.arm(cx);
    }

    /// Bytes of the kept replies.
    #[cfg(test)]
    pub(super) fn kept(&self) -> usize {
        self.bytes
    }

    /// Whether a life with this routing id was given up and has not returned. Its messages on the old connection are
    /// ignored: on the next connection it resumes all requests, which would then start twice.
    pub(super) fn has_peer(&self, peer: &[u8]) -> bool {
        self.lives.iter().any(|known| *known.peer == *peer)
    }
}

/// Those of these requests that a worker may have started.
pub(super) fn started_among<F>(
    requests: &Requests<F>,
    keys: impl Iterator<Item = RequestKey>,
) -> impl Iterator<Item = (Box<[u8]>, u16)>
where
    F: Frame,
{
    keys.filter_map(move |key| started(requests.get(key)?))
}

/// The id of a request that a worker may have started, and how many attempts are left.
pub(super) fn started<F: Frame>(request: &Request<F>) -> Option<(Box<[u8]>, u16)> {
    let is_waiting = matches!(request.state, State::Queued(_) | State::SetAside(_));
    let left = u16::from(request.retry);
    let left = match (is_waiting, request.attempts.count()) {
        (true, 0) => return None,
        // The count already includes the attempt that it waits for.
        (true, _) => left + 1,
        (false, _) => left,
    };
    Some((Box::from(&*request.rid), left))
}

/// Of these messages those of replies that have ended, at most so many bytes.
fn ended<F: Frame>(mut entries: Vec<Entry<F>>, most: usize) -> Vec<Entry<F>> {
    let last = entries.iter().filter(|entry| entry.kind.is_last());
    let ended: HashSet<Box<[u8]>> = last.map(|entry| Box::from(&*entry.rid)).collect();
    let mut bytes = 0;
    entries.retain(|entry| {
        let is_kept = ended.contains(&*entry.rid) && bytes + entry.cost() <= most;
        bytes += if is_kept { entry.cost() } else { 0 };
        is_kept
    });
    entries
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::broker::reply_log::OVERHEAD;
    use crate::wire::Body;
    use crate::wire::omdp::ReplyKind;

    fn entry(rid: &str, part: u32, kind: ReplyKind) -> Entry<Vec<u8>> {
        Entry {
            rid: rid.into(),
            part,
            kind,
            body: Body::json(b"1".to_vec()),
        }
    }

    fn life(name: &str, peer: &str, requests: usize) -> Life<Vec<u8>> {
        let rids = (0..requests).map(|n| (n.to_string().into_bytes().into(), 0));
        Life {
            name: name.into(),
            peer: RoutingId::from(peer.as_bytes()),
            user: None,
            started: rids.collect(),
            replies: vec![entry("r", 0, ReplyKind::Final)],
            until: Time::ZERO,
        }
    }

    #[test]
    fn a_life_is_remembered_once_and_the_oldest_is_forgotten_first() {
        let mut forgotten = GivenUpClients::new();
        forgotten.add(life("a", "A", 1));
        forgotten.add(life("a", "A", 2));
        assert!(forgotten.has_peer(b"A") && !forgotten.has_peer(b"B"));
        let known = forgotten.take_life("a").expect("it was added");
        assert_eq!((known.started.len(), known.replies.len()), (2, 1));
        assert!(forgotten.take_life("a").is_none());
        assert!(!forgotten.has_peer(b"A"));
        assert_eq!((forgotten.requests, forgotten.bytes), (0, 0));
        forgotten.add(life("", "A", 1));
        assert!(forgotten.take_life("").is_none());
        forgotten.add(life("b", "B", 10));
        forgotten.add(life("d", "D", MAX_OF_ONE + 1));
        assert!(forgotten.take_life("d").is_none());
        for n in 0..8 {
            forgotten.add(life(&format!("c{n}"), "C", MAX_OF_ONE));
        }
        assert!(forgotten.take_life("b").is_none());
        assert_eq!(forgotten.requests, MAX_REQUESTS);
        assert_eq!(forgotten.bytes, 8 * (1 + OVERHEAD));
        for n in 0..=MAX_LIVES {
            forgotten.add(life(&format!("{n}x"), "X", 0));
        }
        assert!(forgotten.take_life("0x").is_none());
        assert!(forgotten.take_life("1x").is_some());
    }

    #[test]
    fn replies_that_have_ended_are_kept_as_far_as_there_is_room() {
        let all = || {
            vec![
                entry("a", 0, ReplyKind::Partial),
                entry("b", 0, ReplyKind::Partial),
                entry("a", 1, ReplyKind::Final),
                entry("c", 0, ReplyKind::Final),
            ]
        };
        let rids = |most| -> Vec<Vec<u8>> {
            let kept = ended(all(), most).into_iter();
            kept.map(|entry| entry.rid).collect()
        };
        assert_eq!(rids(usize::MAX), [b"a", b"a", b"c"]);
        assert_eq!(rids(2 * (1 + OVERHEAD)), [b"a", b"a"]);
        assert!(rids(0).is_empty());
    }
}
