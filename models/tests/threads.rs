//! Real threads, for ThreadSanitizer. Each side writes plain memory, which the other side may access only in the order
//! that the queue and the slots guarantee. This is a program without Rust's test runner, because ThreadSanitizer would
//! report the channels of the runner, which are not compiled with it.

use std::cell::UnsafeCell;
use std::mem::forget;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use zmq_omdp_models::loan::Loan;
use zmq_omdp_models::notice_queue::{NoticeQueue, Offer};
use zmq_omdp_models::slots::Slots;

const ROUNDS: u64 = 1000;
const OFFERS: u64 = 16;
/// The number of offers for which the reader has room.
const ROOM: usize = 16;

/// Memory without synchronization.
#[derive(Default)]
struct Plain(UnsafeCell<u64>);

// SAFETY: the tested code has to order all accesses; ThreadSanitizer reports those that it does not.
unsafe impl Sync for Plain {}

impl Plain {
    fn write(&self, value: u64) {
        // SAFETY: as above.
        unsafe { *self.0.get() = value };
    }

    fn read(&self) -> u64 {
        // SAFETY: as above.
        unsafe { *self.0.get() }
    }
}

/// An `Arc` that is never freed: the standard library orders the drop of the last reference by a fence, which
/// ThreadSanitizer does not support.
fn shared<T>(value: T) -> Arc<T> {
    let shared = Arc::new(value);
    forget(shared.clone());
    shared
}

/// The driver makes offers, withdraws some and retracts others; the reader takes some. The side that gets an offer writes
/// to its memory. A driver that sees that an offer was taken reads what the reader wrote before it took the offer.
fn one_side_gets_an_offer_and_sees_earlier_writes() {
    let (mut taken, mut taken_back, mut seen) = (0, 0, 0);
    for round in 0..ROUNDS {
        let slots = shared(Slots::default());
        let queue = shared(NoticeQueue::with_slots(|| {}, slots.clone()));
        let cells: Arc<Vec<Plain>> = shared((0..OFFERS).map(|_| Plain::default()).collect());
        let notes: Arc<Vec<Plain>> = shared((0..OFFERS).map(|_| Plain::default()).collect());
        queue.update(|queue| {
            for id in 0..OFFERS {
                cells[id as usize].write(round);
                let returnable = id % 4 != 0;
                queue.offer(Offer { id, returnable }, id);
            }
        });
        let mut shown = Vec::new();
        let count = queue.take_and_show(99, 0, 99, &mut shown).shown;
        assert_eq!(count as u64, OFFERS);

        let reader = thread::spawn({
            let (slots, cells, notes) = (slots.clone(), cells.clone(), notes.clone());
            move || {
                let mut had = Vec::new();
                for (slot, id) in shown.iter().enumerate() {
                    notes[slot].write(*id);
                    if slots.take(slot) {
                        cells[*id as usize].write(1);
                        had.push(*id);
                    }
                }
                had
            }
        });
        let mut back = Vec::new();
        for id in (0..OFFERS).filter(|id| id % 4 == 0).rev() {
            queue.update(|queue| {
                if queue.withdraw(id) {
                    cells[id as usize].write(2);
                    back.push(id);
                }
            });
            if slots.is_taken(id as usize) {
                seen += 1;
                assert_eq!(notes[id as usize].read(), id);
            }
        }
        for id in queue.retract(OFFERS as usize, round as usize % 8, |_| true) {
            cells[id as usize].write(2);
            back.push(id);
        }
        let had = reader.join().expect("the reader ends");
        (taken, taken_back) = (taken + had.len(), taken_back + back.len());
        assert!(had.iter().all(|id| !back.contains(id)));
        for id in had {
            assert_eq!(cells[id as usize].read(), 1);
        }
    }
    // Without each of these outcomes the test would show nothing.
    assert!(
        taken > 0 && taken_back > 0 && seen > 0,
        "{taken} {taken_back} {seen}"
    );
}

/// Two drivers push notices. A reader that is woken once for a batch finds all of them, and the memory that was written
/// before each of them.
fn a_wake_up_shows_all_earlier_notices() {
    let rung = shared(AtomicBool::new(false));
    let rings = shared(AtomicUsize::new(0));
    let queue = shared(NoticeQueue::new({
        let (rung, rings, reader) = (rung.clone(), rings.clone(), thread::current());
        move || {
            rings.fetch_add(1, Ordering::Relaxed);
            // Relaxed, so that only the queue orders the accesses.
            rung.store(true, Ordering::Relaxed);
            reader.unpark();
        }
    }));
    let total = ROUNDS * 10;
    let cells: Arc<Vec<Plain>> = shared((0..2 * total).map(|_| Plain::default()).collect());
    let writers = [0, 1].map(|writer| {
        let (queue, cells) = (queue.clone(), cells.clone());
        thread::spawn(move || {
            for each in 0..total {
                let id = 2 * each + writer;
                cells[id as usize].write(id);
                let returnable = true;
                match each % 3 {
                    0 => queue.update(|queue| queue.offer(Offer { id, returnable }, id)),
                    _ => queue.push(id),
                }
            }
        })
    });
    let mut got = Vec::new();
    let mut last = [None; 2];
    let mut found = 0;
    while found < 2 * total {
        while !rung.swap(false, Ordering::Relaxed) {
            thread::park();
        }
        loop {
            got.clear();
            let taken = queue.take(64, ROOM, &mut got);
            for id in &got {
                assert_eq!(cells[*id as usize].read(), *id);
                // Notices keep their order, apart from offers.
                if id / 2 % 3 != 0 {
                    let last = &mut last[*id as usize % 2];
                    assert!(last.is_none_or(|last| last < *id));
                    *last = Some(*id);
                }
            }
            found += got.len() as u64;
            // A reader that has filled its room has room again, and reads again.
            if !taken.more && taken.offers < ROOM {
                break;
            }
        }
    }
    for writer in writers {
        writer.join().expect("the writer ends");
    }
    assert!(rings.load(Ordering::Relaxed) as u64 <= 2 * total);
}

/// A value that its owner lends while it waits. Both sides change it, and neither sees half of a change.
fn one_side_at_a_time_changes_a_lent_value() {
    let loan = shared(Loan::default());
    let ended = shared(AtomicBool::new(false));
    let user = thread::spawn({
        let (loan, ended) = (loan.clone(), ended.clone());
        move || {
            let mut used = 0u64;
            while !ended.load(Ordering::Relaxed) {
                let use_it = |value: &mut [u64; 2]| {
                    assert_eq!(value[0], value[1]);
                    *value = value.map(|each| each + 1);
                };
                match loan.use_if_lent(use_it) {
                    Some(()) => used += 1,
                    None => thread::yield_now(),
                }
            }
            used
        }
    });
    let mut value = Box::new([0u64; 2]);
    let mut changed = 0;
    // Until both sides have changed it often enough.
    while changed < ROUNDS / 4 || value[0] < changed + ROUNDS / 4 {
        *value = value.map(|each| each + 1);
        changed += 1;
        loan.lend(value);
        thread::yield_now();
        value = loan.take_back().expect("the other side leaves it there");
        assert_eq!(value[0], value[1]);
    }
    ended.store(true, Ordering::Relaxed);
    let used = user.join().expect("the user ends");
    assert_eq!(value[0], changed + used);
}

fn main() {
    let models: [(&str, fn()); 3] = [
        (
            "one side gets an offer, and sees what was written before",
            one_side_gets_an_offer_and_sees_earlier_writes,
        ),
        (
            "a wake-up shows all earlier notices",
            a_wake_up_shows_all_earlier_notices,
        ),
        (
            "one side at a time changes a lent value",
            one_side_at_a_time_changes_a_lent_value,
        ),
    ];
    for (name, model) in models {
        model();
        println!("✓ {name}");
    }
}
