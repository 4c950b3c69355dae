//! READY: registers the worker and announces its room, and again whenever that changes.

use super::Worker;
use crate::proto::Time;
use crate::wire::omdp::WorkerMessage;
use crate::wire::{About, Dialect, Frame, Hello};
use std::collections::HashSet;

/// The smaller of two limits.
pub(super) fn least(one: Option<usize>, other: Option<usize>) -> Option<usize> {
    [one, other].into_iter().flatten().min()
}

impl<F: Frame> Worker<F> {
    /// Declares the room shared with other workers. Their common owner detects stalls. The broker, which cannot know
    /// how full the room is, gets no room after a RETURN until [`room_again`](Self::room_again). Returns the
    /// cancelled deliveries whose handlers go on.
    pub(in crate::proto) fn share_room(&mut self) -> HashSet<u64> {
        self.shared = true;
        self.stalled_at = None;
        let left_running = self.abandoned.take();
        if self.count_abandoned() && self.link.peer().is_some() {
            self.send_ready();
        }
        left_running
    }

    /// Handles that the other workers have left some of the room.
    pub(in crate::proto) fn room_again(&mut self) {
        if std::mem::take(&mut self.full) && self.link.peer().is_some() && self.draining.is_none() {
            self.send_ready();
        }
    }

    /// Changes the maximum of requests that run at once. Running requests go on.
    pub fn set_concurrency(&mut self, now: Time, concurrency: Option<usize>) {
        self.config.concurrency = least(concurrency, self.config.most);
        self.pace.forget();
        // Offers may now have room to start, or no longer have it.
        let since = self.stalled_at;
        self.watch_for_stall(now);
        self.stalled_at = self.stalled_at.map(|at| since.unwrap_or(at).min(at));
        if self.link.peer().is_some() || self.speaks_pigato() {
            self.send_ready();
        }
    }

    /// The room to announce. It is zero while the worker stops or pauses or its application is blocked. Handlers that
    /// the broker does not know of, or has no request for any more, reduce it.
    pub(super) fn concurrency(&self) -> Option<usize> {
        let takes_none = self.draining.is_some() || self.paused || self.watchdog.is_barking();
        let limit = match takes_none {
            true => Some(0),
            false if self.full => Some(self.deliveries.len()),
            false => self.config.concurrency,
        };
        limit.map(|limit| limit.saturating_sub(self.detached.unclaimed() + self.abandoned.told()))
    }

    /// Whether the link to a PIGATO broker, which sends no hello, is up.
    pub(super) fn speaks_pigato(&self) -> bool {
        self.config.dialect == Dialect::Pigato && self.link.is_up()
    }

    pub(super) fn session(&self) -> String {
        format!("{}.{}", self.config.session, self.connections)
    }

    /// Sends the first message of a connection, the only one with the description of the worker.
    pub(super) fn introduce(&mut self) {
        let about = self.config.about.clone();
        self.say_ready(about);
    }

    pub(super) fn send_ready(&mut self) {
        self.say_ready(None);
    }

    fn say_ready(&mut self, about: Option<Box<About>>) {
        if self.said_goodbye() {
            return;
        }
        let mut hello = Hello::new(
            self.config.link.heartbeat.as_millis() as u64,
            self.config.link.liveness,
        );
        hello.session = self.session();
        hello.name = self.config.link.name();
        self.announced = self.concurrency();
        hello.concurrency = Some(
            self.announced
                .map_or(-1, |n| i64::try_from(n).unwrap_or(i64::MAX)),
        );
        hello.leaves = self.draining.is_some();
        let ahead = self.config.prefetch > 0
            && self.draining.is_none()
            && !self.paused
            && !self.full
            && self.abandoned.told() == 0;
        hello.prefetch = ahead.then_some(self.config.prefetch);
        hello.flow = true;
        hello.streams = true;
        hello.deadlines = true;
        hello.roster = true;
        hello.pings = true;
        hello.holds = true;
        hello.about = about;
        hello.serving = self.config.serving.clone();
        hello.max_message = self.config.link.max_message;
        self.transmits.push(WorkerMessage::Ready {
            service: F::from(self.config.service.as_bytes()),
            hello: Some(hello.to_frame()),
        });
        if self.config.dialect == Dialect::Pigato {
            // PIGATO carries the concurrency in heartbeats, and ignores another READY.
            self.transmits.push(WorkerMessage::Heartbeat);
        }
    }
}
