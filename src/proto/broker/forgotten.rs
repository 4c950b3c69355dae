//! Clients that were given up but may return, with those of their requests that a worker may have started. The others
//! can simply start when the client returns.

use super::RoutingId;
use super::clients::Started;
use super::context::Context;
use super::displaced::life;
use super::keys::ClientKey;
use super::reply_log::ReplyLogs;
use super::requests::State;
use crate::wire::Frame;
use std::collections::VecDeque;

/// Maximum of remembered lives, and of requests of all lives.
const MAX_LIVES: usize = 1024;
const MAX_REQUESTS: usize = 65_536;

#[derive(Debug)]
struct Life {
    name: Box<str>,
    peer: RoutingId,
    started: Started,
}

#[derive(Debug, Default)]
pub(super) struct Forgotten {
    lives: VecDeque<Life>,
    requests: usize,
}

impl Forgotten {
    /// Remembers which requests of a client that is given up may have started. If it returns nevertheless, the others
    /// can simply start.
    pub(super) fn remember<F: Frame>(
        &mut self,
        cx: &mut Context<F>,
        logs: &ReplyLogs<F>,
        key: ClientKey,
    ) {
        let Some(client) = cx.clients.get_mut(key) else {
            return;
        };
        let Some(hello) = client.hello.as_ref().filter(|_| !client.log_is_incomplete) else {
            return;
        };
        let mut started = client.started.take().unwrap_or_default();
        started.extend(logs.rids(key).map(|rid| (Box::from(rid), u16::MAX)));
        let requests = client
            .requests
            .iter()
            .filter_map(|key| cx.requests.get(key));
        let waiting = |state: &State| matches!(state, State::Queued(_) | State::SetAside(_));
        let left = requests.filter_map(|request| {
            let left = u16::from(request.retry);
            let left = match (waiting(&request.state), request.retried) {
                (true, 0) => return None,
                // `retried` already includes the attempt that it waits for.
                (true, _) => left + 1,
                (false, _) => left,
            };
            Some((Box::from(&*request.rid), left))
        });
        started.extend(left);
        self.add(&hello.session, client.id.clone(), started);
    }

    pub(super) fn add(&mut self, session: &str, peer: RoutingId, started: Started) {
        let life = life(session);
        if life.is_empty() || started.len() > MAX_REQUESTS {
            return;
        }
        self.take(session);
        self.requests += started.len();
        self.lives.push_back(Life {
            name: life.into(),
            peer,
            started,
        });
        while self.lives.len() > MAX_LIVES || self.requests > MAX_REQUESTS {
            if let Some(oldest) = self.lives.pop_front() {
                self.requests -= oldest.started.len();
            }
        }
    }

    pub(super) fn take(&mut self, session: &str) -> Option<Started> {
        let life = life(session);
        let at = self.lives.iter().position(|known| *known.name == *life)?;
        let started = self.lives.remove(at)?.started;
        self.requests -= started.len();
        Some(started)
    }

    /// Whether a life with this routing id was given up and has not returned. Its messages on the old connection are
    /// ignored: on the next connection it resumes all requests, which would then start twice.
    pub(super) fn has_peer(&self, peer: &[u8]) -> bool {
        self.lives.iter().any(|known| *known.peer == *peer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_life_is_remembered_once_and_the_oldest_is_forgotten_first() {
        let mut forgotten = Forgotten::default();
        let rids = |n: usize| {
            (0..n)
                .map(|n| (n.to_string().into_bytes().into(), 0))
                .collect()
        };
        let peer = |name: &str| RoutingId::from(name.as_bytes());
        forgotten.add("a.1", peer("A"), rids(1));
        forgotten.add("a.2", peer("A"), rids(2));
        assert!(forgotten.has_peer(b"A") && !forgotten.has_peer(b"B"));
        assert_eq!(forgotten.take("a.3"), Some(rids(2)));
        assert_eq!(forgotten.take("a.3"), None);
        assert!(!forgotten.has_peer(b"A"));
        forgotten.add("", peer("A"), rids(1));
        assert_eq!(forgotten.take(""), None);
        forgotten.add("b.1", peer("B"), rids(10));
        forgotten.add("c.1", peer("C"), rids(MAX_REQUESTS - 5));
        assert_eq!(forgotten.take("b.1"), None);
        assert_eq!(forgotten.requests, MAX_REQUESTS - 5);
        for n in 0..=MAX_LIVES {
            forgotten.add(&format!("{n}x.1"), peer("X"), rids(0));
        }
        assert_eq!(forgotten.take("0x.2"), None);
        assert_eq!(forgotten.take("1x.2"), Some(rids(0)));
    }
}
