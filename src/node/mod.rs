//! The `#[napi]` shells: conversion between values of JavaScript and typed commands and notices.
//!
//! One call transfers many small messages: a batch is an array of numbers with the records, one
//! string with all their text, and the blobs. `crossing.rs` has the numbers, ARCHITECTURE.md the
//! tables of records; `lib/outbox.js` and `lib/inbox.js` are the other side.

mod batch_reader;
mod batch_writer;
mod blobs;
mod broker;
mod buffers;
mod client;
mod connection;
mod core;
pub mod crossing;
mod endpoints;
mod environment;
mod events;
mod exit;
mod external;
mod given;
mod long;
mod peer;
mod security;
mod shell;
mod slots;
mod taken_offers;
mod units;
mod wake;
mod worker;

use crate::io;
use crate::wire::Dialect;
use napi::Env;
use napi_derive::napi;

/// The version of the built-in libzmq.
#[napi]
pub fn library_version() -> String {
    io::library::version()
}

/// Whether libzmq was built with a capability (`curve`, `ipc`, `draft`, …).
#[napi]
pub fn has_capability(name: String) -> bool {
    io::library::has(&name)
}

/// Lets large received Buffers of this thread, which must be the main thread, refer to memory outside of V8.
#[napi]
pub fn allow_external_buffers() {
    buffers::allow_external();
}

/// Makes a new CURVE key pair: public and secret key as Z85.
#[napi]
pub fn make_key_pair() -> napi::Result<Vec<String>> {
    let (public, secret) =
        io::security::key_pair().map_err(|error| napi::Error::from_reason(error.message))?;
    Ok(vec![public, secret])
}

/// Derives the public key of a secret key, both as Z85.
#[napi]
pub fn derive_public_key(secret: String) -> Option<String> {
    io::security::public_key(&secret)
}

/// Whether the pipe with this descriptor has a reader. Also true if that cannot be known.
#[napi]
pub fn has_reader(fd: i32) -> bool {
    io::has_reader(fd)
}

/// Ends all peers, because the process ends, and blocks until the messages that they have got have
/// left it, at most for this time in ms.
#[napi]
pub fn end_peers(env: Env, timeout_ms: f64) -> napi::Result<()> {
    environment::end(&env, units::ms(timeout_ms))
}

/// The dialect with this name, which the caller has checked.
fn dialect(name: &str) -> Dialect {
    Dialect::from_name(name).unwrap_or(Dialect::Omdp)
}
