//! The targets without a fuzzer: runs every seed of the corpus, then mutations of them. A number
//! identifies a mutation, and a failure prints the command that repeats it.

use super::corpus::seeds;
use super::{TARGETS, Target};
use crate::proto::tests::net::Rng;
use std::env;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

/// The number of mutations for each target; `OMDP_FUZZ=1000000` runs more.
const MUTATIONS: u64 = 20_000;

#[test]
fn the_corpus_and_its_mutations() {
    let number = |name: &str| env::var(name).ok().and_then(|text| text.parse().ok());
    let only = env::var("OMDP_TARGET").ok();
    for (name, target) in TARGETS {
        if only.as_ref().is_some_and(|only| only != name) {
            continue;
        }
        let corpus = seeds(name);
        let numbers = match number("OMDP_SEED") {
            Some(seed) => seed..seed + 1,
            None => {
                for (index, bytes) in corpus.iter().enumerate() {
                    run(
                        target,
                        bytes,
                        &format!("line {} of fuzz/seeds/{name}.txt", index + 1),
                    );
                }
                0..number("OMDP_FUZZ").unwrap_or(MUTATIONS)
            }
        };
        for seed in numbers {
            let bytes = mutated(&corpus, seed);
            let again = format!(
                "OMDP_TARGET={name} OMDP_SEED={seed} cargo test --no-default-features fuzz::replay"
            );
            run(target, &bytes, &again);
        }
    }
}

fn run(target: Target, bytes: &[u8], origin: &str) {
    if let Err(panic) = catch_unwind(AssertUnwindSafe(|| target(bytes))) {
        eprintln!("\n{bytes:?}\n\n{origin}\n");
        resume_unwind(panic);
    }
}

/// Byte strings to insert at random positions.
const WORDS: [&[u8]; 18] = [
    b"C", b"W", b"1", b"2", b"3", b"6", b"8", b"9", b"10", b"11", b"12", b"13", b"\x01", b"\x01C",
    b"\x01W", b"", b"{}", b"MDPW02",
];

fn mutated(corpus: &[Vec<u8>], seed: u64) -> Vec<u8> {
    let mut rng = Rng::new(seed);
    let mut bytes = rng.pick(corpus).clone();
    for _ in 0..=rng.below(8) {
        mutate(&mut bytes, corpus, &mut rng);
    }
    bytes
}

fn mutate(bytes: &mut Vec<u8>, corpus: &[Vec<u8>], rng: &mut Rng) {
    let at = rng.below(bytes.len() + 1);
    let end = at + rng.below((bytes.len() - at).min(32) + 1);
    match rng.below(9) {
        0 => drop(bytes.drain(at..end)),
        1 => bytes.truncate(at),
        2 => drop(bytes.splice(at..at, [rng.next() as u8])),
        3 => {
            let word = rng.pick(&WORDS);
            let framed = [&[word.len() as u8], *word].concat();
            drop(bytes.splice(at..at, framed));
        }
        4 => {
            let piece = bytes[at..end].to_vec();
            let to = rng.below(bytes.len() + 1);
            drop(bytes.splice(to..to, piece));
        }
        5 => {
            let other = rng.pick(corpus);
            bytes.truncate(at);
            bytes.extend(&other[rng.below(other.len() + 1)..]);
        }
        6 => {
            let noise = (0..rng.below(40)).map(|_| rng.next() as u8);
            let noise: Vec<u8> = noise.collect();
            drop(bytes.splice(at..at, noise));
        }
        7 => bytes[at..end].iter_mut().for_each(|byte| *byte = 0xff),
        _ => {
            if let Some(byte) = bytes.get_mut(at) {
                *byte ^= 1 << rng.below(8);
            }
        }
    }
}
