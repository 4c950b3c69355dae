//! What each client was sent and has not acknowledged: replies that a broken connection may have lost.
//!
//! A client of 1.x that comes back on another connection asks for each of its requests with the number
//! of parts that it has. What it lacks is sent again from here, and then the request goes on. While
//! it is away its replies are only kept.

use super::keys::ClientKey;
use crate::wire::omdp::ReplyKind;
use crate::wire::{Body, Frame};
use std::collections::{HashMap, VecDeque};

/// One message. The bytes of its body are shared with the transport.
#[derive(Debug)]
pub(super) struct Entry<F> {
    pub(super) rid: F,
    /// How many parts of this reply were in front of it.
    pub(super) part: u32,
    pub(super) kind: ReplyKind,
    pub(super) body: Body<F>,
}

/// What an entry costs beside its bytes.
const OVERHEAD: usize = 128;

impl<F: Frame> Entry<F> {
    fn cost(&self) -> usize {
        self.body.bytes.len() + OVERHEAD
    }
}

/// What one client was sent.
#[derive(Debug)]
struct ReplyLog<F> {
    /// On this connection, in that order.
    sent: VecDeque<Entry<F>>,
    /// What may be lost with earlier connections, and what came since, by the request's id.
    lost: HashMap<Box<[u8]>, Vec<Entry<F>>>,
    bytes: usize,
}

impl<F> Default for ReplyLog<F> {
    fn default() -> Self {
        ReplyLog {
            sent: VecDeque::new(),
            lost: HashMap::new(),
            bytes: 0,
        }
    }
}

/// A log for each client, by its key.
#[derive(Debug)]
pub(super) struct ReplyLogs<F>(Vec<ReplyLog<F>>);

impl<F: Frame> ReplyLogs<F> {
    pub(super) const fn new() -> Self {
        ReplyLogs(Vec::new())
    }

    fn log(&mut self, client: ClientKey) -> &mut ReplyLog<F> {
        if self.0.len() <= client.0 {
            self.0.resize_with(client.0 + 1, ReplyLog::default);
        }
        &mut self.0[client.0]
    }

    /// Takes note of what is about to be sent. Gives how many bytes are kept for this client.
    pub(super) fn sent(&mut self, client: ClientKey, entry: Entry<F>) -> usize {
        let log = self.log(client);
        log.bytes += entry.cost();
        log.sent.push_back(entry);
        log.bytes
    }

    /// Keeps what can't be sent now. Gives how many bytes are kept for this client.
    pub(super) fn keep(&mut self, client: ClientKey, entry: Entry<F>) -> usize {
        let log = self.log(client);
        log.bytes += entry.cost();
        let rid = Box::from(&*entry.rid);
        log.lost.entry(rid).or_default().push(entry);
        log.bytes
    }

    /// The client has so many more.
    pub(super) fn acknowledge(&mut self, client: ClientKey, messages: u32) {
        let Some(log) = self.0.get_mut(client.0) else {
            return;
        };
        let count = log.sent.len().min(messages as usize);
        for entry in log.sent.drain(..count) {
            log.bytes -= entry.cost();
        }
    }

    /// The connection is lost, and what was sent on it may be.
    pub(super) fn lose(&mut self, client: ClientKey) {
        let Some(log) = self.0.get_mut(client.0) else {
            return;
        };
        for entry in log.sent.drain(..) {
            let rid = Box::from(&*entry.rid);
            log.lost.entry(rid).or_default().push(entry);
        }
    }

    /// What was lost of one reply, in that order.
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

    /// The requests of which something may be lost.
    pub(super) fn rids(&self, client: ClientKey) -> impl Iterator<Item = &[u8]> {
        let log = self.0.get(client.0);
        let lost = log.into_iter().flat_map(|log| log.lost.keys());
        let sent = log.into_iter().flat_map(|log| &log.sent);
        lost.map(|rid| &**rid).chain(sent.map(|entry| &*entry.rid))
    }

    /// The client has asked for all that it wants.
    pub(super) fn forget_lost(&mut self, client: ClientKey) {
        let Some(log) = self.0.get_mut(client.0) else {
            return;
        };
        for entry in log.lost.drain().flat_map(|(_, entries)| entries) {
            log.bytes -= entry.cost();
        }
    }

    /// The client is forgotten.
    pub(super) fn remove(&mut self, client: ClientKey) {
        if let Some(log) = self.0.get_mut(client.0) {
            *log = ReplyLog::default();
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
