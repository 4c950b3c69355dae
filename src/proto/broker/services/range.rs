//! Ranges of versions in the grammar of npm's [semver](https://github.com/npm/node-semver#ranges).

use super::version::{MAX_NUMBER, Parts, Version, number};

/// Alternatives, one of which a version has to satisfy.
#[derive(Debug)]
pub(in crate::proto::broker) struct Range(Vec<Vec<Comparator>>);

#[derive(Debug)]
struct Comparator {
    operator: Operator,
    version: Version,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Operator {
    Less,
    AtMost,
    Equal,
    AtLeast,
    Greater,
}

/// A version in which numbers may be missing or `x`.
struct Partial<'a> {
    /// The characters `v` and `=` before the numbers.
    prefix: &'a str,
    /// The numbers before the first one that is missing or `x`.
    numbers: Vec<u64>,
    /// Whether a number follows an `x`.
    is_mixed: bool,
    pre: Option<&'a str>,
}

impl Range {
    pub(super) fn parse(text: &str) -> Option<Self> {
        text.split("||")
            .map(alternative)
            .collect::<Option<_>>()
            .map(Range)
    }

    /// A prerelease satisfies only a range that names a prerelease of the same version.
    pub(super) fn satisfies(&self, version: &Version) -> bool {
        self.0.iter().any(|comparators| {
            let names = |each: &Comparator| {
                each.version.is_prerelease() && each.version.numbers == version.numbers
            };
            comparators.iter().all(|each| each.accepts(version))
                && (!version.is_prerelease() || comparators.iter().any(names))
        })
    }
}

impl Comparator {
    fn accepts(&self, version: &Version) -> bool {
        match self.operator {
            Operator::Less => *version < self.version,
            Operator::AtMost => *version <= self.version,
            Operator::Equal => *version == self.version,
            Operator::AtLeast => *version >= self.version,
            Operator::Greater => *version > self.version,
        }
    }
}

/// Parses one alternative, a conjunction: the parts between blanks, or both ends of `1.2 - 2`.
fn alternative(text: &str) -> Option<Vec<Comparator>> {
    let words: Vec<&str> = text.split_whitespace().collect();
    let mut all = Vec::new();
    if let [from, "-", to] = words[..] {
        Partial::parse(from)?.add_from(&mut all)?;
        Partial::parse(to)?.add_to(&mut all)?;
    } else {
        for word in with_operators(&words)? {
            comparators(&word, &mut all)?;
        }
    }
    Some(all)
}

/// Joins operators with the versions that follow after blanks.
fn with_operators(words: &[&str]) -> Option<Vec<String>> {
    let compares = |word: &str| matches!(word, "<" | ">" | "<=" | ">=" | "=");
    let mut joined: Vec<String> = words.iter().map(|&word| word.to_owned()).collect();
    let is_tilde = |word: &str| matches!(word, "~" | "~>");
    // The order is npm's: it reads `~ > 1` as `~>1`.
    let kinds: [fn(&str) -> bool; 3] = [compares, is_tilde, |word| word == "^"];
    for is_operator in kinds {
        let mut next = Vec::with_capacity(joined.len());
        let mut rest = joined.into_iter();
        while let Some(word) = rest.next() {
            match is_operator(&word) {
                true => {
                    let version = rest.next().filter(|version| !is_operator(version))?;
                    next.push(word + &version);
                }
                false => next.push(word),
            }
        }
        joined = next;
    }
    Some(joined)
}

fn comparators(word: &str, all: &mut Vec<Comparator>) -> Option<()> {
    if let Some(rest) = word.strip_prefix('^') {
        return Partial::parse(rest)?.add_caret(all);
    }
    if let Some(rest) = word.strip_prefix('~') {
        return Partial::parse(rest.strip_prefix('>').unwrap_or(rest))?.add_tilde(all);
    }
    for (sign, operator) in [
        ("<=", Operator::AtMost),
        (">=", Operator::AtLeast),
        ("<", Operator::Less),
        (">", Operator::Greater),
        ("=", Operator::Equal),
        ("", Operator::Equal),
    ] {
        if let Some(rest) = word.strip_prefix(sign) {
            return Partial::parse(rest)?.add_compared(operator, all);
        }
    }
    None
}

fn add(all: &mut Vec<Comparator>, operator: Operator, version: Version) -> Option<()> {
    all.push(Comparator { operator, version });
    Some(())
}

/// The numbers, with zeros in place of missing ones.
fn filled(numbers: &[u64]) -> [u64; 3] {
    std::array::from_fn(|at| numbers.get(at).copied().unwrap_or(0))
}

/// The first version after all versions that begin with these numbers.
fn next(numbers: &[u64]) -> Option<[u64; 3]> {
    let mut next = filled(numbers);
    next[numbers.len().checked_sub(1)?] += 1;
    next.iter().all(|&each| each <= MAX_NUMBER).then_some(next)
}

impl<'a> Partial<'a> {
    fn parse(text: &'a str) -> Option<Self> {
        let begin = text.find(|c| c != 'v' && c != '=')?;
        let (prefix, text) = text.split_at(begin);
        let Parts { core, pre } = Parts::split(text)?;
        let given: Vec<&str> = core.split('.').collect();
        let has_all = given.len() == 3;
        if given.len() > 3 || !has_all && core.len() < text.len() {
            return None;
        }
        let mut numbers = Vec::with_capacity(3);
        let (mut is_open, mut is_mixed) = (false, false);
        for each in given {
            match each {
                "x" | "X" | "*" => is_open = true,
                _ if is_open => is_mixed = number(each).map(|_| true)?,
                _ => numbers.push(number(each)?),
            }
        }
        if let Some(pre) = pre {
            Version::prerelease([0; 3], pre)?;
        }
        let pre = pre.filter(|_| numbers.len() == 3);
        Some(Partial {
            prefix,
            numbers,
            is_mixed,
            pre,
        })
    }

    /// The lowest version with these numbers.
    fn lowest(&self) -> Option<Version> {
        let numbers = filled(&self.numbers);
        match self.pre {
            Some(pre) => Version::prerelease(numbers, pre),
            None => Some(Version::release(numbers)),
        }
    }

    /// Whether npm accepts the prefix before a complete version.
    fn has_fair_prefix(&self) -> bool {
        self.numbers.len() < 3 || matches!(self.prefix, "" | "v")
    }

    /// Adds the versions from this one on whose first `fixed` numbers are the same.
    fn add_series(&self, fixed: usize, all: &mut Vec<Comparator>) -> Option<()> {
        if self.numbers.is_empty() {
            return Some(());
        }
        let end = next(&self.numbers[..fixed.min(self.numbers.len())])?;
        add(all, Operator::AtLeast, self.lowest()?)?;
        add(all, Operator::Less, Version::lowest(end))
    }

    fn add_caret(&self, all: &mut Vec<Comparator>) -> Option<()> {
        // The first number that is not zero must not change.
        let zeros = self.numbers.iter().take_while(|&&each| each == 0).count();
        self.add_series(zeros + 1, all)
    }

    fn add_tilde(&self, all: &mut Vec<Comparator>) -> Option<()> {
        self.add_series(2, all)
    }

    fn add_from(&self, all: &mut Vec<Comparator>) -> Option<()> {
        match self.numbers.is_empty() {
            true => Some(()),
            false if !self.has_fair_prefix() => None,
            false => add(all, Operator::AtLeast, self.lowest()?),
        }
    }

    fn add_to(&self, all: &mut Vec<Comparator>) -> Option<()> {
        match self.numbers.len() {
            0 => Some(()),
            3 if self.pre.is_none() && !self.has_fair_prefix() => None,
            3 => add(all, Operator::AtMost, self.lowest()?),
            _ => add(all, Operator::Less, Version::lowest(next(&self.numbers)?)),
        }
    }

    fn add_compared(&self, operator: Operator, all: &mut Vec<Comparator>) -> Option<()> {
        let numbers = &self.numbers[..];
        // npm refuses `1.x.3` here, although it accepts `^1.x.3`.
        if self.is_mixed {
            return None;
        }
        match (operator, numbers.len()) {
            (_, 3) if !self.has_fair_prefix() => None,
            (_, 3) => add(all, operator, self.lowest()?),
            // No version is less or greater than all versions.
            (Operator::Less | Operator::Greater, 0) => {
                add(all, Operator::Less, Version::lowest([0; 3]))
            }
            (_, 0) => Some(()),
            (Operator::Equal, some) => self.add_series(some, all),
            (Operator::AtLeast, _) => add(all, operator, self.lowest()?),
            (Operator::Greater, _) => add(all, Operator::AtLeast, Version::release(next(numbers)?)),
            (Operator::Less, _) => add(all, operator, Version::lowest(filled(numbers))),
            (Operator::AtMost, _) => add(all, Operator::Less, Version::lowest(next(numbers)?)),
        }
    }
}

#[cfg(test)]
#[path = "range_tests.rs"]
mod tests;
