//! Accounts that share a limit: those of one user, or of one address.

use crate::proto::table::Table;
use slab::Slab;

/// The accounts of one user or one address.
#[derive(Debug)]
pub(super) struct Group {
    name: Box<str>,
    /// Number of accounts in the group.
    pub(super) accounts: usize,
    pub(super) held: usize,
}

#[derive(Debug, Default)]
pub(super) struct Groups {
    pub(super) slab: Slab<Group>,
    pub(super) names: Table<Box<str>, usize>,
}

impl Groups {
    /// Adds an account to the group of this name.
    pub(super) fn join(&mut self, name: &str) -> usize {
        if let Some(&key) = self.names.get(name) {
            self.slab[key].accounts += 1;
            return key;
        }
        let key = self.slab.insert(Group {
            name: name.into(),
            accounts: 1,
            held: 0,
        });
        self.names.insert(name.into(), key);
        key
    }

    /// Removes an account from a group.
    pub(super) fn leave(&mut self, key: usize) {
        let group = &mut self.slab[key];
        group.accounts -= 1;
        if group.accounts == 0 {
            let group = self.slab.remove(key);
            self.names.remove(&group.name);
        }
    }
}
