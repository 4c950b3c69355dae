//! Which incomplete messages may grow although all together have too much.

use super::{Decisions, Message, Owner, PATIENCE, UnfinishedLimits};
use crate::io::connections::Fd;
use crate::proto::Time;
use std::cmp::Reverse;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

/// The parts of the least limit that a message may be allowed at once, and their maximum and minimum.
const STEPS: u64 = 16;
const MOST_AT_ONCE: u64 = 16 << 20;
const LEAST_AT_ONCE: u64 = 64 << 10;

/// Minimum growth, per patience, of the one message that may exceed the maximum of all, while others wait.
const PROGRESS_BEYOND: u64 = 1 << 20;

/// How often connections are ended that others wait for.
const END_INTERVAL: Duration = Duration::from_millis(100);

/// The message that may exceed the maximum of all.
#[derive(Debug, Clone, Copy)]
struct Beyond {
    fd: Fd,
    size: u64,
    since: Time,
}

#[derive(Debug, Default)]
pub(super) struct Allowances {
    beyond: Option<Beyond>,
    /// Since when connections wait for others, with and without others of their owner.
    starving: Option<Time>,
    /// When stalled connections were last ended.
    ended: Time,
    /// How often a message was looked at.
    #[cfg(test)]
    pub(super) looks: std::cell::Cell<usize>,
}

/// The messages of an owner.
#[derive(Default)]
struct OwnerUsage {
    committed: u64,
    /// Whether one of them may grow.
    grows: bool,
    /// Whether one of them waits because the owner has too much.
    starves: bool,
    fds: Vec<Fd>,
}

/// Why messages wait.
#[derive(Clone, Copy, Default)]
struct Starving {
    /// Their owners have too much, see [`OwnerUsage::starves`].
    of_owner: bool,
    /// All have too much.
    of_all: bool,
}

impl Allowances {
    #[cfg(test)]
    pub(super) fn beyond_fd(&self) -> Option<Fd> {
        self.beyond.map(|beyond| beyond.fd)
    }

    fn count_look(&self) {
        #[cfg(test)]
        self.looks.set(self.looks.get() + 1);
    }

    pub(super) fn decide(
        &mut self,
        now: Time,
        limits: &UnfinishedLimits,
        messages: &mut HashMap<Fd, Message>,
        owner: impl Fn(Fd) -> Arc<Owner>,
        decisions: &mut Decisions,
    ) {
        self.note_beyond(now, limits, messages);
        if messages.values().all(|message| !message.waits) {
            self.starving = None;
            return;
        }
        let mut owners: HashMap<Arc<Owner>, OwnerUsage> = HashMap::new();
        for (&fd, message) in messages.iter() {
            self.count_look();
            let usage = owners.entry(owner(fd)).or_default();
            usage.committed += message.committed();
            // One that has just used up what it was allowed waits at the next check.
            usage.grows |=
                message.allowed > 0 && (!message.waits || message.allowed > message.size);
            usage.fds.push(fd);
        }
        let starving = self.allow(limits, messages, &mut owners, decisions);
        if !starving.of_owner && !starving.of_all {
            self.starving = None;
            return;
        }
        let since = *self.starving.get_or_insert(now);
        if now.since(since) < PATIENCE || now.since(self.ended) < END_INTERVAL {
            return;
        }
        self.ended = now;
        for fd in self.stalled(now, limits, messages, &owners, starving) {
            if messages.remove(&fd).is_some() {
                (decisions.ended).push((fd, "too much of incomplete messages"));
            }
        }
    }

    /// Records the growth and the end of the message that exceeds the maximum of all. When the total is below the maximum
    /// again, it is an ordinary message.
    fn note_beyond(
        &mut self,
        now: Time,
        limits: &UnfinishedLimits,
        messages: &HashMap<Fd, Message>,
    ) {
        let Some(beyond) = &mut self.beyond else {
            return;
        };
        let all: u64 = messages.values().map(Message::committed).sum();
        match messages.get(&beyond.fd) {
            Some(message) if message.size >= beyond.size && all > limits.all => {
                if message.waits || message.size >= beyond.size + PROGRESS_BEYOND {
                    (beyond.size, beyond.since) = (message.size, now);
                }
            }
            _ => self.beyond = None,
        }
    }

    /// Allows those that wait more, as far as the limits permit. Returns why the others wait.
    fn allow(
        &mut self,
        limits: &UnfinishedLimits,
        messages: &mut HashMap<Fd, Message>,
        owners: &mut HashMap<Arc<Owner>, OwnerUsage>,
        decisions: &mut Decisions,
    ) -> Starving {
        let step = limits.step();
        let mut all: u64 = owners.values().map(|usage| usage.committed).sum();
        // Order: owners with few bytes first, owners beyond their maximum last; within an owner, the largest message
        // first, which needs the least further bytes.
        let mut order: Vec<(&Arc<Owner>, &mut OwnerUsage)> = owners.iter_mut().collect();
        order.sort_unstable_by_key(|(owner, usage)| {
            let is_over = usage.committed.saturating_add(step) > limits.of(owner);
            (is_over, usage.committed, Arc::clone(owner))
        });
        let mut starving = Starving::default();
        for (owner, usage) in order {
            let waiting = usage.fds.iter().filter_map(|fd| {
                self.count_look();
                let message = messages.get(fd)?;
                (message.waits && message.allowed <= message.size).then_some((message.size, *fd))
            });
            let mut waiting: Vec<(u64, Fd)> = waiting.collect();
            waiting.sort_unstable_by_key(|&(size, fd)| (Reverse(size), fd));
            for (size, fd) in waiting {
                self.count_look();
                let is_of_owner = usage.committed + step <= limits.of(owner) || !usage.grows;
                let is_of_all =
                    all + step <= limits.all || self.beyond.is_none_or(|beyond| beyond.fd == fd);
                if !is_of_owner || !is_of_all {
                    if is_of_all {
                        (usage.starves, starving.of_owner) = (true, true);
                    } else {
                        starving.of_all = true;
                    }
                    continue;
                }
                if all + step > limits.all && self.beyond.is_none() {
                    let since = messages[&fd].since;
                    self.beyond = Some(Beyond { fd, size, since });
                }
                if let Some(message) = messages.get_mut(&fd) {
                    message.allowed = size + step;
                    decisions.allowed.push((fd, message.allowed));
                }
                usage.committed += step;
                usage.grows = true;
                all += step;
            }
        }
        starving
    }

    /// Connections to end because their messages have stalled while other connections wait. For each owner that waits:
    /// its own stalled connections. If the limit of all is reached: also the stalled connections, with at least one step,
    /// of the owner that holds most among the owners with an average amount or more. The result may contain a connection
    /// twice.
    fn stalled(
        &self,
        now: Time,
        limits: &UnfinishedLimits,
        messages: &HashMap<Fd, Message>,
        owners: &HashMap<Arc<Owner>, OwnerUsage>,
        starving: Starving,
    ) -> Vec<Fd> {
        let of = |usage: &OwnerUsage, least: u64| -> Vec<Fd> {
            let is_stalled = |fd: &Fd| {
                self.count_look();
                (messages.get(fd))
                    .is_some_and(|message| message.is_stalled(now) && message.committed() >= least)
            };
            usage.fds.iter().copied().filter(is_stalled).collect()
        };
        let starves = owners.values().filter(|usage| usage.starves);
        let mut ended: Vec<Fd> = starves.flat_map(|usage| of(usage, 0)).collect();
        if starving.of_all {
            let all: u64 = owners.values().map(|usage| usage.committed).sum();
            let average = all / (owners.len() as u64).max(1);
            let mut order: Vec<&OwnerUsage> = owners
                .values()
                .filter(|usage| usage.committed >= average)
                .collect();
            order.sort_unstable_by_key(|usage| Reverse(usage.committed));
            // Less than what is allowed at once takes little from others.
            let mut with_much = order.into_iter().map(|usage| of(usage, limits.step()));
            let most = with_much.find(|fds| !fds.is_empty());
            ended.extend(most.unwrap_or_default());
            if let Some(beyond) = self.beyond
                && now.since(beyond.since) >= PATIENCE
            {
                ended.push(beyond.fd);
            }
        }
        ended
    }
}

impl UnfinishedLimits {
    /// The bytes that a message is allowed at once.
    pub(super) fn step(&self) -> u64 {
        (self.least_limit() / STEPS).clamp(LEAST_AT_ONCE, MOST_AT_ONCE)
    }
}
