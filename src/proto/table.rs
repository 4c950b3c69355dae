//! Hash tables for the lookups that each message needs.

use foldhash::fast::{FixedState, FoldHasher};
use std::collections::HashMap;
use std::hash::{BuildHasher, Hasher, RandomState};

/// A table whose keys may be chosen by peers.
pub(crate) type Table<K, V> = HashMap<K, V, Seeded>;

/// A hasher several times as fast as that of the standard library, with a seed that peers cannot know.
#[derive(Debug, Clone)]
pub(crate) struct Seeded(FixedState);

impl Default for Seeded {
    fn default() -> Self {
        Seeded(FixedState::with_seed(
            RandomState::new().build_hasher().finish(),
        ))
    }
}

impl BuildHasher for Seeded {
    type Hasher = FoldHasher<'static>;

    fn build_hasher(&self) -> Self::Hasher {
        self.0.build_hasher()
    }
}
