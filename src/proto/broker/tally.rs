//! What is counted and recorded at the end of every request: [`Tally::count_end`] for admitted requests,
//! [`Tally::count_refusal`] for the others.

use super::BrokerEvent;
use super::context::Context;
use super::event::EndedRequest;
use super::fanout::COPY;
use super::incoming::RequestHead;
use super::keys::RequestKey;
use super::metrics::{COUNTS, Times};
use super::outcome::End;
use super::requests::Request;
use crate::proto::code::Code;
use crate::proto::event_rate::EventRate;
use crate::wire::Frame;
use std::time::Duration;

/// Maximum of records of ended requests in a burst. It must be below the maximum of events that wait for JavaScript.
const BURST: u64 = 4000;

/// The interval between records in the long run: under full load a record costs the broker more than the request.
const INTERVAL: Duration = Duration::from_micros(500);

#[derive(Debug)]
pub(super) struct Tally {
    log: EventRate,
}

impl Tally {
    pub(super) fn new() -> Self {
        Tally {
            log: EventRate::with_burst(BURST, 1, INTERVAL),
        }
    }

    /// Counts and records the end of an admitted request. The final of a worker is counted for the worker where the
    /// worker is freed: `true` if the request ends with one.
    // Inlined, because a call costs a fifth of what counting does.
    #[inline(always)]
    pub(super) fn count_end<F: Frame>(
        &mut self,
        cx: &mut Context<F>,
        key: RequestKey,
        end: &End<F>,
    ) -> bool {
        let Some(request) = cx.requests.get(key) else {
            return false;
        };
        let times = Times {
            arrived: request.arrived,
            given: request.given(),
            ended: cx.now,
        };
        let service = cx.services.get_mut(request.service);
        let is_special = service.special.is_some();
        let mut replied = false;
        if COUNTS {
            service.meter.record(times);
            if let Some(body) = end.reply() {
                service.meter.replied(body.bytes.len());
                cx.counters.replies += 1;
                replied = true;
            } else {
                count_failure(cx, key, end);
            }
        }
        if is_special {
            count_share(cx, key, times);
        }
        if cx.config.log_requests {
            self.log_end(cx, key, times, end);
        }
        if let End::Failed(Code::ClientTimeout) | End::ExpiredAtClient = end {
            report_expired(cx, key);
        }
        replied
    }

    /// Counts and records a request that was not admitted.
    pub(super) fn count_refusal<F: Frame>(
        &mut self,
        cx: &mut Context<F>,
        client: &[u8],
        head: &RequestHead<F>,
        code: Code,
    ) {
        cx.counters.count(code);
        let meter = cx.services.meter_of(&head.service);
        meter.count(code);
        meter.note_code(cx.now, code);
        if cx.config.log_requests {
            self.log_refusal(cx, client, head, code);
        }
    }

    #[cold]
    fn log_end<F: Frame>(
        &mut self,
        cx: &mut Context<F>,
        key: RequestKey,
        times: Times,
        end: &End<F>,
    ) {
        let Some(omitted) = self.log.take(times.ended) else {
            return;
        };
        let Some(request) = cx.requests.get(key) else {
            return;
        };
        let client = cx.clients.get(request.client);
        let worker = cx.worker_name_of(key);
        let log = EndedRequest {
            rid: own_rid(request).into(),
            service: (&*cx.asked_name(request)).into(),
            client: client.map_or(&b""[..], |client| &*client.id).into(),
            worker: worker.map(Into::into),
            attempt: u32::from(request.attempts.count()) + u32::from(times.given.is_some()),
            queue: times.given.unwrap_or(times.ended) - times.arrived,
            work: times.given.map(|given| times.ended - given),
            outcome: end.outcome(),
            omitted,
        };
        cx.out.tell(BrokerEvent::RequestEnded(Box::new(log)));
    }

    #[cold]
    fn log_refusal<F: Frame>(
        &mut self,
        cx: &mut Context<F>,
        client: &[u8],
        head: &RequestHead<F>,
        code: Code,
    ) {
        let Some(omitted) = self.log.take(cx.now) else {
            return;
        };
        let log = EndedRequest {
            rid: (&*head.rid).into(),
            service: (&*head.service).into(),
            client: client.into(),
            worker: None,
            attempt: 0,
            queue: Duration::ZERO,
            work: None,
            outcome: code.as_str(),
            omitted,
        };
        cx.out.tell(BrokerEvent::RequestEnded(Box::new(log)));
    }
}

/// The client's id, also of a copy, whose own id continues it.
fn own_rid<F: Frame>(request: &Request<F>) -> &[u8] {
    let end = match request.is_copy() {
        true => request.rid.iter().rposition(|&byte| byte == COPY),
        false => None,
    };
    &request.rid[..end.unwrap_or(request.rid.len())]
}

/// Counts the end of a request that was not answered, or with a failure.
#[inline(never)]
fn count_failure<F: Frame>(cx: &mut Context<F>, key: RequestKey, end: &End<F>) {
    let now = cx.now;
    let Some(request) = cx.requests.get(key) else {
        return;
    };
    let counters = &mut cx.counters;
    let meter = &mut cx.services.get_mut(request.service).meter;
    let code = match end {
        End::Answered(_, body) => {
            let code = end.own_code();
            if code.is_none() {
                meter.bytes_out += body.bytes.len() as u64;
            }
            code
        }
        End::Failed(code) => Some(*code),
        End::Cancelled => None,
        End::ExpiredAtClient => Some(Code::ClientTimeout),
    };
    if let Some(code) = code {
        counters.count(code);
        meter.count(code);
        meter.note_code(now, code);
    } else if let End::Answered(_, body) = end {
        counters.failures += 1;
        meter.failures += 1;
        meter.note_error(now, &body.bytes);
    } else {
        counters.cancelled += 1;
        meter.cancelled += 1;
    }
    // A rejection is no answer of the worker, and is counted where it is handled.
    if matches!(end, End::Answered(..))
        && code != Some(Code::Rejected)
        && let Some(worker) = request.worker().and_then(|key| cx.workers.get_mut(key))
    {
        worker.ended += 1;
        worker.failed += 1;
    }
}

#[cold]
fn count_share<F: Frame>(cx: &mut Context<F>, key: RequestKey, times: Times) {
    let Some(request) = cx.requests.get(key) else {
        return;
    };
    let special = &mut cx.services.get_mut(request.service).special;
    let balancer = special
        .as_mut()
        .and_then(|special| special.balancer.as_mut());
    if let Some(balancer) = balancer
        && let Some(given) = times.given
        && let Some(worker) = request.worker().and_then(|key| cx.workers.get_mut(key))
    {
        let work = worker.pace.work_in(times.ended - given);
        worker.share += balancer.ended(work);
    }
}

#[cold]
fn report_expired<F: Frame>(cx: &mut Context<F>, key: RequestKey) {
    if let Some(request) = cx.requests.get(key) {
        cx.counters.expired += 1;
        cx.out.tell(BrokerEvent::RequestExpired {
            service: (&*cx.asked_name(request)).into(),
            running: !request.is_waiting(),
        });
    }
}
