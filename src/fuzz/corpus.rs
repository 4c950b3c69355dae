//! The seeds of the fuzzers: `fuzz/corpus/<target>/<name>`. The seeds of the decoders are the
//! golden vectors of `wire`, whose tests keep the folders up to date.

use super::input::bytes_of;
use std::path::PathBuf;
use std::{env, fs};

pub(super) fn folder(target: &str) -> PathBuf {
    let root = env!("CARGO_MANIFEST_DIR");
    [root, "fuzz", "corpus", target].iter().collect()
}

/// All seeds of a target, in a platform-independent order.
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

/// Checks that the corpus contains a golden vector; adds it with `OMDP_CORPUS=write`.
#[track_caller]
pub(crate) fn vector(target: &str, frames: &[Vec<u8>]) {
    vector_after(target, &[], frames);
}

/// Checks a vector for a target that reads other bytes before the frames.
#[track_caller]
pub(crate) fn vector_after(target: &str, before: &[u8], frames: &[Vec<u8>]) {
    seed(target, &[before, &bytes_of(frames)].concat());
}

/// Checks a vector for a target that reads bytes.
#[track_caller]
pub(crate) fn seed(target: &str, bytes: &[u8]) {
    // A vector about sizes alone is of no use to a fuzzer, and slow.
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
