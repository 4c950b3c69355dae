//! The `#[napi]` shells: JavaScript values <-> typed commands and notices.
//!
//! Many small messages cross in one call: a batch is an array of numbers, one record each, one
//! string that holds all their text end to end, and the binary bodies apart. `crossing.rs` has the numbers,
//! ARCHITECTURE.md the tables of records; `lib/outbox.js` and `lib/inbox.js` are the other side.

mod batch_reader;
mod batch_writer;
mod broker;
mod client;
mod core;
pub mod crossing;
mod events;
mod external;
mod long;
mod peer;
mod security;
mod shell;
mod slots;
mod taken;
mod wake;
mod worker;

use crate::io;
use crate::wire::Dialect;
use napi_derive::napi;

/// The version of the libzmq that is built in.
#[napi]
pub fn library_version() -> String {
    let (major, minor, patch) = zmq::version();
    format!("{major}.{minor}.{patch}")
}

/// Whether libzmq was built with a capability (`curve`, `ipc`, `draft`, …).
#[napi]
pub fn has_capability(name: String) -> bool {
    zmq::has(&name).unwrap_or(false)
}

/// A new pair of CURVE keys: public and secret, as Z85.
#[napi]
pub fn make_key_pair() -> napi::Result<Vec<String>> {
    let (public, secret) =
        io::security::key_pair().map_err(|error| napi::Error::from_reason(error.message))?;
    Ok(vec![public, secret])
}

/// The public key of a secret key, both as Z85.
#[napi]
pub fn derive_public_key(secret: String) -> Option<String> {
    io::security::public_key(&secret)
}

/// Numbers that differ from one life to the next, out of the hasher's random keys.
fn random() -> u64 {
    use std::hash::{BuildHasher, Hasher, RandomState};
    RandomState::new().build_hasher().finish()
}

/// A frame that no peer can guess, and that does not begin like packed ones.
fn random_frame() -> [u8; 16] {
    let mut frame = [0; 16];
    frame[..8].copy_from_slice(&random().to_ne_bytes());
    frame[8..].copy_from_slice(&random().to_ne_bytes());
    frame[0] |= 0x80;
    frame
}

/// The dialect of a name that was checked.
fn dialect(name: &str) -> Dialect {
    Dialect::from_name(name).unwrap_or(Dialect::Omdp)
}
