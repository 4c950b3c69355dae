//! Further attempts by the retry policy of a request: after a pause it is submitted again, with a new id and the whole
//! timeout.
//!
//! A request is not retried after a part of its reply has arrived, or after the application has cancelled it.

use super::pending::Stage;
use super::retry::Cause;
use super::{Client, ClientNotice};
use crate::proto::Time;
use crate::wire::{Dialect, Frame};

impl<F: Frame> Client<F> {
    /// Schedules another attempt after a failure, if the policy permits. Returns false if not. The application is not
    /// told.
    #[cold]
    pub(super) fn is_made_again(&mut self, now: Time, id: u64, cause: Cause) -> bool {
        let seed = self.config.link.seed;
        let Some(request) = self.requests.get_mut(&id) else {
            return false;
        };
        let Some(retry) = request.retry.as_mut().filter(|_| request.received == 0) else {
            return false;
        };
        let Some(pause) = retry.next(cause, seed, id) else {
            return false;
        };
        if request.latest.is_some_and(|latest| latest <= now + pause) {
            return false;
        }
        retry.made += 1;
        let attempt = retry.made + 1;
        self.notices.push(ClientNotice::Attempt { id, attempt });
        let stage = request.stage;
        let timer = request.timer.take();
        request.stage = Stage::Delayed;
        request.again += 1;
        (request.broker, request.stamp, request.recall) = (None, 0, None);
        (request.read, request.told) = (0, 0);
        if let Some(timer) = timer {
            self.deadlines.cancel(timer);
        }
        if let Stage::Unknown { until } = stage {
            self.unknown.remove(&(until, id));
        }
        self.waiting.remove(&id);
        let timer = self.deadlines.set(now + pause, id);
        if let Some(request) = self.requests.get_mut(&id) {
            request.timer = Some(timer);
        }
        true
    }

    /// Starts the next attempt at the end of the pause.
    pub(super) fn make_again(&mut self, now: Time, id: u64) {
        let Some(request) = self.requests.get_mut(&id) else {
            return;
        };
        request.stage = Stage::Waiting;
        request.timer = None;
        request.deadline = now;
        request.extend(now);
        debug_assert!(self.config.dialect == Dialect::Omdp);
        if let Some(request) = self.requests.remove(&id) {
            self.admit(now, id, request);
        }
    }
}
