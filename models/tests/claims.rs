//! An offer in a slot is had by one: by the reader, or by whoever takes it back.
#![cfg(feature = "loom")]

use loom::sync::Arc;
use loom::thread;
use zmq_omdp_models::claims::Claims;
use zmq_omdp_models::notice_queue::{NoticeQueue, Offer};

fn offer(queue: &NoticeQueue<u64>, ids: std::ops::RangeInclusive<u64>) {
    queue.update(|queue| {
        for id in ids {
            let returnable = true;
            queue.offer(Offer { id, returnable }, id);
        }
    });
}

/// What the driver withdraws meanwhile and what the reader claims, in slots that both know, is everything, and nothing
/// twice.
#[test]
fn an_offer_is_claimed_or_withdrawn() {
    loom::model(|| {
        let claims = Arc::new(Claims::default());
        let queue = Arc::new(NoticeQueue::with_claims(|| {}, claims.clone()));
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
        let claimed = (0..2).filter(|&slot| claims.claim(slot));
        let mut had: Vec<u64> = claimed.map(|slot| shown[slot]).collect();
        had.extend(driver.join().unwrap());
        had.sort_unstable();
        assert_eq!(had, [1, 2]);
    });
}

/// The same of what is taken back for other peers, while the reader ends the show and begins another.
#[test]
fn an_offer_is_claimed_or_given_back_or_shown_again() {
    loom::model(|| {
        let claims = Arc::new(Claims::default());
        let queue = Arc::new(NoticeQueue::with_claims(|| {}, claims.clone()));
        offer(&queue, 1..=2);
        let mut shown = Vec::new();
        queue.take_and_show(9, 0, 1, &mut shown);
        let driver = thread::spawn({
            let queue = queue.clone();
            move || queue.retract(2, 1, |_| true)
        });
        let mut had = Vec::new();
        if claims.claim(0) {
            had.push(shown[0]);
        }
        shown.clear();
        queue.take_and_show(9, 0, 2, &mut shown);
        for (slot, id) in shown.iter().enumerate() {
            if claims.claim(slot) {
                had.push(*id);
            }
        }
        had.extend(driver.join().unwrap());
        had.sort_unstable();
        assert_eq!(had, [1, 2]);
    });
}

/// A claim that the driver has seen is one that the reader made, and what it counts as waiting was not claimed before.
#[test]
fn what_is_counted_as_waiting_was_not_claimed_before() {
    loom::model(|| {
        let claims = Arc::new(Claims::default());
        let queue = Arc::new(NoticeQueue::with_claims(|| {}, claims.clone()));
        offer(&queue, 1..=2);
        queue.take_and_show(9, 0, 2, &mut Vec::new());
        let reader = thread::spawn({
            let claims = claims.clone();
            move || claims.claim(0)
        });
        let before = queue.offers();
        assert!(reader.join().unwrap());
        assert!(matches!((before, queue.offers()), (1 | 2, 1)));
        assert!(claims.is_claimed(0) && claims.is_open(1));
    });
}
