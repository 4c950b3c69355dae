//! Only one side gets an offer in a slot: the reader takes it, or the driver withdraws it.
#![cfg(feature = "loom")]

use loom::sync::Arc;
use loom::thread;
use zmq_omdp_models::notice_queue::{NoticeQueue, Offer};
use zmq_omdp_models::slots::Slots;

fn offer(queue: &NoticeQueue<u64>, ids: std::ops::RangeInclusive<u64>) {
    queue.update(|queue| {
        for id in ids {
            let returnable = true;
            queue.offer(Offer { id, returnable }, id);
        }
    });
}

/// The driver withdraws offers while the reader takes some. Each offer is withdrawn or taken, and none is both.
#[test]
fn an_offer_is_taken_or_withdrawn() {
    loom::model(|| {
        let slots = Arc::new(Slots::default());
        let queue = Arc::new(NoticeQueue::with_slots(|| {}, slots.clone()));
        offer(&queue, 1..=2);
        let mut shown = Vec::new();
        assert_eq!(queue.take_and_show(9, 0, 2, &mut shown).shown, 2);
        let driver = thread::spawn({
            let queue = queue.clone();
            move || {
                let mut withdrawn: Vec<u64> = Vec::new();
                queue.update(|queue| {
                    withdrawn.extend([1, 2].into_iter().filter(|&id| queue.withdraw(id)))
                });
                withdrawn
            }
        });
        let taken = (0..2).filter(|&slot| slots.take(slot));
        let mut gone: Vec<u64> = taken.map(|slot| shown[slot]).collect();
        gone.extend(driver.join().unwrap());
        gone.sort_unstable();
        assert_eq!(gone, [1, 2]);
    });
}

/// The driver retracts offers for other brokers, while the reader has the remaining offers shown again.
#[test]
fn an_offer_is_taken_or_retracted_or_shown_again() {
    loom::model(|| {
        let slots = Arc::new(Slots::default());
        let queue = Arc::new(NoticeQueue::with_slots(|| {}, slots.clone()));
        offer(&queue, 1..=2);
        let mut shown = Vec::new();
        queue.take_and_show(9, 0, 1, &mut shown);
        let driver = thread::spawn({
            let queue = queue.clone();
            move || queue.retract(2, 1, |_| true)
        });
        let mut gone = Vec::new();
        if slots.take(0) {
            gone.push(shown[0]);
        }
        shown.clear();
        queue.take_and_show(9, 0, 2, &mut shown);
        for (slot, id) in shown.iter().enumerate() {
            if slots.take(slot) {
                gone.push(*id);
            }
        }
        gone.extend(driver.join().unwrap());
        gone.sort_unstable();
        assert_eq!(gone, [1, 2]);
    });
}

/// The driver counts an offer as waiting only if the reader had not taken it before.
#[test]
fn an_offer_that_counts_as_waiting_was_not_taken_before() {
    loom::model(|| {
        let slots = Arc::new(Slots::default());
        let queue = Arc::new(NoticeQueue::with_slots(|| {}, slots.clone()));
        offer(&queue, 1..=2);
        queue.take_and_show(9, 0, 2, &mut Vec::new());
        let reader = thread::spawn({
            let slots = slots.clone();
            move || slots.take(0)
        });
        let before = queue.offers();
        assert!(reader.join().unwrap());
        assert!(matches!((before, queue.offers()), (1 | 2, 1)));
        assert!(slots.is_taken(0) && slots.is_open(1));
    });
}
