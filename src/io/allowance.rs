//! Limits the rate of events that an unauthenticated peer can cause.

use crate::proto::Time;
use std::time::Duration;

/// A maximum number of events in a period. Events beyond it are counted, and the next permitted
/// event carries their number.
#[derive(Debug, Default)]
pub(super) struct Allowance {
    since: Time,
    told: u32,
    missed: u64,
}

const PERIOD: Duration = Duration::from_secs(1);
const MOST: u32 = 10;

impl Allowance {
    /// Asks for permission to report an event. Returns the number of events suppressed since the
    /// last permitted one, or `None` if this one is suppressed, too.
    pub(super) fn take(&mut self, now: Time) -> Option<u64> {
        if now.since(self.since) >= PERIOD {
            self.since = now;
            self.told = 0;
        }
        if self.told == MOST {
            self.missed += 1;
            return None;
        }
        self.told += 1;
        Some(std::mem::take(&mut self.missed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_told_is_counted() {
        let mut allowance = Allowance::default();
        let at = |ms: u64| Time::from_micros(ms * 1000);
        let told = (0..1000).filter_map(|_| allowance.take(at(5000))).count();
        assert_eq!(told, MOST as usize);
        assert_eq!(allowance.take(at(5999)), None);
        assert_eq!(allowance.take(at(6000)), Some(1000 - u64::from(MOST) + 1));
        assert_eq!(allowance.take(at(6000)), Some(0));
    }
}
