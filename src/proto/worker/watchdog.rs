//! Whether the thread of the worker's user is alive: it is asked for a sign now and then, and has so
//! long to give one.
//!
//! Heartbeats come from another thread and say nothing about this one, which is what lets a handler
//! compute for minutes. Who wants a bound sets one.
//!
//! | state    | event                  | what follows                             | next    |
//! |----------|------------------------|------------------------------------------|---------|
//! | off      | link is up             |                                          | resting |
//! | resting  | an eighth of the limit | a ping                                   | asked   |
//! | asked    | pong                   |                                          | resting |
//! | asked    | the limit              | offers go back, then the link is lost    | blocked |
//! | blocked  | pong                   | the link is opened again                 | off     |
//!
//! There is never more than one ping under way, whatever becomes of the link meanwhile.

use super::Worker;
use crate::proto::Time;
use crate::proto::link::Loss;
use crate::wire::Frame;
use std::time::Duration;

/// Between a pong and the next ping.
const SHORTEST: Duration = Duration::from_millis(5);

#[derive(Debug)]
pub(super) struct Watchdog {
    limit: Option<Duration>,
    /// The link is up; only then does it count.
    awake: bool,
    /// When to ask next.
    next: Time,
    /// The limit of the answer that is waited for.
    asked: Option<Time>,
    /// A ping that the owner has not sent yet.
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

    /// The link is up.
    pub(super) fn begin(&mut self, now: Time) {
        let Some(limit) = self.limit else {
            return;
        };
        self.awake = true;
        self.next = now;
        // What was asked before counts from now on.
        self.asked = self.asked.map(|_| now + limit);
    }

    /// The link is down.
    pub(super) fn end(&mut self) {
        self.awake = false;
    }

    /// The thread is blocked.
    pub(super) fn is_barking(&self) -> bool {
        self.barking
    }

    pub(super) fn next_deadline(&self) -> Option<Time> {
        (self.awake && !self.barking).then(|| self.asked.unwrap_or(self.next))
    }

    /// True when the thread turns out to be blocked.
    pub(super) fn handle_timeout(&mut self, now: Time) -> bool {
        let Some(limit) = self.limit.filter(|_| self.awake && !self.barking) else {
            return false;
        };
        match self.asked {
            // This thread was held up too, by whatever held up the other: a sign may come any moment.
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

    /// True if the thread was blocked, and is so no more.
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
    /// The user's thread is to be asked for a sign of life now; the answer is
    /// [`handle_pong`](Self::handle_pong).
    pub fn poll_ping(&mut self) -> bool {
        self.watchdog.poll_ping()
    }

    /// The user's thread is not blocked.
    pub fn handle_pong(&mut self, now: Time) {
        if self.watchdog.handle_pong(now) {
            self.link.reopen(now);
        }
    }

    /// The user's thread is blocked. What it has not taken goes back before the link is given up.
    pub(super) fn block(&mut self) {
        if self.link.peer().is_some() {
            self.send_ready();
        }
        self.ask_back(0);
    }

    /// What it has taken is lost, as if the worker had died.
    pub(super) fn lose_blocked(&mut self, now: Time) {
        if self.said_goodbye() {
            return self.leave();
        }
        self.link.suspend(now);
        self.lost(now, Loss::Blocked);
    }
}
