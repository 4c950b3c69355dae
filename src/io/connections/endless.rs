//! Bounds incomplete messages.
//!
//! libzmq keeps the frames of a message until the last one has arrived, and limits the size of each frame only. The sizes
//! of incomplete messages are therefore checked at intervals. A connection ends if its message exceeds the maximum of a
//! message.
//!
//! While all incomplete messages together are small, every connection is read. Beyond that, a connection is read only as
//! far as it was allowed. Allowances of an owner, and of all owners, stay within their maxima. One message of each owner,
//! and one of all, may exceed them, so that each message becomes complete in the end. A connection whose message hardly
//! grows is ended when others wait for it.

mod allowances;

use super::Fd;
use crate::proto::Time;
use crate::proto::network::network_of;
use allowances::Allowances;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

/// Size from which an incomplete message counts. It is smaller if there are many connections. Streams do not report
/// smaller messages.
const SMALL: u64 = 64 << 10;
const SMALLEST: u64 = 1 << 10;

/// The share of the maximum of all that messages which do not count may have together.
const UNCOUNTED: u64 = 8;

/// The owner of connections that have a maximum together.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Owner {
    User(Box<str>),
    Address(Box<str>),
    /// Over ipc, before the user is known.
    Unknown,
}

impl Owner {
    /// The owner of connections from this address, which is empty over ipc, before the user is known.
    pub(super) fn of_address(address: &str) -> Self {
        match address {
            "" => Owner::Unknown,
            address => Owner::Address(network_of(address).into()),
        }
    }
}

/// The maxima of received bytes without a complete message.
#[derive(Debug, Clone, Copy)]
pub struct UnfinishedLimits {
    /// Of all connections together.
    pub all: u64,
    /// Of those of a user, and of an address.
    pub of_user: u64,
    /// See `of_user`.
    pub of_address: u64,
}

impl UnfinishedLimits {
    /// The least of these limits.
    fn least_limit(&self) -> u64 {
        self.all.min(self.of_user).min(self.of_address)
    }

    /// The total size up to which every connection is read.
    pub(super) fn room(&self) -> u64 {
        self.least_limit() / 2
    }

    fn of(&self, owner: &Owner) -> u64 {
        match owner {
            Owner::User(_) | Owner::Unknown => self.of_user,
            Owner::Address(_) => self.of_address,
        }
    }

    /// The size from which an incomplete message counts, if this number of connections is open.
    pub(in crate::io) fn least(&self, open: usize) -> u64 {
        let open = u64::try_from(open).unwrap_or(u64::MAX).max(1);
        (self.all / UNCOUNTED / open).clamp(SMALLEST, SMALL)
    }
}

/// An incomplete message.
#[derive(Debug, Clone, Copy)]
struct Message {
    /// The received bytes at the last check.
    size: u64,
    /// The permitted size even if all together have too much.
    allowed: u64,
    /// Whether bytes wait because it is not allowed more.
    waits: bool,
    /// Its size when it had last grown by [`PROGRESS`] or waited, and when that was.
    mark: u64,
    since: Time,
}

impl Message {
    /// The received or permitted bytes.
    fn committed(&self) -> u64 {
        self.size.max(self.allowed)
    }

    /// Records the size at a check. Returns true if a new message has begun and the previous one had unused allowance.
    fn note(&mut self, now: Time, size: u64, waits: bool) -> bool {
        let is_new = size < self.size;
        (self.size, self.waits) = (size, waits);
        if waits || is_new || size >= self.mark + PROGRESS {
            (self.mark, self.since) = (size, now);
        }
        // An allowance is kept from other messages, and the next message may never need it.
        is_new && std::mem::take(&mut self.allowed) > 0
    }

    /// Whether it hardly grows, which is not for want of permission.
    fn is_stalled(&self, now: Time) -> bool {
        !self.waits && now.since(self.since) >= PATIENCE
    }
}

/// Minimum growth of a message within [`PATIENCE`] while others wait for it.
const PROGRESS: u64 = 16 << 10;
const PATIENCE: Duration = Duration::from_secs(2);

/// The decisions of a check.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Decisions {
    /// The connections to be ended, each with the reason.
    pub(super) ended: Vec<(Fd, &'static str)>,
    /// The permitted sizes of connections from now on.
    pub(super) allowed: Vec<(Fd, u64)>,
}

#[derive(Debug)]
pub(super) struct Endless {
    /// The maximum of one message.
    most: u64,
    /// The maxima of several connections.
    together: UnfinishedLimits,
    /// The connections whose incomplete messages count.
    messages: HashMap<Fd, Message>,
    allowances: Allowances,
    /// The connections whose messages are complete, and which were allowed more.
    done: Vec<Fd>,
}

impl Endless {
    pub(super) fn new(message: u64, together: UnfinishedLimits) -> Self {
        Endless {
            most: message,
            together,
            messages: HashMap::new(),
            allowances: Allowances::default(),
            done: Vec::new(),
        }
    }

    /// Whether there are connections to be checked again soon.
    pub(super) fn watches(&self) -> bool {
        !self.messages.is_empty()
    }

    /// The connections to be checked again soon.
    pub(super) fn watched(&self) -> Vec<Fd> {
        self.messages.keys().copied().collect()
    }

    /// Reports the size of the incomplete message of this connection, which is one of `open`, and whether more of it waits
    /// for permission.
    pub(super) fn look(&mut self, now: Time, fd: Fd, (size, waits): (u64, bool), open: usize) {
        if size < self.together.least(open) && !waits {
            self.forget(fd);
            return;
        }
        let message = self.messages.entry(fd).or_insert(Message {
            size,
            allowed: 0,
            waits,
            mark: size,
            since: now,
        });
        if message.note(now, size, waits) {
            self.done.push(fd);
        }
    }

    /// Decides which connections end, and which may send more.
    pub(super) fn decide(&mut self, now: Time, owner: impl Fn(Fd) -> Arc<Owner>) -> Decisions {
        let done = self.done.drain(..).map(|fd| (fd, 0)).collect();
        let mut decisions = Decisions {
            ended: Vec::new(),
            allowed: done,
        };
        let sizes = self.messages.iter();
        let endless = sizes.filter(|(_, message)| message.size > self.most);
        (decisions.ended).extend(endless.map(|(&fd, _)| (fd, "a message without an end")));
        for (fd, _) in &decisions.ended {
            self.messages.remove(fd);
        }
        self.allowances.decide(
            now,
            &self.together,
            &mut self.messages,
            owner,
            &mut decisions,
        );
        decisions
    }

    pub(super) fn forget(&mut self, fd: Fd) {
        if (self.messages.remove(&fd)).is_some_and(|message| message.allowed > 0) {
            self.done.push(fd);
        }
    }
}

#[cfg(test)]
mod tests;
