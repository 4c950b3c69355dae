//! Fuzzing targets: each takes bytes, converts them into messages or a sequence of operations, and
//! asserts the invariants.
//!
//! The programs in `fuzz/` call the targets under libFuzzer, and `cargo test` runs them on the
//! corpus and on mutations of it. The package does not contain this module: it is built for tests
//! and with the feature `fuzz`.

#![forbid(unsafe_code)]

mod bodies;
mod broker;
mod client;
#[cfg(test)]
pub(crate) mod corpus;
mod decoders;
mod held;
mod input;
mod models;
mod names;
mod play;
#[cfg(test)]
mod replay;
#[cfg(test)]
mod scenarios;
mod worker;
mod zmtp;

/// A function of the fuzzer's bytes that panics if an invariant is violated.
pub type Target = fn(&[u8]);

/// All targets, with the names of their files in `fuzz/fuzz_targets` and `fuzz/seeds`.
pub const TARGETS: [(&str, Target); 15] = [
    ("to_broker", decoders::to_broker),
    ("to_worker", decoders::to_worker),
    ("to_client", decoders::to_client),
    ("mdp", decoders::mdp),
    ("pigato", decoders::pigato),
    ("packed", decoders::packed),
    ("hello", decoders::hello),
    ("ext", decoders::ext),
    ("bodies", bodies::run),
    ("zmtp", zmtp::run),
    ("broker", broker::run),
    ("held", held::run),
    ("names", names::run),
    ("worker", worker::run),
    ("client", client::run),
];

/// Runs one target.
///
/// # Panics
///
/// If an invariant is violated, or if the target does not exist.
pub fn run(target: &str, data: &[u8]) {
    let found = TARGETS.iter().find(|(name, _)| *name == target);
    let (_, target) = found.expect("a target of the list");
    target(data);
}
