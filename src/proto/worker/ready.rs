//! READY: what the broker is told of the worker, above all how many requests it may give, and again
//! whenever that changes.

use super::Worker;
use crate::proto::Time;
use crate::wire::omdp::WorkerMessage;
use crate::wire::{About, Dialect, Frame, Hello};
use std::collections::HashSet;

impl<F: Frame> Worker<F> {
    /// From now on others run requests in the same room. Whoever sees all of them watches for
    /// stalls; and what is taken back was given by a broker that can't know how full the room is,
    /// so it is asked for no more until [`room_again`](Self::room_again). Gives the cancelled deliveries whose handlers
    /// go on.
    pub(in crate::proto) fn share_room(&mut self) -> HashSet<u64> {
        self.shared = true;
        self.stalled_at = None;
        let left_running = self.abandoned.take();
        if self.count_abandoned() && self.link.peer().is_some() {
            self.send_ready();
        }
        left_running
    }

    /// Others have left some of the room.
    pub(in crate::proto) fn room_again(&mut self) {
        if std::mem::take(&mut self.full) && self.link.peer().is_some() && self.draining.is_none() {
            self.send_ready();
        }
    }

    /// How many requests may run at once from now on; those that run are left alone.
    pub fn set_concurrency(&mut self, now: Time, concurrency: Option<usize>) {
        self.config.concurrency = concurrency;
        self.pace.forget();
        // What is on offer may have room now, or have none any more.
        let since = self.stalled_at;
        self.watch_for_stall(now);
        self.stalled_at = self.stalled_at.map(|at| since.unwrap_or(at).min(at));
        if self.link.peer().is_some() || self.speaks_pigato() {
            self.send_ready();
        }
    }

    /// How many requests the broker may give it: none once it is to leave, while it is paused or its user
    /// is blocked, and fewer while some run that the broker does not know of, or has no part in any more.
    pub(super) fn concurrency(&self) -> Option<usize> {
        let takes_none = self.draining.is_some() || self.paused || self.watchdog.is_barking();
        let limit = match takes_none {
            true => Some(0),
            false if self.full => Some(self.deliveries.len()),
            false => self.config.concurrency,
        };
        limit.map(|limit| limit.saturating_sub(self.detached.unclaimed() + self.abandoned.told()))
    }

    /// Whether there is a broker of PIGATO to speak to, which says no hello.
    pub(super) fn speaks_pigato(&self) -> bool {
        self.config.dialect == Dialect::Pigato && self.link.is_up()
    }

    pub(super) fn session(&self) -> String {
        format!("{}.{}", self.config.session, self.connections)
    }

    /// The first message of a connection, which alone has what the worker tells about itself.
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
        self.announced = self.concurrency();
        hello.concurrency = Some(
            self.announced
                .map_or(-1, |n| i64::try_from(n).unwrap_or(i64::MAX)),
        );
        let ahead = self.config.prefetch > 0
            && self.draining.is_none()
            && !self.paused
            && !self.full
            && self.abandoned.told() == 0;
        hello.prefetch = ahead.then_some(self.config.prefetch);
        hello.flow = true;
        hello.streams = true;
        hello.deadlines = true;
        hello.about = about;
        hello.serving = self.config.serving.clone();
        hello.max_message = self.config.link.max_message;
        self.transmits.push(WorkerMessage::Ready {
            service: F::from(self.config.service.as_bytes()),
            hello: Some(hello.to_frame()),
        });
        if self.config.dialect == Dialect::Pigato {
            // Where the concurrency stands; another READY is ignored.
            self.transmits.push(WorkerMessage::Heartbeat);
        }
    }
}
