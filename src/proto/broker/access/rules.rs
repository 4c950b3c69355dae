//! The rules: who is let in, and what each user may do.

use crate::proto::broker::services::version_of;
use std::collections::{HashMap, HashSet};
use std::time::Duration;

/// A name, or with `*` in it any that fits: `*` stands for any bytes, none included.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern(Vec<Box<[u8]>>);

impl Pattern {
    /// A pattern out of its text.
    pub fn new(text: &str) -> Self {
        Pattern(text.split('*').map(|part| part.as_bytes().into()).collect())
    }

    /// Whether it fits all names that a worker's pattern fits: those that begin so.
    fn covers(&self, pattern: &[u8]) -> bool {
        let prefix = pattern.strip_suffix(b"*").unwrap_or(pattern);
        let is_open = self.0.len() > 1 && self.0.last().is_some_and(|last| last.is_empty());
        is_open && self.matches(prefix)
    }

    fn names_versions(&self) -> bool {
        self.0.iter().any(|part| part.contains(&b'@'))
    }

    /// Whether it fits.
    pub fn matches(&self, name: &[u8]) -> bool {
        let [first, middle @ .., last] = &self.0[..] else {
            return self.0.first().is_some_and(|only| **only == *name);
        };
        let Some(mut rest) = name.strip_prefix(&**first) else {
            return false;
        };
        for part in middle.iter().filter(|part| !part.is_empty()) {
            // The leftmost fit leaves most to the parts that follow.
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

/// What a peer wants to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Action {
    /// Register as a worker of a service.
    Serve,
    /// Register as a worker of all services whose names a pattern fits.
    ServePattern,
    /// Make a request to a service.
    Call,
}

impl Action {
    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Action::Serve | Action::ServePattern => "serve",
            Action::Call => "call",
        }
    }
}

/// The services that a user may serve and call.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Grant {
    /// As a worker.
    pub serve: Vec<Pattern>,
    /// As a client.
    pub call: Vec<Pattern>,
}

impl Grant {
    /// Everything.
    pub fn all() -> Self {
        Grant {
            serve: vec![Pattern::new("*")],
            call: vec![Pattern::new("*")],
        }
    }

    fn allows(&self, action: Action, service: &[u8]) -> bool {
        match action {
            Action::Call => self.call.iter().any(|pattern| pattern.matches(service)),
            Action::ServePattern => self.serve.iter().any(|pattern| pattern.covers(service)),
            Action::Serve => self.serve.iter().any(|pattern| {
                // A worker of a version gets requests for the bare name too: a rule that knows no versions has to
                // grant that name.
                let base = version_of(service).map(|(base, _)| base);
                let base = base.filter(|_| !pattern.names_versions());
                pattern.matches(service) && base.is_none_or(|base| pattern.matches(base))
            }),
        }
    }
}

/// The rules of a broker.
#[derive(Debug, Clone, Default)]
pub struct Access {
    /// Which credentials are good.
    pub credentials: Credentials,
    /// What is granted, by user.
    pub users: HashMap<Box<str>, Grant>,
    /// What is granted to the users that are not listed.
    pub others: Grant,
    /// Whether what the rules don't grant may be granted by whoever answers
    /// [`BrokerEvent::Authorize`], and how long that may take.
    pub ask: Option<Duration>,
}

/// Which credentials are good.
#[derive(Debug, Clone, Default)]
pub struct Credentials {
    /// These.
    pub listed: HashSet<Box<str>>,
    /// And those that begin so: of peers that these very rules let in without a list.
    pub prefix: Option<Box<str>>,
}

impl Credentials {
    pub(super) fn contains(&self, credential: &str) -> bool {
        let prefix = self.prefix.as_deref();
        prefix.is_some_and(|prefix| credential.starts_with(prefix))
            || self.listed.contains(credential)
    }
}

/// What the rules say.
pub(super) enum Verdict {
    Yes,
    No,
    Ask(Duration),
}

impl Access {
    pub(super) fn judge(&self, user: &str, action: Action, service: &[u8]) -> Verdict {
        let grant = self.users.get(user).unwrap_or(&self.others);
        match self.ask {
            _ if grant.allows(action, service) => Verdict::Yes,
            Some(patience) => Verdict::Ask(patience),
            None => Verdict::No,
        }
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
    fn a_rule_for_names_does_not_grant_versions_of_others() {
        let may = |rule: &str, service: &str| {
            let grant = Grant {
                serve: vec![Pattern::new(rule)],
                call: Vec::new(),
            };
            grant.allows(Action::Serve, service.as_bytes())
        };
        assert!(may("orders*", "orders@2.1.0"));
        assert!(may("orders@2.*", "orders@2.1.0"));
        assert!(may("*@*", "orders@2.1.0"));
        assert!(!may("*-beta", "orders@2.1.0-beta"));
        assert!(!may("orders", "orders@2.1.0"));
        assert!(may("*.org", "me@host.org"));
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
