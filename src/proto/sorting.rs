//! Sorting of what is sorted seldom, in few functions for all kinds of entries: the standard library's is compiled anew
//! for each kind, to 5 to 15 kB.

/// Sorts by rank. Entries of equal rank keep their order. Each rank is found once.
pub(crate) fn sort_by_rank<T: Copy>(entries: &mut [T], rank: impl Fn(&T) -> u128) {
    let mut ranks: Vec<(u128, usize)> = entries.iter().map(rank).zip(0..).collect();
    sort_ranks(&mut ranks);
    let before = entries.to_vec();
    for (entry, (_, at)) in entries.iter_mut().zip(ranks) {
        *entry = before[at];
    }
}

#[inline(never)]
fn sort_ranks(ranks: &mut [(u128, usize)]) {
    ranks.sort_unstable();
}

#[inline(never)]
pub(crate) fn sort_ids(ids: &mut [u64]) {
    ids.sort_unstable();
}

/// Sorts entries that have no rank, by a heap. The order of equal ones may change.
pub(crate) fn sort_by<T>(entries: &mut [T], is_less: impl Fn(&T, &T) -> bool) {
    let len = entries.len();
    // First the heap grows from its lower half, then its greatest goes to the end, again and again.
    for step in (0..len + len / 2).rev() {
        let (mut at, end) = match step.checked_sub(len) {
            Some(at) => (at, len),
            None => {
                entries.swap(0, step);
                (0, step)
            }
        };
        while let Some(child) = greater_child(&entries[..end], at, &is_less)
            && is_less(&entries[at], &entries[child])
        {
            entries.swap(at, child);
            at = child;
        }
    }
}

fn greater_child<T>(heap: &[T], at: usize, is_less: impl Fn(&T, &T) -> bool) -> Option<usize> {
    let child = 2 * at + 1;
    let other = heap.get(child + 1);
    let is_other = other.is_some_and(|other| is_less(&heap[child], other));
    (child < heap.len()).then_some(child + usize::from(is_other))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sorts_like_the_standard_library() {
        for len in (0..40).chain([1000]) {
            for values in [1, 7, 1 << 20] {
                let entries: Vec<(u64, usize)> = (0..len)
                    .map(|at| (at as u64 * 7919 % 1009 % values, at))
                    .collect();
                let mut expected = entries.clone();
                expected.sort();

                let mut by_rank = entries.clone();
                sort_by_rank(&mut by_rank, |&(value, _)| value.into());
                assert_eq!(by_rank, expected);

                let mut by = entries;
                sort_by(&mut by, |one, other| one < other);
                assert_eq!(by, expected);
            }
        }
    }
}
