//! Common parts of the targets of the machines.

use super::input::{Frames, Input};
use crate::proto::link::LinkConfig;
use crate::wire::omdp::PeerMessage;
use crate::wire::{Dialect, mdp, pigato};
use std::time::Duration;

/// The maximum number of operations; longer sequences find nothing more.
const OPERATIONS: usize = 2_000;

/// A machine and its user.
pub(super) trait Scene {
    /// Executes one operation.
    fn step(&mut self, input: &mut Input);
    /// Drains the machine and checks the result.
    fn settle(&mut self);
    /// Checks the invariants at the end.
    fn end(self);
}

/// Executes operations until the input is used up.
pub(super) fn play(mut scene: impl Scene, mut input: Input) {
    for _ in 0..OPERATIONS {
        if input.is_over() {
            break;
        }
        scene.step(&mut input);
        scene.settle();
    }
    scene.end();
}

pub(super) fn link(expect_beats: bool) -> LinkConfig {
    LinkConfig {
        heartbeat: Duration::from_millis(2500),
        liveness: 3,
        soon: Duration::from_millis(100),
        reconnect: Duration::from_millis(100),
        reconnect_max: Duration::from_secs(30),
        away: Duration::ZERO,
        seed: 0,
        expect_hello: false,
        expect_beats,
        name: String::new(),
        max_message: None,
    }
}

/// The dialect of a worker or client.
pub(super) fn dialect(input: &mut Input) -> Dialect {
    match input.below(9) {
        n @ 5.. => Dialect::ALL[n - 4],
        _ => Dialect::Omdp,
    }
}

/// A random message.
pub(super) fn noise(input: &mut Input) -> Frames {
    let count = input.below(9);
    (0..count).map(|_| input.frame()).collect()
}

/// Checks that a broker can decode what a worker or client of this dialect has sent.
pub(super) fn understood_by_broker(dialect: Dialect, sent: Vec<Frames>) {
    for mut frames in sent {
        let shown = frames.clone();
        let result = match dialect {
            Dialect::Omdp => PeerMessage::decode(&mut frames).map(drop),
            Dialect::Mdp(dialect) => mdp::PeerMessage::decode(dialect, &mut frames).map(drop),
            Dialect::Pigato => pigato::PeerMessage::decode(&mut frames).map(drop),
        };
        assert_eq!(result, Ok(()), "{shown:?}");
    }
}
