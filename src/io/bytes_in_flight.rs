//! The number of bytes that libzmq holds. libzmq itself counts messages, whatever their size.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::sync::Notify;

/// Counts the bytes that libzmq has until it releases them, and notifies when few are left.
#[derive(Debug)]
pub(super) struct BytesInFlight {
    bytes: AtomicUsize,
    few: usize,
    freed: Arc<Notify>,
}

impl BytesInFlight {
    /// Notifies `freed` each time the sum falls to `few` or below.
    pub(super) fn new(few: usize, freed: Arc<Notify>) -> Arc<Self> {
        Arc::new(BytesInFlight {
            bytes: AtomicUsize::new(0),
            few,
            freed,
        })
    }

    pub(super) fn bytes(&self) -> usize {
        self.bytes.load(Ordering::Relaxed)
    }

    pub(super) fn add(&self, bytes: usize) {
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Called by the thread of libzmq that releases the bytes.
    pub(super) fn subtract(&self, bytes: usize) {
        let before = self.bytes.fetch_sub(bytes, Ordering::Relaxed);
        if before > self.few && before - bytes <= self.few {
            self.freed.notify_one();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::io::Message;

    #[test]
    fn bytes_count_until_the_last_share_is_dropped() {
        let freed = Arc::new(Notify::new());
        let in_flight = BytesInFlight::new(10, freed);
        for len in [0, 5, 33, 5000] {
            let bytes = vec![7; len];
            let frame = Message::from(&bytes[..]).counted(&in_flight, len + 1);
            let share = frame.clone();
            assert_eq!(in_flight.bytes(), len + 1);
            assert_eq!(&frame[..], &bytes[..]);
            drop(frame);
            assert_eq!(&share[..], &bytes[..]);
            drop(share);
            assert_eq!(in_flight.bytes(), 0);
        }
    }
}
