//! Refusal of requests: limits of the queues, the maximum of a message, and `failFast` without a
//! worker.
//!
//! A request is refused on admission or not at all, so a request that comes back from a worker is
//! not checked again.

use super::BrokerEvent;
use super::context::Context;
use super::keys::ServiceKey;
use super::requests::{Content, Waiting};
use crate::proto::Terms;
use crate::proto::code::Code;
use crate::wire::Frame;

/// Whether all queues together are reported as full.
#[derive(Debug, Default)]
pub(super) struct QueueLimits {
    full: bool,
}

impl QueueLimits {
    /// The code with which the request must be refused, if any.
    pub(super) fn check<F: Frame>(
        &mut self,
        cx: &mut Context<F>,
        service: ServiceKey,
        content: &Content<F>,
        terms: Terms,
        is_choosy: bool,
    ) -> Option<Code> {
        let size = content.body.bytes.len() as u64;
        let is_too_large = cx.config.max_message.is_some_and(|max| size > max);
        if is_too_large || content.body.has_too_many_frames() {
            return Some(Code::RequestTooLarge);
        }
        let entry = cx.services.get_mut(service);
        if terms.fail_fast && entry.workers == 0 {
            return Some(Code::NoWorker);
        }
        // A worker takes it at once, so it does not wait here.
        if !is_choosy && entry.can_take(cx.now) {
            entry.full = false;
            return None;
        }
        let limits = cx.config.limits;
        let bytes = content.size();
        let here = entry.queue.waiting();
        let all = cx.requests.waiting;
        if !here.has_room(bytes, limits.queue, limits.queue_bytes) {
            if !entry.full {
                entry.full = cx.out.may_tell_limit(cx.now);
                let tell = entry.full;
                tell_full(cx, tell, service, here, false);
            }
            return Some(Code::QueueFull);
        }
        if !all.has_room(bytes, limits.total, limits.total_bytes) {
            if !self.full {
                self.full = cx.out.may_tell_limit(cx.now);
                tell_full(cx, self.full, service, all, true);
            }
            return Some(Code::QueueFull);
        }
        entry.full &= !here.is_half_empty(limits.queue, limits.queue_bytes);
        self.full &= !all.is_half_empty(limits.total, limits.total_bytes);
        None
    }
}

fn tell_full<F: Frame>(
    cx: &mut Context<F>,
    tell: bool,
    service: ServiceKey,
    waiting: Waiting,
    total: bool,
) {
    if tell {
        cx.out.tell(BrokerEvent::QueueFull {
            service: (&*cx.services.name(service)).into(),
            requests: waiting.requests,
            bytes: waiting.bytes,
            total,
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::broker::Limits;
    use crate::proto::broker::bench::{Bench, content};

    const LIMITS: Limits = Limits {
        queue: 2,
        queue_bytes: 100,
        total: 3,
        total_bytes: 1000,
    };

    fn bench(limits: Limits) -> Bench {
        let mut bench = Bench::empty();
        bench.config.limits = limits;
        bench.config.max_message = Some(200);
        bench
    }

    fn check(
        queue_limits: &mut QueueLimits,
        bench: &mut Bench,
        to: ServiceKey,
        bytes: usize,
    ) -> Option<Code> {
        queue_limits.check(bench, to, &content(bytes), Terms::default(), false)
    }

    #[test]
    fn a_queue_has_a_limit_of_requests_and_of_bytes_and_all_queues_have_one() {
        let (mut bench, mut queue_limits) = (bench(LIMITS), QueueLimits::default());
        let [a, b] = ["a", "b"].map(|name| bench.services.require(name.as_bytes()));
        let client = bench.client("c", |_| {});
        assert_eq!(check(&mut queue_limits, &mut bench, a, 100), None);
        assert_eq!(
            check(&mut queue_limits, &mut bench, a, 101),
            Some(Code::QueueFull)
        );
        let too_large = Some(Code::RequestTooLarge);
        assert_eq!(check(&mut queue_limits, &mut bench, a, 201), too_large);
        bench.request(client, "1", a);
        assert_eq!(check(&mut queue_limits, &mut bench, a, 1), None);
        bench.request(client, "2", a);
        assert_eq!(
            check(&mut queue_limits, &mut bench, a, 1),
            Some(Code::QueueFull)
        );
        bench.request(client, "3", b);
        assert_eq!(
            check(&mut queue_limits, &mut bench, b, 1),
            Some(Code::QueueFull)
        );
    }

    #[test]
    fn a_worker_with_room_takes_what_the_queue_has_no_room_for() {
        let (mut bench, mut queue_limits) =
            (bench(Limits { queue: 0, ..LIMITS }), QueueLimits::default());
        let service = bench.services.require(b"s");
        let fail_fast = Terms {
            fail_fast: true,
            ..Terms::default()
        };
        let mut check = |bench: &mut Bench, is_choosy| {
            queue_limits.check(bench, service, &content(1), fail_fast, is_choosy)
        };
        assert_eq!(check(&mut bench, false), Some(Code::NoWorker));
        bench.worker("w", service);
        assert_eq!(check(&mut bench, false), None);
        assert_eq!(check(&mut bench, true), Some(Code::QueueFull));
    }

    #[test]
    fn a_full_queue_is_reported_again_when_it_was_half_empty() {
        let (mut bench, mut queue_limits) = (bench(LIMITS), QueueLimits::default());
        let service = bench.services.require(b"s");
        let client = bench.client("c", |_| {});
        let reports = |bench: &mut Bench| bench.out.drain_events().count();
        let [first, _] = ["1", "2"].map(|rid| bench.request(client, rid, service));
        for _ in 0..3 {
            check(&mut queue_limits, &mut bench, service, 1);
        }
        assert_eq!(reports(&mut bench), 1);
        let queue = &mut bench.services.get_mut(service).queue;
        queue.leave(first, &mut bench.requests);
        check(&mut queue_limits, &mut bench, service, 1);
        bench.request(client, "3", service);
        check(&mut queue_limits, &mut bench, service, 1);
        assert_eq!(reports(&mut bench), 1);
    }
}
