//! What the targets of the machines have in common.

use super::input::{Frames, Input};
use crate::proto::link::LinkConfig;
use crate::wire::omdp::PeerMessage;
use crate::wire::{Dialect, mdp, pigato};
use std::time::Duration;

/// More operations than this find nothing that fewer don't.
const OPERATIONS: usize = 2_000;

/// A machine, and who uses it.
pub(super) trait Scene {
    /// One operation.
    fn step(&mut self, input: &mut Input);
    /// Takes what the machine has to say, and checks it.
    fn settle(&mut self);
    /// What must hold when all is over.
    fn end(self);
}

/// Steps until the input is used up.
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
        reconnect: Duration::from_millis(100),
        reconnect_max: Duration::from_secs(30),
        seed: 0,
        expect_hello: false,
        expect_beats,
        max_message: None,
    }
}

/// What a worker or client speaks.
pub(super) fn dialect(input: &mut Input) -> Dialect {
    match input.below(9) {
        n @ 5.. => Dialect::ALL[n - 4],
        _ => Dialect::Omdp,
    }
}

/// A message of chance.
pub(super) fn noise(input: &mut Input) -> Frames {
    let count = input.below(9);
    (0..count).map(|_| input.frame()).collect()
}

/// A broker can read what a worker or client of this dialect has sent.
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
