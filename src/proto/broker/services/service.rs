//! A service: a queue of requests, and the workers that have room.

use super::balance::COMPARED;
use super::rate::Limiter;
use super::special::Special;
use crate::proto::Time;
use crate::proto::broker::keys::WorkerKey;
use crate::proto::broker::lookahead::Lookahead;
use crate::proto::broker::metrics::Meter;
#[cfg(any(test, feature = "fuzz"))]
use crate::proto::broker::ready::Line;
use crate::proto::broker::ready::ReadyList;
use crate::proto::broker::requests::Queue;
use crate::proto::broker::workers::Workers;
use std::sync::Arc;

#[derive(Debug)]
pub(in crate::proto::broker) struct Service {
    pub(in crate::proto::broker) name: Arc<[u8]>,
    /// The name is a pattern: the service serves all names with the prefix of the pattern.
    pub(in crate::proto::broker) is_pattern: bool,
    /// Whether the queue may hold requests for other names.
    pub(in crate::proto::broker) has_guests: bool,
    pub(in crate::proto::broker) queue: Queue,
    /// The balancing policy and the rate limit, if one of them differs from the default.
    pub(in crate::proto::broker) special: Option<Box<Special>>,
    pub(in crate::proto::broker) ready: ReadyList,
    /// The number of registered workers.
    pub(in crate::proto::broker) workers: usize,
    /// Estimates the number of requests whose turn is near.
    pub(in crate::proto::broker) lookahead: Lookahead,
    /// Workers that were compared since the work was counted last.
    pub(super) looked_at: usize,
    /// Whether the queue is reported as full: a request was refused, with an event.
    pub(in crate::proto::broker) full: bool,
    pub(in crate::proto::broker) meter: Meter,
    /// Whether the meter survives the service.
    pub(super) has_row: bool,
}

impl Service {
    /// The number of requests at the front of the queue whose turn comes before their clients could answer a PARKED.
    pub(in crate::proto::broker) fn depth(&mut self, now: Time) -> usize {
        self.lookahead.depth(now, self.ready.len())
    }

    /// How deep to search the queue for parked requests to ask for; `None` if enough are asked for.
    pub(in crate::proto::broker) fn ask_depth(&mut self, now: Time) -> Option<usize> {
        if self.queue.parked() == 0 {
            return None;
        }
        let (room, asked_for) = (self.ready.len(), self.queue.asked_for());
        let has_idle = self.ready.idle().len() > 0;
        let depth = self.lookahead.ask_depth(now, room, has_idle, asked_for);
        match self.queue.has_lanes() {
            // Each lane is searched on its own: its requests must not wait until those of other workers are asked
            // for.
            true => depth.or_else(|| Some(self.depth(now)).filter(|&depth| depth > 0)),
            false => depth,
        }
    }

    /// All workers with room, and the line of each.
    #[cfg(any(test, feature = "fuzz"))]
    pub(in crate::proto::broker) fn lines(&self) -> impl Iterator<Item = (Line, WorkerKey)> {
        let idle = self.ready.idle().map(|worker| (Line::Idle, worker));
        idle.chain(self.ready.busy().map(|worker| (Line::Busy, worker)))
    }

    pub(in crate::proto::broker) fn has_row(&self) -> bool {
        self.has_row
    }

    /// Whether a worker has room for a request and the rate limit permits a start.
    pub(in crate::proto::broker) fn can_take(&self, now: Time) -> bool {
        !self.ready.is_empty()
            && self
                .special
                .as_ref()
                .is_none_or(|special| special.may_start(now))
    }

    pub(in crate::proto::broker) fn limiter_mut(&mut self) -> Option<&mut Limiter> {
        self.special.as_mut()?.limiter.as_mut()
    }

    /// Chooses the next worker among those that fit: an idle worker if possible, else a busy one with room for
    /// prefetch.
    pub(super) fn choose(
        &mut self,
        workers: &mut Workers,
        fits: impl Fn(&Workers, WorkerKey) -> bool,
    ) -> Option<WorkerKey> {
        let balancer = self.special.as_mut().and_then(|s| s.balancer.as_mut());
        let mut idle = self.ready.idle();
        let chosen = match balancer {
            None => idle.find(|&key| fits(workers, key)),
            Some(balancer) => {
                let fitting = idle.filter(|&key| fits(workers, key)).take(COMPARED);
                let fitting: Vec<WorkerKey> = fitting.collect();
                self.looked_at += fitting.len();
                balancer.choose(&fitting, workers)
            }
        };
        let mut busy = self.ready.busy();
        chosen.or_else(|| busy.find(|&key| fits(workers, key)))
    }
}
