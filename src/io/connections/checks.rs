//! Regular checks of the connections, which end those that are silent or send too much.

use super::descriptor::Fd;
use super::entry::Stage;
use super::{Connections, MAX_CHECKED};
use crate::proto::Time;

/// The maximum number of bytes that a connection receives before the end of its handshake.
const MAX_HANDSHAKE_BYTES: u64 = 65_536;

/// The maximum number of connections that are checked for incomplete messages at once.
pub(super) const MAX_COUNTED: usize = 2048;

impl Connections {
    /// Checks some of the connections.
    pub(super) fn look(&mut self, now: Time) {
        for fd in self.given_up.check() {
            self.end_quietly(fd);
        }
        self.look_at_bytes();
        self.shortage.look(now);
        let mut ended = Vec::new();
        for (since, fd) in self.quiet.next(MAX_CHECKED) {
            let Some(entry) = self.open.get(&fd) else {
                continue;
            };
            let age = now.since(since);
            match entry.stage {
                Stage::Handshake if !entry.is_ipc() && entry.received(fd) > MAX_HANDSHAKE_BYTES => {
                    ended.push((fd, "too many bytes before the handshake"));
                }
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
    fn look_at_bytes(&mut self) {
        if !cfg!(unix) {
            return;
        }
        if self.round.is_empty() {
            self.receives = false;
            self.round.extend(self.open.keys());
        }
        let rest = self.round.len().saturating_sub(MAX_COUNTED);
        for fd in self.round.split_off(rest) {
            self.look_at_bytes_of(fd);
        }
    }

    /// Checks the connections with incomplete messages.
    pub(super) fn look_at_unfinished(&mut self) {
        for fd in self.endless.watched() {
            self.look_at_bytes_of(fd);
        }
    }

    fn look_at_bytes_of(&mut self, fd: Fd) {
        let open = self.open.len();
        let Some(entry) = self.open.get_mut(&fd) else {
            return;
        };
        let unfinished = entry.unfinished(fd);
        if unfinished > 0 {
            self.receives = true;
            let received = entry.received(fd);
            if std::mem::replace(&mut entry.seen, received) != received {
                self.receiving.extend(entry.peer.clone());
            }
        }
        self.endless.look(fd, unfinished, open);
    }
}
