//! The authenticator of one broker: its rules, and its decisions about peers.

use super::password::{Password, Verifier};
use super::request::{PeerCredentials, Verdict};
use crate::io::security::Key;
use crate::proto::broker::{Access, Credentials, Grant, Principal};
use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use subtle::ConstantTimeEq;

/// The rules as options give them.
#[derive(Default)]
pub struct RuleSet {
    /// CURVE: every peer that knows the broker's key is admitted, with its own public key as its
    /// user.
    pub open: bool,
    /// CURVE: the admitted keys and their users.
    pub keys: Vec<(Key, String)>,
    /// PLAIN: users and their passwords.
    pub passwords: Vec<(String, Password)>,
    /// The permissions of each user.
    pub grants: Vec<(String, Grant)>,
    /// The permissions of all other users.
    pub others: Grant,
    /// The timeout of the callback `authenticate` for peers that no rule covers; `None` without the
    /// callback.
    pub authenticate: Option<Duration>,
    /// The timeout of the callback `authorize` for what no rule grants; `None` without the
    /// callback.
    pub authorize: Option<Duration>,
}

/// The rules in the form in which they are applied.
struct Rules {
    epoch: u64,
    open: bool,
    keys: HashMap<Key, Box<str>>,
    passwords: HashMap<Box<str>, Arc<Verifier>>,
    authenticate: Option<Duration>,
    access: Arc<Access>,
}

/// The decision of the rules.
pub(super) enum Judgement {
    Admit(Principal),
    Refuse(&'static str),
    /// The password has to be hashed first.
    Hash(Arc<Verifier>, Principal),
    /// The callback has to decide within this time.
    Ask(Duration),
}

/// The authenticator of one broker. It survives the broker's stop, with its counters.
pub struct Authenticator {
    /// Its ZAP domain.
    domain: String,
    rules: Mutex<Arc<Rules>>,
    epoch: AtomicU64,
    refused: AtomicU64,
}

impl fmt::Debug for Authenticator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Authenticator(…)")
    }
}

impl Authenticator {
    /// Makes an authenticator with its first rules. `domain` must be unique.
    pub fn new(domain: String, rules: RuleSet) -> Self {
        Authenticator {
            domain,
            rules: Mutex::new(Arc::new(Rules::new(0, rules, None))),
            epoch: AtomicU64::new(0),
            refused: AtomicU64::new(0),
        }
    }

    /// The ZAP domain, by which the handler finds it.
    pub fn domain(&self) -> &str {
        &self.domain
    }

    /// Replaces the rules.
    pub fn set_rules(&self, rules: RuleSet) {
        let mut current = self.rules.lock().unwrap_or_else(PoisonError::into_inner);
        let epoch = current.epoch + 1;
        *current = Arc::new(Rules::new(epoch, rules, Some(&current)));
        // After the rules: a reader that sees the new number sees the new rules.
        self.epoch.store(epoch, Ordering::Release);
    }

    /// The number of the current rules.
    pub fn epoch(&self) -> u64 {
        self.epoch.load(Ordering::Acquire)
    }

    /// The permissions of admitted peers.
    pub fn access(&self) -> Arc<Access> {
        self.rules().access.clone()
    }

    /// The number of refused peers.
    pub fn refused(&self) -> u64 {
        self.refused.load(Ordering::Relaxed)
    }

    /// Counts a refused peer.
    pub fn count_refused(&self) {
        self.refused.fetch_add(1, Ordering::Relaxed);
    }

    fn rules(&self) -> Arc<Rules> {
        let rules = self.rules.lock().unwrap_or_else(PoisonError::into_inner);
        rules.clone()
    }

    pub(super) fn judge(&self, shown: &PeerCredentials) -> Judgement {
        let rules = self.rules();
        let user = |credential, user: &str| Principal {
            credential,
            user: user.into(),
            metadata: String::new(),
        };
        match shown {
            PeerCredentials::Key(key) => {
                // The lookup is by hash; the key itself is compared in constant time.
                let known = rules.keys.get_key_value(key);
                if let Some((_, name)) =
                    known.filter(|(known, _)| bool::from(known.0.ct_eq(&key.0)))
                {
                    return Judgement::Admit(user(key_credential(key), name));
                }
                if rules.open {
                    return Judgement::Admit(user(rules.passing("open"), &key.to_z85()));
                }
            }
            PeerCredentials::Password { username, password } => {
                if let Some(verifier) = rules.passwords.get(username.as_str()) {
                    let principal = user(password_credential(username, verifier), username);
                    return match verifier.quick(password.as_bytes()) {
                        Some(true) => Judgement::Admit(principal),
                        Some(false) => Judgement::Refuse("wrong password"),
                        None => Judgement::Hash(verifier.clone(), principal),
                    };
                }
            }
        }
        match rules.authenticate {
            Some(patience) => Judgement::Ask(patience),
            None => Judgement::Refuse("not in the rules"),
        }
    }

    /// The principal of a peer that the callback has admitted; `asked` is the epoch of the
    /// question.
    pub(super) fn admitted(
        &self,
        shown: &PeerCredentials,
        asked: u64,
        verdict: Verdict,
    ) -> Principal {
        let user = match verdict.user.is_empty() {
            true => shown.name(),
            false => verdict.user,
        };
        Principal {
            credential: format!("asked:{asked}:"),
            user,
            metadata: verdict.metadata,
        }
    }
}

impl Rules {
    fn new(epoch: u64, given: RuleSet, before: Option<&Rules>) -> Self {
        let mut passwords: HashMap<Box<str>, Arc<Verifier>> = HashMap::new();
        for (user, password) in given.passwords {
            let Some(mut verifier) = Verifier::new(password).map(Arc::new) else {
                continue;
            };
            // The digest of an unchanged password is kept.
            if let Some(old) = before.and_then(|rules| rules.passwords.get(&*user))
                && old.fingerprint() == verifier.fingerprint()
            {
                verifier = old.clone();
            }
            passwords.insert(user.into(), verifier);
        }
        let keys: HashMap<Key, Box<str>> = given
            .keys
            .into_iter()
            .map(|(key, user)| (key, user.into()))
            .collect();
        let mut rules = Rules {
            epoch,
            open: given.open,
            keys,
            passwords,
            authenticate: given.authenticate,
            access: Arc::default(),
        };
        let listed = rules.keys.keys().map(key_credential);
        let named = rules
            .passwords
            .iter()
            .map(|(user, verifier)| password_credential(user, verifier));
        let listed = listed.chain(named).map(String::into_boxed_str).collect();
        let prefix = if rules.open {
            Some(rules.passing("open").into())
        } else {
            rules.authenticate.map(|_| rules.passing("asked").into())
        };
        rules.access = Arc::new(Access {
            credentials: Credentials { listed, prefix },
            users: given
                .grants
                .into_iter()
                .map(|(user, grant)| (user.into(), grant))
                .collect(),
            others: given.others,
            ask: given.authorize,
        });
        rules
    }

    /// The credential of a peer that these rules admit without a list: it ends with them.
    fn passing(&self, how: &str) -> String {
        format!("{how}:{}:", self.epoch)
    }
}

fn key_credential(key: &Key) -> String {
    format!("curve:{}", key.to_z85())
}

fn password_credential(user: &str, verifier: &Verifier) -> String {
    format!("plain:{}:{user}", verifier.fingerprint())
}
