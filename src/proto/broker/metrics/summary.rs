//! What is shown of latencies and errors.

use super::histogram::Histogram;
use crate::proto::code::Code;
use serde::Serialize;
use std::collections::BTreeMap;

/// The latest error with which a request ended: its code or its value, and its age in ms.
#[derive(Debug, Serialize)]
pub(in crate::proto::broker) struct LastError<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) code: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) value: Option<&'a str>,
    pub(super) since: f64,
}

/// The latencies of a meter.
#[derive(Debug, Clone, Serialize)]
pub struct Latency {
    pub queue: HistogramStats,
    pub work: HistogramStats,
    pub total: HistogramStats,
}

/// A histogram, in ms.
#[derive(Debug, Clone, Serialize)]
pub struct HistogramStats {
    pub count: u64,
    pub sum: f64,
    #[serde(flatten)]
    percentiles: Percentiles,
    /// The upper bound of each bucket, and the number of values in it.
    pub buckets: Vec<(f64, u64)>,
}

impl HistogramStats {
    pub(super) fn of(histogram: &Histogram) -> Self {
        let buckets = histogram.buckets();
        HistogramStats {
            count: histogram.count(),
            sum: ms(histogram.sum()),
            percentiles: Percentiles::of(histogram),
            buckets: buckets.map(|(upper, count)| (ms(upper), count)).collect(),
        }
    }
}

/// The summary of a histogram, in ms: mean, maximum and some percentiles.
#[derive(Debug, Serialize)]
pub(in crate::proto::broker) struct Summary {
    pub(super) mean: f64,
    #[serde(flatten)]
    pub(super) percentiles: Percentiles,
}

#[derive(Debug, Clone, Copy, Serialize)]
pub(super) struct Percentiles {
    max: f64,
    p50: f64,
    p90: f64,
    p95: f64,
    p99: f64,
}

impl Percentiles {
    pub(super) fn of(histogram: &Histogram) -> Self {
        Percentiles {
            max: ms(histogram.max()),
            p50: ms(histogram.percentile(50.0)),
            p90: ms(histogram.percentile(90.0)),
            p95: ms(histogram.percentile(95.0)),
            p99: ms(histogram.percentile(99.0)),
        }
    }
}

fn ms(micros: u64) -> f64 {
    micros as f64 / 1000.0
}

/// Counts by code, without zeros.
pub(in crate::proto::broker) fn errors_by_code(
    errors: &[u64; Code::ALL.len()],
) -> BTreeMap<&'static str, u64> {
    let mut counts = BTreeMap::new();
    // Not collected, which would be a sort.
    for code in Code::ALL {
        let count = errors[code as usize];
        if count > 0 {
            counts.insert(code.as_str(), count);
        }
    }
    counts
}
