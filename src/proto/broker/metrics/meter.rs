//! Counters and latencies of a service or of a worker.

use super::histogram::Histogram;
use crate::proto::Time;
use crate::proto::broker::limits::Waiting;
use crate::proto::code::Code;
use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::{Map, Value, json};

/// The meter of one service.
#[derive(Debug, Clone, Default)]
pub(in crate::proto::broker) struct Meter {
    pub(in crate::proto::broker) requests: u64,
    pub(in crate::proto::broker) replies: u64,
    pub(in crate::proto::broker) failures: u64,
    pub(in crate::proto::broker) partials: u64,
    pub(in crate::proto::broker) retried: u64,
    pub(in crate::proto::broker) cancelled: u64,
    /// Rejections by workers.
    pub(in crate::proto::broker) rejected: u64,
    /// Requests that ended with an own code, by code.
    errors: [u64; Code::ALL.len()],
    /// Bytes of data and options of requests; `bytes_out` counts the partials and finals of replies.
    pub(in crate::proto::broker) bytes_in: u64,
    pub(in crate::proto::broker) bytes_out: u64,
    queue: Histogram,
    work: Histogram,
    total: Histogram,
    last_error: Option<Box<LastError>>,
}

/// The latest error with which a request ended.
#[derive(Debug, Clone)]
struct LastError {
    at: Time,
    what: What,
}

#[derive(Debug, Clone)]
enum What {
    Code(Code),
    /// The beginning of the worker's error value, as text.
    Value(Box<str>),
}

/// Maximum of bytes that are kept of an error value.
const MAX_ERROR: usize = 256;

/// The times of a request that has ended.
#[derive(Debug, Clone, Copy)]
pub(in crate::proto::broker) struct Times {
    pub(in crate::proto::broker) arrived: Time,
    /// When the request was given to the worker that has it; `None` if no worker has it.
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

    #[cold]
    pub(in crate::proto::broker) fn note_code(&mut self, now: Time, code: Code) {
        let what = What::Code(code);
        self.last_error = Some(Box::new(LastError { at: now, what }));
    }

    #[cold]
    pub(in crate::proto::broker) fn note_error(&mut self, now: Time, value: &[u8]) {
        let value = &value[..value.len().min(MAX_ERROR)];
        let what = What::Value(String::from_utf8_lossy(value).into());
        self.last_error = Some(Box::new(LastError { at: now, what }));
    }

    /// The latest error and its age in ms. Error values can belong to requests of any user, so they are included only
    /// if `values` is true.
    pub(in crate::proto::broker) fn last_error(&self, now: Time, values: bool) -> Value {
        let Some(error) = &self.last_error else {
            return Value::Null;
        };
        let since = now.since(error.at).as_micros() as f64 / 1000.0;
        match &error.what {
            What::Code(code) => json!({ "code": code.as_str(), "since": since }),
            What::Value(value) if values => json!({ "value": value, "since": since }),
            What::Value(_) => json!({ "since": since }),
        }
    }

    /// Number of requests that ended with an error value or an own code.
    pub(in crate::proto::broker) fn errors(&self) -> u64 {
        self.failures + self.errors.iter().sum::<u64>()
    }

    /// Summary of the time that workers took for requests, in ms.
    pub(in crate::proto::broker) fn times(&self) -> Summary<'_> {
        Summary(&self.work)
    }

    /// Records the latencies of an admitted request that has ended.
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
        self.rejected += other.rejected;
        for (mine, theirs) in self.errors.iter_mut().zip(&other.errors) {
            *mine += theirs;
        }
        self.bytes_in += other.bytes_in;
        self.bytes_out += other.bytes_out;
        self.queue.merge(&other.queue);
        self.work.merge(&other.work);
        self.total.merge(&other.total);
        let at = |error: &Option<Box<LastError>>| error.as_ref().map(|error| error.at);
        if at(&other.last_error) > at(&self.last_error) {
            self.last_error.clone_from(&other.last_error);
        }
    }

    /// Splits off the counts of requests that still wait.
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

    /// The members `counters` and `latency` of a JSON object.
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
                "rejected": self.rejected,
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

/// The summary of a histogram, in ms: mean, maximum and some percentiles.
pub(in crate::proto::broker) struct Summary<'a>(&'a Histogram);

impl Serialize for Summary<'_> {
    fn serialize<S: Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        let Summary(work) = self;
        let ms = |micros: u64| micros as f64 / 1000.0;
        let mean = work.sum() as f64 / work.count().max(1) as f64;
        let mut map = out.serialize_map(None)?;
        map.serialize_entry("max", &ms(work.max()))?;
        map.serialize_entry("mean", &(mean.round() / 1000.0))?;
        map.serialize_entry("p50", &ms(work.percentile(50.0)))?;
        map.serialize_entry("p90", &ms(work.percentile(90.0)))?;
        map.serialize_entry("p95", &ms(work.percentile(95.0)))?;
        map.serialize_entry("p99", &ms(work.percentile(99.0)))?;
        map.end()
    }
}

/// Counts by code, without zeros.
pub(in crate::proto::broker) fn errors_json(errors: &[u64; Code::ALL.len()]) -> Map<String, Value> {
    Code::ALL
        .into_iter()
        .map(|code| (code.as_str().to_owned(), errors[code as usize]))
        .filter(|(_, count)| *count > 0)
        .map(|(code, count)| (code, count.into()))
        .collect()
}

/// The JSON of a histogram, in milliseconds as all times of the API.
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
