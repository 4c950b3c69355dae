//! The ready list of a service: the workers that have room, in two lines.

use super::keys::WorkerKey;
use std::collections::BTreeMap;

/// The use that a worker in the ready list has for a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Line {
    /// The worker runs the request now.
    Idle,
    /// The worker holds the request until another one has ended (prefetch).
    Busy,
}

/// Where a worker is in a line.
#[derive(Debug, Clone, Copy)]
pub(super) struct Position {
    pub(super) line: Line,
    /// Positions come in the order of their numbers.
    pub(super) number: u64,
}

/// Workers by position: the least recently used first.
#[derive(Debug, Default)]
pub(super) struct ReadyList {
    idle: BTreeMap<u64, WorkerKey>,
    busy: BTreeMap<u64, WorkerKey>,
}

impl ReadyList {
    #[inline]
    fn line(&mut self, line: Line) -> &mut BTreeMap<u64, WorkerKey> {
        match line {
            Line::Idle => &mut self.idle,
            Line::Busy => &mut self.busy,
        }
    }

    #[inline]
    pub(super) fn add(&mut self, position: Position, worker: WorkerKey) {
        self.line(position.line).insert(position.number, worker);
    }

    #[inline]
    pub(super) fn remove(&mut self, position: Position) {
        self.line(position.line).remove(&position.number);
    }

    /// Removes the next worker: an idle one if there is one.
    #[inline]
    pub(super) fn pop(&mut self) -> Option<WorkerKey> {
        let (_, worker) = self.idle.pop_first().or_else(|| self.busy.pop_first())?;
        Some(worker)
    }

    /// Whether no worker has room.
    pub(super) fn is_empty(&self) -> bool {
        self.idle.is_empty() && self.busy.is_empty()
    }

    /// Number of workers.
    pub(super) fn len(&self) -> usize {
        self.idle.len() + self.busy.len()
    }

    /// The workers that can run a request now, in their order.
    pub(super) fn idle(&self) -> impl ExactSizeIterator<Item = WorkerKey> {
        self.idle.values().copied()
    }

    /// The workers with room for prefetch only, in their order.
    pub(super) fn busy(&self) -> impl ExactSizeIterator<Item = WorkerKey> {
        self.busy.values().copied()
    }

    /// The position of the first worker in each line. The smallest of several such arrays belongs to the list whose
    /// first worker has waited longest.
    pub(super) fn first_positions(&self) -> [u64; 2] {
        [&self.idle, &self.busy].map(|line| line.keys().next().copied().unwrap_or(u64::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn position(line: Line, number: u64) -> Position {
        Position { line, number }
    }

    #[test]
    fn idle_workers_come_first_and_each_line_is_in_order() {
        let mut list = ReadyList::default();
        list.add(position(Line::Busy, 1), WorkerKey(1));
        list.add(position(Line::Idle, 3), WorkerKey(3));
        list.add(position(Line::Idle, 2), WorkerKey(2));
        assert_eq!(list.len(), 3);
        assert!(list.idle().eq([WorkerKey(2), WorkerKey(3)]));
        assert!(list.busy().eq([WorkerKey(1)]));
        let all: Vec<WorkerKey> = std::iter::from_fn(|| list.pop()).collect();
        assert_eq!(all, [2, 3, 1].map(WorkerKey));
        assert!(list.is_empty());
    }

    #[test]
    fn a_worker_leaves_by_its_position() {
        let mut list = ReadyList::default();
        list.add(position(Line::Idle, 1), WorkerKey(1));
        list.add(position(Line::Busy, 2), WorkerKey(2));
        list.remove(position(Line::Busy, 1));
        assert_eq!(list.len(), 2);
        list.remove(position(Line::Idle, 1));
        assert_eq!(list.pop(), Some(WorkerKey(2)));
    }

    #[test]
    fn the_list_whose_idle_worker_waits_longest_is_first() {
        let list = |line, number| {
            let mut list = ReadyList::default();
            list.add(position(line, number), WorkerKey(0));
            list.first_positions()
        };
        assert!(list(Line::Idle, 5) < list(Line::Idle, 6));
        assert!(list(Line::Idle, 6) < list(Line::Busy, 1));
        assert!(list(Line::Busy, 1) < ReadyList::default().first_positions());
    }
}
