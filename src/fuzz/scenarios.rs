//! The seeds of the machines' targets: ordinary sequences of events, encoded for these targets.

mod broker;
mod client;
mod worker;

use super::corpus::seed;
use super::run;

/// An operation that sends a model: its number, one byte for each gap, and a zero, which leaves it
/// undamaged.
fn say(models: &[&str], text: &str, gaps: &[u8]) -> Vec<u8> {
    let model = models.iter().position(|model| *model == text);
    let model = model.expect("a model of the list") as u8;
    [&[model], gaps, &[0]].concat()
}

/// Checks that the corpus contains the seed, and runs the target on it.
fn keep(target: &str, before: &[u8], operations: &[Vec<u8>]) {
    let bytes = [before, &operations.concat()].concat();
    seed(target, &bytes);
    run(target, &bytes);
}

/// Heartbeat 2500, liveness 3, session s0; for a worker also: concurrency 1, prefetch 9, packed.
const PEER: [u8; 4] = [0, 0, 1, 0];
const PREFETCHING: [u8; 6] = [0, 0, 2, 0, 2, 0];
