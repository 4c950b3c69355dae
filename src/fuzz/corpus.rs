//! The seeds of the fuzzers: a line of `fuzz/seeds/<target>.txt` is a seed, in the escapes of Rust's
//! byte strings. The seeds of the decoders are the golden vectors of `wire`, whose tests keep the
//! files up to date. libFuzzer reads a folder of files, which `OMDP_CORPUS=unpack` writes.

use super::input::bytes_of;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};
use std::{env, fs};

type Corpus = BTreeMap<String, BTreeSet<Vec<u8>>>;

/// The seeds of the targets that were asked for. The lock is held while a file is written, since
/// tests run side by side.
static CORPUS: LazyLock<Mutex<Corpus>> = LazyLock::new(Mutex::default);

fn folder(name: &str) -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "fuzz", name].iter().collect()
}

fn file(target: &str) -> PathBuf {
    folder("seeds").join(format!("{target}.txt"))
}

/// A failed test leaves the corpus whole.
fn corpus() -> MutexGuard<'static, Corpus> {
    CORPUS.lock().unwrap_or_else(PoisonError::into_inner)
}

fn of<'a>(corpus: &'a mut Corpus, target: &str) -> &'a mut BTreeSet<Vec<u8>> {
    corpus.entry(target.to_owned()).or_insert_with(|| {
        let text = fs::read_to_string(file(target)).unwrap_or_default();
        text.lines().map(unescaped).collect()
    })
}

/// All seeds of a target, sorted.
pub(super) fn seeds(target: &str) -> Vec<Vec<u8>> {
    of(&mut corpus(), target).iter().cloned().collect()
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
    let mut corpus = corpus();
    let seeds = of(&mut corpus, target);
    if asked_to("write") && seeds.insert(bytes.to_vec()) {
        let lines: String = seeds
            .iter()
            .map(|seed| format!("{}\n", seed.escape_ascii()))
            .collect();
        fs::create_dir_all(folder("seeds")).unwrap();
        fs::write(file(target), lines).unwrap();
    }
    assert!(
        seeds.contains(bytes),
        "a golden vector is not in fuzz/seeds; add it: OMDP_CORPUS=write cargo test --no-default-features"
    );
}

const LONGEST: usize = 2048;

fn asked_to(what: &str) -> bool {
    env::var("OMDP_CORPUS").is_ok_and(|asked| asked == what)
}

/// The inverse of `escape_ascii`.
fn unescaped(line: &str) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(line.len());
    let mut rest = line.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'\\' => match rest.next() {
                Some(b't') => b'\t',
                Some(b'r') => b'\r',
                Some(b'n') => b'\n',
                Some(b'x') => {
                    let mut digit = || rest.next().and_then(|digit| char::from(digit).to_digit(16));
                    match (digit(), digit()) {
                        (Some(high), Some(low)) => (high * 16 + low) as u8,
                        _ => panic!("an incomplete \\x in {line}"),
                    }
                }
                Some(other) => other,
                None => panic!("a backslash at the end of {line}"),
            },
            other => other,
        });
    }
    bytes
}

#[test]
fn a_line_has_every_byte() {
    let every: Vec<u8> = (0..=255).collect();
    assert_eq!(unescaped(&every.escape_ascii().to_string()), every);
}

/// Writes `fuzz/corpus`, where cargo-fuzz looks for the seeds of a target, on request.
#[test]
fn unpacked_for_libfuzzer() {
    for (target, _) in super::TARGETS {
        let seeds = seeds(target);
        assert!(!seeds.is_empty(), "{target} has seeds");
        if asked_to("unpack") {
            let folder = folder("corpus").join(target);
            fs::create_dir_all(&folder).unwrap();
            for (number, seed) in seeds.iter().enumerate() {
                fs::write(folder.join(format!("seed-{number}")), seed).unwrap();
            }
        }
    }
}
