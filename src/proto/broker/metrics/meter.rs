//! What a service, or a worker, has done so far.

use super::histogram::Histogram;
use crate::proto::Time;
use crate::proto::broker::limits::Waiting;
use crate::proto::code::Code;
use serde_json::{Map, Value, json};

/// Of one service.
#[derive(Debug, Clone, Default)]
pub(in crate::proto::broker) struct Meter {
    pub(in crate::proto::broker) requests: u64,
    pub(in crate::proto::broker) replies: u64,
    pub(in crate::proto::broker) failures: u64,
    pub(in crate::proto::broker) partials: u64,
    pub(in crate::proto::broker) retried: u64,
    pub(in crate::proto::broker) cancelled: u64,
    /// Requests that ended with a code of ours.
    errors: [u64; Code::ALL.len()],
    /// Data and options of requests, and parts and finals of replies.
    pub(in crate::proto::broker) bytes_in: u64,
    pub(in crate::proto::broker) bytes_out: u64,
    queue: Histogram,
    work: Histogram,
    total: Histogram,
}

/// The times of a request that ends.
#[derive(Debug, Clone, Copy)]
pub(in crate::proto::broker) struct Times {
    pub(in crate::proto::broker) arrived: Time,
    /// When the worker that has it was given it, if one has.
    pub(in crate::proto::broker) given: Option<Time>,
    pub(in crate::proto::broker) ended: Time,
}

fn micros(from: Time, to: Time) -> u64 {
    to.as_micros().saturating_sub(from.as_micros())
}

impl Meter {
    pub(in crate::proto::broker) fn count(&mut self, code: Code) {
        self.errors[code as usize] += 1;
    }

    /// The end of a request that was let in.
    pub(in crate::proto::broker) fn record(&mut self, times: Times) {
        let Times {
            arrived,
            given,
            ended,
        } = times;
        self.queue.record(micros(arrived, given.unwrap_or(ended)));
        if let Some(given) = given {
            self.work.record(micros(given, ended));
        }
        self.total.record(micros(arrived, ended));
    }

    pub(in crate::proto::broker) fn merge(&mut self, other: &Meter) {
        self.requests += other.requests;
        self.replies += other.replies;
        self.failures += other.failures;
        self.partials += other.partials;
        self.retried += other.retried;
        self.cancelled += other.cancelled;
        for (mine, theirs) in self.errors.iter_mut().zip(&other.errors) {
            *mine += theirs;
        }
        self.bytes_in += other.bytes_in;
        self.bytes_out += other.bytes_out;
        self.queue.merge(&other.queue);
        self.work.merge(&other.work);
        self.total.merge(&other.total);
    }

    /// Takes out what was counted of requests that still wait.
    pub(super) fn split_waiting(&mut self, waiting: Waiting) -> Meter {
        let waiting = Meter {
            requests: waiting.requests as u64,
            bytes_in: waiting.bytes as u64,
            ..Meter::default()
        };
        self.requests = self.requests.saturating_sub(waiting.requests);
        self.bytes_in = self.bytes_in.saturating_sub(waiting.bytes_in);
        waiting
    }

    /// As members of an object.
    pub(in crate::proto::broker) fn to_json(&self) -> Value {
        json!({
            "counters": {
                "requests": self.requests,
                "replies": self.replies,
                "failures": self.failures,
                "partials": self.partials,
                "errors": errors_json(&self.errors),
                "cancelled": self.cancelled,
                "retried": self.retried,
                "bytesIn": self.bytes_in,
                "bytesOut": self.bytes_out,
            },
            "latency": {
                "queue": histogram_json(&self.queue),
                "work": histogram_json(&self.work),
                "total": histogram_json(&self.total),
            },
        })
    }
}

/// The codes that occurred.
pub(in crate::proto::broker) fn errors_json(errors: &[u64; Code::ALL.len()]) -> Map<String, Value> {
    Code::ALL
        .into_iter()
        .map(|code| (code.as_str().to_owned(), errors[code as usize]))
        .filter(|(_, count)| *count > 0)
        .map(|(code, count)| (code, count.into()))
        .collect()
}

/// In milliseconds, as all times of the API.
fn histogram_json(histogram: &Histogram) -> Value {
    let ms = |micros: u64| micros as f64 / 1000.0;
    let buckets = histogram
        .buckets()
        .map(|(upper, count)| json!([ms(upper), count]));
    json!({
        "count": histogram.count(),
        "sum": ms(histogram.sum()),
        "max": ms(histogram.max()),
        "p50": ms(histogram.percentile(50.0)),
        "p90": ms(histogram.percentile(90.0)),
        "p95": ms(histogram.percentile(95.0)),
        "p99": ms(histogram.percentile(99.0)),
        "buckets": buckets.collect::<Vec<_>>(),
    })
}
