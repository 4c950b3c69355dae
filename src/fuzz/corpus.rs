//! The seeds of the fuzzers: `fuzz/corpus/<target>/<name>`. Those of the decoders are the golden vectors of `wire`, and
//! the tests that hold those keep the folders up to date.

use super::input::bytes_of;
use std::path::PathBuf;
use std::{env, fs};

pub(super) fn folder(target: &str) -> PathBuf {
    let root = env!("CARGO_MANIFEST_DIR");
    [root, "fuzz", "corpus", target].iter().collect()
}

/// Every seed of a target, in the same order everywhere.
pub(super) fn seeds(target: &str) -> Vec<(String, Vec<u8>)> {
    let folder = folder(target);
    let files = fs::read_dir(&folder).unwrap_or_else(|error| panic!("{folder:?}: {error}"));
    let mut seeds: Vec<_> = files
        .map(|file| file.unwrap())
        .map(|file| {
            let name = file.file_name().to_string_lossy().into_owned();
            (name, fs::read(file.path()).unwrap())
        })
        .collect();
    seeds.sort();
    seeds
}

/// Holds the corpus to a golden vector; with `OMDP_CORPUS=write` adds it.
#[track_caller]
pub(crate) fn vector(target: &str, frames: &[Vec<u8>]) {
    vector_after(target, &[], frames);
}

/// The same for a target that takes something before the frames.
#[track_caller]
pub(crate) fn vector_after(target: &str, before: &[u8], frames: &[Vec<u8>]) {
    seed(target, &[before, &bytes_of(frames)].concat());
}

/// The same for a target that takes bytes.
#[track_caller]
pub(crate) fn seed(target: &str, bytes: &[u8]) {
    // What is about sizes alone teaches a fuzzer nothing, and slows it down.
    if bytes.len() > LONGEST {
        return;
    }
    let path = folder(target).join(format!("{:016x}", fnv1a(bytes)));
    if env::var("OMDP_CORPUS").is_ok_and(|what| what == "write") {
        fs::create_dir_all(folder(target)).unwrap();
        fs::write(&path, bytes).unwrap();
    }
    assert!(
        fs::read(&path).is_ok_and(|kept| kept == bytes),
        "a golden vector is not in fuzz/corpus; add it: OMDP_CORPUS=write cargo test --no-default-features"
    );
}

const LONGEST: usize = 2048;

fn fnv1a(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    })
}
