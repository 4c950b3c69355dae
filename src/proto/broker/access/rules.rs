//! The rules: the credentials that are admitted, and the services that each user may serve and call.

use super::Principal;
use crate::proto::broker::action::Action;
use crate::proto::broker::services::{Pattern, version_of};
use std::collections::{HashMap, HashSet};
use std::time::Duration;

/// The services that a user may serve and call.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Grant {
    /// Services that the user may serve as a worker.
    pub serve: Vec<Pattern>,
    /// Services that the user may call as a client.
    pub call: Vec<Pattern>,
}

impl Grant {
    /// A grant of all services.
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
                // A worker of a version also gets requests for the base name, so a pattern that does not mention
                // versions must match that name too.
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
    /// The admitted credentials.
    pub credentials: Credentials,
    /// Grants by user.
    pub users: HashMap<Box<str>, Grant>,
    /// The grant of users that are not in `users`.
    pub others: Grant,
    /// The time to wait for an answer to [`BrokerEvent::Authorize`], which is asked for everything that is not
    /// granted here. `None`: what is not granted is denied without a question.
    pub ask: Option<Duration>,
}

/// The admitted credentials.
#[derive(Debug, Clone, Default)]
pub struct Credentials {
    /// Credentials that are admitted one by one.
    pub listed: HashSet<Box<str>>,
    /// The prefix of further admitted credentials, which these rules admit without a list.
    pub prefix: Option<Box<str>>,
}

impl Credentials {
    pub(super) fn contains(&self, credential: &str) -> bool {
        let prefix = self.prefix.as_deref();
        prefix.is_some_and(|prefix| credential.starts_with(prefix))
            || self.listed.contains(credential)
    }
}

/// The judgement of the rules on an action.
pub(super) enum Verdict {
    Yes,
    No,
    Ask(Duration),
}

impl Access {
    pub(in crate::proto::broker) fn admits(&self, principal: &Principal) -> bool {
        principal.is_in_process() || self.credentials.contains(&principal.credential)
    }

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
}
