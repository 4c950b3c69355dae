//! The offers that a worker's JavaScript has taken since the last report to the machine.

use crate::io::Slots;
use crate::proto::Time;

/// Deliveries are taken in the order of their numbers: those in a batch when it is drained, shown
/// ones one after the other when JavaScript takes them.
#[derive(Default)]
pub(super) struct TakenOffers {
    /// The last taken delivery, and when the first one was taken.
    taken: Option<(u64, Time)>,
    /// The shown deliveries and their sizes, by slot, and how many of them have been processed.
    shown: Vec<(u64, usize)>,
    through: usize,
    /// The time of JavaScript's last call. It takes offers without a pause from then on.
    since: Option<Time>,
    /// Total data bytes of the taken deliveries.
    pub(super) bytes: u64,
}

impl TakenOffers {
    /// Starts a batch: no delivery is shown any more.
    pub(super) fn begin(&mut self, slots: &Slots, now: Time) {
        self.look(slots, now);
        self.shown.clear();
        self.through = 0;
    }

    pub(super) fn take(&mut self, delivery: u64, size: usize, now: Time) {
        self.bytes += size as u64;
        let since = self.taken.map_or(now, |(_, since)| since);
        self.taken = Some((delivery, since));
    }

    pub(super) fn show(&mut self, delivery: u64, size: usize) {
        self.shown.push((delivery, size));
    }

    /// Starts a run: no delivery is taken or shown.
    pub(super) fn reset(&mut self) {
        *self = TakenOffers {
            bytes: self.bytes,
            ..TakenOffers::default()
        };
    }

    /// The report for the machine; see [`Worked`](crate::proto::worker::Worked).
    pub(super) fn tell(&mut self, slots: &Slots, now: Time) -> Option<(u64, Time)> {
        self.look(slots, now);
        self.taken.take()
    }

    fn look(&mut self, slots: &Slots, now: Time) {
        let since = self.since.replace(now).unwrap_or(now);
        while let Some(&(delivery, size)) = self.shown.get(self.through) {
            if slots.is_taken(self.through) {
                self.take(delivery, size, since);
            } else if slots.is_open(self.through) {
                return;
            }
            self.through += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::io::{NoticeQueue, Offer};
    use std::sync::Arc;

    #[test]
    fn shown_requests_count_as_taken_when_javascript_was_here_last() {
        let slots = Arc::new(Slots::default());
        let queue = NoticeQueue::with_slots(|| {}, slots.clone());
        queue.update(|queue| {
            for id in 1..=6 {
                let returnable = true;
                queue.offer(Offer { id, returnable }, id);
            }
        });
        let mut taken_offers = TakenOffers::default();
        let at = Time::from_micros;
        taken_offers.begin(&slots, at(10));
        let mut batch = Vec::new();
        assert_eq!(queue.take_and_show(9, 1, 4, &mut batch).shown, 4);
        taken_offers.take(batch[0], 5, at(10));
        batch[1..].iter().for_each(|&id| taken_offers.show(id, 7));
        assert_eq!(taken_offers.tell(&slots, at(20)), Some((1, at(10))));
        assert_eq!(taken_offers.tell(&slots, at(30)), None);

        assert!(slots.take(0));
        queue.update(|queue| assert!(queue.withdraw(3)));
        assert!(slots.take(2));
        assert_eq!(taken_offers.tell(&slots, at(40)), Some((4, at(30))));
        assert!(slots.take(3));
        taken_offers.begin(&slots, at(50));
        batch.clear();
        queue.take_and_show(9, 1, 4, &mut batch);
        taken_offers.take(batch[0], 5, at(50));
        assert_eq!(taken_offers.tell(&slots, at(60)), Some((6, at(40))));
        assert_eq!(taken_offers.bytes, 2 * 5 + 3 * 7);
    }
}
