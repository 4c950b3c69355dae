//! Messages without an end.
//!
//! libzmq keeps the frames of a message until the last of them has come, and bounds each alone. So it is looked
//! now and then how many bytes have come over each connection. One over which more has come than a message
//! may have, while none of its messages was complete, is ended.

use super::Fd;
use std::collections::HashMap;

/// From so many bytes between two looks on it matters whether there was a message among them.
const MUCH: u64 = 1 << 20;

/// What was under way, and in buffers, at the first look.
const SLACK: u64 = 2 << 20;

#[derive(Debug)]
pub(super) struct Endless {
    /// How many bytes a message may have.
    most: u64,
    /// How many bytes had come at the last look.
    seen: HashMap<Fd, u64>,
    /// The same of those of which no message has come since a look at which much had come.
    suspects: HashMap<Fd, u64>,
    /// Suspects past the limit, of which a message may still be unread.
    condemned: Vec<Fd>,
}

impl Endless {
    pub(super) fn new(message: u64) -> Self {
        Endless {
            most: message.saturating_add(SLACK),
            seen: HashMap::new(),
            suspects: HashMap::new(),
            condemned: Vec::new(),
        }
    }

    /// Whether it wants to know of messages.
    pub(super) fn listens(&self) -> bool {
        !self.suspects.is_empty()
    }

    /// Whom to look at again soon.
    pub(super) fn suspects(&self) -> Vec<Fd> {
        self.suspects.keys().copied().collect()
    }

    /// A message has come over this connection.
    pub(super) fn heard(&mut self, fd: Fd) {
        self.suspects.remove(&fd);
    }

    /// So many bytes have come over this connection.
    pub(super) fn look(&mut self, fd: Fd, received: u64) {
        if let Some(&since) = self.suspects.get(&fd) {
            if received.saturating_sub(since) > self.most && !self.condemned.contains(&fd) {
                self.condemned.push(fd);
            }
            return;
        }
        let before = self.seen.insert(fd, received);
        if received.saturating_sub(before.unwrap_or(0)) <= MUCH {
            return;
        }
        // Of what came before the first look all counts: whoever has said something is heard before the judgement.
        self.suspects.insert(fd, before.map_or(0, |_| received));
        if before.is_none() {
            self.look(fd, received);
        }
    }

    /// All messages that were there have been taken: the connections that are past the limit for certain.
    pub(super) fn judge(&mut self) -> Vec<Fd> {
        let suspects = &self.suspects;
        let guilty = self.condemned.drain(..);
        guilty.filter(|fd| suspects.contains_key(fd)).collect()
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
        endless.look(7, MUCH);
        assert!(!endless.listens());
        endless.look(7, 3 * MUCH);
        assert_eq!(endless.suspects(), [7]);
        endless.look(7, 3 * MUCH + MESSAGE + SLACK);
        assert!(endless.judge().is_empty());
        endless.look(7, 3 * MUCH + MESSAGE + SLACK + 1);
        assert_eq!(endless.judge(), [7]);
        endless.forget(7);
        assert!(!endless.listens() && endless.judge().is_empty());
    }

    #[test]
    fn whoever_says_something_is_no_suspect() {
        let mut endless = Endless::new(MESSAGE);
        let mut received = 0;
        for _ in 0..10 {
            received += MESSAGE;
            endless.look(7, received);
            endless.heard(7);
        }
        assert!(!endless.listens());
        // Past the limit, with the last of its messages unread.
        endless.look(7, received + MESSAGE);
        endless.look(7, received + 4 * MESSAGE);
        endless.heard(7);
        assert!(endless.judge().is_empty());
    }

    #[test]
    fn at_the_first_look_everything_counts() {
        let mut endless = Endless::new(MESSAGE);
        endless.look(7, MESSAGE + SLACK + 1);
        endless.look(8, MESSAGE + SLACK + 1);
        endless.heard(8);
        assert_eq!(endless.judge(), [7]);
    }
}
