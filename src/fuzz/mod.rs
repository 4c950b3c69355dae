//! What the fuzzers run: each target takes bytes, makes of them messages or a sequence of operations, and asserts what
//! must hold whatever they are.
//!
//! The targets of `fuzz/` call these under libFuzzer, and `cargo test` runs the same code on its corpus and on
//! mutations of it. Nothing here is part of the package: it is built for tests and with the feature `fuzz`.

#![forbid(unsafe_code)]

mod broker;
mod client;
#[cfg(test)]
pub(crate) mod corpus;
mod decoders;
mod held;
mod input;
mod models;
mod play;
#[cfg(test)]
mod replay;
#[cfg(test)]
mod scenarios;
mod worker;

/// Takes the fuzzer's bytes, and panics if something does not hold.
pub type Target = fn(&[u8]);

/// All targets, by the names of their files in `fuzz/fuzz_targets` and their folders in `fuzz/corpus`.
pub const TARGETS: [(&str, Target); 13] = [
    ("to_broker", decoders::to_broker),
    ("to_worker", decoders::to_worker),
    ("to_client", decoders::to_client),
    ("mdp", decoders::mdp),
    ("pigato", decoders::pigato),
    ("packed", decoders::packed),
    ("hello", decoders::hello),
    ("ext", decoders::ext),
    ("bodies", decoders::bodies),
    ("broker", broker::run),
    ("held", held::run),
    ("worker", worker::run),
    ("client", client::run),
];

/// Runs one target.
///
/// # Panics
///
/// If something does not hold, or there is no such target.
pub fn run(target: &str, data: &[u8]) {
    let found = TARGETS.iter().find(|(name, _)| *name == target);
    let (_, target) = found.expect("a target of the list");
    target(data);
}
