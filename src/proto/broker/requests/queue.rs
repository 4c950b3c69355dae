//! The queue of a service.

use super::{NONE, Place, RequestKey, Requests};
use crate::proto::broker::limits::Waiting;
use crate::proto::broker::services::{ServiceKey, Services};

/// A queue of one service, linked through its requests, so that one that ends leaves from the
/// middle at no cost.
#[derive(Debug)]
pub struct Queue {
    head: u32,
    tail: u32,
    waiting: Waiting,
    /// How many of them do not wait without a worker.
    impatient: usize,
}

impl Default for Queue {
    fn default() -> Self {
        Queue {
            head: NONE,
            tail: NONE,
            waiting: Waiting::default(),
            impatient: 0,
        }
    }
}

impl Queue {
    pub fn is_empty(&self) -> bool {
        self.head == NONE
    }

    pub fn first(&self) -> Option<RequestKey> {
        (!self.is_empty()).then_some(RequestKey(self.head))
    }

    /// How much waits in it, or beside it.
    pub fn waiting(&self) -> Waiting {
        self.waiting
    }

    /// One that waits beside it counts as well.
    pub fn enter_aside<F>(&mut self, key: RequestKey, requests: &mut Requests<F>) {
        let bytes = requests.slab[key.0 as usize].bytes;
        self.waiting.add(bytes);
        requests.waiting.add(bytes);
    }

    pub fn leave_aside<F>(&mut self, key: RequestKey, requests: &mut Requests<F>) {
        let bytes = requests.slab[key.0 as usize].bytes;
        self.waiting.remove(bytes);
        requests.waiting.remove(bytes);
    }

    pub fn has_impatient(&self) -> bool {
        self.impatient > 0
    }

    /// Those in the queue of a service that do not wait without a worker.
    pub fn impatient<F>(
        service: ServiceKey,
        services: &mut Services,
        requests: &Requests<F>,
    ) -> Vec<RequestKey> {
        let mut found = Vec::new();
        let mut at = services.get_mut(service).queue.head;
        while let Some(request) = requests.slab.get(at as usize) {
            if request.fail_fast {
                found.push(RequestKey(at));
            }
            at = request.next;
        }
        found
    }

    fn enter<F>(&mut self, key: RequestKey, requests: &mut Requests<F>) {
        let request = &requests.slab[key.0 as usize];
        self.impatient += usize::from(request.fail_fast);
        self.waiting.add(request.bytes);
        requests.waiting.add(request.bytes);
    }

    /// From the front; panics if the links are broken.
    #[cfg(any(test, feature = "fuzz"))]
    pub fn iter<F>(&self, requests: &Requests<F>) -> impl Iterator<Item = RequestKey> {
        let mut prev = NONE;
        let mut at = self.head;
        std::iter::from_fn(move || {
            if at == NONE {
                assert_eq!(prev, self.tail);
                return None;
            }
            let request = &requests.slab[at as usize];
            assert_eq!(request.prev, prev);
            prev = at;
            at = request.next;
            Some(RequestKey(prev))
        })
    }

    pub fn push_back<F>(&mut self, key: RequestKey, requests: &mut Requests<F>) {
        let tail = self.tail;
        let request = &mut requests.slab[key.0 as usize];
        request.place = Place::Queue;
        request.prev = tail;
        request.next = NONE;
        match requests.slab.get_mut(tail as usize) {
            Some(tail) => tail.next = key.0,
            None => self.head = key.0,
        }
        self.tail = key.0;
        self.enter(key, requests);
    }

    /// Back to where the next worker takes it: for what came back without having started.
    pub fn push_front<F>(&mut self, key: RequestKey, requests: &mut Requests<F>) {
        let head = self.head;
        let request = &mut requests.slab[key.0 as usize];
        request.place = Place::Queue;
        request.prev = NONE;
        request.next = head;
        match requests.slab.get_mut(head as usize) {
            Some(head) => head.prev = key.0,
            None => self.tail = key.0,
        }
        self.head = key.0;
        self.enter(key, requests);
    }

    pub fn pop_front<F>(&mut self, requests: &mut Requests<F>) -> Option<RequestKey> {
        if self.is_empty() {
            return None;
        }
        let key = RequestKey(self.head);
        self.unlink(key, requests);
        Some(key)
    }

    /// Takes out a request that is in this queue.
    pub fn unlink<F>(&mut self, key: RequestKey, requests: &mut Requests<F>) {
        let request = &requests.slab[key.0 as usize];
        let (prev, next) = (request.prev, request.next);
        self.impatient -= usize::from(request.fail_fast);
        self.waiting.remove(request.bytes);
        requests.waiting.remove(request.bytes);
        match requests.slab.get_mut(prev as usize) {
            Some(prev) => prev.next = next,
            None => self.head = next,
        }
        match requests.slab.get_mut(next as usize) {
            Some(next) => next.prev = prev,
            None => self.tail = prev,
        }
    }
}
