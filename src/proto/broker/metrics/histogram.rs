//! A log-linear histogram of durations, in microseconds.
//!
//! Each power of two is divided into [`SUB`] buckets of equal width, so the width of a bucket is at most an eighth of
//! its lower bound. Histograms of several services or brokers are merged by adding their buckets.

/// Number of buckets per power of two.
const SUB: usize = 1 << SUB_BITS;
const SUB_BITS: u32 = 3;

/// Counts per bucket. Buckets above the largest value take no memory.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in crate::proto::broker) struct Histogram {
    buckets: Vec<u64>,
    sum: u64,
    max: u64,
}

/// The bucket of a value. Each value below twice [`SUB`] has a bucket of its own.
fn index_of(value: u64) -> usize {
    // `value | SUB` is never zero, and has the highest bit of every value that has no bucket of its own.
    let shift = u64::from((value | SUB as u64).ilog2() - SUB_BITS);
    (shift * SUB as u64 + (value >> shift)) as usize
}

/// The largest value of a bucket.
fn upper_of(index: usize) -> u64 {
    let shift = (index / SUB).saturating_sub(1) as u32;
    let base = (index - shift as usize * SUB) as u64;
    ((base + 1) << shift).wrapping_sub(1)
}

impl Histogram {
    #[inline(always)]
    pub(in crate::proto::broker) fn record(&mut self, micros: u64) {
        let index = index_of(micros);
        match self.buckets.get_mut(index) {
            Some(count) => *count += 1,
            None => self.grow(index),
        }
        // 2^64 µs are half a million years.
        self.sum = self.sum.wrapping_add(micros);
        if micros > self.max {
            self.raise(micros);
        }
    }

    // Cold, because few values are the largest so far.
    #[cold]
    fn raise(&mut self, micros: u64) {
        self.max = micros;
    }

    /// Adds buckets up to this one, and counts a value in it.
    #[cold]
    fn grow(&mut self, index: usize) {
        self.buckets.resize(index, 0);
        self.buckets.push(1);
    }

    /// Adds the counts of another histogram.
    pub(in crate::proto::broker) fn merge(&mut self, other: &Histogram) {
        if self.buckets.len() < other.buckets.len() {
            self.buckets.resize(other.buckets.len(), 0);
        }
        for (mine, theirs) in self.buckets.iter_mut().zip(&other.buckets) {
            *mine += theirs;
        }
        self.sum = self.sum.wrapping_add(other.sum);
        self.max = self.max.max(other.max);
    }

    /// The number of values. It is added up here and not counted in [`record`](Self::record).
    pub(in crate::proto::broker) fn count(&self) -> u64 {
        self.buckets.iter().sum()
    }

    pub(in crate::proto::broker) fn sum(&self) -> u64 {
        self.sum
    }

    pub(in crate::proto::broker) fn max(&self) -> u64 {
        self.max
    }

    /// The upper bound of the bucket that contains this percentile, at most the maximum.
    pub(in crate::proto::broker) fn percentile(&self, percent: f64) -> u64 {
        let rank = (self.count() as f64 * percent / 100.0).ceil().max(1.0) as u64;
        let mut seen = 0;
        for (upper, count) in self.buckets() {
            seen += count;
            if seen >= rank {
                return upper.min(self.max);
            }
        }
        self.max
    }

    /// The buckets that are not empty: the largest value and the count of each.
    pub(in crate::proto::broker) fn buckets(&self) -> impl Iterator<Item = (u64, u64)> {
        let counts = self.buckets.iter().copied().enumerate();
        counts
            .filter(|(_, count)| *count > 0)
            .map(|(index, count)| (upper_of(index), count))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_follow_each_other_without_a_gap() {
        let mut lower = 0;
        for index in 0..index_of(u64::MAX) {
            let upper = upper_of(index);
            assert_eq!((index_of(lower), index_of(upper)), (index, index));
            assert!(upper - lower <= lower / SUB as u64, "{lower} to {upper}");
            lower = upper + 1;
        }
        assert_eq!(upper_of(index_of(u64::MAX)), u64::MAX);
    }

    #[test]
    fn percentiles_are_those_of_the_sorted_values_up_to_a_bucket() {
        let values: Vec<u64> = (0..10_000u64).map(|n| n * n % 7919 * 13).collect();
        let mut sorted = values.clone();
        sorted.sort_unstable();
        let mut histogram = Histogram::default();
        values.iter().for_each(|&value| histogram.record(value));
        for percent in [0.1, 1.0, 50.0, 90.0, 95.0, 99.0, 99.9, 100.0] {
            let rank = (sorted.len() as f64 * percent / 100.0).ceil() as usize;
            let exact = sorted[rank.max(1) - 1];
            let found = histogram.percentile(percent);
            assert!(
                found >= exact && found - exact <= exact / 8,
                "{percent}: {found}, {exact}"
            );
        }
        assert_eq!(histogram.count(), 10_000);
        assert_eq!(histogram.sum(), values.iter().sum::<u64>());
        assert_eq!(histogram.max(), sorted[9999]);
    }

    #[test]
    fn merged_is_the_same_as_recorded_in_one() {
        let [mut all, mut even, mut odd] = [(); 3].map(|()| Histogram::default());
        for value in (0..2000u64).map(|n| n * 37) {
            all.record(value);
            if value % 2 == 0 {
                even.record(value)
            } else {
                odd.record(value)
            }
        }
        even.merge(&odd);
        assert_eq!(even, all);
    }

    #[test]
    fn an_empty_one_has_no_values() {
        let histogram = Histogram::default();
        assert_eq!([histogram.percentile(99.0), histogram.max()], [0, 0]);
        assert_eq!(histogram.buckets().count(), 0);
    }
}
