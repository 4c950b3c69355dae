//! The authenticator of one broker: its rules, and what becomes of those who request.

use super::password::{Password, Verifier};
use crate::io::security::Key;
use crate::proto::broker::{Access, Credentials, Grant, Principal};
use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use subtle::ConstantTimeEq;

/// The rules as they are given.
#[derive(Default)]
pub struct RuleSet {
    /// CURVE: everybody who knows the broker's key is let in, under its own key as user.
    pub open: bool,
    /// CURVE: who is let in, and as which user.
    pub keys: Vec<(Key, String)>,
    /// PLAIN: users and their passwords.
    pub passwords: Vec<(String, Password)>,
    /// What each user may do.
    pub grants: Vec<(String, Grant)>,
    /// What the users may do who are not among them.
    pub others: Grant,
    /// Whether somebody is asked about peers of whom the rules know nothing, and how long that may
    /// take.
    pub authenticate: Option<Duration>,
    /// The same about what the rules don't grant.
    pub authorize: Option<Duration>,
}

/// The rules as they are applied.
struct Rules {
    epoch: u64,
    open: bool,
    keys: HashMap<Key, Box<str>>,
    passwords: HashMap<Box<str>, Arc<Verifier>>,
    authenticate: Option<Duration>,
    access: Arc<Access>,
}

/// Who knocks.
#[derive(Debug, Clone)]
pub struct ZapRequest {
    /// The peer's address as libzmq tells it; empty over ipc.
    pub address: String,
    /// What it shows.
    pub credentials: Shown,
}

/// What a peer shows.
#[derive(Clone, PartialEq, Eq)]
pub enum Shown {
    /// The public key whose secret key it has.
    Key(Key),
    /// A name and a password.
    Password {
        /// The name.
        username: String,
        /// The password.
        password: String,
    },
}

impl fmt::Debug for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.mechanism())
    }
}

impl Shown {
    /// The mechanism's name in ZAP.
    pub fn mechanism(&self) -> &'static str {
        match self {
            Shown::Key(_) => "CURVE",
            Shown::Password { .. } => "PLAIN",
        }
    }

    /// Whom it says to be: the public key, or the user name.
    pub fn name(&self) -> String {
        match self {
            Shown::Key(key) => key.to_z85(),
            Shown::Password { username, .. } => username.clone(),
        }
    }
}

/// What a authenticator tells its broker.
#[derive(Debug)]
pub enum AuthNotice {
    /// A peer was turned away.
    Refused {
        /// Its address.
        address: String,
        /// The mechanism, if it came that far.
        mechanism: &'static str,
        /// Whom it says to be.
        name: String,
        /// Why.
        reason: &'static str,
        /// How many such notices were left out before this one.
        missed: u64,
    },
    /// May this peer come in? The answer goes to [`Authenticator::answer`].
    Authenticate {
        /// Names the question.
        ticket: u64,
        /// Who knocks.
        request: ZapRequest,
    },
}

/// What the rules say of a peer.
pub(super) enum Judgement {
    Admit(Principal),
    Refuse(&'static str),
    /// The password is to be hashed first.
    Hash(Arc<Verifier>, Principal),
    /// Somebody else is to say, in this time.
    Ask(Duration),
}

/// Somebody's answer about a peer.
#[derive(Debug)]
pub struct Verdict {
    /// Whether it is let in.
    pub admit: bool,
    /// As which user; empty for whom it says to be.
    pub user: String,
    /// What else is known of it, as JSON or empty.
    pub metadata: String,
}

/// The authenticator of one broker. It outlives the broker's stop, and counts on at its next start.
pub struct Authenticator {
    /// ZAP's name for it.
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
    /// A authenticator with its first rules; `domain` is its own alone.
    pub fn new(domain: String, rules: RuleSet) -> Self {
        Authenticator {
            domain,
            rules: Mutex::new(Arc::new(Rules::new(0, rules, None))),
            epoch: AtomicU64::new(0),
            refused: AtomicU64::new(0),
        }
    }

    /// The name under which the handler finds it.
    pub fn domain(&self) -> &str {
        &self.domain
    }

    /// Other rules, from now on.
    pub fn set_rules(&self, rules: RuleSet) {
        let mut current = self.rules.lock().unwrap_or_else(PoisonError::into_inner);
        let epoch = current.epoch + 1;
        *current = Arc::new(Rules::new(epoch, rules, Some(&current)));
        // After the rules: who sees the number sees them.
        self.epoch.store(epoch, Ordering::Release);
    }

    /// Changes with the rules.
    pub fn epoch(&self) -> u64 {
        self.epoch.load(Ordering::Acquire)
    }

    /// What those who are in may do.
    pub fn access(&self) -> Arc<Access> {
        self.rules().access.clone()
    }

    /// How many peers were turned away.
    pub fn refused(&self) -> u64 {
        self.refused.load(Ordering::Relaxed)
    }

    /// Another one was.
    pub fn count_refused(&self) {
        self.refused.fetch_add(1, Ordering::Relaxed);
    }

    fn rules(&self) -> Arc<Rules> {
        let rules = self.rules.lock().unwrap_or_else(PoisonError::into_inner);
        rules.clone()
    }

    pub(super) fn judge(&self, shown: &Shown) -> Judgement {
        let rules = self.rules();
        let user = |credential, user: &str| Principal {
            credential,
            user: user.into(),
            metadata: String::new(),
        };
        match shown {
            Shown::Key(key) => {
                // The table is found by a hash; whether it is this key is compared in constant time.
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
            Shown::Password { username, password } => {
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

    /// The principal of a peer that somebody else has let in; `asked` is the epoch of the question.
    pub(super) fn admitted(&self, shown: &Shown, asked: u64, verdict: Verdict) -> Principal {
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
            // What is known of a password that stays need not be found out again.
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

    /// The credential of whom these rules let in without a list: it ends with them.
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
