//! Compares spinning with sleeping by their results.
//!
//! Whether a spin pays cannot be seen from the spin alone: it saves a wake-up of this thread, but
//! may take the core from the very peer that would send the next message. A trial therefore
//! alternates blocks of messages with and without spins, and compares the time of a message.

use std::time::Duration;

/// The number of messages in a block.
const BLOCK: u32 = 32;

/// The first messages of a block, which the block before affects, are not measured.
const SKIPPED: u32 = 4;

/// The blocks of a trial: whether to spin. The order cancels a trend.
const BLOCKS: [bool; 8] = [false, true, true, false, false, true, true, false];

/// Spins have to save at least one part in this many of the time of a message.
const GAIN: u32 = 20;

/// How many messages a result is valid for: at first, and after several equal results.
const VALID: u32 = 512;
const MAX_VALID: u32 = 8192;

/// A longer time of a message has other reasons, and counts as this.
const LONGEST: Duration = Duration::from_millis(1);

/// The trials of a broker, one after the other.
#[derive(Debug)]
pub(super) struct Trials {
    /// The current block; `None` between two trials.
    block: Option<usize>,
    /// The number of messages in this block, or since the last trial.
    messages: u32,
    /// The time and the number of messages measured while sleeping, and while spinning.
    slept: (Duration, u32),
    spun: (Duration, u32),
    /// The result of the last trial.
    pays: bool,
    /// The number of messages for which it is valid.
    valid: u32,
}

impl Trials {
    pub(super) fn new() -> Self {
        Trials {
            block: Some(0),
            messages: 0,
            slept: (Duration::ZERO, 0),
            spun: (Duration::ZERO, 0),
            pays: false,
            valid: VALID,
        }
    }

    /// Whether to spin for the next message.
    pub(super) fn spins(&self) -> bool {
        self.block.map_or(self.pays, |block| BLOCKS[block])
    }

    /// Reports that this number of messages took this long.
    pub(super) fn add(&mut self, messages: u32, time: Duration) {
        let is_measured = self.messages >= SKIPPED;
        self.messages += messages;
        let Some(block) = self.block else {
            if self.messages >= self.valid {
                self.begin();
            }
            return;
        };
        if is_measured {
            let (total, count) = match BLOCKS[block] {
                true => &mut self.spun,
                false => &mut self.slept,
            };
            *total += time.min(LONGEST * messages);
            *count += messages;
        }
        if self.messages < BLOCK {
            return;
        }
        self.messages = 0;
        self.block = Some(block + 1).filter(|block| *block < BLOCKS.len());
        if self.block.is_none() {
            self.end();
        }
    }

    /// Reports that a spin has occupied a core that another thread needed.
    pub(super) fn lose(&mut self) {
        self.block = None;
        self.messages = 0;
        self.pays = false;
        self.valid = VALID;
    }

    fn begin(&mut self) {
        self.block = Some(0);
        self.messages = 0;
        self.slept = (Duration::ZERO, 0);
        self.spun = (Duration::ZERO, 0);
    }

    fn end(&mut self) {
        let of_one = |(time, count): (Duration, u32)| time / count.max(1);
        let (slept, spun) = (of_one(self.slept), of_one(self.spun));
        let pays = spun + slept / GAIN < slept;
        self.valid = match pays == self.pays {
            true => (self.valid * 2).min(MAX_VALID),
            false => VALID,
        };
        self.pays = pays;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn micros(us: u64) -> Duration {
        Duration::from_micros(us)
    }

    /// Plays messages that take these times. Returns how many of them were spun for.
    fn play(trials: &mut Trials, messages: usize, slept: u64, spun: u64) -> usize {
        let one = |_: &usize| {
            let spins = trials.spins();
            trials.add(1, micros(if spins { spun } else { slept }));
            spins
        };
        (0..messages).filter(one).count()
    }

    #[test]
    fn the_faster_choice_is_kept() {
        let mut trials = Trials::new();
        assert!(play(&mut trials, 100_000, 150, 100) > 95_000);
        let mut trials = Trials::new();
        assert!(play(&mut trials, 100_000, 100, 150) < 5_000);
    }

    #[test]
    fn a_gain_too_small_to_be_worth_the_processor_time_is_none() {
        let mut trials = Trials::new();
        assert!(play(&mut trials, 100_000, 100, 97) < 5_000);
    }

    #[test]
    fn a_change_is_noticed() {
        let mut trials = Trials::new();
        play(&mut trials, 100_000, 150, 100);
        play(&mut trials, MAX_VALID as usize + 300, 100, 150);
        assert!(play(&mut trials, 10_000, 100, 150) < 1_000);
        play(&mut trials, MAX_VALID as usize + 300, 150, 100);
        assert!(play(&mut trials, 10_000, 150, 100) > 9_000);
    }

    #[test]
    fn one_long_pause_decides_nothing() {
        let mut trials = Trials::new();
        play(&mut trials, BLOCK as usize + 10, 150, 100);
        assert!(trials.spins());
        trials.add(1, Duration::from_secs(1));
        assert!(play(&mut trials, 10_000, 150, 100) > 9_000);
    }

    #[test]
    fn a_core_that_somebody_else_needs_ends_a_trial() {
        let mut trials = Trials::new();
        play(&mut trials, 100_000, 150, 100);
        trials.lose();
        assert_eq!(play(&mut trials, VALID as usize, 150, 100), 0);
    }
}
