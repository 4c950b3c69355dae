//! The account: what each peer makes the broker keep is charged to the peer, to its user and to the
//! total, by its size and before it is kept. Nothing is charged for what the broker keeps of its own
//! accord and bounds by a constant.
//!
//! A charge belongs to whatever is kept: the request, the claim, the registration and so on remember
//! what they were charged, and give it back when they end. An account lives as long as somebody
//! holds its key.

use super::RoutingId;
use super::bans::Bans;
use super::keys::AccountKey;
use crate::proto::Time;
use crate::proto::table::Table;
use slab::Slab;
use std::time::Duration;

/// What a request costs beyond its bytes: its entries in the tables.
pub(super) const REQUEST: usize = 384;

/// What a registered peer, a claim, or a message that waits for an authorization costs beyond its
/// bytes.
pub(super) const ENTRY: usize = 512;

/// How many bytes may be kept.
#[derive(Debug, Clone, Copy)]
pub struct HeldLimits {
    /// For one peer. Default 256 MiB.
    pub peer: usize,
    /// For all peers of one user. Default 384 MiB.
    pub user: usize,
    /// In all. Default 512 MiB.
    pub total: usize,
}

impl Default for HeldLimits {
    fn default() -> Self {
        HeldLimits {
            peer: 256 << 20,
            user: 384 << 20,
            total: 512 << 20,
        }
    }
}

impl HeldLimits {
    /// No limit at all.
    pub const NONE: HeldLimits = HeldLimits {
        peer: usize::MAX,
        user: usize::MAX,
        total: usize::MAX,
    };

    fn of(&self, scope: Scope) -> usize {
        match scope {
            Scope::Peer => self.peer,
            Scope::User => self.user,
            Scope::Total => self.total,
        }
    }
}

/// Whose limit is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// The peer's.
    Peer,
    /// Its user's.
    User,
    /// That of all.
    Total,
}

impl Scope {
    /// The word that events carry.
    pub fn as_str(self) -> &'static str {
        match self {
            Scope::Peer => "peer",
            Scope::User => "user",
            Scope::Total => "total",
        }
    }
}

/// A charge that was not made, because a limit would be passed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct OverLimit {
    pub(super) scope: Scope,
    /// What is kept already, and how much may be.
    pub(super) held: usize,
    pub(super) limit: usize,
}

#[derive(Debug)]
struct Account {
    id: RoutingId,
    user: Option<usize>,
    /// How many hold the key.
    holders: usize,
    held: usize,
}

#[derive(Debug)]
struct User {
    name: Box<str>,
    /// How many accounts are its own.
    accounts: usize,
    held: usize,
}

#[derive(Debug)]
pub(super) struct Accounts {
    limits: HeldLimits,
    slab: Slab<Account>,
    ids: Table<RoutingId, usize>,
    users: Slab<User>,
    names: Table<Box<str>, usize>,
    total: usize,
    pub(super) bans: Bans,
}

impl Accounts {
    pub(super) fn new(limits: HeldLimits) -> Self {
        Accounts {
            limits,
            slab: Slab::new(),
            ids: Table::default(),
            users: Slab::new(),
            names: Table::default(),
            total: 0,
            bans: Bans::default(),
        }
    }

    /// The account of a peer, for one more holder.
    pub(super) fn open(&mut self, id: &RoutingId, user: Option<&str>) -> AccountKey {
        if let Some(&key) = self.ids.get(id) {
            self.slab[key].holders += 1;
            return AccountKey(key);
        }
        let user = user.map(|name| self.user(name));
        let key = self.slab.insert(Account {
            id: id.clone(),
            user,
            holders: 1,
            held: 0,
        });
        self.ids.insert(id.clone(), key);
        AccountKey(key)
    }

    fn user(&mut self, name: &str) -> usize {
        if let Some(&key) = self.names.get(name) {
            self.users[key].accounts += 1;
            return key;
        }
        let key = self.users.insert(User {
            name: name.into(),
            accounts: 1,
            held: 0,
        });
        self.names.insert(name.into(), key);
        key
    }

    /// A holder gives its key back, and what it was charged.
    pub(super) fn close(&mut self, key: AccountKey, bytes: usize) {
        self.credit(key, bytes);
        let account = &mut self.slab[key.0];
        account.holders -= 1;
        if account.holders > 0 {
            return;
        }
        debug_assert_eq!(account.held, 0, "what is kept has a holder");
        let account = self.slab.remove(key.0);
        self.ids.remove(&account.id);
        if let Some(key) = account.user {
            let user = &mut self.users[key];
            user.accounts -= 1;
            if user.accounts == 0 {
                let user = self.users.remove(key);
                self.names.remove(&user.name);
            }
        }
    }

    /// Charges what is about to be kept; nothing is charged if a limit would be passed.
    pub(super) fn charge(&mut self, key: AccountKey, bytes: usize) -> Result<(), OverLimit> {
        let account = &mut self.slab[key.0];
        let check = |scope, held: usize| {
            let limit = self.limits.of(scope);
            match held.saturating_add(bytes) <= limit {
                true => Ok(()),
                false => Err(OverLimit { scope, held, limit }),
            }
        };
        check(Scope::Peer, account.held)?;
        check(Scope::Total, self.total)?;
        if let Some(user) = account.user {
            let user = &mut self.users[user];
            check(Scope::User, user.held)?;
            user.held += bytes;
        }
        account.held += bytes;
        self.total += bytes;
        Ok(())
    }

    /// What was charged is not kept any more.
    pub(super) fn credit(&mut self, key: AccountKey, bytes: usize) {
        let account = &mut self.slab[key.0];
        account.held -= bytes;
        self.total -= bytes;
        if let Some(user) = account.user {
            self.users[user].held -= bytes;
        }
    }

    /// What is kept in all.
    pub(super) fn total(&self) -> usize {
        self.total
    }

    pub(super) fn len(&self) -> usize {
        self.slab.len()
    }

    /// Counts a refusal against a peer; gives how long it is sent away for, if it goes on too long.
    pub(super) fn refused(&mut self, now: Time, who: &[u8], scope: Scope) -> Option<Duration> {
        match scope {
            Scope::Peer | Scope::User => self.bans.strike(now, who),
            // Others may have filled it.
            Scope::Total => None,
        }
    }

    /// All that is on accounts, by key; panics if the sums differ.
    #[cfg(any(test, feature = "fuzz"))]
    pub(super) fn audit(&self, charges: &[(AccountKey, usize)], holders: &[AccountKey]) {
        let mut held = std::collections::HashMap::new();
        for &(key, bytes) in charges {
            *held.entry(key.0).or_insert(0) += bytes;
        }
        let mut users = std::collections::HashMap::new();
        for (key, account) in &self.slab {
            let expected = held.remove(&key).unwrap_or(0);
            assert_eq!(account.held, expected, "what is kept is on its account");
            let known = holders.iter().filter(|holder| holder.0 == key).count();
            assert_eq!(account.holders, known, "an account has its holders");
            if let Some(user) = account.user {
                *users.entry(user).or_insert(0) += account.held;
            }
        }
        assert!(held.is_empty(), "what is kept has an account");
        for (key, user) in &self.users {
            assert_eq!(users.get(&key), Some(&user.held), "a user has accounts");
        }
        let total: usize = charges.iter().map(|(_, bytes)| bytes).sum();
        assert_eq!(self.total, total);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn accounts(peer: usize, user: usize, total: usize) -> Accounts {
        Accounts::new(HeldLimits { peer, user, total })
    }

    fn id(name: &str) -> RoutingId {
        name.as_bytes().into()
    }

    #[test]
    fn each_limit_holds_and_what_is_refused_is_not_charged() {
        let mut accounts = accounts(10, 15, 20);
        let a = accounts.open(&id("a"), Some("u"));
        let b = accounts.open(&id("b"), Some("u"));
        let c = accounts.open(&id("c"), None);
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
        assert!(accounts.names.is_empty());
    }

    #[test]
    fn an_account_lives_as_long_as_it_has_a_holder() {
        let mut accounts = accounts(10, 10, 10);
        let first = accounts.open(&id("a"), None);
        let second = accounts.open(&id("a"), None);
        assert_eq!(first, second);
        accounts.close(first, 0);
        assert_eq!(accounts.charge(second, 3), Ok(()));
        accounts.close(second, 3);
        assert_eq!(accounts.len(), 0);
    }
}
