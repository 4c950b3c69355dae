//! The pauses between the attempts to connect.

use super::LinkConfig;
use std::time::Duration;

/// The first pause of a peer whose name is taken by another one. It doubles each time.
const ASIDE: Duration = Duration::from_secs(1);
const MAX_ASIDE: Duration = Duration::from_secs(8);

/// The longest such pause if each attempt disturbs the other peer, because the routing id is the name.
const MAX_ASIDE_DISTURBING: Duration = Duration::from_secs(60);

/// The longest pause while requests of a lost broker may wait somewhere. A request goes on when its client and its
/// worker, or all workers that may have had it, have found the same broker, which may not live for long either.
const RETURN: Duration = Duration::from_millis(500);

#[derive(Debug)]
pub(super) struct Pauses {
    soon: Duration,
    first: Duration,
    longest: Duration,
    longest_aside: Duration,
    /// Number of successive connections on which no broker accepted this peer.
    failures: u32,
    /// Number of successive connections on which another peer had the name.
    asides: u32,
    /// State of the random generator for the jitter; 0 disables the jitter.
    jitter: u64,
}

impl Pauses {
    pub(super) fn new(config: &LinkConfig) -> Self {
        Pauses {
            soon: config.soon.min(config.reconnect),
            first: config.reconnect,
            longest: config.reconnect_max.max(config.reconnect),
            longest_aside: match config.name.is_empty() {
                true => MAX_ASIDE_DISTURBING,
                false => MAX_ASIDE,
            },
            failures: 0,
            asides: 0,
            jitter: config.seed,
        }
    }

    /// The pause before the next attempt. It doubles with each failure, to spare a broker that is overloaded or
    /// refuses this peer, and stays short for a peer whose return may be awaited.
    pub(super) fn next(&mut self, is_awaited: bool) -> Duration {
        let doublings = self.failures.saturating_sub(1).min(16);
        let longest = match is_awaited {
            true => self.longest.min(RETURN).max(self.first),
            false => self.longest,
        };
        let pause = self.first.saturating_mul(1 << doublings).min(longest);
        self.vary(pause)
    }

    /// The pause after the end of a connection that was in use. The broker may still run.
    pub(super) fn soon(&mut self) -> Duration {
        self.vary(self.soon)
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
    pub(super) fn next_aside(&mut self) -> Duration {
        let pause = ASIDE.saturating_mul(1 << self.asides.min(16));
        self.asides += 1;
        pause.min(self.longest_aside)
    }

    /// Whether another peer had the name at the last attempt.
    pub(super) fn is_aside(&self) -> bool {
        self.asides > 0
    }

    /// The pause of a peer whose name is taken, and which needs it now. It doubles with each refusal, up to eight times
    /// the first one.
    pub(super) fn short_aside(&self) -> Option<Duration> {
        let doublings = self.asides.checked_sub(1)?.min(3);
        Some(self.first.saturating_mul(1 << doublings))
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
        self.asides = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(n: u64) -> Duration {
        Duration::from_millis(n)
    }

    fn pauses(name: &str, seed: u64) -> Pauses {
        Pauses::new(&LinkConfig {
            heartbeat: ms(1000),
            liveness: 3,
            soon: ms(10),
            reconnect: ms(100),
            reconnect_max: ms(1000),
            away: ms(1000),
            seed,
            expect_beats: true,
            expect_hello: false,
            name: name.into(),
            max_message: None,
        })
    }

    #[test]
    fn pauses_double_with_each_failure_up_to_the_maximum() {
        let mut pauses = pauses("", 0);
        let mut next = || {
            let pause = pauses.next(false);
            pauses.failed();
            pause.as_millis()
        };
        assert_eq!(
            [(); 7].map(|()| next()),
            [100, 100, 200, 400, 800, 1000, 1000]
        );
        pauses.accepted();
        assert_eq!(pauses.next(false), ms(100));
    }

    #[test]
    fn a_peer_that_may_be_awaited_returns_soon() {
        let mut pauses = pauses("", 0);
        pauses.longest = ms(30_000);
        for _ in 0..20 {
            pauses.failed();
        }
        assert_eq!(
            [pauses.next(true), pauses.next(false)],
            [500, 30_000].map(ms)
        );
        pauses.first = ms(5000);
        assert_eq!(pauses.next(true), ms(5000));
    }

    #[test]
    fn a_connection_that_was_in_use_is_opened_again_soon() {
        let mut pauses = pauses("", 0);
        pauses.failed();
        assert_eq!([pauses.soon(), pauses.next(false)], [10, 100].map(ms));
    }

    #[test]
    fn a_name_that_is_needed_is_asked_for_sooner() {
        let mut pauses = pauses("n", 0);
        assert_eq!(pauses.short_aside(), None);
        let all = [(); 6].map(|()| {
            pauses.next_aside();
            pauses.short_aside()
        });
        assert_eq!(
            all,
            [100, 200, 400, 800, 800, 800].map(|pause| Some(ms(pause)))
        );
    }

    #[test]
    fn the_jitter_is_a_quarter_at_most() {
        let mut pauses = pauses("", 7);
        let all: Vec<u128> = (0..1000).map(|_| pauses.next(false).as_millis()).collect();
        assert!(all.iter().all(|pause| (75..=125).contains(pause)));
        assert!(all.iter().min() < Some(&80) && all.iter().max() > Some(&120));
    }

    #[test]
    fn a_peer_that_disturbs_the_holder_of_its_name_tries_less_often() {
        for (name, longest) in [("n", 8), ("", 60)] {
            let mut pauses = pauses(name, 0);
            let all = [(); 8].map(|()| pauses.next_aside().as_secs());
            assert_eq!(all[..4], [1, 2, 4, 8]);
            assert_eq!(all[7], longest);
            pauses.named();
            assert_eq!(pauses.next_aside(), ms(1000));
        }
    }
}
