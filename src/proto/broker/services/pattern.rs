//! Patterns of names in rules and policies.

/// A name, or a pattern in which `*` matches any number of bytes, including none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern(Vec<Box<[u8]>>);

impl Pattern {
    /// Parses a pattern.
    pub fn new(text: &str) -> Self {
        Pattern(text.split('*').map(|part| part.as_bytes().into()).collect())
    }

    /// Whether this pattern matches every name that a worker's pattern matches: all names with its prefix.
    pub(in crate::proto::broker) fn covers(&self, pattern: &[u8]) -> bool {
        let prefix = pattern.strip_suffix(b"*").unwrap_or(pattern);
        let is_open = self.0.len() > 1 && self.0.last().is_some_and(|last| last.is_empty());
        is_open && self.matches(prefix)
    }

    /// Whether it names versions of services.
    pub(in crate::proto::broker) fn names_versions(&self) -> bool {
        self.0.iter().any(|part| part.contains(&b'@'))
    }

    /// Whether the pattern matches a name.
    pub fn matches(&self, name: &[u8]) -> bool {
        let [first, middle @ .., last] = &self.0[..] else {
            return self.0.first().is_some_and(|only| **only == *name);
        };
        let Some(mut rest) = name.strip_prefix(&**first) else {
            return false;
        };
        for part in middle.iter().filter(|part| !part.is_empty()) {
            // The leftmost match leaves the most bytes to the parts that follow.
            let at = rest
                .windows(part.len())
                .position(|window| *window == **part);
            let Some(at) = at else {
                return false;
            };
            rest = &rest[at + part.len()..];
        }
        rest.ends_with(last)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_that_is_served_is_covered_as_a_whole() {
        let covers = |rule: &str, pattern: &str| Pattern::new(rule).covers(pattern.as_bytes());
        for (rule, pattern) in [
            ("*", "*"),
            ("a*", "a*"),
            ("a*", "ab*"),
            ("*b*", "ab*"),
            ("**", "x*"),
        ] {
            assert!(covers(rule, pattern), "{rule} {pattern}");
        }
        for (rule, pattern) in [
            ("a", "a*"),
            ("ab*", "a*"),
            ("a*b", "ab*"),
            ("a*b", "a*b"),
            ("*b*", "a*"),
        ] {
            assert!(!covers(rule, pattern), "{rule} {pattern}");
        }
    }

    #[test]
    fn patterns() {
        let fits = |pattern: &str, name: &str| Pattern::new(pattern).matches(name.as_bytes());
        for (pattern, name) in [
            ("a", "a"),
            ("*", ""),
            ("*", "anything"),
            ("a*", "a"),
            ("a*", "abc"),
            ("*c", "abc"),
            ("a*c", "ac"),
            ("a*b*c", "a-b-b-c"),
            ("**", "x"),
            ("*aab", "aaab"),
            ("a*ab*b", "aababb"),
        ] {
            assert!(fits(pattern, name), "{pattern} {name}");
        }
        for (pattern, name) in [
            ("a", "ab"),
            ("a", ""),
            ("a*", "b"),
            ("a*a", "a"),
            ("a*b*c", "a-c"),
            ("*c", "cd"),
            ("ab*bc", "abc"),
        ] {
            assert!(!fits(pattern, name), "{pattern} {name}");
        }
    }
}
