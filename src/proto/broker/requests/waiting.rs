//! Sums over requests that wait.

/// Requests that wait, in one queue or in all, and their bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(in crate::proto::broker) struct Waiting {
    pub(in crate::proto::broker) requests: usize,
    pub(in crate::proto::broker) bytes: usize,
}

impl Waiting {
    pub(in crate::proto::broker) fn add(&mut self, bytes: usize) {
        self.requests += 1;
        self.bytes += bytes;
    }

    pub(in crate::proto::broker) fn remove(&mut self, bytes: usize) {
        self.requests -= 1;
        self.bytes -= bytes;
    }

    pub(in crate::proto::broker) fn has_room(
        self,
        bytes: usize,
        max: usize,
        max_bytes: usize,
    ) -> bool {
        self.requests < max && self.bytes.saturating_add(bytes) <= max_bytes
    }

    /// Whether a full queue may be reported again. The margin prevents an event for every request
    /// that comes and goes at the limit.
    pub(in crate::proto::broker) fn is_half_empty(self, max: usize, max_bytes: usize) -> bool {
        self.requests <= max / 2 && self.bytes <= max_bytes / 2
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn room_is_limited_by_number_and_by_bytes() {
        let mut waiting = Waiting::default();
        assert!(waiting.has_room(10, 1, 10));
        assert!(!waiting.has_room(11, 1, 10) && !waiting.has_room(0, 0, 10));
        waiting.add(6);
        assert!(!waiting.has_room(1, 1, 10) && !waiting.has_room(usize::MAX, 2, 10));
        assert!(waiting.is_half_empty(2, 12) && !waiting.is_half_empty(1, 12));
        assert!(!waiting.is_half_empty(2, 11));
        waiting.remove(6);
        assert_eq!(waiting, Waiting::default());
    }
}
