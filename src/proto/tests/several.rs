//! Workers and clients of several brokers, with brokers that die and connections that break. One
//! seed is one run.

mod moves;
mod peers;
mod world;

use super::net::{HEARTBEAT, ms};
use crate::proto::machine::Machine;
use peers::{Asker, Peer, Servant, machine};
use std::collections::BTreeMap;
use std::time::Duration;
use world::World;

fn cast(seed: u64, brokers: usize, workers: &[(usize, u32)]) -> World {
    let mut peers = vec![Peer::Client(Asker::new(brokers))];
    for &(concurrency, prefetch) in workers {
        peers.push(Peer::Worker(Servant::new(brokers, concurrency, prefetch)));
    }
    let mut world = World::new(seed, brokers, peers);
    for _ in 0..50 {
        world.step(100);
    }
    world
}

#[test]
fn every_request_ends_once_whatever_dies() {
    let seeds = std::env::var("OMDP_SEEDS").map_or(100, |text| text.parse().expect("a number"));
    for seed in 0..seeds {
        let mut world = cast(seed, 2 + seed as usize % 2, &[(1, 16), (3, 0)]);
        for _ in 0..400 {
            for _ in 0..world.rng.below(4) {
                world.ask();
            }
            let line = world.rng.below(world.brokers.len());
            if world.rng.percent(1) {
                world.kill(line);
            } else if world.rng.percent(3) {
                world.revive(line);
            } else if world.rng.percent(1) {
                let peer = world.rng.below(world.peers.len());
                world.break_off(peer, line);
            }
            let micros = world.rng.between(20, 2000);
            world.step(micros);
        }
        // In some runs, one broker stays dead.
        for line in usize::from(seed % 3 == 0)..world.brokers.len() {
            world.revive(line);
        }
        world.settle();
        let ends = world.ends();
        assert!(
            ends.keys()
                .all(|end| ["done", "B_LOST", "W_LOST"].contains(&&**end)),
            "seed {seed}: {ends:?}"
        );
        world.check_starts();
        // Abandoned handlers end, and unwanted replies are dropped.
        for _ in 0..400 {
            world.step(200);
        }
        for _ in 0..1000 {
            world.step(20_000);
        }
        for peer in &world.peers {
            machine!(peer, m => assert_eq!(m.outstanding(), 0, "seed {seed}"));
        }
    }
}

#[test]
fn without_accidents_nothing_is_lost_and_goodbyes_cost_nothing() {
    for seed in 0..20 {
        let mut world = cast(seed, 3, &[(1, 16), (2, 16), (1, 0)]);
        for round in 0..300 {
            world.ask();
            if round == 150 {
                let now = world.now;
                let worker = world.worker();
                worker.stop(now);
            }
            world.step(100);
        }
        world.settle();
        assert_eq!(world.ends(), BTreeMap::from([("done".into(), 300)]));
        for _ in 0..2000 {
            world.step(200);
        }
        let worker = world.worker();
        assert!(worker.drained, "seed {seed}");
    }
}

/// A broker whose request was returned waits for room, instead of giving it again and again.
#[test]
fn a_returned_request_is_not_given_again_before_there_is_room() {
    let mut world = cast(1, 2, &[(1, 16)]);
    let worker = world.worker();
    // Busy for a second with one request, while another one waits.
    worker.concurrency = 0;
    world.ask();
    world.ask();
    for _ in 0..10 {
        world.step(100);
    }
    let now = world.now;
    let worker = world.worker();
    assert_eq!(worker.offers.len(), 2);
    let (first, _) = worker.offers.pop_front().expect("there are two");
    worker.take(first, now + ms(1000));
    let mut seen = 0;
    for _ in 0..500 {
        world.step(1000);
        let worker = world.worker();
        seen += worker.offers.len();
    }
    assert!(seen <= 10, "on offer in {seen} ms of 500");
    let worker = world.worker();
    worker.concurrency = 1;
    world.settle();
    assert_eq!(world.ends(), BTreeMap::from([("done".into(), 2)]));
}

/// Four requests of a second each, two at each of two brokers.
fn four_running(concurrency: usize) -> World {
    let mut world = cast(1, 2, &[(concurrency, 0)]);
    for _ in 0..4 {
        world.ask();
    }
    for _ in 0..20 {
        world.step(10);
    }
    let until = world.now + ms(1000);
    let worker = world.worker();
    assert_eq!(worker.running.len(), 4);
    worker.running.values_mut().for_each(|at| *at = until);
    world
}

/// The worker of a request has left the broker while the client was away, so the roster of the client's next connection
/// lacks it.
#[test]
fn a_started_request_does_not_start_again_because_its_worker_is_not_in_the_roster() {
    let mut world = cast(1, 1, &[(1, 0)]);
    world.worker().concurrency = 0;
    world.ask();
    run(&mut world, ms(5));
    let until = world.now + ms(3000);
    let worker = world.worker();
    let (delivery, _) = worker.offers.pop_front().expect("it is there");
    worker.take(delivery, until);
    worker.concurrency = 1;
    // Without a grace both are given up at once.
    world.break_off(0, 0);
    run(&mut world, ms(60));
    world.break_off(1, 0);
    while !world.client().machine.stats(0).connected {
        world.step(100);
    }
    world.kill(0);
    world.step(100);
    world.revive(0);
    world.settle();
    world.check_starts();
    assert_eq!(world.ends(), BTreeMap::from([("B_LOST".into(), 1)]));
}

/// The same requests, after the death of the first broker.
fn half_lost() -> World {
    let mut world = four_running(6);
    world.kill(0);
    world
}

fn run(world: &mut World, time: Duration) {
    let end = world.now + time;
    while world.now < end {
        world.step(1000);
    }
}

#[test]
fn requests_of_a_lost_broker_are_answered_by_the_next_one() {
    let mut world = half_lost();
    // Meanwhile only the other broker is used.
    world.ask();
    run(&mut world, ms(300));
    assert_eq!(world.done(), 1);
    world.revive(0);
    run(&mut world, ms(1500));
    assert_eq!(world.ends(), BTreeMap::from([("done".into(), 5)]));
    world.check_starts();
    assert_eq!(world.worker().machine.outstanding(), 0);
}

#[test]
fn and_ends_after_a_window_if_there_is_none() {
    let mut world = half_lost();
    run(&mut world, ms(2000));
    assert_eq!(world.done(), 2);
    assert_eq!(world.worker().machine.outstanding(), 0, "held, and no room");
    world.ask();
    run(&mut world, ms(2000));
    assert_eq!(world.done(), 3);
    run(&mut world, HEARTBEAT * 3 - ms(4100));
    assert_eq!(world.client().machine.outstanding(), 2);
    run(&mut world, ms(200));
    let ends = [("B_LOST".into(), 2), ("done".into(), 3)];
    assert_eq!(world.ends(), BTreeMap::from(ends));
    world.check_starts();
}
