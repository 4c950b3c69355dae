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
mod tests;
