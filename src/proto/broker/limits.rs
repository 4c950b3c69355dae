//! Refusal of requests: limits of the queues, the maximum of a message, and `failFast` without a
//! worker.
//!
//! A request is refused on admission or not at all, so a request that comes back from a worker is
//! not checked again.

use super::ends::End;
use super::keys::ServiceKey;
use super::requests::Content;
use super::{Broker, BrokerEvent};
use crate::proto::code::Code;
use crate::proto::{Terms, Time};
use crate::wire::Frame;
use std::time::Duration;

/// Limits of the queues. Bytes count bodies and options; the broker needs some hundred bytes more
/// for each request.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Maximum of requests in one queue. Default 262,144.
    pub queue: usize,
    /// Maximum of bytes in one queue. Default 256 MiB.
    pub queue_bytes: usize,
    /// Maximum of requests in all queues. Default 1,048,576.
    pub total: usize,
    /// Maximum of bytes in all queues. Default 1 GiB.
    pub total_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            queue: 262_144,
            queue_bytes: 256 << 20,
            total: 1 << 20,
            total_bytes: 1 << 30,
        }
    }
}

/// Requests that wait, in one queue or in all, and their bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Waiting {
    pub(super) requests: usize,
    pub(super) bytes: usize,
}

impl Waiting {
    pub(super) fn add(&mut self, bytes: usize) {
        self.requests += 1;
        self.bytes += bytes;
    }

    pub(super) fn remove(&mut self, bytes: usize) {
        self.requests -= 1;
        self.bytes -= bytes;
    }

    fn has_room(self, bytes: usize, max: usize, max_bytes: usize) -> bool {
        self.requests < max && self.bytes.saturating_add(bytes) <= max_bytes
    }

    /// Whether a full queue may be reported again. The margin prevents an event for every request
    /// that comes and goes at the limit.
    fn is_half_empty(self, max: usize, max_bytes: usize) -> bool {
        self.requests <= max / 2 && self.bytes <= max_bytes / 2
    }
}

/// Limits the rate of events that peers can cause at will.
#[derive(Debug)]
pub(super) struct Pulse {
    since: Time,
    told: u32,
    /// Maximum of events per second.
    most: u32,
}

impl Pulse {
    const PERIOD: Duration = Duration::from_secs(1);

    pub(super) fn new(most: u32) -> Self {
        Pulse {
            since: Time::ZERO,
            told: 0,
            most,
        }
    }

    pub(super) fn beats(&mut self, now: Time) -> bool {
        if now.since(self.since) >= Pulse::PERIOD {
            self.since = now;
            self.told = 0;
        }
        self.told = self.told.saturating_add(1);
        self.told <= self.most
    }
}

/// Whether all queues together are reported as full, and the rate limit of these reports.
#[derive(Debug)]
pub(super) struct Gauge {
    full: bool,
    pub(super) pulse: Pulse,
}

impl Default for Gauge {
    fn default() -> Self {
        Gauge {
            full: false,
            pulse: Pulse::new(10),
        }
    }
}

impl<F: Frame> Broker<F> {
    /// The code with which the request must be refused, if any.
    pub(super) fn check_admission(
        &mut self,
        now: Time,
        service: ServiceKey,
        content: &Content<F>,
        terms: Terms,
        is_choosy: bool,
    ) -> Option<Code> {
        let size = content.body.bytes.len() as u64;
        if self.config.max_message.is_some_and(|max| size > max) {
            return Some(Code::RequestTooLarge);
        }
        let entry = self.services.get_mut(service);
        if terms.fail_fast && entry.workers == 0 {
            return Some(Code::NoWorker);
        }
        // A worker takes it at once, so it does not wait here.
        if !is_choosy && entry.can_take(now) {
            entry.full = false;
            return None;
        }
        let limits = self.config.limits;
        let bytes = content.size();
        let here = entry.queue.waiting();
        let all = self.requests.waiting;
        if !here.has_room(bytes, limits.queue, limits.queue_bytes) {
            if !entry.full {
                entry.full = self.gauge.pulse.beats(now);
                let tell = entry.full;
                self.tell_full(tell, service, here, false);
            }
            return Some(Code::QueueFull);
        }
        if !all.has_room(bytes, limits.total, limits.total_bytes) {
            if !self.gauge.full {
                self.gauge.full = self.gauge.pulse.beats(now);
                self.tell_full(self.gauge.full, service, all, true);
            }
            return Some(Code::QueueFull);
        }
        entry.full &= !here.is_half_empty(limits.queue, limits.queue_bytes);
        self.gauge.full &= !all.is_half_empty(limits.total, limits.total_bytes);
        None
    }

    fn tell_full(&mut self, tell: bool, service: ServiceKey, waiting: Waiting, total: bool) {
        if tell {
            self.events.push(BrokerEvent::QueueFull {
                service: (&*self.services.name(service)).into(),
                requests: waiting.requests,
                bytes: waiting.bytes,
                total,
            });
        }
    }

    /// Ends the requests with `failFast` when the last worker of a service has left.
    pub(super) fn end_fail_fast(&mut self, now: Time, service: ServiceKey) {
        let entry = self.services.get_mut(service);
        if entry.workers > 0 || !entry.queue.has_fail_fast() {
            return;
        }
        for key in entry.queue.fail_fast(&self.requests) {
            let started = self
                .requests
                .get(key)
                .is_some_and(|r| r.retried > 0 || r.uncertain);
            let code = match started {
                true => Code::WorkerLost,
                false => Code::NoWorker,
            };
            self.end(now, key, End::Failed(code));
        }
    }
}
