//! The worker machine between a user that handles requests and a broker that sends anything. Each
//! delivery must be held or have ended.

use super::input::Input;
use super::models::{Known, WORKER, message};
use super::play::{Scene, dialect, link, noise, play, understood_by_broker};
use crate::proto::link::{Action, Loss};
use crate::proto::machine::Machine;
use crate::proto::worker::{Retract, WorkerConfig, WorkerNotice};
use crate::proto::{Time, Worker};
use crate::wire::omdp::{WorkerMessage, tokens};
use crate::wire::packed::pack;
use crate::wire::{Body, Dialect};
use std::collections::BTreeMap;
use std::time::Duration;

struct Live {
    worker: Worker<Vec<u8>>,
    dialect: Dialect,
    now: Time,
    /// Open deliveries: whether the user has taken each, and whether it can be returned.
    held: BTreeMap<u64, (bool, bool)>,
    last: u64,
    known: Known,
    concurrency: Option<usize>,
    state: State,
    socket: bool,
    connected: bool,
    /// Whether a ping to the user is unanswered.
    pinged: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Stopped,
    Started,
    Draining,
}

pub(super) fn run(data: &[u8]) {
    let mut input = Input::new(data);
    let dialect = dialect(&mut input);
    let concurrency = *input.pick(&[Some(1), Some(2), Some(0), None]);
    let scene = Live {
        worker: Worker::new(WorkerConfig {
            link: link(true),
            dialect,
            service: "echo".into(),
            serving: crate::wire::Serving::default(),
            concurrency,
            most: None,
            about: None,
            prefetch: *input.pick(&[1024, 0, 1]),
            session: "w".into(),
            max_blocked: *input.pick(&[None, Some(Duration::from_millis(200))]),
        }),
        dialect,
        now: Time::ZERO,
        held: BTreeMap::new(),
        last: 0,
        known: Known::default(),
        concurrency,
        state: State::Stopped,
        socket: false,
        connected: false,
        pinged: false,
    };
    play(scene, input);
}

impl Scene for Live {
    fn step(&mut self, input: &mut Input) {
        match input.below(16) {
            0..=4 => {
                let mut frames = message(&WORKER, input, &self.known);
                self.hear(&mut frames);
            }
            5 => {
                let mut frames = noise(input);
                self.hear(&mut frames);
            }
            6 => self.take(),
            7 | 8 => self.answer(input),
            9 => {
                let id = self.some_id(input);
                self.worker.partial(self.now, id, body(input));
            }
            10 => self.command(input),
            11 => {
                if self.socket {
                    self.worker.handle_up(0, self.now);
                }
            }
            12 => match input.below(4) {
                0 => self.worker.handle_refused(0, self.now),
                _ => self.worker.handle_down(0, self.now),
            },
            13 => self.advance(Duration::from_micros(u64::from(input.byte()).pow(3))),
            14 => {
                if let Some(at) = self.worker.next_deadline() {
                    self.advance(at - self.now);
                }
            }
            _ => match self.state {
                State::Stopped => {
                    self.state = State::Started;
                    self.worker.start();
                }
                State::Started if input.below(4) == 0 => self.stop(input.byte()),
                State::Started | State::Draining => {}
            },
        }
    }

    /// The owner's part, as `DealerCore` in `io` does it.
    fn settle(&mut self) {
        if let Some(Retract {
            outstanding, limit, ..
        }) = self.worker.poll_retract()
        {
            self.report();
            let count = outstanding.saturating_sub(limit);
            let offers = self.held.iter().rev();
            let offers = offers.filter(|(_, (taken, returnable))| !taken && *returnable);
            let mut back: Vec<u64> = offers.map(|(id, _)| *id).take(count).collect();
            back.reverse();
            for id in &back {
                self.held.remove(id);
            }
            self.worker.handle_retracted(self.now, &back);
        }
        self.send();
        if self.worker.poll_ping() {
            assert!(!std::mem::replace(&mut self.pinged, true), "one at a time");
        }
        match self.worker.poll_action(0) {
            Some(Action::Open) => {
                assert!(!self.socket && self.state != State::Stopped);
                self.socket = true;
            }
            Some(Action::Close | Action::Abandon) => self.socket = false,
            None => {}
        }
        self.report();
        assert_eq!(self.worker.outstanding(), self.held.len());
        assert!(!self.connected || self.socket, "connected by what?");
        self.worker.audit();
    }

    /// With anything in hand, a worker that has to stop at once stops soon.
    fn end(mut self) {
        if self.state == State::Started {
            self.stop(1);
            self.settle();
        }
        if self.state == State::Draining {
            // A worker that drains without a limit stops when its connection breaks.
            self.worker.handle_down(0, self.now);
            self.settle();
            // A worker that waits for another broker may wait without a limit.
            let mut rounds = 0;
            while let Some(at) = self.worker.next_deadline() {
                rounds += 1;
                assert!(rounds < 100, "it does not leave");
                self.advance(at - self.now);
            }
        }
        assert_eq!(self.state, State::Stopped, "it has left");
        assert!(self.held.is_empty() && !self.socket && !self.connected);
        assert_eq!(self.worker.next_deadline(), None);
    }
}

impl Live {
    /// The user does something that concerns the worker, or the data of a request.
    fn command(&mut self, input: &mut Input) {
        match input.below(7) {
            5 => {
                let id = self.some_id(input);
                self.worker.read(id, u32::from(input.byte()) * 8);
            }
            6 => {
                let id = self.some_id(input);
                self.worker.enough(id);
            }
            0 => self.worker.heartbeat(),
            1 if self.pinged => {
                self.pinged = false;
                self.worker.handle_pong(self.now);
            }
            3 => self.worker.pause(),
            4 => self.worker.unpause(self.now),
            _ => {
                self.concurrency = *input.pick(&[Some(1), Some(3), Some(0), None]);
                self.worker.set_concurrency(self.now, self.concurrency);
            }
        }
    }

    fn stop(&mut self, patience: u8) {
        let patience = Duration::from_millis(u64::from(patience) * 20);
        let deadline = (!patience.is_zero()).then(|| self.now + patience);
        self.state = State::Draining;
        self.worker.stop(self.now, deadline);
    }

    fn hear(&mut self, frames: &mut Vec<Vec<u8>>) {
        self.worker.handle_message(0, self.now, frames);
        assert!(frames.is_empty(), "the frames are reused");
    }

    /// The user takes the first offer.
    fn take(&mut self) {
        let room = self.concurrency.unwrap_or(usize::MAX);
        let running = self.held.values().filter(|(taken, _)| *taken).count();
        let offer = self.held.values_mut().find(|(taken, _)| !taken);
        if let Some((taken, _)) = offer.filter(|_| running < room) {
            *taken = true;
        }
    }

    fn answer(&mut self, input: &mut Input) {
        let id = self.some_id(input);
        let body = body(input);
        // Only a taken delivery, or one that no longer exists, can be answered.
        if self.held.get(&id).is_some_and(|(taken, _)| !taken) {
            return;
        }
        self.held.remove(&id);
        match input.below(2) {
            0 => self.worker.finish(self.now, id, body),
            _ => self.worker.error(self.now, id, body),
        }
    }

    fn some_id(&self, input: &mut Input) -> u64 {
        self.last.saturating_sub(input.below(6) as u64)
    }

    fn advance(&mut self, by: Duration) {
        self.now = self.now + by;
        self.worker.handle_timeout(self.now);
        self.settle();
        let next = self.worker.next_deadline();
        assert!(next.is_none_or(|at| at > self.now), "no timer stays behind");
    }

    fn send(&mut self) {
        let form = self.worker.form();
        let mut sent = Vec::new();
        self.worker.take_messages(|message| {
            if let WorkerMessage::Return { tokens: frame } = &message {
                assert!(tokens(frame).count() > 0);
            }
            let mut frames = Vec::new();
            form.encode_of_worker(message, &mut frames);
            if form.packed {
                pack(&mut frames, 0);
            }
            if !frames.is_empty() {
                sent.push(frames);
            }
        });
        understood_by_broker(self.dialect, sent);
    }

    fn report(&mut self) {
        let notices: Vec<_> = self.worker.take_notices().collect();
        for notice in notices {
            match notice {
                WorkerNotice::Request {
                    delivery,
                    returnable,
                    ..
                } => {
                    assert!(delivery > self.last, "no number is used twice");
                    self.last = delivery;
                    self.held.insert(delivery, (false, returnable));
                    self.known.remember(b"c0", b"1", delivery);
                }
                WorkerNotice::Cancelled { delivery, .. } => {
                    let ended = self.held.remove(&delivery);
                    assert!(ended.is_some(), "{delivery} had ended");
                }
                WorkerNotice::Credit { delivery, .. }
                | WorkerNotice::Chunk { delivery, .. }
                | WorkerNotice::ChunkEnd { delivery } => {
                    assert!(self.held.contains_key(&delivery), "{delivery} had ended");
                }
                WorkerNotice::Connected => {
                    assert!(!std::mem::replace(&mut self.connected, true));
                }
                // Told also by a worker that has never had the name.
                WorkerNotice::Disconnected(Loss::NameTaken) => self.connected = false,
                WorkerNotice::Disconnected(_) => {
                    assert!(std::mem::replace(&mut self.connected, false));
                }
                WorkerNotice::Drained => {
                    assert_eq!(self.state, State::Draining);
                    assert!(!self.connected && self.held.is_empty());
                    self.state = State::Stopped;
                    // The next life is another machine, which does not receive the answer.
                    self.pinged = false;
                }
                WorkerNotice::Fault(_) => {}
            }
        }
    }
}

fn body(input: &mut Input) -> Body<Vec<u8>> {
    match input.below(5) {
        0 => Body::null(),
        1 => Body::binary(vec![1, 0xff]),
        2 => Body::json(b"0".to_vec()),
        3 => Body::json(b"[\"OMDP-ERROR\",\"x\"]".to_vec()),
        _ => Body::json(b"\"text\"".to_vec()),
    }
}
