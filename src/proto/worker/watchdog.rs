//! Watchdog: asks the thread of the application for a sign of life now and then, and limits the time of the answer.
//!
//! Heartbeats come from another thread and do not depend on this one, so that a handler may compute for minutes. A
//! limit is optional.
//!
//! | state    | event                  | result                                   | next    |
//! |----------|------------------------|------------------------------------------|---------|
//! | off      | link up                |                                          | resting |
//! | resting  | an eighth of the limit | ping                                     | asked   |
//! | asked    | pong                   |                                          | resting |
//! | asked    | the limit              | offers are returned, then the link is lost | blocked |
//! | blocked  | pong                   | the link is opened again                 | off     |
//!
//! At most one ping is under way, whatever happens to the link.

use super::Worker;
use crate::proto::Time;
use crate::proto::link::Loss;
use crate::wire::Frame;
use std::time::Duration;

/// Minimum time between a pong and the next ping.
const SHORTEST: Duration = Duration::from_millis(5);

#[derive(Debug)]
pub(super) struct Watchdog {
    limit: Option<Duration>,
    /// Whether the link is up; otherwise the watchdog is off.
    awake: bool,
    /// When to send the next ping.
    next: Time,
    /// The time limit of the pending answer.
    asked: Option<Time>,
    /// Whether a ping is due that the owner has not sent yet.
    ping: bool,
    barking: bool,
}

impl Watchdog {
    pub(super) fn new(limit: Option<Duration>) -> Self {
        Watchdog {
            limit,
            awake: false,
            next: Time::ZERO,
            asked: None,
            ping: false,
            barking: false,
        }
    }

    /// Starts the watchdog when the link is up.
    pub(super) fn begin(&mut self, now: Time) {
        let Some(limit) = self.limit else {
            return;
        };
        self.awake = true;
        self.next = now;
        // The limit of a pending ping starts now.
        self.asked = self.asked.map(|_| now + limit);
    }

    /// Stops the watchdog when the link is down.
    pub(super) fn end(&mut self) {
        self.awake = false;
    }

    /// Whether the thread is blocked.
    pub(super) fn is_barking(&self) -> bool {
        self.barking
    }

    pub(super) fn next_deadline(&self) -> Option<Time> {
        (self.awake && !self.barking).then(|| self.asked.unwrap_or(self.next))
    }

    /// Returns true if the thread is blocked.
    pub(super) fn handle_timeout(&mut self, now: Time) -> bool {
        let Some(limit) = self.limit.filter(|_| self.awake && !self.barking) else {
            return false;
        };
        match self.asked {
            // This thread was delayed too, by the same cause; the pong may arrive any moment.
            Some(until) if now.since(until) > limit / 8 => self.asked = Some(now + limit / 8),
            Some(until) if until <= now => {
                self.awake = false;
                self.barking = true;
            }
            None if self.next <= now => {
                self.asked = Some(now + limit);
                self.ping = true;
            }
            _ => {}
        }
        self.barking
    }

    pub(super) fn poll_ping(&mut self) -> bool {
        std::mem::take(&mut self.ping)
    }

    /// Returns true if the thread was blocked.
    pub(super) fn handle_pong(&mut self, now: Time) -> bool {
        let Some(limit) = self.limit else {
            return false;
        };
        self.asked = None;
        self.next = now + (limit / 8).max(SHORTEST);
        std::mem::take(&mut self.barking)
    }
}

impl<F: Frame> Worker<F> {
    /// Handles the answer of the application's thread.
    pub fn handle_pong(&mut self, now: Time) {
        if self.watchdog.handle_pong(now) {
            self.link.reopen(now);
        }
    }

    /// Returns all offers when the application's thread is blocked. The link is given up after that.
    pub(super) fn block(&mut self) {
        if self.link.peer().is_some() {
            self.send_ready();
        }
        self.ask_back(0);
    }

    /// Gives the link up when the application is blocked. Its deliveries are lost, as if the worker had died.
    pub(super) fn lose_blocked(&mut self, now: Time) {
        if self.said_goodbye() {
            return self.leave();
        }
        self.link.suspend(now);
        self.lost(now, Loss::Blocked);
    }
}
