use super::*;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

fn queue() -> (NoticeQueue<u64>, impl Fn() -> usize) {
    let wakes = Arc::new(AtomicUsize::new(0));
    let counter = wakes.clone();
    let queue = NoticeQueue::new(move || {
        counter.fetch_add(1, Ordering::Relaxed);
    });
    (queue, move || wakes.load(Ordering::Relaxed))
}

fn offer(queue: &NoticeQueue<u64>, ids: std::ops::Range<u64>) {
    queue.update(|queue| {
        for id in ids {
            let returnable = id != 0;
            queue.offer(Offer { id, returnable }, id);
        }
    });
}

#[test]
fn one_wake_up_a_batch() {
    let (queue, wakes) = queue();
    queue.update(|_| {});
    assert_eq!(wakes(), 0);
    queue.push(1);
    queue.push(2);
    queue.push(3);
    assert_eq!(wakes(), 1);

    let mut got = Vec::new();
    assert!(queue.take(2, 9, &mut got).more);
    queue.push(4);
    assert_eq!(wakes(), 1, "the reader knows that more is there");
    assert!(!queue.take(9, 9, &mut got).more);
    assert_eq!(got, [1, 2, 3, 4]);
    queue.push(5);
    assert_eq!(wakes(), 2);
}

#[test]
fn a_wake_up_may_come_later() {
    let (queue, wakes) = queue();
    assert!(!queue.update_later(|_| {}));
    assert!(queue.update_later(|queue| queue.push(1)));
    assert!(queue.update_later(|queue| queue.push(2)));
    assert_eq!(wakes(), 0);
    queue.update(|_| {});
    assert_eq!(wakes(), 1);
    let due = queue.update_later(|queue| queue.push(3));
    assert!(!due, "the reader has been woken");
    let mut got = Vec::new();
    queue.take(9, 9, &mut got);
    assert_eq!(got, [1, 2, 3]);
}

#[test]
fn offers_wait_for_room() {
    let (queue, wakes) = queue();
    offer(&queue, 1..4);
    assert_eq!(wakes(), 1);
    let mut got = Vec::new();
    let left = queue.take(9, 1, &mut got);
    assert_eq!(got, [1]);
    assert_eq!((left.more, left.offers), (false, 1));
    offer(&queue, 4..5);
    assert_eq!(wakes(), 1, "the reader has no room");
    queue.push(100);
    assert_eq!(wakes(), 2, "but a notice needs none");
    queue.take(9, 2, &mut got);
    assert_eq!(got, [1, 100, 2, 3]);
}

#[test]
fn offers_can_be_taken_back_until_they_are_taken() {
    let (queue, _) = queue();
    offer(&queue, 0..6);
    let mut got = Vec::new();
    queue.take(9, 1, &mut got);
    assert_eq!(got, [0]);
    assert_eq!(queue.retract(6, 3, |id| id != 4), [2, 3, 5]);
    queue.update(|queue| assert!(queue.withdraw(4) && !queue.withdraw(0)));
    assert_eq!(queue.retract(2, 0, |_| true), [1]);
    offer(&queue, 0..1);
    assert_eq!(queue.retract(1, 0, |_| true), [0; 0], "not returnable");
}

#[test]
fn shown_requests_are_on_offer_until_they_are_taken() {
    let slots = Arc::new(Slots::default());
    let queue = NoticeQueue::with_slots(|| {}, slots.clone());
    offer(&queue, 1..9);
    let mut got = Vec::new();
    let taken = queue.take_and_show(9, 1, 5, &mut got);
    assert_eq!((taken.more, taken.offers, taken.shown), (false, 1, 5));
    assert_eq!(got, [1, 2, 3, 4, 5, 6], "room for one, and five are shown");

    assert!(slots.take(0));
    assert_eq!(queue.offers(), 6);
    queue.update(|queue| assert!(!queue.withdraw(2) && queue.withdraw(4)));
    assert!(slots.take(1) && !slots.take(2), "the third was withdrawn");
    assert_eq!(queue.retract(8, 5, |id| id != 7), [5, 6, 8]);
    assert!(!slots.take(3) && !slots.take(4) && !slots.take(5));
    assert_eq!(queue.offers(), 1);
    assert_eq!(queue.retract(4, 0, |id| id < 7), [0; 0], "taken");

    got.clear();
    assert_eq!(queue.take_and_show(9, 0, 5, &mut got).shown, 1);
    assert_eq!(got, [7]);
    assert_eq!(queue.take_and_show(9, 0, 0, &mut got).shown, 0);
    assert!(!slots.take(0), "the show is over");
    queue.take(9, 1, &mut got);
    assert_eq!(got, [7, 7]);
}

#[test]
fn nothing_is_shown_while_there_is_room_or_more_to_take() {
    let (queue, _) = queue();
    let mut got = Vec::new();
    offer(&queue, 1..3);
    assert_eq!(queue.take_and_show(9, 3, 5, &mut got).shown, 0);
    queue.push(3);
    queue.push(4);
    offer(&queue, 5..9);
    let taken = queue.take_and_show(1, 0, 5, &mut got);
    assert_eq!((taken.more, taken.shown), (true, 0));
    got.clear();
    let taken = queue.take_and_show(3, 1, 5, &mut got);
    assert_eq!((taken.offers, taken.shown), (1, 1), "no more than fits");
    assert_eq!(got, [4, 5, 6]);
}

#[test]
fn an_offer_is_had_by_one() {
    let slots = Arc::new(Slots::default());
    let queue = Arc::new(NoticeQueue::with_slots(|| {}, slots.clone()));
    for round in 0..200 {
        let first = round * 100;
        offer(&queue, first + 1..first + 33);
        let mut shown = Vec::new();
        let taken = queue.take_and_show(99, 0, 64, &mut shown);
        assert_eq!(taken.shown, 32);
        let other = queue.clone();
        let back = std::thread::spawn(move || other.retract(32, 0, |_| true));
        let taken = (0..32).filter(|&slot| slots.take(slot));
        let mut all: Vec<u64> = taken.map(|slot| shown[slot]).collect();
        all.extend(back.join().expect("no panic"));
        all.sort_unstable();
        assert_eq!(all, shown);
    }
}
