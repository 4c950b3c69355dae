//! Versions as [semver](https://semver.org) defines them.

use std::cmp::Ordering;

/// The largest number in a version, as npm limits it.
pub(super) const MAX_NUMBER: u64 = (1 << 53) - 1;

/// A version without its build metadata, which have no effect on the order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::proto::broker) struct Version {
    /// Major, minor, patch.
    pub(super) numbers: [u64; 3],
    pre: Vec<Identifier>,
}

/// An identifier of a prerelease.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Identifier {
    /// Digits without a leading zero, of any number.
    Numeric(Box<str>),
    Text(Box<str>),
}

impl Version {
    /// The version with these numbers that is not a prerelease.
    pub(super) fn release(numbers: [u64; 3]) -> Self {
        Version {
            numbers,
            pre: Vec::new(),
        }
    }

    /// The lowest prerelease of the version with these numbers.
    pub(super) fn lowest(numbers: [u64; 3]) -> Self {
        let pre = vec![Identifier::Numeric("0".into())];
        Version { numbers, pre }
    }

    /// A version with this prerelease, such as `rc.1`.
    pub(super) fn prerelease(numbers: [u64; 3], pre: &str) -> Option<Self> {
        let pre = pre.split('.').map(Identifier::parse).collect::<Option<_>>();
        Some(Version { numbers, pre: pre? })
    }

    /// Reads a complete version: three numbers, and optionally a prerelease and build metadata.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let Parts { core, pre } = Parts::split(text)?;
        let mut given = core.split('.');
        let mut numbers = [0; 3];
        for each in &mut numbers {
            *each = number(given.next()?)?;
        }
        if given.next().is_some() {
            return None;
        }
        match pre {
            None => Some(Self::release(numbers)),
            Some(pre) => Self::prerelease(numbers, pre),
        }
    }

    pub(super) fn is_prerelease(&self) -> bool {
        !self.pre.is_empty()
    }
}

/// A version in which numbers may be missing, as text.
pub(super) struct Parts<'a> {
    pub(super) core: &'a str,
    pub(super) pre: Option<&'a str>,
}

impl<'a> Parts<'a> {
    /// `None` if the build metadata are not valid.
    pub(super) fn split(text: &'a str) -> Option<Self> {
        let text = match text.split_once('+') {
            None => text,
            Some((text, build)) => build.split('.').all(is_identifier).then_some(text)?,
        };
        Some(match text.split_once('-') {
            None => Parts {
                core: text,
                pre: None,
            },
            Some((core, pre)) => Parts {
                core,
                pre: Some(pre),
            },
        })
    }
}

/// A number without leading zeros.
pub(super) fn number(text: &str) -> Option<u64> {
    let is_plain = is_digits(text) && (text == "0" || !text.starts_with('0'));
    let number = is_plain.then(|| text.parse().ok()).flatten();
    number.filter(|&number| number <= MAX_NUMBER)
}

fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

fn is_identifier(text: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    !text.is_empty() && text.bytes().all(fits)
}

impl Identifier {
    fn parse(text: &str) -> Option<Self> {
        match is_digits(text) {
            true if text.len() > 1 && text.starts_with('0') => None,
            true => Some(Identifier::Numeric(text.into())),
            false => is_identifier(text).then(|| Identifier::Text(text.into())),
        }
    }
}

impl Ord for Identifier {
    fn cmp(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Identifier::Numeric(one), Identifier::Numeric(other)) => {
                (one.len(), one).cmp(&(other.len(), other))
            }
            (Identifier::Numeric(_), Identifier::Text(_)) => Ordering::Less,
            (Identifier::Text(_), Identifier::Numeric(_)) => Ordering::Greater,
            (Identifier::Text(one), Identifier::Text(other)) => one.cmp(other),
        }
    }
}

impl PartialOrd for Identifier {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Version {
    fn cmp(&self, other: &Self) -> Ordering {
        // A prerelease comes before its version.
        let rank = |version: &Self| (version.numbers, !version.is_prerelease());
        rank(self)
            .cmp(&rank(other))
            .then_with(|| self.pre.cmp(&other.pre))
    }
}

impl PartialOrd for Version {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_have_the_order_of_semver() {
        let ascending = [
            "0.0.1",
            "0.9.10",
            "1.0.0-0",
            "1.0.0-9",
            "1.0.0-10",
            "1.0.0-99999999999999999999",
            "1.0.0-100000000000000000000",
            "1.0.0--",
            "1.0.0-alpha",
            "1.0.0-alpha.1",
            "1.0.0-alpha.beta",
            "1.0.0-beta.2",
            "1.0.0-beta.11",
            "1.0.0-rc.1",
            "1.0.0",
            "1.0.1-rc",
            "1.10.0",
            "2.0.0",
            "9007199254740991.0.0",
        ];
        let versions = ascending.map(|text| Version::parse(text).expect(text));
        for pair in versions.windows(2) {
            assert!(pair[0] < pair[1], "{pair:?}");
        }
    }

    #[test]
    fn build_metadata_do_not_count() {
        let [one, other] = ["1.2.3-a+b.1", "1.2.3-a"].map(Version::parse);
        assert!(one.is_some());
        assert_eq!(one, other);
    }

    #[test]
    fn what_semver_excludes_is_no_version() {
        for text in [
            "",
            "1",
            "1.2",
            "1.2.3.4",
            "01.2.3",
            "1.02.3",
            "1.2.03",
            "v1.2.3",
            "=1.2.3",
            "1.2.x",
            "1.2.3-",
            "1.2.3-01",
            "1.2.3-a..b",
            "1.2.3+",
            "1.2.3+a+b",
            "1.2.3-a_b",
            " 1.2.3",
            "1.2.3 ",
            "-1.2.3",
            "+1.2.3",
            "9007199254740992.0.0",
        ] {
            assert_eq!(Version::parse(text), None, "{text}");
        }
    }
}
