//! The state of a stream that is a request's data.

use crate::wire::omdp::Need;

#[derive(Debug, Default)]
pub(in crate::proto::broker) struct DataStream {
    /// The offset of the next chunk. `None` before the worker has stated it, and after the worker needs no more.
    next: Option<u64>,
    /// The offset up to which the worker has asked for data.
    limit: u64,
}

impl DataStream {
    /// Whether a chunk at this offset follows the last one that was passed on.
    pub(in crate::proto::broker) fn is_next(&self, at: u64) -> bool {
        self.next == Some(at)
    }

    /// Whether the worker has asked for data at this offset.
    pub(in crate::proto::broker) fn was_asked_for(&self, at: u64) -> bool {
        at < self.limit
    }

    /// The next chunk, of this cost, is passed on.
    pub(in crate::proto::broker) fn pass(&mut self, cost: u32) {
        self.next = self.next.map(|at| at.saturating_add(cost.into()));
    }

    /// No chunk is passed on until the worker states where to continue.
    pub(in crate::proto::broker) fn pause(&mut self) {
        self.next = None;
    }

    /// The worker states what it needs.
    pub(in crate::proto::broker) fn need(&mut self, need: Need) {
        self.limit = self.limit.max(need.limit);
        if need.enough {
            self.next = None;
        } else if need.again {
            self.next = Some(need.have);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn need(have: u64, limit: u64, again: bool) -> Need {
        Need {
            have,
            limit,
            again,
            enough: false,
        }
    }

    #[test]
    fn chunks_are_passed_on_without_a_gap_as_far_as_the_worker_asks() {
        let mut input = DataStream::default();
        assert!(!input.is_next(0) && !input.was_asked_for(0));
        input.need(need(0, 100, true));
        assert!(input.is_next(0) && input.was_asked_for(99) && !input.was_asked_for(100));
        input.pass(60);
        assert!(!input.is_next(0) && input.is_next(60));
        input.need(need(60, 50, false));
        assert!(input.is_next(60) && input.was_asked_for(99));
    }

    #[test]
    fn after_a_pause_the_worker_states_where_to_continue() {
        let mut input = DataStream::default();
        input.need(need(0, 100, true));
        input.pause();
        input.pass(60);
        assert!(!input.is_next(0) && !input.is_next(60));
        input.need(need(0, 100, false));
        assert!(!input.is_next(0));
        input.need(need(30, 100, true));
        assert!(input.is_next(30));
    }

    #[test]
    fn a_worker_that_needs_no_more_gets_no_more() {
        let mut input = DataStream::default();
        input.need(need(0, 100, true));
        input.need(Need {
            enough: true,
            ..need(0, 100, true)
        });
        assert!(!input.is_next(0));
    }
}
