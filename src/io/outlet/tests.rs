use super::*;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

fn outlet() -> (Outlet<u64>, impl Fn() -> usize) {
    let wakes = Arc::new(AtomicUsize::new(0));
    let counter = wakes.clone();
    let outlet = Outlet::new(move || {
        counter.fetch_add(1, Ordering::Relaxed);
    });
    (outlet, move || wakes.load(Ordering::Relaxed))
}

fn offer(outlet: &Outlet<u64>, ids: std::ops::Range<u64>) {
    outlet.update(|queue| {
        for id in ids {
            let returnable = id != 0;
            queue.offer(Offer { id, returnable }, id);
        }
    });
}

#[test]
fn one_wake_up_a_batch() {
    let (outlet, wakes) = outlet();
    outlet.update(|_| {});
    assert_eq!(wakes(), 0);
    outlet.push(1);
    outlet.push(2);
    outlet.push(3);
    assert_eq!(wakes(), 1);

    let mut got = Vec::new();
    assert!(outlet.take(2, 9, &mut got).more);
    outlet.push(4);
    assert_eq!(wakes(), 1, "the reader knows that more is there");
    assert!(!outlet.take(9, 9, &mut got).more);
    assert_eq!(got, [1, 2, 3, 4]);
    outlet.push(5);
    assert_eq!(wakes(), 2);
}

#[test]
fn offers_wait_for_room() {
    let (outlet, wakes) = outlet();
    offer(&outlet, 1..4);
    assert_eq!(wakes(), 1);
    let mut got = Vec::new();
    let left = outlet.take(9, 1, &mut got);
    assert_eq!(got, [1]);
    assert_eq!((left.more, left.offers), (false, 1));
    offer(&outlet, 4..5);
    assert_eq!(wakes(), 1, "the reader has no room");
    outlet.push(100);
    assert_eq!(wakes(), 2, "but a notice needs none");
    outlet.take(9, 2, &mut got);
    assert_eq!(got, [1, 100, 2, 3]);
}

#[test]
fn offers_can_be_taken_back_until_they_are_taken() {
    let (outlet, _) = outlet();
    offer(&outlet, 0..6);
    let mut got = Vec::new();
    outlet.take(9, 1, &mut got);
    assert_eq!(got, [0]);
    assert_eq!(outlet.retract(6, 3, |id| id != 4), [2, 3, 5]);
    outlet.update(|queue| assert!(queue.withdraw(4) && !queue.withdraw(0)));
    assert_eq!(outlet.retract(2, 0, |_| true), [1]);
    offer(&outlet, 0..1);
    assert_eq!(outlet.retract(1, 0, |_| true), [0; 0], "not returnable");
}

#[test]
fn what_is_shown_is_on_offer_until_it_is_claimed() {
    let claims = Arc::new(Claims::default());
    let outlet = Outlet::with_claims(|| {}, claims.clone());
    offer(&outlet, 1..9);
    let mut got = Vec::new();
    let taken = outlet.take_and_show(9, 1, 5, &mut got);
    assert_eq!((taken.more, taken.offers, taken.shown), (false, 1, 5));
    assert_eq!(got, [1, 2, 3, 4, 5, 6], "room for one, and five are shown");

    assert!(claims.claim(0));
    assert_eq!(outlet.offers(), 6);
    outlet.update(|queue| assert!(!queue.withdraw(2) && queue.withdraw(4)));
    assert!(
        claims.claim(1) && !claims.claim(2),
        "the third was withdrawn"
    );
    assert_eq!(outlet.retract(8, 5, |id| id != 7), [5, 6, 8]);
    assert!(!claims.claim(3) && !claims.claim(4) && !claims.claim(5));
    assert_eq!(outlet.offers(), 1);
    assert_eq!(outlet.retract(4, 0, |id| id < 7), [0; 0], "claimed");

    got.clear();
    assert_eq!(outlet.take_and_show(9, 0, 5, &mut got).shown, 1);
    assert_eq!(got, [7]);
    assert_eq!(outlet.take_and_show(9, 0, 0, &mut got).shown, 0);
    assert!(!claims.claim(0), "the show is over");
    outlet.take(9, 1, &mut got);
    assert_eq!(got, [7, 7]);
}

#[test]
fn nothing_is_shown_while_there_is_room_or_more_to_take() {
    let (outlet, _) = outlet();
    let mut got = Vec::new();
    offer(&outlet, 1..3);
    assert_eq!(outlet.take_and_show(9, 3, 5, &mut got).shown, 0);
    outlet.push(3);
    outlet.push(4);
    offer(&outlet, 5..9);
    let taken = outlet.take_and_show(1, 0, 5, &mut got);
    assert_eq!((taken.more, taken.shown), (true, 0));
    got.clear();
    let taken = outlet.take_and_show(3, 1, 5, &mut got);
    assert_eq!((taken.offers, taken.shown), (1, 1), "no more than fits");
    assert_eq!(got, [4, 5, 6]);
}

#[test]
fn an_offer_is_had_by_one() {
    let claims = Arc::new(Claims::default());
    let outlet = Arc::new(Outlet::with_claims(|| {}, claims.clone()));
    for round in 0..200 {
        let first = round * 100;
        offer(&outlet, first + 1..first + 33);
        let mut shown = Vec::new();
        let taken = outlet.take_and_show(99, 0, 64, &mut shown);
        assert_eq!(taken.shown, 32);
        let other = outlet.clone();
        let back = std::thread::spawn(move || other.retract(32, 0, |_| true));
        let claimed = (0..32).filter(|&slot| claims.claim(slot));
        let mut all: Vec<u64> = claimed.map(|slot| shown[slot]).collect();
        all.extend(back.join().expect("no panic"));
        all.sort_unstable();
        assert_eq!(all, shown);
    }
}
