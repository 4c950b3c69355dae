//! The pauses between the attempts to connect.

use super::LinkConfig;
use std::time::Duration;

/// The first pause of a peer whose name is taken by another one. It doubles each time.
const NAME_PAUSE: Duration = Duration::from_secs(1);
const MAX_NAME_PAUSE: Duration = Duration::from_secs(8);

/// The longest such pause if each attempt disturbs the other peer, because the routing id is the name.
const MAX_NAME_PAUSE_DISTURBING: Duration = Duration::from_secs(60);

/// The longest pause while requests of a lost broker may wait somewhere. A request goes on when its client and its
/// worker, or all workers that may have had it, have found the same broker, which may not live for long either.
const RETURN: Duration = Duration::from_millis(500);

/// How long a search for a broker goes on with short pauses: a broker that starts again takes less.
pub const SEARCH: Duration = Duration::from_secs(60);

/// The configured pauses, as in a [`LinkConfig`].
#[derive(Debug, Clone, Copy)]
struct Configured {
    soon: Duration,
    first: Duration,
    longest: Duration,
}

impl Configured {
    fn new(soon: Duration, first: Duration, longest: Duration) -> Self {
        Configured {
            soon: soon.min(first),
            first,
            longest: longest.max(first),
        }
    }

    /// The longest pause while a return may be awaited.
    fn longest_awaited(self) -> Duration {
        self.longest.min(RETURN).max(self.first)
    }
}

/// The pauses between the attempts of one search, which the transport makes by itself: none of them reaches a broker.
#[derive(Debug, Clone)]
pub struct Attempts {
    configured: Configured,
    next: Duration,
}

impl Attempts {
    /// With the three pauses of a [`LinkConfig`].
    pub fn new(soon: Duration, first: Duration, longest: Duration) -> Self {
        let configured = Configured::new(soon, first, longest);
        Attempts {
            configured,
            next: configured.soon,
        }
    }

    /// The pause after an attempt, given the duration of the search. It doubles each time.
    pub fn pause(&mut self, searched: Duration) -> Duration {
        let (short, long) = self.longest_of_each();
        let pause = self.next.min(if searched < SEARCH { short } else { long });
        self.next = pause.saturating_mul(2);
        pause
    }

    /// Whether the attempts still follow each other faster than by the first configured pause.
    pub fn are_short(&self) -> bool {
        self.next < self.configured.first
    }

    /// Begins another search.
    pub fn begin(&mut self) {
        self.next = self.configured.soon;
    }

    /// The first configured pause.
    pub fn first(&self) -> Duration {
        self.configured.first
    }

    /// The longest pause of a search, and that of a long one.
    pub fn longest_of_each(&self) -> (Duration, Duration) {
        (self.configured.longest_awaited(), self.configured.longest)
    }
}

#[derive(Debug)]
pub(super) struct Pauses {
    configured: Configured,
    /// The pause after the next end of a connection. It grows with each consecutive connection that was not used, and
    /// is `None` after too many of them.
    next_soon: Option<Duration>,
    longest_for_name: Duration,
    /// Number of successive connections on which no broker accepted this peer.
    failures: u32,
    /// Number of successive connections on which another peer had the name.
    name_refusals: u32,
    /// State of the random generator for the jitter; 0 disables the jitter.
    jitter: u64,
}

impl Pauses {
    pub(super) fn new(config: &LinkConfig) -> Self {
        Pauses {
            configured: Configured::new(config.soon, config.reconnect, config.reconnect_max),
            next_soon: None,
            longest_for_name: match config.name.is_empty() {
                true => MAX_NAME_PAUSE_DISTURBING,
                false => MAX_NAME_PAUSE,
            },
            failures: 0,
            name_refusals: 0,
            jitter: config.seed,
        }
    }

    /// The pause before the next attempt. It doubles with each failure, to spare a broker that is overloaded or refuses
    /// this peer, and stays short for a peer that the broker may await.
    pub(super) fn next(&mut self, is_awaited: bool) -> Duration {
        let doublings = self.failures.saturating_sub(1).min(16);
        let longest = match is_awaited {
            true => self.configured.longest_awaited(),
            false => self.configured.longest,
        };
        let pause = self
            .configured
            .first
            .saturating_mul(1 << doublings)
            .min(longest);
        self.vary(pause)
    }

    /// The pause of a peer about whose name the holder was asked. It doubles until the holder has answered.
    pub(super) fn soon_again(&mut self) -> Option<Duration> {
        let is_first = self.next_soon.is_none();
        self.soon(is_first)
    }

    /// The pause after the end of a connection that was in use, or of one of the first connections after it. The broker
    /// may live and await this peer.
    pub(super) fn soon(&mut self, was_in_use: bool) -> Option<Duration> {
        if was_in_use {
            self.next_soon = Some(self.configured.soon);
        }
        let pause = self.next_soon?;
        self.next_soon = pause
            .checked_mul(2)
            .filter(|next| *next < self.configured.first);
        Some(self.vary(pause))
    }

    fn vary(&mut self, pause: Duration) -> Duration {
        if self.jitter == 0 {
            return pause;
        }
        // Xorshift never reaches zero.
        self.jitter ^= self.jitter << 13;
        self.jitter ^= self.jitter >> 7;
        self.jitter ^= self.jitter << 17;
        let percent = 75 + (self.jitter >> 32) % 51;
        pause.mul_f64(percent as f64 / 100.0)
    }

    /// The pause of a peer whose name is taken.
    pub(super) fn next_for_name(&mut self) -> Duration {
        let pause = NAME_PAUSE.saturating_mul(1 << self.name_refusals.min(16));
        self.name_refusals += 1;
        pause.min(self.longest_for_name)
    }

    /// Whether another peer had the name at the last attempt.
    pub(super) fn name_is_taken(&self) -> bool {
        self.name_refusals > 0
    }

    /// The pause of a peer whose name is taken, and which needs it now. It doubles with each refusal, up to eight times
    /// the first one.
    pub(super) fn short_for_name(&self) -> Option<Duration> {
        let doublings = self.name_refusals.checked_sub(1)?.min(3);
        Some(self.configured.first.saturating_mul(1 << doublings))
    }

    /// No broker has accepted this peer on a connection.
    pub(super) fn failed(&mut self) {
        self.failures = self.failures.saturating_add(1);
    }

    /// The broker has accepted this peer.
    pub(super) fn accepted(&mut self) {
        self.failures = 0;
    }

    /// The broker has accepted the name.
    pub(super) fn named(&mut self) {
        self.name_refusals = 0;
    }
}

#[cfg(test)]
mod tests;
