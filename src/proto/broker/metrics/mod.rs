//! Meters by service. A service that exists carries its own meter, so that counting needs no lookup. This table keeps
//! the meters of services that were released.
//!
//! Invented names must not cost memory for long: a service gets a meter of its own (a row), which survives it, with
//! its first worker and while there are fewer rows than the configured maximum. All other services are counted
//! together.

mod histogram;
mod journal;
mod meter;
mod summary;

pub(super) use journal::{Journal, Since};
pub use meter::MeterStats;
pub(super) use meter::{Meter, Times};
pub(super) use summary::{LastError, Summary, errors_by_code};

use super::requests::Waiting;
use crate::proto::table::Table;
use std::sync::Arc;

/// Whether requests are counted. They are not in the build with which `npm run check:instructions` compares, so that it
/// shows the costs of counting.
pub(super) const COUNTS: bool = !cfg!(feature = "uncounted");

/// The meters of released services.
#[derive(Debug)]
pub(super) struct Meters {
    /// Maximum of rows.
    max_rows: usize,
    rows: usize,
    absent: Table<Arc<[u8]>, Meter>,
    /// The common meter of services without a row.
    pub(super) other: Meter,
}

impl Meters {
    pub(super) fn new(max_rows: usize) -> Self {
        Meters {
            max_rows,
            rows: 0,
            absent: Table::default(),
            other: Meter::default(),
        }
    }

    /// Gives a row to a service that gets a worker and has none, if the maximum permits. Returns true if it did.
    /// Waiting requests are counted in the row. Ended requests stay in `other`. Exporters omit waiting requests, so
    /// that counters never decrease.
    pub(super) fn give_row(&mut self, meter: &mut Meter, waiting: Waiting) -> bool {
        if self.rows >= self.max_rows {
            return false;
        }
        self.rows += 1;
        let kept = meter.split_waiting(waiting);
        self.other.merge(&std::mem::replace(meter, kept));
        true
    }

    /// Stores the meter of a service that is released.
    pub(super) fn keep(&mut self, name: Arc<[u8]>, meter: Meter, has_row: bool) {
        if has_row {
            self.absent.insert(name, meter);
        } else {
            self.other.merge(&meter);
        }
    }

    /// The meter of a service that is created, and whether it has a row.
    pub(super) fn take(&mut self, name: &[u8]) -> (Meter, bool) {
        match self.absent.remove(name) {
            Some(meter) => (meter, true),
            None => (Meter::default(), false),
        }
    }

    pub(super) fn absent(&self) -> impl Iterator<Item = (&Arc<[u8]>, &Meter)> {
        self.absent.iter()
    }

    /// The kept meter of a released service.
    pub(super) fn absent_of(&self, name: &[u8]) -> Option<&Meter> {
        self.absent.get(name)
    }

    /// Number of services with a row, present and absent.
    pub(super) fn rows(&self) -> usize {
        self.rows
    }
}

#[cfg(test)]
mod tests {
    use super::summary::HistogramStats;
    use super::*;
    use crate::proto::Time;

    const MAX_ROWS: usize = 1000;

    fn name(n: usize) -> Arc<[u8]> {
        n.to_string().into_bytes().into()
    }

    #[test]
    fn rows_are_bounded_and_no_count_is_lost() {
        let mut meters = Meters::new(MAX_ROWS);
        for n in 0..3 * MAX_ROWS {
            let (mut meter, mut has_row) = meters.take(&name(n));
            meter.requests += 1;
            if n % 2 == 0 {
                has_row = meters.give_row(&mut meter, Waiting::default());
            }
            meter.requests += 1;
            meters.keep(name(n), meter, has_row);
        }
        assert_eq!(meters.absent().count(), MAX_ROWS);
        let named: u64 = meters.absent().map(|(_, meter)| meter.requests).sum();
        assert_eq!(named, MAX_ROWS as u64);
        assert_eq!(named + meters.other.requests, 6 * MAX_ROWS as u64);
    }

    #[test]
    fn what_waits_for_the_first_worker_is_counted_in_the_row() {
        let mut meters = Meters::new(MAX_ROWS);
        let (mut meter, _) = meters.take(&name(1));
        (meter.requests, meter.bytes_in) = (5, 500);
        let waiting = Waiting {
            requests: 2,
            bytes: 30,
        };
        assert!(meters.give_row(&mut meter, waiting));
        assert_eq!((meter.requests, meter.bytes_in), (2, 30));
        assert_eq!((meters.other.requests, meters.other.bytes_in), (3, 470));
    }

    #[test]
    fn a_service_that_comes_back_goes_on_with_its_counts() {
        let mut meters = Meters::new(MAX_ROWS);
        let mut meter = Meter::default();
        assert!(meters.give_row(&mut meter, Waiting::default()));
        meter.requests = 7;
        meters.keep(name(1), meter, true);
        let (meter, has_row) = meters.take(&name(1));
        assert_eq!((meter.requests, has_row), (7, true));
        assert_eq!(meters.absent().count(), 0);
    }
    #[test]
    fn each_time_is_in_its_histogram_whether_the_request_has_waited_or_not() {
        let mut meter = Meter::default();
        let at = Time::from_micros;
        for (arrived, given, ended) in [
            (2, Some(2), 9),
            (2, Some(4), 9),
            (9, Some(9), 9),
            (1, None, 12),
        ] {
            meter.record(Times {
                arrived: at(arrived),
                given: given.map(at),
                ended: at(ended),
            });
        }
        let latency = meter.snapshot().latency;
        let found = |of: HistogramStats| (of.count, of.sum, of.buckets);
        let queue = vec![(0.0, 2), (0.002, 1), (0.011, 1)];
        assert_eq!(found(latency.queue), (4, 0.013, queue));
        let work = vec![(0.0, 1), (0.005, 1), (0.007, 1)];
        assert_eq!(found(latency.work), (3, 0.012, work));
        let total = vec![(0.0, 1), (0.007, 2), (0.011, 1)];
        assert_eq!(found(latency.total), (4, 0.025, total));
    }
}
