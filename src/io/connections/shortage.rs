//! Connections that libzmq could not accept for lack of a descriptor.

use super::descriptor::nothing;
use crate::proto::Time;
use std::fs::File;
use std::time::Duration;

/// Interval between reports that descriptors run out.
const REPORT_INTERVAL: Duration = Duration::from_secs(1);

/// A reserve of descriptors lets libzmq accept the connection, and one connection is ended in its place.
#[derive(Debug)]
pub(in crate::io) struct Shortage {
    reserve: Reserve,
    /// While descriptors are short: the number of connections that fit, and when this was determined.
    room: Option<(usize, Time)>,
    told: Option<Time>,
}

impl Shortage {
    pub(in crate::io) fn new() -> Self {
        let mut reserve = Reserve::default();
        reserve.fill();
        Shortage {
            reserve,
            room: None,
            told: None,
        }
    }

    /// How many connections fit; without limit while there are descriptors.
    pub(in crate::io) fn room(&self) -> usize {
        self.room.map_or(usize::MAX, |(room, _)| room)
    }

    /// Whether descriptors are short.
    pub(in crate::io) fn is_there(&self) -> bool {
        self.room.is_some()
    }

    /// Handles that no descriptor was left for another connection. Returns whether that is to be reported.
    pub(in crate::io) fn begins(&mut self, now: Time, connections: usize) -> bool {
        self.reserve.release();
        self.room.get_or_insert((connections, now)).1 = now;
        let tells = self
            .told
            .is_none_or(|told| now.since(told) >= REPORT_INTERVAL);
        if tells {
            self.told = Some(now);
        }
        tells
    }

    /// Fills the reserve again. The shortage ends when no descriptor was missing for a while.
    pub(in crate::io) fn look(&mut self, now: Time) {
        let Some((_, since)) = self.room else {
            return;
        };
        self.reserve.fill();
        if now.since(since) >= REPORT_INTERVAL {
            self.room = None;
        }
    }
}

/// Reserved descriptors. Without a free one libzmq retries to accept a connection in a busy
/// loop; with these released it accepts the connection, which can then be ended.
#[derive(Debug, Default)]
struct Reserve(Vec<File>);

impl Reserve {
    /// Windows has no practical limit of descriptors.
    const SIZE: usize = if cfg!(unix) { 8 } else { 0 };

    /// Opens missing descriptors, as far as possible.
    fn fill(&mut self) {
        while self.0.len() < Reserve::SIZE {
            match nothing() {
                Ok(file) => self.0.push(file),
                Err(_) => return,
            }
        }
    }

    /// Releases all descriptors.
    fn release(&mut self) {
        self.0.clear();
    }
}

/// Whether an accept failed for lack of a descriptor.
#[cfg(unix)]
pub(in crate::io) fn is_out_of_descriptors(errno: u64) -> bool {
    [libc::EMFILE, libc::ENFILE]
        .map(|known| known as u64)
        .contains(&errno)
}

#[cfg(not(unix))]
pub(in crate::io) fn is_out_of_descriptors(errno: u64) -> bool {
    errno == zmq_sys::errno::EMFILE as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shortage_is_told_once_a_second_and_ends_by_itself() {
        let mut shortage = Shortage::new();
        let begin = Time::ZERO + REPORT_INTERVAL;
        assert_eq!(shortage.room(), usize::MAX);
        assert!(shortage.begins(begin, 5) && !shortage.begins(begin, 4));
        assert_eq!(shortage.room(), 5);
        shortage.look(begin + REPORT_INTERVAL / 2);
        assert!(shortage.is_there());
        assert!(shortage.begins(begin + REPORT_INTERVAL, 5));
        shortage.look(begin + REPORT_INTERVAL);
        assert!(shortage.is_there());
        shortage.look(begin + 2 * REPORT_INTERVAL);
        assert!(!shortage.is_there());
    }
}
