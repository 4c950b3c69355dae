//! Detects messages without an end.
//!
//! libzmq keeps the frames of a message until the last one has arrived, and limits the size of each
//! frame only. What each connection has sent of a message that is not complete is therefore checked at
//! intervals, and a connection that has sent more than the maximum of a message is ended. If all such
//! connections together, or those of one owner, exceed a maximum, those that have sent most are ended,
//! of the owner with most.

use super::Fd;
use std::collections::{BTreeMap, HashMap};

/// Smaller incomplete messages do not count, and acceptors without libzmq do not report them. With many connections it is less.
const SMALL: u64 = 64 << 10;
const SMALLEST: u64 = 1 << 10;

/// The part of the maximum for all that those which do not count may have together.
const UNCOUNTED: u64 = 8;

/// Whose connections have a maximum together.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Owner {
    User(Box<str>),
    Address(Box<str>),
    /// Over ipc, before the user is known.
    Unknown,
}

/// The maxima of received bytes without a complete message.
#[derive(Debug, Clone, Copy)]
pub struct UnfinishedLimits {
    /// Of all connections together.
    pub all: u64,
    /// Of those of a user, and of an address.
    pub of_user: u64,
    /// See `of_user`.
    pub of_address: u64,
}

impl UnfinishedLimits {
    /// The size from which an incomplete message counts, if this number of connections is open.
    pub(in crate::io) fn least(&self, open: usize) -> u64 {
        let open = u64::try_from(open).unwrap_or(u64::MAX).max(1);
        (self.all / UNCOUNTED / open).clamp(SMALLEST, SMALL)
    }
}

#[derive(Debug)]
pub(super) struct Endless {
    /// The maximum of one message.
    most: u64,
    /// The maxima of several connections.
    together: UnfinishedLimits,
    /// The connections whose incomplete messages count, with their sizes at the last check.
    sizes: HashMap<Fd, u64>,
    /// Whether a size has grown since the last [`take_exceeding`](Self::take_exceeding).
    have_grown: bool,
}

impl Endless {
    pub(super) fn new(message: u64, together: UnfinishedLimits) -> Self {
        Endless {
            most: message,
            together,
            sizes: HashMap::new(),
            have_grown: false,
        }
    }

    /// Whether there are connections to be checked again soon.
    pub(super) fn watches(&self) -> bool {
        !self.sizes.is_empty()
    }

    /// The connections to be checked again soon.
    pub(super) fn watched(&self) -> Vec<Fd> {
        self.sizes.keys().copied().collect()
    }

    /// Reports the size of the incomplete message of this connection, which is one of `open`.
    pub(super) fn look(&mut self, fd: Fd, size: u64, open: usize) {
        if size < self.together.least(open) {
            self.sizes.remove(&fd);
            return;
        }
        let before = self.sizes.insert(fd, size);
        self.have_grown |= before.is_none_or(|before| size > before);
    }

    /// Removes and returns the connections that exceed a limit, each with the reason.
    pub(super) fn take_exceeding(
        &mut self,
        owner: impl Fn(Fd) -> Owner,
    ) -> Vec<(Fd, &'static str)> {
        if !std::mem::take(&mut self.have_grown) {
            return Vec::new();
        }
        let sizes = self.sizes.iter();
        let endless = sizes.filter(|&(_, &size)| size > self.most);
        let mut ended: Vec<(Fd, &'static str)> = endless
            .map(|(&fd, _)| (fd, "a message without an end"))
            .collect();
        for (fd, _) in &ended {
            self.sizes.remove(fd);
        }
        for fd in self.too_much_together(owner) {
            self.sizes.remove(&fd);
            ended.push((fd, "too much of incomplete messages"));
        }
        ended
    }

    /// The connections that have to end because several have received too much together.
    fn too_much_together(&self, owner: impl Fn(Fd) -> Owner) -> Vec<Fd> {
        let UnfinishedLimits {
            all: most,
            of_user,
            of_address,
        } = self.together;
        let least = most.min(of_user).min(of_address);
        let sum: u64 = self.sizes.values().sum();
        if sum <= least {
            return Vec::new();
        }
        let mut owners: BTreeMap<Owner, (u64, Vec<(u64, Fd)>)> = BTreeMap::new();
        for (&fd, &size) in &self.sizes {
            let (sum, of_owner) = owners.entry(owner(fd)).or_default();
            *sum += size;
            of_owner.push((size, fd));
        }
        let mut all = sum;
        let mut ended = Vec::new();
        for (owner, (sum, of_owner)) in &mut owners {
            of_owner.sort_unstable();
            let most = match owner {
                Owner::User(_) => of_user,
                Owner::Address(_) => of_address,
                Owner::Unknown => u64::MAX,
            };
            while *sum > most
                && let Some((bytes, fd)) = of_owner.pop()
            {
                (*sum, all) = (*sum - bytes, all - bytes);
                ended.push(fd);
            }
        }
        while all > most
            && let Some((sum, of_owner)) = owners.values_mut().max_by_key(|(sum, _)| *sum)
            && let Some((bytes, fd)) = of_owner.pop()
        {
            (*sum, all) = (*sum - bytes, all - bytes);
            ended.push(fd);
        }
        ended
    }

    pub(super) fn forget(&mut self, fd: Fd) {
        self.sizes.remove(&fd);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MESSAGE: u64 = 10 << 20;

    fn endless() -> Endless {
        let together = UnfinishedLimits {
            all: 3 * MESSAGE,
            of_user: u64::MAX,
            of_address: u64::MAX,
        };
        Endless::new(MESSAGE, together)
    }

    /// Of connections of one owner.
    fn ended(endless: &mut Endless) -> Vec<Fd> {
        let ended = endless.take_exceeding(|_| Owner::Unknown);
        ended.into_iter().map(|(fd, _)| fd).collect()
    }

    #[test]
    fn a_message_that_is_too_large_ends_and_one_that_becomes_complete_does_not() {
        let mut endless = endless();
        endless.look(7, SMALL - 1, 1);
        assert!(!endless.watches());
        for fd in [7, 8] {
            endless.look(fd, MESSAGE, 1);
        }
        assert!(endless.watches() && ended(&mut endless).is_empty());
        endless.look(7, MESSAGE + 1, 1);
        endless.look(8, 0, 1);
        assert_eq!(ended(&mut endless), [7]);
        assert!(!endless.watches());
    }

    #[test]
    fn of_many_that_exceed_the_limit_together_the_one_with_most_ends() {
        let mut endless = endless();
        let mut all_ended = Vec::new();
        for n in 1..=10 {
            for fd in (1..=5)
                .filter(|fd| !all_ended.contains(fd))
                .collect::<Vec<Fd>>()
            {
                endless.look(fd, n * MESSAGE / 10 - 10 + fd as u64, 1);
            }
            all_ended.extend(ended(&mut endless));
        }
        assert_eq!(all_ended, [5, 4]);
    }

    #[test]
    fn the_more_connections_the_smaller_are_those_that_count() {
        let (mut endless, open) = (endless(), 1000);
        let small = 3 * MESSAGE / UNCOUNTED / open;
        for fd in 0..1000 {
            endless.look(fd, small - 1, open as usize);
        }
        assert!(!endless.watches());
        for fd in 0..1000 {
            endless.look(fd, MESSAGE / 100, open as usize);
        }
        assert_eq!(1000 - ended(&mut endless).len(), 300);
        assert_eq!(endless.watched().len(), 300);
    }

    #[test]
    fn of_an_owner_with_too_much_or_with_most_connections_end() {
        let together = UnfinishedLimits {
            all: 4 * MESSAGE,
            of_user: 2 * MESSAGE,
            of_address: 3 * MESSAGE,
        };
        let owner = |fd: Fd| match fd {
            0..10 => Owner::User("many".into()),
            10 => Owner::User("one".into()),
            _ => Owner::Address("a".into()),
        };
        let mut endless = Endless::new(MESSAGE, together);
        for fd in 0..10 {
            endless.look(fd, MESSAGE / 4 + fd as u64, 1);
        }
        for fd in 10..12 {
            endless.look(fd, MESSAGE - 100, 1);
        }
        let ended = endless.take_exceeding(owner);
        let fds: Vec<Fd> = ended.iter().map(|(fd, _)| *fd).collect();
        // The largest of this user, and no other.
        assert_eq!(fds, [9, 8, 7]);
        assert!(
            ended
                .iter()
                .all(|(_, why)| *why == "too much of incomplete messages")
        );
        endless.look(12, MESSAGE - 50, 1);
        let ended = endless.take_exceeding(owner);
        let fds: Vec<Fd> = ended.iter().map(|(fd, _)| *fd).collect();
        // Now all have too much, and the address has most.
        assert_eq!(fds, [12]);
    }
}
