//! Detects messages without an end.
//!
//! libzmq keeps the frames of a message until the last one has arrived, and limits the size of each
//! frame only. The received bytes of each connection are therefore checked at intervals. A
//! connection that has received more than the maximum size of a message, without a complete one, is
//! ended. If all such connections together exceed a maximum, those that have received most are ended.

use super::Fd;
use std::collections::HashMap;

/// A connection that has received more bytes than this since it was last watched has to be watched
/// for messages.
const SUSPICIOUS_BYTES: u64 = 1 << 20;

/// Tolerance for bytes that were under way or buffered at the first check.
const SLACK: u64 = 2 << 20;

#[derive(Debug)]
pub(super) struct Endless {
    /// The limit of bytes without a message, tolerance included.
    most: u64,
    /// The limit of such bytes of all connections together.
    in_all: u64,
    /// Received bytes at the first check, or when the connection was last watched.
    seen: HashMap<Fd, u64>,
    /// Connections without a message since they became suspicious.
    suspects: HashMap<Fd, Suspect>,
    /// Suspects beyond the limit, which may still have an unread message.
    exceeding: Vec<Fd>,
}

#[derive(Debug, Clone, Copy)]
struct Suspect {
    /// Received bytes when it became suspicious.
    since: u64,
    /// Received bytes at the last check.
    received: u64,
}

impl Suspect {
    fn unfinished(self) -> u64 {
        self.received.saturating_sub(self.since)
    }
}

impl Endless {
    pub(super) fn new(message: u64, in_all: u64) -> Self {
        Endless {
            most: message.saturating_add(SLACK),
            in_all: in_all.saturating_add(SLACK),
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

    /// Reports the first message over this connection, and the number of bytes received over it until then.
    pub(super) fn met(&mut self, fd: Fd, received: u64) {
        self.suspects.remove(&fd);
        self.seen.insert(fd, received);
    }

    /// Reports a message over this connection.
    pub(super) fn heard(&mut self, fd: Fd) {
        if let Some(suspect) = self.suspects.remove(&fd) {
            self.seen.insert(fd, suspect.received);
        }
    }

    /// Reports the number of bytes received over this connection.
    pub(super) fn look(&mut self, fd: Fd, received: u64) {
        if let Some(suspect) = self.suspects.get_mut(&fd) {
            suspect.received = received;
            if suspect.unfinished() > self.most && !self.exceeding.contains(&fd) {
                self.exceeding.push(fd);
            }
            return;
        }
        let before = self.seen.get(&fd).copied();
        if before.is_none() {
            self.seen.insert(fd, received);
        }
        // All bytes of a connection without a message count. One that has just arrived is heard before
        // `take_exceeding`.
        let since = before.map_or(0, |_| received);
        if received.saturating_sub(before.unwrap_or(0)) > SUSPICIOUS_BYTES {
            self.suspects.insert(fd, Suspect { since, received });
            if before.is_none() {
                self.look(fd, received);
            }
        }
    }

    /// Removes and returns the connections that certainly exceed a limit. Call it when all received
    /// messages have been taken.
    pub(super) fn take_exceeding(&mut self) -> Vec<Fd> {
        let mut taken = std::mem::take(&mut self.exceeding);
        // A message may have ended meanwhile, and another one begun.
        let most = self.most;
        taken.retain(|fd| {
            let suspect = self.suspects.get(fd);
            suspect.is_some_and(|suspect| suspect.unfinished() > most)
        });
        for fd in &taken {
            self.forget(*fd);
        }
        let mut all: u64 = self.suspects.values().map(|each| each.unfinished()).sum();
        while all > self.in_all {
            let largest = self
                .suspects
                .iter()
                .max_by_key(|(_, each)| each.unfinished());
            let Some((&fd, &suspect)) = largest else {
                break;
            };
            all -= suspect.unfinished();
            self.forget(fd);
            taken.push(fd);
        }
        taken
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
        let mut endless = Endless::new(MESSAGE, 3 * MESSAGE);
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
        let mut endless = Endless::new(MESSAGE, 3 * MESSAGE);
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
        let mut endless = Endless::new(MESSAGE, 3 * MESSAGE);
        endless.look(7, MESSAGE + SLACK + 1);
        endless.look(8, MESSAGE + SLACK + 1);
        endless.heard(8);
        assert_eq!(endless.take_exceeding(), [7]);
    }

    #[test]
    fn what_came_before_the_first_look_with_messages_does_not_count() {
        let mut endless = Endless::new(MESSAGE, 3 * MESSAGE);
        for fd in 1..=5 {
            endless.met(fd, 1000);
            endless.look(fd, 2 * MESSAGE);
        }
        assert!(endless.take_exceeding().is_empty());
        endless.look(5, 3 * MESSAGE + SLACK + 1);
        assert_eq!(endless.take_exceeding(), [5]);
    }

    #[test]
    fn the_message_after_one_that_was_not_taken_in_time_may_be_incomplete() {
        let mut endless = Endless::new(MESSAGE, 3 * MESSAGE);
        endless.met(7, 0);
        endless.look(7, MESSAGE);
        endless.look(7, 2 * MESSAGE + SLACK + 1);
        endless.heard(7);
        endless.look(7, 3 * MESSAGE);
        assert!(endless.listens());
        assert!(endless.take_exceeding().is_empty());
    }

    #[test]
    fn a_message_that_grows_slowly_is_noticed() {
        let mut endless = Endless::new(MESSAGE, 3 * MESSAGE);
        let step = SUSPICIOUS_BYTES / 2;
        let mut received = 0;
        while endless.take_exceeding().is_empty() {
            received += step;
            assert!(received < 2 * MESSAGE, "it goes on for ever");
            endless.look(7, received);
        }
        // With messages, the connection is watched now and then.
        let mut watched = 0;
        for n in 1..100 {
            endless.look(8, n * step);
            watched += usize::from(endless.suspects().contains(&8));
            endless.heard(8);
        }
        assert!((20..40).contains(&watched), "{watched}");
    }

    #[test]
    fn of_many_that_exceed_the_limit_together_the_one_with_most_ends() {
        let mut endless = Endless::new(MESSAGE, 3 * MESSAGE);
        let mut ended = Vec::new();
        for n in 1..=MESSAGE / SUSPICIOUS_BYTES {
            for fd in (1..=5)
                .filter(|fd| !ended.contains(fd))
                .collect::<Vec<Fd>>()
            {
                endless.look(fd, n * SUSPICIOUS_BYTES + fd as u64);
            }
            ended.extend(endless.take_exceeding());
        }
        assert_eq!(ended, [5, 4]);
    }
}
