//! Lookup of the service that serves a name without workers of its own: a version of the name, or a pattern.

use super::names::{range_of, version_of};
use super::version::Version;
use crate::proto::broker::keys::ServiceKey;
use crate::proto::table::Table;
use std::collections::BTreeMap;

/// How many versions of a name count: the first ones that came, so that later ones cannot hide them. A range is compared
/// with each of them.
const MAX_VERSIONS: usize = 1024;

/// Bytes of a range that are compared in about the time of its first comparison.
const COMPARED: usize = 8;

/// The services with workers whose name is a pattern or has a version.
#[derive(Debug, Default)]
pub(super) struct Homes {
    /// Versions of each base name.
    versions: Table<Box<[u8]>, Family>,
    /// Patterns by the length of their prefix, then by the prefix.
    patterns: BTreeMap<usize, Table<Box<[u8]>, ServiceKey>>,
}

/// The versions of a name.
#[derive(Debug, Default)]
struct Family {
    /// Those that count, in ascending order.
    counted: Vec<(Version, ServiceKey)>,
    /// The others, by their arrival, and the same by their keys.
    others: BTreeMap<u64, (Version, ServiceKey)>,
    arrivals: Table<ServiceKey, u64>,
    last: u64,
}

impl Family {
    fn add(&mut self, version: Version, key: ServiceKey) {
        if self.counted.len() == MAX_VERSIONS {
            self.last += 1;
            self.others.insert(self.last, (version, key));
            self.arrivals.insert(key, self.last);
            return;
        }
        let at = (self.counted).partition_point(|(other, _)| *other <= version);
        self.counted.insert(at, (version, key));
    }

    fn remove(&mut self, key: ServiceKey) {
        if let Some(arrival) = self.arrivals.remove(&key) {
            self.others.remove(&arrival);
            return;
        }
        self.counted.retain(|(_, other)| *other != key);
        if let Some((_, (version, key))) = self.others.pop_first() {
            self.arrivals.remove(&key);
            self.add(version, key);
        }
    }
}

/// The versions of a name that count, in ascending order.
fn counted(
    family: Option<&Family>,
) -> impl DoubleEndedIterator<Item = &(Version, ServiceKey)> + ExactSizeIterator + Clone {
    family.map_or(&[][..], |family| &family.counted).iter()
}

/// The prefix of the names that a pattern matches.
fn prefix(pattern: &[u8]) -> &[u8] {
    pattern.strip_suffix(b"*").unwrap_or(pattern)
}

/// Whether a pattern matches a name. Names with a version range match only patterns that contain an `@` themselves.
fn fits(prefix: &[u8], name: &[u8], has_range: bool) -> bool {
    name.starts_with(prefix) && (!has_range || prefix.contains(&b'@'))
}

impl Homes {
    pub(super) fn is_empty(&self) -> bool {
        self.versions.is_empty() && self.patterns.is_empty()
    }

    /// Adds a service that has got its first worker. Returns true if it can serve other names than its own.
    pub(super) fn add(&mut self, name: &[u8], is_pattern: bool, key: ServiceKey) -> bool {
        if is_pattern {
            let prefix = prefix(name);
            let of_length = self.patterns.entry(prefix.len()).or_default();
            of_length.insert(prefix.into(), key);
            return true;
        }
        let Some((base, version)) = version_of(name) else {
            return false;
        };
        let family = self.versions.entry(base.into()).or_default();
        family.add(version, key);
        true
    }

    /// Removes a service that has lost its last worker.
    pub(super) fn remove(&mut self, name: &[u8], is_pattern: bool, key: ServiceKey) {
        if is_pattern {
            let prefix = prefix(name);
            if let Some(of_length) = self.patterns.get_mut(&prefix.len()) {
                of_length.remove(prefix);
                if of_length.is_empty() {
                    self.patterns.remove(&prefix.len());
                }
            }
        } else if let Some((base, _)) = version_of(name)
            && let Some(family) = self.versions.get_mut(base)
        {
            family.remove(key);
            if family.counted.is_empty() {
                self.versions.remove(base);
            }
        }
    }

    /// The service for requests of this name: the highest version that satisfies it, else the longest pattern.
    pub(super) fn find(&self, name: &[u8]) -> Option<ServiceKey> {
        let range = range_of(name);
        let family = match &range {
            Some((base, _)) => self.versions.get(*base),
            None => self.versions.get(name),
        };
        let mut descending = counted(family).rev();
        let version = match &range {
            Some((_, range)) => descending.find(|(version, _)| range.satisfies(version)),
            // As npm does without a range: a prerelease only if there is no other version.
            None => descending
                .clone()
                .find(|(version, _)| !version.is_prerelease())
                .or_else(|| descending.next()),
        };
        let version = version.map(|(_, key)| *key);
        version.or_else(|| self.patterns_of(name, range.is_some()).next())
    }

    /// The estimated cost of a lookup of this name, in comparisons of a version with a part of a range.
    pub(super) fn comparisons(&self, name: &[u8]) -> usize {
        let Some((base, range)) = range_of(name).map(|(base, _)| (base, name.len() - base.len()))
        else {
            return 0;
        };
        counted(self.versions.get(base)).len() * (1 + range / COMPARED)
    }

    /// All services that can serve this name.
    pub(super) fn all(&self, name: &[u8]) -> Vec<ServiceKey> {
        let range = range_of(name);
        let family = match &range {
            Some((base, _)) => self.versions.get(*base),
            None => self.versions.get(name),
        };
        let versions = counted(family).filter(|(version, _)| {
            range
                .as_ref()
                .is_none_or(|(_, range)| range.satisfies(version))
        });
        let versions = versions.map(|(_, key)| *key);
        versions
            .chain(self.patterns_of(name, range.is_some()))
            .collect()
    }

    /// All versions that satisfy the range in a name, in ascending order.
    pub(super) fn versions(&self, name: &[u8]) -> Vec<ServiceKey> {
        let Some((base, range)) = range_of(name) else {
            return Vec::new();
        };
        let family = counted(self.versions.get(base));
        let fitting = family.filter(|(version, _)| range.satisfies(version));
        fitting.map(|(_, key)| *key).collect()
    }

    /// The other versions of a service.
    pub(super) fn siblings(&self, name: &[u8], key: ServiceKey) -> Vec<ServiceKey> {
        let family = version_of(name).and_then(|(base, _)| self.versions.get(base));
        let keys = counted(family).map(|(_, key)| *key);
        keys.filter(|other| *other != key).collect()
    }

    /// The patterns that match a name, longest first.
    fn patterns_of(&self, name: &[u8], has_range: bool) -> impl Iterator<Item = ServiceKey> {
        let lengths = self.patterns.range(..=name.len()).rev();
        lengths.filter_map(move |(&length, of_length)| {
            let key = of_length.get(&name[..length])?;
            fits(&name[..length], name, has_range).then_some(*key)
        })
    }
}

/// Whether a service can serve requests for a name other than its own.
pub(super) fn may_serve(service: &[u8], is_pattern: bool, name: &[u8]) -> bool {
    let range = range_of(name);
    if is_pattern {
        return fits(prefix(service), name, range.is_some());
    }
    match (version_of(service), range) {
        (Some((base, version)), Some((asked, range))) => base == asked && range.satisfies(&version),
        (Some((base, _)), None) => base == name,
        (None, _) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_very_many_versions_the_first_count() {
        let mut homes = Homes::default();
        let name = |n: usize| format!("s@{}.{n}.0", if n == 0 { 1 } else { 9 }).into_bytes();
        for n in 0..3 * MAX_VERSIONS {
            homes.add(&name(n), false, ServiceKey(n));
        }
        assert_eq!(homes.find(b"s@^1"), Some(ServiceKey(0)), "it is not hidden");
        assert_eq!(homes.find(b"s@^9"), Some(ServiceKey(MAX_VERSIONS - 1)));
        assert_eq!(homes.all(b"s@9").len(), MAX_VERSIONS - 1);
        let longest = [b"s@<0".as_slice(), &b"||<0".repeat(62)].concat();
        let most = MAX_VERSIONS * (1 + longest.len() / COMPARED);
        assert!((MAX_VERSIONS..=most).contains(&homes.comparisons(&longest)));
        assert_eq!(homes.comparisons(b"s"), 0);
        // The next one counts when one of them is gone, in the order in which they came.
        homes.remove(&name(MAX_VERSIONS), false, ServiceKey(MAX_VERSIONS));
        homes.remove(&name(1), false, ServiceKey(1));
        let next = MAX_VERSIONS + 1;
        assert_eq!(homes.find(b"s@^9"), Some(ServiceKey(next)));
        for n in (0..3 * MAX_VERSIONS).filter(|n| ![1, MAX_VERSIONS].contains(n)) {
            homes.remove(&name(n), false, ServiceKey(n));
        }
        assert!(homes.is_empty());
    }
}
