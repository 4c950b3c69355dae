//! Bans of peers that go on in spite of refusals. Each ban is longer than the one before.

use crate::proto::Time;
use std::collections::HashMap;
use std::time::Duration;

/// Number of refusals within [`PERIOD`] that causes a ban. It is large, because a client that submits a burst learns
/// of the limit only afterwards.
const STRIKES: u32 = if cfg!(test) { 100 } else { 16_384 };

const PERIOD: Duration = Duration::from_secs(10);

/// Length of the first ban, and the maximum.
const SHORTEST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_secs(60);

/// A ban is longer than the last one if that ended within this time.
const MEMORY: Duration = Duration::from_secs(600);

/// Maximum of remembered peers. Beyond it, the peer whose ban ends first is forgotten.
const MOST: usize = 1024;

#[derive(Debug, Default)]
struct Record {
    /// Start of the period in which `strikes` are counted.
    since: Time,
    strikes: u32,
    /// End and length of the latest ban.
    until: Time,
    length: Duration,
}

/// Bans by a name that the peer cannot change at will: the user, or without security the identity.
#[derive(Debug, Default)]
pub(super) struct Bans {
    records: HashMap<Box<[u8]>, Record>,
    /// The end of the last ban.
    last: Time,
}

impl Bans {
    /// Counts a refusal. Returns the length of the ban if there were too many.
    pub(super) fn strike(&mut self, now: Time, who: &[u8]) -> Option<Duration> {
        let record = self.record(now, who)?;
        if now.since(record.since) >= PERIOD {
            record.since = now;
            record.strikes = 0;
        }
        record.strikes += 1;
        if record.strikes < STRIKES {
            return None;
        }
        self.ban(now, who)
    }

    fn record(&mut self, now: Time, who: &[u8]) -> Option<&mut Record> {
        if !self.records.contains_key(who) {
            self.make_room(now);
            self.records.insert(who.into(), Record::default());
        }
        self.records.get_mut(who)
    }

    /// Bans a peer, for longer than the last time. Returns the length.
    pub(super) fn ban(&mut self, now: Time, who: &[u8]) -> Option<Duration> {
        let record = self.record(now, who)?;
        record.strikes = 0;
        let again = record.length > Duration::ZERO && now.since(record.until) < MEMORY;
        record.length = match again {
            true => (2 * record.length).min(LONGEST),
            false => SHORTEST,
        };
        record.until = now + record.length;
        let (until, length) = (record.until, record.length);
        self.last = self.last.max(until);
        Some(length)
    }

    /// Whether there may be a ban at all. Usually there is none.
    pub(super) fn any(&self, now: Time) -> bool {
        now < self.last
    }

    pub(super) fn is_banned(&self, now: Time, who: &[u8]) -> bool {
        self.records
            .get(who)
            .is_some_and(|record| now < record.until)
    }

    fn make_room(&mut self, now: Time) {
        if self.records.len() < MOST {
            return;
        }
        self.records
            .retain(|_, record| now < record.until || now.since(record.since) < PERIOD);
        if self.records.len() >= MOST {
            let first = self.records.iter().min_by_key(|(_, record)| record.until);
            if let Some(who) = first.map(|(who, _)| who.clone()) {
                self.records.remove(&who);
            }
        }
    }

    #[cfg(test)]
    fn len(&self) -> usize {
        self.records.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn strikes(bans: &mut Bans, now: Time, count: u32) -> Option<Duration> {
        (0..count).find_map(|_| bans.strike(now, b"p"))
    }

    #[test]
    fn each_ban_is_longer_than_the_one_before() {
        let mut bans = Bans::default();
        let mut now = Time::ZERO + PERIOD;
        assert_eq!(strikes(&mut bans, now, STRIKES - 1), None);
        for expected in [1, 2, 4, 8, 16, 32, 60, 60] {
            let length = strikes(&mut bans, now, STRIKES).expect("it is one too many");
            assert_eq!(length, Duration::from_secs(expected));
            assert!(bans.any(now) && bans.is_banned(now, b"p"));
            assert!(!bans.is_banned(now, b"q"));
            now = now + length;
            assert!(!bans.any(now) && !bans.is_banned(now, b"p"));
            now = now + PERIOD;
        }
        now = now + MEMORY;
        let length = strikes(&mut bans, now, STRIKES);
        assert_eq!(length, Some(SHORTEST));
    }

    #[test]
    fn a_refusal_now_and_then_is_no_reason() {
        let mut bans = Bans::default();
        let mut now = Time::ZERO + PERIOD;
        for _ in 0..10 {
            assert_eq!(strikes(&mut bans, now, STRIKES - 1), None);
            now = now + PERIOD;
        }
    }

    #[test]
    fn names_made_up_cost_a_bounded_amount() {
        let mut bans = Bans::default();
        for n in 0..3 * MOST {
            bans.strike(Time::ZERO, n.to_string().as_bytes());
        }
        assert_eq!(bans.len(), MOST);
    }
}
