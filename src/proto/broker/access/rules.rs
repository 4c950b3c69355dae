//! The rules: who is let in, and what each user may do.

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
    /// Make a request to a service.
    Call,
}

impl Action {
    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Action::Serve => "serve",
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
        let patterns = match action {
            Action::Serve => &self.serve,
            Action::Call => &self.call,
        };
        patterns.iter().any(|pattern| pattern.matches(service))
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
