//! Which incomplete messages may grow although all together have too much.

use super::{Decisions, Message, Owner, PATIENCE, UnfinishedLimits};
use crate::io::connections::Fd;
use crate::proto::Time;
use std::cmp::Reverse;
use std::collections::HashMap;

/// The parts of the least limit that a message may be allowed at once, and their maximum and minimum.
const STEPS: u64 = 16;
const MOST_AT_ONCE: u64 = 16 << 20;
const LEAST_AT_ONCE: u64 = 64 << 10;

/// What has to arrive within the patience of the one message that exceeds the maximum of all, while others wait.
const PROGRESS_BEYOND: u64 = 1 << 20;

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
}

/// The messages of an owner.
#[derive(Default)]
struct Group {
    committed: u64,
    /// Whether one of them may grow.
    grows: bool,
    fds: Vec<Fd>,
}

/// Why a message waits.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Want {
    /// Its owner has too much.
    OfOwner,
    /// All have too much.
    OfAll,
}

impl Allowances {
    #[cfg(test)]
    pub(super) fn beyond_fd(&self) -> Option<Fd> {
        self.beyond.map(|beyond| beyond.fd)
    }

    pub(super) fn decide(
        &mut self,
        now: Time,
        limits: &UnfinishedLimits,
        messages: &mut HashMap<Fd, Message>,
        owner: impl Fn(Fd) -> Owner,
        decisions: &mut Decisions,
    ) {
        self.note_beyond(now, messages);
        if messages.values().all(|message| !message.waits) {
            self.starving = None;
            return;
        }
        let mut groups: HashMap<Owner, Group> = HashMap::new();
        for (&fd, message) in messages.iter() {
            let group = groups.entry(owner(fd)).or_default();
            group.committed += message.committed();
            // One that has just used up what it was allowed waits at the next check.
            group.grows |=
                message.allowed > 0 && (!message.waits || message.allowed > message.size);
            group.fds.push(fd);
        }
        let starving = self.allow(limits, messages, &mut groups, decisions);
        if starving.is_empty() {
            self.starving = None;
            return;
        }
        let since = *self.starving.get_or_insert(now);
        if now.since(since) < PATIENCE {
            return;
        }
        let mut ended = self.stalled(now, messages, &groups, &starving);
        ended.sort_unstable();
        ended.dedup();
        for fd in ended {
            messages.remove(&fd);
            decisions
                .ended
                .push((fd, "too much of incomplete messages"));
        }
    }

    /// Notes the growth of the message that exceeds the maximum of all, and its end.
    fn note_beyond(&mut self, now: Time, messages: &HashMap<Fd, Message>) {
        let Some(beyond) = &mut self.beyond else {
            return;
        };
        match messages.get(&beyond.fd) {
            Some(message) if message.size >= beyond.size => {
                if message.waits || message.size >= beyond.size + PROGRESS_BEYOND {
                    (beyond.size, beyond.since) = (message.size, now);
                }
            }
            _ => self.beyond = None,
        }
    }

    /// Allows those that wait more, as far as the limits permit. Returns the owners of the others.
    fn allow(
        &mut self,
        limits: &UnfinishedLimits,
        messages: &mut HashMap<Fd, Message>,
        groups: &mut HashMap<Owner, Group>,
        decisions: &mut Decisions,
    ) -> Vec<(Owner, Want)> {
        let step = (limits.least_limit() / STEPS).clamp(LEAST_AT_ONCE, MOST_AT_ONCE);
        let mut all: u64 = groups.values().map(|group| group.committed).sum();
        // An owner with little is first, and of an owner the message that is nearest to its end.
        let mut order: Vec<Owner> = groups.keys().cloned().collect();
        order.sort_by(|a, b| (groups[a].committed, a).cmp(&(groups[b].committed, b)));
        let mut starving = Vec::new();
        for owner in order {
            let Some(group) = groups.get_mut(&owner) else {
                continue;
            };
            let waiting = group.fds.iter().filter_map(|fd| {
                let message = messages.get(fd)?;
                (message.waits && message.allowed <= message.size).then_some((message.size, *fd))
            });
            let mut waiting: Vec<(u64, Fd)> = waiting.collect();
            waiting.sort_unstable_by_key(|&(size, fd)| (Reverse(size), fd));
            for (size, fd) in waiting {
                let is_of_owner = group.committed + step <= limits.of(&owner) || !group.grows;
                let is_of_all =
                    all + step <= limits.all || self.beyond.is_none_or(|beyond| beyond.fd == fd);
                if !is_of_owner || !is_of_all {
                    let want = if is_of_all {
                        Want::OfOwner
                    } else {
                        Want::OfAll
                    };
                    starving.push((owner.clone(), want));
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
                group.committed += step;
                group.grows = true;
                all += step;
            }
        }
        starving
    }

    /// The connections that others wait for in vain: their messages hardly grow. Of those of the same owner, and if all
    /// have too much, of the owner that has most of those that have such ones.
    fn stalled(
        &self,
        now: Time,
        messages: &HashMap<Fd, Message>,
        groups: &HashMap<Owner, Group>,
        starving: &[(Owner, Want)],
    ) -> Vec<Fd> {
        let of = |group: &Group| -> Vec<Fd> {
            let is_stalled = |fd: &Fd| {
                messages
                    .get(fd)
                    .is_some_and(|message| message.is_stalled(now))
            };
            group.fds.iter().copied().filter(is_stalled).collect()
        };
        let owners = starving.iter().map(|(owner, _)| owner);
        let mut ended: Vec<Fd> = owners
            .filter_map(|owner| groups.get(owner))
            .flat_map(of)
            .collect();
        if starving.iter().any(|(_, want)| *want == Want::OfAll) {
            let mut order: Vec<&Group> = groups.values().collect();
            order.sort_by_key(|group| Reverse(group.committed));
            ended.extend(
                order
                    .into_iter()
                    .map(of)
                    .find(|fds| !fds.is_empty())
                    .unwrap_or_default(),
            );
            if let Some(beyond) = self.beyond
                && now.since(beyond.since) >= PATIENCE
            {
                ended.push(beyond.fd);
            }
        }
        ended
    }
}
