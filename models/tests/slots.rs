//! An offer in a slot is had by one: by the reader, or by whoever takes it back.
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

/// What the driver withdraws meanwhile and what the reader slots, in slots that both know, is everything, and nothing
/// twice.
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
        let mut had: Vec<u64> = taken.map(|slot| shown[slot]).collect();
        had.extend(driver.join().unwrap());
        had.sort_unstable();
        assert_eq!(had, [1, 2]);
    });
}

/// The same of what is taken back for other peers, while the reader ends the show and begins another.
#[test]
fn an_offer_is_taken_or_given_back_or_shown_again() {
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
        let mut had = Vec::new();
        if slots.take(0) {
            had.push(shown[0]);
        }
        shown.clear();
        queue.take_and_show(9, 0, 2, &mut shown);
        for (slot, id) in shown.iter().enumerate() {
            if slots.take(slot) {
                had.push(*id);
            }
        }
        had.extend(driver.join().unwrap());
        had.sort_unstable();
        assert_eq!(had, [1, 2]);
    });
}

/// A take that the driver has seen is one that the reader made, and what it counts as waiting was not taken before.
#[test]
fn what_is_counted_as_waiting_was_not_taken_before() {
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
