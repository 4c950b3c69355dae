//! Counters and latencies of a service or of a worker.

use super::histogram::Histogram;
use super::summary::{HistogramStats, LastError, Latency, Percentiles, Summary, errors_by_code};
use crate::proto::Time;
use crate::proto::broker::requests::Waiting;
use crate::proto::code::Code;
use crate::proto::time::ms;
use serde::Serialize;
use std::collections::BTreeMap;

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
    last_error: Option<Box<Noted>>,
}

/// The latest error with which a request ended, as it is kept.
#[derive(Debug, Clone)]
struct Noted {
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
    /// Counts a request with this many bytes of data and options.
    #[inline]
    pub(in crate::proto::broker) fn requested(&mut self, bytes: usize) {
        self.requests += 1;
        self.bytes_in += bytes as u64;
    }

    /// Counts a part of a reply.
    #[inline]
    pub(in crate::proto::broker) fn passed_on(&mut self, bytes: usize) {
        self.partials += 1;
        self.bytes_out += bytes as u64;
    }

    /// Counts a final.
    #[inline]
    pub(in crate::proto::broker) fn replied(&mut self, bytes: usize) {
        self.replies += 1;
        self.bytes_out += bytes as u64;
    }

    pub(in crate::proto::broker) fn count(&mut self, code: Code) {
        self.errors[code as usize] += 1;
    }

    #[cold]
    pub(in crate::proto::broker) fn note_code(&mut self, now: Time, code: Code) {
        let what = What::Code(code);
        self.last_error = Some(Box::new(Noted { at: now, what }));
    }

    #[cold]
    pub(in crate::proto::broker) fn note_error(&mut self, now: Time, value: &[u8]) {
        let value = &value[..value.len().min(MAX_ERROR)];
        let what = What::Value(String::from_utf8_lossy(value).into());
        self.last_error = Some(Box::new(Noted { at: now, what }));
    }

    /// The latest error. Error values can belong to requests of any user, so they are included only if `values` is
    /// true.
    pub(in crate::proto::broker) fn last_error(
        &self,
        now: Time,
        values: bool,
    ) -> Option<LastError<'_>> {
        let error = self.last_error.as_ref()?;
        let (code, value) = match &error.what {
            What::Code(code) => (Some(code.as_str()), None),
            What::Value(value) => (None, values.then_some(&**value)),
        };
        let since = ms(now.since(error.at));
        Some(LastError { code, value, since })
    }

    /// Number of requests that ended with an error value or an own code.
    pub(in crate::proto::broker) fn errors(&self) -> u64 {
        self.failures + self.errors.iter().sum::<u64>()
    }

    /// Summary of the time that workers took for requests, in ms.
    pub(in crate::proto::broker) fn times(&self) -> Summary {
        let mean = self.work.sum() as f64 / self.work.count().max(1) as f64;
        Summary {
            mean: mean.round() / 1000.0,
            percentiles: Percentiles::of(&self.work),
        }
    }

    /// Records the latencies of an admitted request that has ended.
    #[inline(always)]
    pub(in crate::proto::broker) fn record(&mut self, times: Times) {
        let Times {
            arrived,
            given,
            ended,
        } = times;
        match given {
            // Most requests do not wait; then there is one bucket to find instead of three.
            Some(given) if given == arrived => {
                let work = micros(given, ended);
                self.record_given(0, work, work);
            }
            Some(given) => {
                let (queue, work) = (micros(arrived, given), micros(given, ended));
                self.record_given(queue, work, queue + work);
            }
            None => {
                let queue = micros(arrived, ended);
                self.queue.record(queue);
                self.total.record(queue);
            }
        }
    }

    #[inline(always)]
    fn record_given(&mut self, queue: u64, work: u64, total: u64) {
        self.queue.record(queue);
        self.work.record(work);
        self.total.record(total);
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
        let at = |error: &Option<Box<Noted>>| error.as_ref().map(|error| error.at);
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

    pub(in crate::proto::broker) fn snapshot(&self) -> MeterStats {
        MeterStats {
            counters: MeterCounts {
                requests: self.requests,
                replies: self.replies,
                failures: self.failures,
                partials: self.partials,
                errors: errors_by_code(&self.errors),
                cancelled: self.cancelled,
                retried: self.retried,
                rejected: self.rejected,
                bytes_in: self.bytes_in,
                bytes_out: self.bytes_out,
            },
            latency: Latency {
                queue: HistogramStats::of(&self.queue),
                work: HistogramStats::of(&self.work),
                total: HistogramStats::of(&self.total),
            },
        }
    }
}

/// A snapshot of a meter: docs/api.md describes its members.
#[derive(Debug, Clone, Serialize)]
pub struct MeterStats {
    pub counters: MeterCounts,
    pub latency: Latency,
}

/// The counts of a meter.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct MeterCounts {
    pub requests: u64,
    pub replies: u64,
    pub failures: u64,
    pub partials: u64,
    pub errors: BTreeMap<&'static str, u64>,
    pub cancelled: u64,
    pub retried: u64,
    pub rejected: u64,
    pub bytes_in: u64,
    pub bytes_out: u64,
}
