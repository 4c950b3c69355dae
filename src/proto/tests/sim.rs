//! A seeded simulation: brokers, workers and clients of 1.x and 0.0.92 under load, while processes
//! die, stop and restart, connections break at one end or both, and the network is partitioned.
//!
//! [`check`] contains the conditions at every step and at the end. A failing seed prints the
//! command that repeats it; `OMDP_SEEDS=5000` sets the number of seeds.

mod acts;
mod check;
mod world;

use super::net::*;
use check::Ledger;
use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::rc::Rc;
use world::World;

const SEEDS: u64 = 500;

/// Number of latest actions that a failing seed prints.
const TAIL: usize = 40;

#[test]
fn simulation() {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse().ok());
    if let Some(seed) = number("OMDP_SEED") {
        return run(seed);
    }
    for seed in 0..number("OMDP_SEEDS").unwrap_or(SEEDS) {
        run(seed);
    }
}

fn run(seed: u64) {
    let log = Rc::new(RefCell::new(Vec::new()));
    let outcome = catch_unwind(AssertUnwindSafe(|| simulate(seed, log.clone())));
    if let Err(panic) = outcome {
        let log = log.borrow();
        for line in &log[log.len().saturating_sub(TAIL)..] {
            eprintln!("{line}");
        }
        eprintln!("\nOMDP_SEED={seed} cargo test --no-default-features simulation\n");
        resume_unwind(panic);
    }
}

fn simulate(seed: u64, log: Rc<RefCell<Vec<String>>>) {
    let mut world = World::new(seed, log);
    let mut ledger = Ledger::default();
    let end = world.net.now() + secs(30);
    while world.net.now() < end {
        world.act();
        let pause = ms(world.net.rng.between(0, 150));
        world.run(pause, &mut ledger);
    }
    world.heal();
    world.run(secs(20), &mut ledger);
    ledger.all_ended(&mut world);
    ledger.service_goes_on(&mut world);
    world.stop_clients();
    world.run(secs(30), &mut ledger);
    ledger.nothing_is_asked(&mut world);
    world.stop_workers();
    world.run(secs(30), &mut ledger);
    ledger.no_overlaps(&world);
    ledger.no_peer_is_left(&world);
}
