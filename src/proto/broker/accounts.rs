//! Accounts of held bytes. Everything that a peer makes the broker keep is charged, by size and in advance, to the
//! peer, its user, its address and the total. State that the broker keeps by itself and bounds by a constant is not
//! charged.
//!
//! A charge belongs to the entry that is kept: the request, claim or registration stores its charge and credits it
//! when it ends. An account exists as long as its key has a holder.

mod groups;
mod limits;

use super::RoutingId;
use super::bans::Bans;
use super::keys::AccountKey;
use crate::proto::Time;
use crate::proto::table::Table;
use groups::Groups;
pub(super) use limits::OverLimit;
pub use limits::{HeldLimits, Scope};
use slab::Slab;
use std::time::Duration;

/// The charge for a request's entries in the tables, in addition to its bytes.
pub(super) const REQUEST: usize = 384;

/// The part of the limit in total that may be free for all peers together, of each kind.
const FREE_PART: usize = 8;

/// The part of a limit by which all shares together may exceed it, even if the peers come one after the other.
const BEYOND_PART: usize = 4;

/// What a peer may have at most although others have used up a limit that they share with it.
const SHARE: usize = 256 * 1024;

/// The charge for a registered peer, a claim, or a message that waits for an authorization, in addition to its bytes.
pub(super) const ENTRY: usize = 512;

#[derive(Debug)]
struct Account {
    id: RoutingId,
    /// Keys of the groups `users` and `addresses`.
    user: Option<usize>,
    address: Option<usize>,
    /// Number of holders of the key.
    holders: usize,
    held: usize,
}

#[derive(Debug)]
pub(super) struct Accounts {
    limits: HeldLimits,
    slab: Slab<Account>,
    ids: Table<RoutingId, usize>,
    users: Groups,
    addresses: Groups,
    total: usize,
    /// Number of connections, as the transport has told.
    connections: usize,
    pub(super) bans: Bans,
}

impl Accounts {
    pub(super) fn new(limits: HeldLimits) -> Self {
        Accounts {
            limits,
            slab: Slab::new(),
            ids: Table::default(),
            users: Groups::default(),
            addresses: Groups::default(),
            total: 0,
            connections: 0,
            bans: Bans::default(),
        }
    }

    /// Opens the account of a peer for another holder.
    pub(super) fn open(
        &mut self,
        id: &RoutingId,
        user: Option<&str>,
        address: Option<&str>,
    ) -> AccountKey {
        if let Some(&key) = self.ids.get(id) {
            self.slab[key].holders += 1;
            return AccountKey(key);
        }
        let user = user.map(|name| self.users.join(name));
        let address = address.map(|address| self.addresses.join(address));
        let key = self.slab.insert(Account {
            id: id.clone(),
            user,
            address,
            holders: 1,
            held: 0,
        });
        self.ids.insert(id.clone(), key);
        AccountKey(key)
    }

    /// Credits `bytes` and releases a holder's key.
    pub(super) fn close(&mut self, key: AccountKey, bytes: usize) {
        self.release(key, bytes);
        let account = &mut self.slab[key.0];
        account.holders -= 1;
        if account.holders > 0 {
            return;
        }
        debug_assert_eq!(account.held, 0, "what is kept has a holder");
        let account = self.slab.remove(key.0);
        self.ids.remove(&account.id);
        if let Some(key) = account.user {
            self.users.leave(key);
        }
        if let Some(key) = account.address {
            self.addresses.leave(key);
        }
    }

    /// Charges an account. Charges nothing if a limit would be exceeded. Of the limits of an address and of all, a peer
    /// has a share that others cannot use up.
    pub(super) fn charge(&mut self, key: AccountKey, bytes: usize) -> Result<(), OverLimit> {
        match self.try_to_charge(key, bytes) {
            Err(over) if !self.is_in_share(key, bytes, over.scope) => Err(over),
            Err(_) => {
                self.add(key, bytes);
                Ok(())
            }
            Ok(()) => Ok(()),
        }
    }

    /// Whether a peer has little enough for a charge beyond a limit that strangers share.
    fn is_in_share(&self, key: AccountKey, bytes: usize, scope: Scope) -> bool {
        let account = &self.slab[key.0];
        let wanted = account.held.saturating_add(bytes);
        if matches!(scope, Scope::Peer | Scope::User) || wanted > SHARE {
            return false;
        }
        // After a refusal because of all, the other limits are still to be checked.
        if let Some(user) = account.user
            && self.users.slab[user].held.saturating_add(bytes) > self.limits.user
        {
            return false;
        }
        let exceeds = |held: usize, limit: usize| {
            held.saturating_add(bytes) > limit.saturating_add(limit / BEYOND_PART)
        };
        if exceeds(self.total, self.limits.total)
            || (account.address.map(|key| self.addresses.slab[key].held))
                .is_some_and(|held| exceeds(held, self.limits.address))
        {
            return false;
        }
        let of_address = account.address.map(|key| self.addresses.slab[key].accounts);
        // Many accounts of one user or address take nothing from those of others.
        let of_group = match account.user {
            Some(key) => self.users.slab[key].accounts,
            None => of_address.unwrap_or(self.slab.len()),
        };
        let groups = self.users.slab.len() + self.addresses.slab.len() + 1;
        wanted <= self.limits.total / FREE_PART / groups / of_group
            && of_address.is_none_or(|peers| wanted <= self.limits.address / FREE_PART / peers)
    }

    fn add(&mut self, key: AccountKey, bytes: usize) {
        let account = &mut self.slab[key.0];
        account.held += bytes;
        self.total += bytes;
        if let Some(user) = account.user {
            self.users.slab[user].held += bytes;
        }
        if let Some(address) = account.address {
            self.addresses.slab[address].held += bytes;
        }
    }

    fn try_to_charge(&mut self, key: AccountKey, bytes: usize) -> Result<(), OverLimit> {
        let account = &self.slab[key.0];
        let check = |scope, held: usize| {
            let limit = self.limits.of(scope);
            match held.saturating_add(bytes) <= limit {
                true => Ok(()),
                false => Err(OverLimit { scope, held, limit }),
            }
        };
        check(Scope::Peer, account.held)?;
        check(Scope::Total, self.total)?;
        if let Some(key) = account.user {
            check(Scope::User, self.users.slab[key].held)?;
        }
        if let Some(key) = account.address {
            check(Scope::Address, self.addresses.slab[key].held)?;
        }
        self.add(key, bytes);
        Ok(())
    }

    /// Takes back a charge.
    pub(super) fn release(&mut self, key: AccountKey, bytes: usize) {
        let account = &mut self.slab[key.0];
        account.held -= bytes;
        self.total -= bytes;
        if let Some(user) = account.user {
            self.users.slab[user].held -= bytes;
        }
        if let Some(address) = account.address {
            self.addresses.slab[address].held -= bytes;
        }
    }

    /// Records the number of connections. Returns false if it is not another one.
    pub(super) fn note_connections(&mut self, connections: usize) -> bool {
        std::mem::replace(&mut self.connections, connections) != connections
    }

    /// Bytes of a kind that are not charged to a peer: at most this number, and less if there are so many peers that
    /// all of them together would have a large part of the limit in total.
    pub(super) fn free(&self, most: usize) -> usize {
        let peers = self.connections.max(self.slab.len()).max(1);
        most.min(self.limits.total / FREE_PART / peers)
    }

    /// Bytes held for all peers.
    pub(super) fn total(&self) -> usize {
        self.total
    }

    pub(super) fn len(&self) -> usize {
        self.slab.len()
    }

    /// Counts a refusal against a peer. Returns the length of the ban if there were too many.
    pub(super) fn refused(&mut self, now: Time, who: &[u8], scope: Scope) -> Option<Duration> {
        match scope {
            Scope::Peer | Scope::User => self.bans.strike(now, who),
            // Other peers may have caused it.
            Scope::Address | Scope::Total => None,
        }
    }

    /// Bans a peer, unless other peers may have caused the refusal.
    pub(super) fn ban(&mut self, now: Time, who: &[u8], scope: Scope) {
        if matches!(scope, Scope::Peer | Scope::User) {
            self.bans.ban(now, who);
        }
    }

    /// Checks the sums against all charges and holders; panics if they differ.
    #[cfg(any(test, feature = "fuzz"))]
    pub(super) fn audit(&self, charges: &[(AccountKey, usize)], holders: &[AccountKey]) {
        let mut held = std::collections::HashMap::new();
        for &(key, bytes) in charges {
            *held.entry(key.0).or_insert(0) += bytes;
        }
        let [mut users, mut addresses] = [(); 2].map(|()| std::collections::HashMap::new());
        for (key, account) in &self.slab {
            let expected = held.remove(&key).unwrap_or(0);
            assert_eq!(account.held, expected, "what is kept is on its account");
            let known = holders.iter().filter(|holder| holder.0 == key).count();
            assert_eq!(account.holders, known, "an account has its holders");
            if let Some(user) = account.user {
                *users.entry(user).or_insert(0) += account.held;
            }
            if let Some(address) = account.address {
                *addresses.entry(address).or_insert(0) += account.held;
            }
        }
        assert!(held.is_empty(), "what is kept has an account");
        for (groups, sums) in [(&self.users, users), (&self.addresses, addresses)] {
            for (key, group) in &groups.slab {
                assert_eq!(sums.get(&key), Some(&group.held), "a group has accounts");
            }
        }
        let total: usize = charges.iter().map(|(_, bytes)| bytes).sum();
        assert_eq!(self.total, total);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn accounts(peer: usize, user: usize, total: usize) -> Accounts {
        Accounts::new(HeldLimits {
            peer,
            user,
            total,
            ..HeldLimits::NONE
        })
    }

    fn id(name: &str) -> RoutingId {
        name.as_bytes().into()
    }

    #[test]
    fn each_limit_holds_and_what_is_refused_is_not_charged() {
        let mut accounts = accounts(10, 15, 20);
        let a = accounts.open(&id("a"), Some("u"), None);
        let b = accounts.open(&id("b"), Some("u"), None);
        let c = accounts.open(&id("c"), None, None);
        assert_eq!(accounts.charge(a, 10), Ok(()));
        let over = |scope, held, limit| Err(OverLimit { scope, held, limit });
        assert_eq!(accounts.charge(a, 1), over(Scope::Peer, 10, 10));
        assert_eq!(accounts.charge(b, 6), over(Scope::User, 10, 15));
        assert_eq!(accounts.charge(b, 5), Ok(()));
        assert_eq!(accounts.charge(c, 6), over(Scope::Total, 15, 20));
        assert_eq!(accounts.charge(c, usize::MAX), over(Scope::Peer, 0, 10));
        assert_eq!(accounts.charge(c, 5), Ok(()));
        accounts.audit(&[(a, 10), (b, 5), (c, 5)], &[a, b, c]);
        accounts.close(a, 10);
        assert_eq!(accounts.charge(b, 5), Ok(()));
        accounts.close(b, 10);
        accounts.close(c, 5);
        assert_eq!((accounts.len(), accounts.total()), (0, 0));
        assert!(accounts.users.names.is_empty());
    }

    #[test]
    fn peers_of_one_address_share_its_limit() {
        let mut accounts = Accounts::new(HeldLimits {
            address: 10,
            ..HeldLimits::NONE
        });
        let a = accounts.open(&id("a"), Some("u"), Some("10.0.0.1"));
        let b = accounts.open(&id("b"), None, Some("10.0.0.1"));
        let c = accounts.open(&id("c"), Some("u"), Some("10.0.0.2"));
        let local = accounts.open(&id("local"), None, None);
        assert_eq!(accounts.charge(a, 6), Ok(()));
        let over = OverLimit {
            scope: Scope::Address,
            held: 6,
            limit: 10,
        };
        assert_eq!(accounts.charge(b, 5), Err(over));
        for key in [b, c, local] {
            assert_eq!(accounts.charge(key, 4), Ok(()));
        }
        assert_eq!(accounts.refused(Time::ZERO, b"b", Scope::Address), None);
        let charges = [(a, 6), (b, 4), (c, 4), (local, 4)];
        accounts.audit(&charges, &[a, b, c, local]);
        for (key, bytes) in charges {
            accounts.close(key, bytes);
        }
        assert!(accounts.addresses.names.is_empty() && accounts.users.names.is_empty());
    }

    #[test]
    fn a_peer_with_little_has_a_share_that_strangers_cannot_use_up() {
        let mut accounts = Accounts::new(HeldLimits {
            user: 4000,
            address: 10_000,
            total: 16_000,
            ..HeldLimits::NONE
        });
        let many: Vec<_> = (0..8)
            .map(|n| accounts.open(&id(&n.to_string()), None, Some("10.0.0.1")))
            .collect();
        assert_eq!(accounts.charge(many[0], 10_000), Ok(()));
        // Of two groups, and one for those that have neither user nor address, by 8 peers.
        assert_eq!(accounts.charge(many[1], 125), Ok(()));
        let scope = |charged: Result<(), OverLimit>| charged.map_err(|over| over.scope);
        let beyond = accounts.charge(many[1], 1);
        assert_eq!(scope(beyond), Err(Scope::Address));
        let one = accounts.open(&id("one"), Some("u"), Some("10.0.0.2"));
        let other = accounts.open(&id("other"), Some("u"), None);
        let local = accounts.open(&id("local"), None, None);
        assert_eq!(accounts.charge(local, 5_875), Ok(()));
        assert_eq!(accounts.charge(one, 250), Ok(()));
        assert_eq!(scope(accounts.charge(one, 1)), Err(Scope::Total));
        accounts.release(local, 4_000);
        accounts.release(one, 50);
        assert_eq!(accounts.charge(other, 3_800), Ok(()));
        assert_eq!(accounts.charge(local, 0), Ok(()));
        assert_eq!(accounts.total(), 16_000);
        // The limit of its user holds even so.
        assert_eq!(scope(accounts.charge(one, 1)), Err(Scope::Total));
        let mut charges = vec![(many[0], 10_000), (many[1], 125)];
        charges.extend([(one, 200), (other, 3_800), (local, 1_875)]);
        let mut holders = many.clone();
        holders.extend([one, other, local]);
        accounts.audit(&charges, &holders);
    }

    #[test]
    fn shares_of_peers_that_come_one_after_the_other_are_bounded() {
        for address in [100_000, usize::MAX] {
            let mut accounts = Accounts::new(HeldLimits {
                total: 160_000,
                address,
                ..HeldLimits::NONE
            });
            let mut charges = Vec::new();
            for n in 0..4000_usize {
                let host = (address == usize::MAX).then(|| (n % 20).to_string());
                let host = host.unwrap_or("one".into());
                let key = accounts.open(&id(&n.to_string()), None, Some(&host));
                let mut held = 0;
                for step in [1000, 100, 10, 1] {
                    while accounts.charge(key, step).is_ok() {
                        held += step;
                    }
                }
                charges.push((key, held));
            }
            let most = 160_000.min(address);
            assert!((most..=most / 4 * 5).contains(&accounts.total()));
            let keys: Vec<_> = charges.iter().map(|(key, _)| *key).collect();
            accounts.audit(&charges, &keys);
        }
    }

    #[test]
    fn the_more_peers_the_less_is_free_for_each() {
        let mut accounts = accounts(1000, 1000, 800_000);
        assert_eq!(accounts.free(1000), 1000);
        assert!(accounts.note_connections(100) && !accounts.note_connections(100));
        assert_eq!(accounts.free(1000), 1000);
        accounts.note_connections(1000);
        assert_eq!(accounts.free(1000), 100);
        accounts.note_connections(0);
        let keys: Vec<_> = (0..200)
            .map(|n| accounts.open(&id(&n.to_string()), None, None))
            .collect();
        assert_eq!(accounts.free(1000), 500);
        keys.into_iter().for_each(|key| accounts.close(key, 0));
        assert_eq!(Accounts::new(HeldLimits::NONE).free(1000), 1000);
    }

    #[test]
    fn an_account_lives_as_long_as_it_has_a_holder() {
        let mut accounts = accounts(10, 10, 10);
        let first = accounts.open(&id("a"), None, None);
        let second = accounts.open(&id("a"), None, None);
        assert_eq!(first, second);
        accounts.close(first, 0);
        assert_eq!(accounts.charge(second, 3), Ok(()));
        accounts.close(second, 3);
        assert_eq!(accounts.len(), 0);
    }
}
