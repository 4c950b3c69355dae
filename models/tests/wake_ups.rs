//! The reader of a notice queue is woken for each notice that it has not read, and not without one.
#![cfg(feature = "loom")]

use loom::sync::atomic::{AtomicUsize, Ordering};
use loom::sync::{Arc, Condvar, Mutex};
use loom::thread;
use zmq_omdp_models::notice_queue::{NoticeQueue, Offer};

/// Wakes a thread. Several wake-ups before the thread reads count as one, like those of a threadsafe function.
#[derive(Default)]
struct Bell {
    rung: Mutex<bool>,
    heard: Condvar,
    rings: AtomicUsize,
}

impl Bell {
    fn ring(&self) {
        self.rings.fetch_add(1, Ordering::Relaxed);
        *self.rung.lock().unwrap() = true;
        self.heard.notify_one();
    }

    fn wait(&self) {
        let mut rung = self.rung.lock().unwrap();
        while !std::mem::take(&mut *rung) {
            rung = self.heard.wait(rung).unwrap();
        }
    }
}

fn queue() -> (Arc<Bell>, Arc<NoticeQueue<u64>>) {
    let bell = Arc::new(Bell {
        rung: Mutex::new(false),
        heard: Condvar::new(),
        rings: AtomicUsize::new(0),
    });
    let theirs = bell.clone();
    (bell, Arc::new(NoticeQueue::new(move || theirs.ring())))
}

/// After a lost wake-up the reader would wait for ever, which loom detects.
#[test]
fn notices_of_two_threads_all_arrive() {
    loom::model(|| {
        let (bell, queue) = queue();
        let writers = [1, 2].map(|id| {
            let queue = queue.clone();
            thread::spawn(move || queue.push(id))
        });
        let mut got = Vec::new();
        while got.len() < 2 {
            bell.wait();
            while queue.take(1, 0, &mut got).more {}
        }
        for writer in writers {
            writer.join().unwrap();
        }
        got.sort_unstable();
        assert_eq!(got, [1, 2]);
        assert!(bell.rings.load(Ordering::Relaxed) <= 2);
    });
}

/// A reader without room is not woken for an offer. It finds the offer when it reports that it has room again.
#[test]
fn an_offer_that_came_without_room_is_found_with_it() {
    loom::model(|| {
        let (bell, queue) = queue();
        let mut got = Vec::new();
        queue.take(9, 0, &mut got);
        let writer = thread::spawn({
            let queue = queue.clone();
            move || {
                let (id, returnable) = (7, true);
                queue.update(|queue| queue.offer(Offer { id, returnable }, id));
            }
        });
        // The reader has room now, so a later offer wakes it.
        queue.take(9, 1, &mut got);
        while got.is_empty() {
            bell.wait();
            queue.take(9, 1, &mut got);
        }
        writer.join().unwrap();
        assert_eq!(got, [7]);
        assert!(bell.rings.load(Ordering::Relaxed) <= 1);
    });
}

/// A reader that has read nothing, or a part, is woken by the next notice.
#[test]
fn a_reader_that_looked_is_woken_by_the_next_notice() {
    loom::model(|| {
        let (bell, queue) = queue();
        let writer = thread::spawn({
            let queue = queue.clone();
            move || {
                queue.push(1);
                queue.push(2);
            }
        });
        let mut got = Vec::new();
        queue.take(9, 0, &mut got);
        while got.len() < 2 {
            bell.wait();
            queue.take(9, 0, &mut got);
        }
        writer.join().unwrap();
        assert_eq!(got, [1, 2], "in order");
    });
}
