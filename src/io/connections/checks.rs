//! Regular checks of the connections, which end those that are silent or send too much.

use super::counted::{Fd, Room, allow, received, unfinished, waits};
use super::endless::Owner;
use super::entry::Stage;
use super::{Connections, MAX_CHECKED};
use crate::proto::Time;
use std::sync::Arc;

/// The maximum number of connections that are checked for incomplete messages at once.
pub(super) const MAX_COUNTED: usize = 2048;

impl Connections {
    /// Checks some of the connections.
    pub(super) fn look(&mut self, now: Time) {
        for fd in self.given_up.check() {
            self.end_quietly(fd);
        }
        self.look_at_bytes(now);
        self.shortage.look(now);
        let mut ended = Vec::new();
        for (_, fd) in self.quiet.next(MAX_CHECKED) {
            let Some(entry) = self.open.get(&fd) else {
                continue;
            };
            let age = now.since(entry.silent_since());
            match entry.stage {
                Stage::Silent
                    if self
                        .patience
                        .of(entry.address())
                        .is_some_and(|most| age >= most) =>
                {
                    ended.push((fd, "silent for too long"));
                }
                _ => {}
            }
        }
        for (fd, reason) in ended {
            if let Some(entry) = self.open.get(&fd)
                && entry.stage == Stage::Silent
            {
                self.patience.was_exceeded(entry.address());
            }
            self.end(fd, reason);
        }
    }

    /// Checks some of the connections for incomplete messages.
    pub(super) fn look_at_bytes(&mut self, now: Time) {
        if !cfg!(unix) {
            return;
        }
        if self.round.is_empty() {
            self.receives = false;
            self.round.extend(self.open.keys());
        }
        let rest = self.round.len().saturating_sub(MAX_COUNTED);
        for fd in self.round.split_off(rest) {
            self.look_at_bytes_of(now, fd);
        }
    }

    /// Checks the connections with incomplete messages, and all connections if these have so much that some wait.
    pub(super) fn look_at_unfinished(&mut self, now: Time) {
        if Room::is_used_up() {
            self.look_at_bytes(now);
        }
        for fd in self.endless.watched() {
            self.look_at_bytes_of(now, fd);
        }
        let open = &self.open;
        let unknown = Arc::new(Owner::Unknown);
        let owner = |fd| open.get(&fd).map_or(&unknown, |entry| &entry.owner).clone();
        let decisions = self.endless.decide(now, owner);
        for (fd, bytes) in decisions.allowed {
            allow(fd, bytes);
        }
        for (fd, reason) in decisions.ended {
            self.end(fd, reason);
        }
    }

    fn look_at_bytes_of(&mut self, now: Time, fd: Fd) {
        let open = self.open.len();
        let Some(entry) = self.open.get_mut(&fd) else {
            return;
        };
        if entry.stage == Stage::Ended {
            self.endless.forget(fd);
            return;
        }
        let (unfinished, waits) = (unfinished(fd), waits(fd));
        if waits {
            entry.waited = now;
        }
        if unfinished > 0 {
            self.receives = true;
            let received = received(fd);
            // One that is not read is not silent.
            if std::mem::replace(&mut entry.seen, received) != received || waits {
                self.receiving.extend(entry.peer.clone());
            }
        }
        self.endless.look(now, fd, (unfinished, waits), open);
    }
}
