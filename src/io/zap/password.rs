//! Passwords, clear or hashed, compared in constant time. One thread checks all hashed ones.
//!
//! A hash takes tens of milliseconds. A separate thread computes one at a time, while other
//! handshakes continue. After the first success a fast digest is compared instead.

use crate::io::random::random;
use sha2::{Digest, Sha256};
use std::fmt;
use std::sync::mpsc::{SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::thread;
use subtle::ConstantTimeEq;

/// A password in the rules.
pub enum Password {
    /// In clear.
    Clear(String),
    /// Output and parameters of scrypt.
    Scrypt {
        /// log2 of the cost.
        log_n: u8,
        /// Block size.
        r: u32,
        /// Parallelism.
        p: u32,
        /// The salt.
        salt: Vec<u8>,
        /// The expected output.
        hash: Vec<u8>,
    },
}

/// The value with which a password is compared.
pub(super) struct Verifier {
    expected: Expected,
    /// The digest of the right password, once it is known.
    digest: Mutex<Option<[u8; 32]>>,
}

enum Expected {
    Digest,
    Scrypt {
        params: scrypt::Params,
        salt: Vec<u8>,
        hash: Vec<u8>,
    },
}

impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Verifier(…)")
    }
}

impl Verifier {
    /// `None` if scrypt does not accept the parameters.
    pub(super) fn new(password: Password) -> Option<Self> {
        let (expected, digest) = match password {
            Password::Clear(text) => (Expected::Digest, Some(digest(text.as_bytes()))),
            Password::Scrypt {
                log_n,
                r,
                p,
                salt,
                hash,
            } => {
                let params = scrypt::Params::new(log_n, r, p).ok()?;
                (Expected::Scrypt { params, salt, hash }, None)
            }
        };
        Some(Verifier {
            expected,
            digest: Mutex::new(digest),
        })
    }

    /// A value that differs between two passwords of one user, and has no other use.
    pub(super) fn fingerprint(&self) -> String {
        let mut hasher = Sha256::new_with_prefix(salt());
        match &self.expected {
            Expected::Digest => hasher.update(self.digest().unwrap_or_default()),
            Expected::Scrypt { salt, hash, .. } => {
                hasher.update(salt);
                hasher.update(hash);
            }
        }
        hasher
            .finalize()
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect()
    }

    /// The decision, if no hash is needed.
    pub(super) fn quick(&self, password: &[u8]) -> Option<bool> {
        let expected = self.digest()?;
        Some(digest(password).ct_eq(&expected).into())
    }

    fn slow(&self, password: &[u8]) -> bool {
        let Expected::Scrypt { params, salt, hash } = &self.expected else {
            return false;
        };
        let mut output = vec![0; hash.len()];
        let right = scrypt::scrypt(password, salt, params, &mut output).is_ok()
            && bool::from(output.ct_eq(hash));
        if right {
            *self.lock() = Some(digest(password));
        }
        right
    }

    fn digest(&self) -> Option<[u8; 32]> {
        *self.lock()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<[u8; 32]>> {
        self.digest.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Digests stay within the process and are useless outside of it.
fn salt() -> &'static [u8; 16] {
    static SALT: OnceLock<[u8; 16]> = OnceLock::new();
    SALT.get_or_init(|| {
        let random = || random().to_ne_bytes();
        let mut salt = [0; 16];
        salt[..8].copy_from_slice(&random());
        salt[8..].copy_from_slice(&random());
        salt
    })
}

fn digest(password: &[u8]) -> [u8; 32] {
    let mut hasher = Sha256::new_with_prefix(salt());
    hasher.update(password);
    hasher.finalize().into()
}

/// A password to be checked, and the receiver of the result.
struct Job {
    verifier: Arc<Verifier>,
    password: Vec<u8>,
    done: Box<dyn FnOnce(bool) + Send>,
}

/// The maximum number of waiting jobs.
const MAX_JOBS: usize = 256;

/// The hashing thread. It ends with its last handle.
pub(super) struct HashThread {
    jobs: SyncSender<Job>,
}

impl HashThread {
    pub(super) fn spawn() -> std::io::Result<Self> {
        let (jobs, inbox) = sync_channel::<Job>(MAX_JOBS);
        thread::Builder::new()
            .name("omdp-hash".into())
            .spawn(move || {
                for Job {
                    verifier,
                    password,
                    done,
                } in inbox
                {
                    // An earlier job may have found the digest.
                    let right = verifier
                        .quick(&password)
                        .unwrap_or_else(|| verifier.slow(&password));
                    done(right);
                }
            })?;
        Ok(HashThread { jobs })
    }

    /// Queues a check. Returns false if too many are waiting.
    pub(super) fn check(
        &self,
        verifier: Arc<Verifier>,
        password: &[u8],
        done: impl FnOnce(bool) + Send + 'static,
    ) -> bool {
        let job = Job {
            verifier,
            password: password.to_vec(),
            done: Box::new(done),
        };
        !matches!(self.jobs.try_send(job), Err(TrySendError::Full(_)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hashed(password: &[u8]) -> Password {
        let params = scrypt::Params::new(4, 8, 1).unwrap();
        let mut hash = vec![0; 32];
        scrypt::scrypt(password, b"salt", &params, &mut hash).unwrap();
        Password::Scrypt {
            log_n: 4,
            r: 8,
            p: 1,
            salt: b"salt".to_vec(),
            hash,
        }
    }

    #[test]
    fn clear_and_hashed() {
        let clear = Verifier::new(Password::Clear("right".into())).unwrap();
        assert_eq!(clear.quick(b"right"), Some(true));
        assert_eq!(clear.quick(b"wrong"), Some(false));
        assert_eq!(clear.quick(b""), Some(false));

        let hashed = Verifier::new(hashed(b"right")).unwrap();
        assert_eq!(hashed.quick(b"right"), None);
        assert!(!hashed.slow(b"wrong"));
        assert_eq!(hashed.quick(b"right"), None);
        assert!(hashed.slow(b"right"));
        assert_eq!(hashed.quick(b"right"), Some(true));
        assert_eq!(hashed.quick(b"wrong"), Some(false));
    }

    #[test]
    fn fingerprints_tell_passwords_apart() {
        let of = |password: Password| Verifier::new(password).unwrap().fingerprint();
        assert_eq!(
            of(Password::Clear("a".into())),
            of(Password::Clear("a".into()))
        );
        assert_ne!(
            of(Password::Clear("a".into())),
            of(Password::Clear("b".into()))
        );
        assert_eq!(of(hashed(b"a")), of(hashed(b"a")));
        assert_ne!(of(hashed(b"a")), of(hashed(b"b")));
    }
}
