//! Replies on hold: a client is away, or takes its replies more slowly than its workers send them. What the broker
//! keeps for it is bounded, and no reply is given up for that reason. Beyond the bound a reply stays at its worker:
//!
//! | state   | meaning                                                      | next                              |
//! |---------|--------------------------------------------------------------|-----------------------------------|
//! | Asked   | HOLD was sent, or the worker has returned. Messages of the reply are dropped | Claimed by CLAIM  |
//! | Claimed | the worker keeps the reply                                   | Coming by RESUME, when there is room |
//! | Coming  | the broker has asked for it                                  | taken, or put on hold again       |
//!
//! HOLD precedes each acknowledgement that counts a dropped message, so the worker still has it. If the connection of
//! the worker is lost, the worker claims the request anew, as all others.
//!
//! As long as any reply to a client is on hold, the client's other requests are kept back. So what its workers keep is
//! bounded by the requests that they have.

use super::keys::{ClientKey, WorkerKey};
#[cfg(any(test, feature = "fuzz"))]
use super::{requests::Requests, workers::Workers};
use crate::proto::table::Table;
#[cfg(any(test, feature = "fuzz"))]
use crate::wire::Frame;
use std::collections::VecDeque;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    Asked,
    /// With the worker's number for it.
    Claimed(u64),
    Coming,
}

/// A reply on hold.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reply {
    pub(super) client: ClientKey,
    /// The worker, and the serial number of its registration.
    pub(super) worker: (WorkerKey, u64),
    /// The size of the message that was dropped.
    pub(super) bytes: usize,
    pub(super) stage: Stage,
    /// Whether its handler has ended, so that it takes no room of its worker.
    pub(super) rests: bool,
}

/// The replies on hold for one client.
#[derive(Debug, Default)]
struct Queue {
    /// Tokens of those that are claimed, in order, each once. Some may have ended.
    claimed: VecDeque<u64>,
    /// Bytes of those that are coming.
    coming: usize,
    replies: usize,
}

/// All replies on hold, by the token of their requests.
#[derive(Debug, Default)]
pub(super) struct OnHold {
    replies: Table<u64, Reply>,
    clients: Table<ClientKey, Queue>,
    /// Clients for which there may be room now.
    touched: Vec<ClientKey>,
}

impl OnHold {
    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.replies.is_empty()
    }

    #[inline]
    pub(super) fn has_touched(&self) -> bool {
        !self.touched.is_empty()
    }

    pub(super) fn has(&self, token: u64) -> bool {
        self.replies.contains_key(&token)
    }

    /// Sets whether the handler of a reply has ended. Returns the reply as it was.
    pub(super) fn set_rests(&mut self, token: u64, rests: bool) -> Option<Reply> {
        let reply = self.replies.get_mut(&token)?;
        let before = *reply;
        reply.rests = rests;
        Some(before)
    }

    pub(super) fn stage(&self, token: u64) -> Option<Stage> {
        self.replies.get(&token).map(|reply| reply.stage)
    }

    pub(super) fn has_any_for(&self, client: ClientKey) -> bool {
        self.clients.contains_key(&client)
    }

    /// Bytes of the replies that are coming for a client.
    pub(super) fn coming(&self, client: ClientKey) -> usize {
        self.clients.get(&client).map_or(0, |queue| queue.coming)
    }

    pub(super) fn add(&mut self, token: u64, reply: Reply) {
        self.clients.entry(reply.client).or_default().replies += 1;
        self.replies.insert(token, reply);
    }

    /// Changes the stage of a reply. Of those that are claimed, only the first can get another one.
    pub(super) fn turn(&mut self, token: u64, stage: Stage) {
        let Some(reply) = self.replies.get_mut(&token) else {
            return;
        };
        let Some(queue) = self.clients.get_mut(&reply.client) else {
            return;
        };
        let was_claimed = matches!(reply.stage, Stage::Claimed(_));
        if reply.stage == Stage::Coming {
            queue.coming -= reply.bytes;
        }
        match stage {
            Stage::Coming => queue.coming += reply.bytes,
            // A worker that has returned claims it anew, and a hostile one may claim it at any time.
            Stage::Claimed(_) if !was_claimed => queue.claimed.push_back(token),
            Stage::Claimed(_) | Stage::Asked => {}
        }
        reply.stage = stage;
        if was_claimed && !matches!(stage, Stage::Claimed(_)) {
            debug_assert_eq!(queue.claimed.front(), Some(&token));
            queue.claimed.pop_front();
        }
    }

    /// Removes and returns the clients for which there may be room since the last call.
    pub(super) fn take_touched(&mut self) -> Vec<ClientKey> {
        std::mem::take(&mut self.touched)
    }

    pub(super) fn remove(&mut self, token: u64) -> Option<Reply> {
        let reply = self.replies.remove(&token)?;
        if let Some(queue) = self.clients.get_mut(&reply.client) {
            if reply.stage == Stage::Coming {
                queue.coming -= reply.bytes;
            }
            queue.replies -= 1;
            self.touched.push(reply.client);
        }
        Some(reply)
    }

    /// The next reply that its worker keeps for a client, with its number there.
    pub(super) fn next(&mut self, client: ClientKey) -> Option<(u64, Reply, u64)> {
        let queue = self.clients.get_mut(&client)?;
        while let Some(&token) = queue.claimed.front() {
            if let Some(&reply) = self.replies.get(&token)
                && let Stage::Claimed(number) = reply.stage
            {
                return Some((token, reply, number));
            }
            queue.claimed.pop_front();
        }
        None
    }

    /// Forgets a client without such replies. Returns false if it has some, or is not known.
    pub(super) fn forget(&mut self, client: ClientKey) -> bool {
        let is_done = self
            .clients
            .get(&client)
            .is_some_and(|queue| queue.replies == 0);
        if is_done {
            self.clients.remove(&client);
        }
        is_done
    }
}

#[cfg(any(test, feature = "fuzz"))]
impl OnHold {
    /// Checks the table against the requests and workers.
    pub(super) fn audit<F: Frame>(&self, requests: &Requests<F>, workers: &Workers) {
        use std::collections::HashSet;
        let on_hold = self;
        assert!(on_hold.touched.is_empty(), "room is used at once");
        for (token, reply) in &on_hold.replies {
            let key = requests.by_token(*token).expect("it is known");
            let worker = requests.worker(key);
            let is_lost = worker.is_none() || workers.get(reply.worker.0).is_none();
            assert!(is_lost || worker == Some(reply.worker.0));
            let request = requests.get(key);
            assert!(request.is_some_and(|request| request.client == reply.client));
        }
        for (client, queue) in &on_hold.clients {
            let replies = on_hold.replies.values();
            let replies = replies.filter(|reply| reply.client == *client);
            assert_eq!(replies.clone().count(), queue.replies);
            assert!(
                queue.replies > 0,
                "nothing is kept back without a reply on hold"
            );
            let claimed: HashSet<u64> = queue.claimed.iter().copied().collect();
            assert_eq!(
                claimed.len(),
                queue.claimed.len(),
                "each is in the queue once"
            );
            let coming = replies.filter(|reply| reply.stage == Stage::Coming);
            assert_eq!(coming.map(|reply| reply.bytes).sum::<usize>(), queue.coming);
        }
        for (key, worker) in workers.iter_keys() {
            let resting = on_hold.replies.values();
            let resting = resting.filter(|r| r.rests && r.worker == (key, worker.number));
            assert_eq!(resting.count(), worker.resting);
        }
    }
}
