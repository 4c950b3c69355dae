//! The end of a worker: it takes nothing new, lets running requests end, and says goodbye.

use super::abandoned::Abandoned;
use super::detached::DetachedReplies;
use super::log::Log;
use super::watchdog::Watchdog;
use super::{Worker, WorkerNotice};
use crate::proto::Time;
use crate::proto::code::Code;
use crate::proto::link::Loss;
use crate::wire::omdp::{ReplyKind, WorkerMessage};
use crate::wire::{Body, Frame};
use std::time::Duration;

/// How long an extended broker may take to answer a goodbye. Until then it may still give requests
/// to this worker. After `Drained` the application may rely on the contrary.
pub const GOODBYE: Duration = Duration::from_millis(250);

/// The event that a stopping worker waits for.
#[derive(Debug, Clone, Copy)]
pub(super) enum Draining {
    /// The end of the running requests, at most until the deadline.
    Running { deadline: Option<Time> },
    /// The broker's answer to the goodbye.
    Goodbye { until: Time },
}

impl Draining {
    pub(super) fn next_deadline(self) -> Option<Time> {
        match self {
            Draining::Running { deadline } => deadline,
            Draining::Goodbye { until } => Some(until),
        }
    }
}

impl<F: Frame> Worker<F> {
    /// Stops the worker: takes no new requests, lets the running ones end, then says goodbye.
    /// `Drained` follows. Requests that run at `deadline` are given up, and their clients are told.
    pub fn stop(&mut self, now: Time, deadline: Option<Time>) {
        self.draining = Some(Draining::Running { deadline });
        let hears = self.link.peer().is_some() || self.speaks_pigato();
        if hears && !self.deliveries.is_empty() {
            // The worker stays registered, without room, until the last delivery ends.
            self.send_ready();
        }
        // Offers are returned before the running requests end.
        self.ask_back(0);
        self.check_drained(now);
    }

    /// Stops the worker without waiting for running requests, whose application ends. The answer to the goodbye shows
    /// that all replies have arrived.
    pub(in crate::proto) fn exit(&mut self, now: Time) {
        if !self.said_goodbye() {
            self.stop(now, Some(now));
        }
    }

    /// Cancels the stop. Returns false if the goodbye was sent already.
    pub(in crate::proto) fn stay(&mut self) -> bool {
        if self.said_goodbye() {
            return false;
        }
        self.draining = None;
        if self.link.peer().is_some() || self.speaks_pigato() {
            self.send_ready();
        }
        true
    }

    /// Whether the worker stops.
    pub(in crate::proto) fn is_draining(&self) -> bool {
        self.draining.is_some()
    }

    /// While the worker stops: says goodbye when nothing runs any more, or at the deadline.
    pub(super) fn check_drained(&mut self, now: Time) {
        let deadline = match self.draining {
            None => return,
            Some(Draining::Running { deadline }) => deadline,
            Some(Draining::Goodbye { until }) => {
                // Without a link there will be no answer.
                if until <= now || !self.link.is_up() {
                    self.leave();
                }
                return;
            }
        };
        let overdue = deadline.is_some_and(|at| at <= now);
        // Offers are returned at once, and do not count as running.
        let busy = !self.deliveries.is_empty() || self.detached.has_news();
        if (busy && !overdue) || self.retract.is_some() {
            return;
        }
        let running: Vec<u64> = self.deliveries.keys().copied().collect();
        for number in running {
            // A detached delivery needs no message: the broker drops claims with their worker.
            if let Some(delivery) = self.deliveries.get(&number).filter(|each| !each.detached) {
                if delivery.token.is_some() {
                    self.log.skip(now);
                }
                self.transmits.push(WorkerMessage::Reply {
                    kind: ReplyKind::OwnError,
                    client: delivery.client.clone(),
                    rid: delivery.rid.clone(),
                    body: Body::json(F::from(Code::WorkerLost.to_json())),
                    token: delivery.token,
                    pace: None,
                });
            }
            self.cancel(number, Code::WorkerLost);
        }
        if self.link.is_up() {
            self.transmits.push(WorkerMessage::Disconnect);
            // A broker that was heard without a hello is of 0.0.92, which does not answer.
            if self.link.peer().is_some() || !self.connected {
                let until = now + GOODBYE;
                self.draining = Some(Draining::Goodbye { until });
                return;
            }
        }
        self.leave();
    }

    /// Finishes the drain.
    pub(super) fn leave(&mut self) {
        self.draining = None;
        self.stalled_at = None;
        self.abandoned = Abandoned::default();
        self.log = Log::new();
        self.had.clear();
        self.detached = DetachedReplies::new();
        self.disowned.clear();
        self.give_up_at = None;
        self.watchdog = Watchdog::new(self.config.max_blocked);
        self.link.close();
        if self.connected {
            self.connected = false;
            self.notices.push(WorkerNotice::Disconnected(Loss::Stopped));
        }
        self.notices.push(WorkerNotice::Drained);
    }

    /// Whether the goodbye was sent. Any later message would look like a new registration.
    pub(super) fn said_goodbye(&self) -> bool {
        matches!(self.draining, Some(Draining::Goodbye { .. }))
    }
}
