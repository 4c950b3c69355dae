//! Brokers that are added to and removed from running workers and clients.

use super::peers::{Asker, Peer, Servant};
use super::world::World;
use super::{cast, four_running, run};
use crate::proto::machine::Machine;
use crate::proto::tests::net::ms;
use std::collections::BTreeMap;

fn brokers(world: &World, peer: usize) -> usize {
    match &world.peers[peer] {
        Peer::Worker(worker) => worker.machine.brokers(),
        Peer::Client(client) => client.machine.brokers(),
    }
}

fn moves(seed: u64, accidents: bool) -> BTreeMap<String, usize> {
    let mut world = cast(seed, 3, &[(1, 16), (3, 0)]);
    for _ in 0..400 {
        for _ in 0..world.rng.below(3) {
            world.ask();
        }
        let (peer, line) = (world.rng.below(3), world.rng.below(3));
        // The first broker is never removed.
        if world.rng.percent(5) && line > 0 {
            match world.rng.percent(50) {
                true => world.leave(peer, line),
                false => world.join(peer, line),
            }
        }
        if accidents && world.rng.percent(1) {
            match world.rng.percent(50) {
                true => world.kill(line),
                false => world.break_off(peer, line),
            }
        } else if world.rng.percent(5) {
            world.revive(line);
        }
        let micros = world.rng.between(20, 2000);
        world.step(micros);
    }
    for line in 0..3 {
        world.revive(line);
    }
    // Requests that wait at a broker without workers go to the first broker.
    for peer in 0..3 {
        world.leave(peer, 1);
        world.leave(peer, 2);
    }
    world.settle();
    world.check_starts();
    for _ in 0..1000 {
        world.step(20_000);
    }
    for peer in 0..3 {
        assert_eq!(brokers(&world, peer), 1, "seed {seed}");
    }
    world.ends()
}

#[test]
fn nothing_is_lost_while_brokers_come_and_go() {
    for seed in 0..40 {
        let ends = moves(seed, false);
        assert_eq!(ends.keys().collect::<Vec<_>>(), ["done"], "seed {seed}");
    }
}

#[test]
fn every_request_ends_once_while_they_also_die() {
    let seeds = std::env::var("OMDP_SEEDS").map_or(100, |text| text.parse().expect("a number"));
    for seed in 0..seeds {
        let ends = moves(seed, true);
        let known = ["done", "B_LOST", "W_LOST"];
        assert!(
            ends.keys().all(|end| known.contains(&&**end)),
            "seed {seed}: {ends:?}"
        );
    }
}

/// Requests that no worker of the broker could start go to another broker, although the first one
/// is alive.
#[test]
fn requests_that_wait_at_a_broker_that_leaves_go_to_another() {
    let mut world = cast(1, 2, &[(1, 0)]);
    world.leave(1, 0);
    run(&mut world, ms(500));
    for _ in 0..4 {
        world.ask();
    }
    run(&mut world, ms(200));
    // The other two have no worker.
    assert_eq!(world.done(), 2);
    world.leave(0, 0);
    run(&mut world, ms(200));
    assert_eq!(world.done(), 4);
    assert_eq!((brokers(&world, 0), brokers(&world, 1)), (1, 1));
}

#[test]
fn a_request_that_has_started_at_a_broker_ends_there() {
    let mut world = four_running(4);
    for peer in 0..2 {
        world.leave(peer, 0);
    }
    run(&mut world, ms(500));
    assert_eq!((brokers(&world, 0), brokers(&world, 1)), (2, 2));
    // The broker stays if it is added again before that.
    world.join(1, 0);
    run(&mut world, ms(1000));
    assert_eq!(world.ends(), BTreeMap::from([("done".into(), 4)]));
    assert_eq!((brokers(&world, 0), brokers(&world, 1)), (1, 2));
    world.join(0, 0);
    for _ in 0..4 {
        world.ask();
    }
    run(&mut world, ms(500));
    assert_eq!(world.done(), 8);
    assert_eq!(brokers(&world, 0), 2);
}

#[test]
fn without_any_broker_requests_wait_for_the_first() {
    let peers = vec![
        Peer::Client(Asker::new(0)),
        Peer::Worker(Servant::new(0, 1, 16)),
    ];
    let mut world = World::new(1, 1, peers);
    world.ask();
    world.ask();
    run(&mut world, ms(300));
    assert_eq!(
        (world.done(), world.client().machine.stats(0).queued),
        (0, 2)
    );
    world.join(0, 0);
    world.join(1, 0);
    run(&mut world, ms(300));
    assert_eq!(world.done(), 2);
    let now = world.now;
    let worker = world.worker();
    worker.stop(now);
    run(&mut world, ms(500));
    assert!(world.worker().drained);
}

#[test]
fn one_broker_becomes_several_with_what_it_has() {
    let peers = vec![
        Peer::Client(Asker::of_one()),
        Peer::Worker(Servant::of_one(2, 16)),
    ];
    let mut world = World::new(1, 2, peers);
    run(&mut world, ms(100));
    for _ in 0..20 {
        world.ask();
    }
    for _ in 0..30 {
        world.step(10);
    }
    world.join(0, 1);
    world.join(1, 1);
    for _ in 0..20 {
        world.ask();
    }
    world.leave(0, 0);
    world.leave(1, 0);
    world.settle();
    assert_eq!(world.ends(), BTreeMap::from([("done".into(), 41)]));
    world.check_starts();
    run(&mut world, ms(500));
    assert_eq!((brokers(&world, 0), brokers(&world, 1)), (1, 1));
}
