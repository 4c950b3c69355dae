//! Reply logs: messages to a client that it has not acknowledged, and that a broken connection may have lost.
//! [`Ack`](crate::wire::omdp::Ack) tells when a client acknowledges.
//!
//! An extended client that returns on another connection resumes each of its requests with the number of parts that
//! it has received. The missing parts are sent again from the log before the request goes on. While the client is
//! detached, its replies are only kept.

mod allowance;

use super::accounts::Accounts;
use super::keys::ClientKey;
use crate::wire::omdp::ReplyKind;
use crate::wire::{Body, Frame};
use std::collections::{HashMap, HashSet, VecDeque};

/// One message. The transport shares the bytes of its body.
#[derive(Debug)]
pub(super) struct Entry<F> {
    pub(super) rid: F,
    /// Number of parts of the reply before this one.
    pub(super) part: u32,
    pub(super) kind: ReplyKind,
    pub(super) body: Body<F>,
}

/// The cost of an entry in addition to its bytes.
pub(super) const OVERHEAD: usize = 128;

/// How many parts of a reply its client has once these messages are sent again; `None` if one is missing among them.
/// An error may follow missing parts, because the reply has failed anyway.
pub(super) fn continued<F>(entries: &[Entry<F>], received: u32) -> Option<u32> {
    let mut next = received;
    for entry in entries.iter().filter(|entry| !entry.kind.is_error()) {
        if entry.part > next {
            return None;
        }
        if entry.kind == ReplyKind::Partial {
            next = next.max(entry.part.saturating_add(1));
        }
    }
    Some(next)
}

impl<F: Frame> Entry<F> {
    pub(super) fn cost(&self) -> usize {
        self.body.bytes.len() + OVERHEAD
    }
}

/// Bytes of each log that are not charged: usually enough for all replies that its client has not acknowledged. Fewer
/// if there are very many peers.
pub(super) const FREE: usize = 256 * 1024;

/// The log of one client.
#[derive(Debug)]
struct ReplyLog<F> {
    /// Messages on the current connection, in order.
    sent: VecDeque<Entry<F>>,
    /// Messages that earlier connections may have lost, and those since, by the id of the request.
    lost: HashMap<Box<[u8]>, Vec<Entry<F>>>,
    /// Number of messages on the current connection that were dropped before those in `sent`.
    dropped: usize,
    bytes: usize,
    /// The bytes that are not charged.
    free: usize,
    /// The maximum of `bytes`. All beyond `free` is charged to the client's account.
    allowance: usize,
}

impl<F> ReplyLog<F> {
    fn new(free: usize) -> Self {
        ReplyLog {
            sent: VecDeque::new(),
            lost: HashMap::new(),
            dropped: 0,
            bytes: 0,
            free,
            allowance: free,
        }
    }
}

/// The logs of all clients, by key, and how much of a new one is free.
#[derive(Debug)]
pub(super) struct ReplyLogs<F>(Vec<ReplyLog<F>>, usize);

impl<F: Frame> ReplyLogs<F> {
    pub(super) const fn new() -> Self {
        ReplyLogs(Vec::new(), FREE)
    }

    /// Adapts what is free of new logs to the number of peers.
    #[cold]
    pub(super) fn note_free(&mut self, accounts: &Accounts) {
        self.1 = accounts.free(FREE);
    }

    fn log(&mut self, client: ClientKey) -> &mut ReplyLog<F> {
        if self.0.len() <= client.0 {
            let free = self.1;
            self.0.resize_with(client.0 + 1, || ReplyLog::new(free));
        }
        &mut self.0[client.0]
    }

    /// Records a message that is about to be sent. Returns false if the log exceeds its allowance.
    pub(super) fn sent(&mut self, client: ClientKey, entry: Entry<F>) -> bool {
        let log = self.log(client);
        log.bytes += entry.cost();
        log.sent.push_back(entry);
        log.bytes <= log.allowance
    }

    /// Keeps a message that cannot be sent now. Returns false if the log exceeds its allowance.
    pub(super) fn keep(&mut self, client: ClientKey, entry: Entry<F>) -> bool {
        let log = self.log(client);
        log.bytes += entry.cost();
        let rid = Box::from(&*entry.rid);
        log.lost.entry(rid).or_default().push(entry);
        log.bytes <= log.allowance
    }

    /// Bytes of the messages that are kept for a client.
    pub(super) fn bytes(&self, client: ClientKey) -> usize {
        self.0.get(client.0).map_or(0, |log| log.bytes)
    }

    /// Drops the first `messages` messages, which the client has received.
    pub(super) fn acknowledge(&mut self, client: ClientKey, messages: u32) {
        let Some(log) = self.0.get_mut(client.0) else {
            return;
        };
        let dropped = log.dropped.min(messages as usize);
        log.dropped -= dropped;
        let count = log.sent.len().min(messages as usize - dropped);
        for entry in log.sent.drain(..count) {
            log.bytes -= entry.cost();
        }
    }

    /// Drops the oldest messages of the current connection until half of the allowance is free, or all messages if that
    /// is not enough. Returns the ids of their requests.
    #[cold]
    pub(super) fn drop_oldest(&mut self, client: ClientKey) -> HashSet<Box<[u8]>> {
        let mut rids = HashSet::new();
        let Some(log) = self.0.get_mut(client.0) else {
            return rids;
        };
        while log.bytes > log.allowance / 2
            && let Some(entry) = log.sent.pop_front()
        {
            log.bytes -= entry.cost();
            log.dropped += 1;
            rids.insert(Box::from(&*entry.rid));
        }
        if log.bytes > log.allowance / 2 {
            rids.extend(log.lost.keys().cloned());
            self.forget_lost(client);
        }
        rids
    }

    /// Drops the last message that was kept of a reply.
    #[cold]
    pub(super) fn drop_last(&mut self, client: ClientKey, rid: &[u8]) {
        if let Some(log) = self.0.get_mut(client.0)
            && let Some(entries) = log.lost.get_mut(rid)
            && let Some(entry) = entries.pop()
        {
            log.bytes -= entry.cost();
            if entries.is_empty() {
                log.lost.remove(rid);
            }
        }
    }

    /// Marks the messages of a connection that is lost.
    pub(super) fn lose(&mut self, client: ClientKey) {
        let Some(log) = self.0.get_mut(client.0) else {
            return;
        };
        log.dropped = 0;
        for entry in log.sent.drain(..) {
            let rid = Box::from(&*entry.rid);
            log.lost.entry(rid).or_default().push(entry);
        }
    }

    /// Whether messages of this reply are kept that earlier connections may have lost.
    pub(super) fn keeps(&self, client: ClientKey, rid: &[u8]) -> bool {
        let log = self.0.get(client.0);
        log.is_some_and(|log| log.lost.contains_key(rid))
    }

    /// Removes and returns the kept messages of one reply, in order.
    pub(super) fn take(&mut self, client: ClientKey, rid: &[u8]) -> Vec<Entry<F>> {
        let Some(log) = self.0.get_mut(client.0) else {
            return Vec::new();
        };
        let entries = log.lost.remove(rid).unwrap_or_default();
        for entry in &entries {
            log.bytes -= entry.cost();
        }
        entries
    }

    /// Removes and returns all messages, those of each reply in order.
    pub(super) fn take_all(&mut self, client: ClientKey) -> Vec<Entry<F>> {
        let Some(log) = self.0.get_mut(client.0) else {
            return Vec::new();
        };
        log.bytes = 0;
        let lost = log.lost.drain().flat_map(|(_, entries)| entries);
        let mut entries: Vec<Entry<F>> = lost.collect();
        entries.extend(log.sent.drain(..));
        entries
    }

    /// The ids of requests with kept messages.
    pub(super) fn rids(&self, client: ClientKey) -> impl Iterator<Item = &[u8]> {
        let log = self.0.get(client.0);
        let lost = log.into_iter().flat_map(|log| log.lost.keys());
        let sent = log.into_iter().flat_map(|log| &log.sent);
        lost.map(|rid| &**rid).chain(sent.map(|entry| &*entry.rid))
    }

    /// Drops messages that the client has not resumed.
    pub(super) fn forget_lost(&mut self, client: ClientKey) {
        let Some(log) = self.0.get_mut(client.0) else {
            return;
        };
        for entry in log.lost.drain().flat_map(|(_, entries)| entries) {
            log.bytes -= entry.cost();
        }
    }

    /// Removes the log of a client.
    pub(super) fn remove(&mut self, client: ClientKey) {
        if let Some(log) = self.0.get_mut(client.0) {
            *log = ReplyLog::new(self.1);
        }
        while self
            .0
            .last()
            .is_some_and(|log| log.sent.is_empty() && log.lost.is_empty())
        {
            self.0.pop();
        }
    }

    #[cfg(any(test, feature = "fuzz"))]
    pub(super) fn audit(&self, client: ClientKey) {
        if let Some(log) = self.0.get(client.0) {
            let lost = log.lost.values().flatten();
            let bytes = log.sent.iter().chain(lost).map(|entry| entry.cost());
            assert_eq!(bytes.sum::<usize>(), log.bytes);
        }
    }
}

#[cfg(test)]
mod tests;
