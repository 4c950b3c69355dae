//! Decides whether a broker's thread spins for the next message before it sleeps, and for how long.
//!
//! Waking a sleeping thread takes longer than transporting a message. In a continuous sequence of
//! requests a spinning thread saves that time twice a round trip; otherwise it only occupies a
//! core. [`Spin::Auto`] learns from the gaps between messages, and from the results:
//!
//! - Gaps are predicted separately for the two states in which a broker waits: for a worker that
//!   has a request, and for a client's next request. At a low request rate the first gap is short
//!   and the second is long.
//! - The thread spins only if the latest [`STREAK`] gaps of that state were all short, and for
//!   slightly longer than the longest of them. Gaps are measured while the thread sleeps as well,
//!   so no spin is needed to measure them.
//! - It compares the time of a message with and without spins, now and then, and spins only while
//!   that makes messages faster by more than a little ([`trials`]). Where the peers need the core,
//!   it does not.
//! - Spinning has a budget of [`SHARE`] of the time. It is not charged while gaps of both states
//!   are short: then requests follow each other, and each spin replaces a wake-up.
//! - A spin in which the clock jumps has occupied a core that another thread needed, perhaps the
//!   awaited peer's. No spin follows for a time that doubles with each such event.
//! - A process that may use only one core never spins.

mod trials;

use crate::proto::Time;
use std::time::Duration;
use trials::Trials;

/// The number of cores that this process may use.
pub(super) fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// The option `spin` of a broker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Spin {
    /// Depends on the traffic.
    Auto,
    /// For this long after each turn with few messages; zero never spins.
    For(Duration),
}

/// The work for which a broker waits, as far as it affects the gap.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Awaited {
    /// A client's next request.
    Request,
    /// A worker's reply; requests are outstanding.
    Reply,
}

/// The maximum number of messages in a turn that may precede a spin: a request, or a reply and a
/// heartbeat. Under load a message is always waiting.
const TRICKLE: usize = 2;

/// Maximum length of a short gap: about the cost of a few wake-ups.
const SHORT: Duration = Duration::from_micros(300);

/// The required number of consecutive short gaps.
const STREAK: u32 = 8;

/// Spinning may take one part in this many of the time.
const SHARE: u32 = 10;

/// Maximum saved budget.
const MAX_SAVED: Duration = Duration::from_millis(20);

/// A clock jump of this length means that the thread was taken off its core.
const JUMP: Duration = Duration::from_micros(60);

/// The first and the longest pause after a jump.
const PAUSE: Duration = Duration::from_millis(10);
const MAX_PAUSE: Duration = Duration::from_secs(2);

/// The gaps of one state.
#[derive(Debug, Default)]
struct Gaps {
    /// The number of consecutive short gaps.
    streak: u32,
    /// The longest recent gap; decays by an eighth with each gap.
    longest: Duration,
}

impl Gaps {
    fn add(&mut self, gap: Duration) {
        if gap > SHORT {
            self.streak = 0;
            self.longest = Duration::ZERO;
        } else {
            self.streak = (self.streak + 1).min(STREAK);
            self.longest = gap.max(self.longest - self.longest / 8);
        }
    }

    fn are_short(&self) -> bool {
        self.streak >= STREAK
    }
}

/// Decides when to spin. The owner reports when its thread runs out of work and when it has work
/// again.
#[derive(Debug)]
pub(super) struct Spinner {
    mode: Spin,
    request: Gaps,
    reply: Gaps,
    /// Since when the thread is idle, and what it waits for.
    idle: Option<(Time, Awaited)>,
    trials: Trials,
    /// The end of the last turn, if a spin was possible then.
    turned: Option<Time>,
    /// The last time at which the thread was running in this spin.
    seen: Time,
    saved: Duration,
    /// The time up to which the budget was added.
    paid: Time,
    /// The end of the current pause, and the length of the next one.
    paused: Time,
    pause: Duration,
}

impl Spinner {
    /// `cores` is the number of cores that this process may use.
    pub(super) fn new(mode: Spin, cores: usize) -> Self {
        let mode = match mode {
            Spin::Auto if cores < 2 => Spin::For(Duration::ZERO),
            mode => mode,
        };
        Spinner {
            mode,
            request: Gaps::default(),
            reply: Gaps::default(),
            idle: None,
            trials: Trials::new(),
            turned: None,
            seen: Time::ZERO,
            saved: Duration::ZERO,
            paid: Time::ZERO,
            paused: Time::ZERO,
            pause: PAUSE,
        }
    }

    /// Reports that the thread has no work after a turn with this number of messages. Returns how
    /// long to spin, if at all.
    pub(super) fn idle(
        &mut self,
        now: Time,
        awaited: Awaited,
        messages: usize,
    ) -> Option<Duration> {
        let is_trickle = (1..=TRICKLE).contains(&messages);
        match self.mode {
            Spin::For(length) => (is_trickle && !length.is_zero()).then_some(length),
            // The turn was that of a deadline or a command.
            Spin::Auto if messages == 0 => None,
            Spin::Auto => {
                if let Some(turned) = self.turned.take() {
                    let messages = u32::try_from(messages).unwrap_or(u32::MAX);
                    self.trials.add(messages, now.since(turned));
                }
                if !is_trickle {
                    return None;
                }
                self.idle = Some((now, awaited));
                self.seen = now;
                self.learned(now, awaited)
            }
        }
    }

    fn learned(&mut self, now: Time, awaited: Awaited) -> Option<Duration> {
        let gaps = match awaited {
            Awaited::Request => &self.request,
            Awaited::Reply => &self.reply,
        };
        if !gaps.are_short() || now < self.paused {
            return None;
        }
        let length = (gaps.longest + gaps.longest / 2).min(SHORT);
        if !self.is_continuous() {
            self.saved = (self.saved + now.since(self.paid) / SHARE).min(MAX_SAVED);
            self.paid = now;
            if self.saved < length {
                return None;
            }
        }
        self.turned = Some(now);
        self.trials.spins().then_some(length)
    }

    /// Whether requests follow each other without a gap.
    fn is_continuous(&self) -> bool {
        self.request.are_short() && self.reply.are_short()
    }

    /// Reports an unsuccessful spin so far. Returns false if the thread has to stop, because it was
    /// taken off its core.
    pub(super) fn goes_on(&mut self, now: Time) -> bool {
        let jumped = self.mode == Spin::Auto && now.since(self.seen) > JUMP;
        self.seen = now;
        if jumped {
            self.paused = now + self.pause;
            self.pause = (self.pause * 2).min(MAX_PAUSE);
            self.trials.lose();
            self.turned = None;
        }
        !jumped
    }

    /// Reports that there is work again. `spun` means that the thread found it by spinning.
    pub(super) fn busy(&mut self, now: Time, spun: bool) {
        let Some((since, awaited)) = self.idle.take() else {
            return;
        };
        let gap = now.since(since);
        match awaited {
            Awaited::Request => self.request.add(gap),
            Awaited::Reply => self.reply.add(gap),
        }
        if spun {
            self.charge(gap);
            self.pause = (self.pause - self.pause / 16).max(PAUSE);
        }
    }

    /// Reports a spin of this length without a result.
    pub(super) fn missed(&mut self, spun: Duration) {
        self.charge(spun);
    }

    fn charge(&mut self, spun: Duration) {
        if !self.is_continuous() {
            self.saved = self.saved.saturating_sub(spun);
        }
    }
}

#[cfg(test)]
mod tests;
