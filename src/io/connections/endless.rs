//! Detects messages without an end.
//!
//! libzmq keeps the frames of a message until the last one has arrived, and limits the size of each
//! frame only. The received bytes of each connection are therefore checked at intervals. A
//! connection that has received more than the maximum size of a message, without a complete one, is
//! ended.

use super::Fd;
use std::collections::HashMap;

/// A connection that receives more bytes than this between two checks has to be watched for
/// messages.
const SUSPICIOUS_BYTES: u64 = 1 << 20;

/// Tolerance for bytes that were under way or buffered at the first check.
const SLACK: u64 = 2 << 20;

#[derive(Debug)]
pub(super) struct Endless {
    /// The limit of bytes without a message, tolerance included.
    most: u64,
    /// Received bytes at the last check.
    seen: HashMap<Fd, u64>,
    /// Received bytes at the check that raised the suspicion, of connections without a message
    /// since.
    suspects: HashMap<Fd, u64>,
    /// Suspects beyond the limit, which may still have an unread message.
    exceeding: Vec<Fd>,
}

impl Endless {
    pub(super) fn new(message: u64) -> Self {
        Endless {
            most: message.saturating_add(SLACK),
            seen: HashMap::new(),
            suspects: HashMap::new(),
            exceeding: Vec::new(),
        }
    }

    /// Whether [`heard`](Self::heard) has to be called for messages.
    pub(super) fn listens(&self) -> bool {
        !self.suspects.is_empty()
    }

    /// The connections to be checked again soon.
    pub(super) fn suspects(&self) -> Vec<Fd> {
        self.suspects.keys().copied().collect()
    }

    /// Reports a message over this connection.
    pub(super) fn heard(&mut self, fd: Fd) {
        self.suspects.remove(&fd);
    }

    /// Reports the number of bytes received over this connection.
    pub(super) fn look(&mut self, fd: Fd, received: u64) {
        if let Some(&since) = self.suspects.get(&fd) {
            if received.saturating_sub(since) > self.most && !self.exceeding.contains(&fd) {
                self.exceeding.push(fd);
            }
            return;
        }
        let before = self.seen.insert(fd, received);
        if received.saturating_sub(before.unwrap_or(0)) <= SUSPICIOUS_BYTES {
            return;
        }
        // All bytes before the first check count: a message among them is heard before `take_exceeding`.
        self.suspects.insert(fd, before.map_or(0, |_| received));
        if before.is_none() {
            self.look(fd, received);
        }
    }

    /// Returns the connections that certainly exceed the limit. Call it when all received messages
    /// have been taken.
    pub(super) fn take_exceeding(&mut self) -> Vec<Fd> {
        let suspects = &self.suspects;
        let exceeding = self.exceeding.drain(..);
        exceeding.filter(|fd| suspects.contains_key(fd)).collect()
    }

    pub(super) fn forget(&mut self, fd: Fd) {
        self.seen.remove(&fd);
        self.suspects.remove(&fd);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MESSAGE: u64 = 10 << 20;

    #[test]
    fn bytes_without_a_message_are_too_many_at_some_time() {
        let mut endless = Endless::new(MESSAGE);
        endless.look(7, SUSPICIOUS_BYTES);
        assert!(!endless.listens());
        endless.look(7, 3 * SUSPICIOUS_BYTES);
        assert_eq!(endless.suspects(), [7]);
        endless.look(7, 3 * SUSPICIOUS_BYTES + MESSAGE + SLACK);
        assert!(endless.take_exceeding().is_empty());
        endless.look(7, 3 * SUSPICIOUS_BYTES + MESSAGE + SLACK + 1);
        assert_eq!(endless.take_exceeding(), [7]);
        endless.forget(7);
        assert!(!endless.listens() && endless.take_exceeding().is_empty());
    }

    #[test]
    fn a_connection_with_messages_is_no_suspect() {
        let mut endless = Endless::new(MESSAGE);
        let mut received = 0;
        for _ in 0..10 {
            received += MESSAGE;
            endless.look(7, received);
            endless.heard(7);
        }
        assert!(!endless.listens());
        // Beyond the limit, with the last message unread.
        endless.look(7, received + MESSAGE);
        endless.look(7, received + 4 * MESSAGE);
        endless.heard(7);
        assert!(endless.take_exceeding().is_empty());
    }

    #[test]
    fn at_the_first_look_everything_counts() {
        let mut endless = Endless::new(MESSAGE);
        endless.look(7, MESSAGE + SLACK + 1);
        endless.look(8, MESSAGE + SLACK + 1);
        endless.heard(8);
        assert_eq!(endless.take_exceeding(), [7]);
    }
}
