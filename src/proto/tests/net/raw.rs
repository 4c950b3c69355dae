//! Raw sockets: they send what the test tells them to, and record what they receive.

use super::actor::{Actor, Effect, Frames, Hears};
use crate::proto::Time;
use std::time::Duration;

/// A message as text: frames separated by `|`, `∅` for an empty one.
pub fn render(frames: &Frames) -> String {
    let frame = |frame: &Vec<u8>| match frame.is_empty() {
        true => "∅".into(),
        false => String::from_utf8_lossy(frame).into_owned(),
    };
    frames.iter().map(frame).collect::<Vec<_>>().join("|")
}

/// A DEALER socket controlled by the test.
#[derive(Default)]
pub struct RawDealer {
    pub heard: Vec<Frames>,
    pub heard_at: Vec<Time>,
    beat: Option<Duration>,
    next_beat: Option<Time>,
    effects: Vec<Effect>,
}

impl RawDealer {
    /// A socket that sends `W 4` at this interval.
    pub fn beating(beat: Duration) -> Self {
        RawDealer {
            beat: Some(beat),
            ..RawDealer::default()
        }
    }

    pub fn say(&mut self, frames: Frames) {
        self.effects.push(Effect::Send(frames));
    }
}

impl Hears for RawDealer {
    fn take(&mut self) -> Vec<String> {
        self.heard_at.clear();
        self.heard.drain(..).map(|frames| render(&frames)).collect()
    }
}

impl Actor for RawDealer {
    fn start(&mut self, now: Time) {
        self.effects.push(Effect::Open);
        self.next_beat = self.beat.map(|beat| now + beat);
    }

    fn crash(&mut self) {}

    fn message(&mut self, now: Time, _from: &[u8], frames: Frames) {
        self.heard.push(frames);
        self.heard_at.push(now);
    }

    fn deadline(&self) -> Option<Time> {
        self.next_beat
    }

    fn timeout(&mut self, now: Time) {
        self.next_beat = self.beat.map(|beat| now + beat);
        self.say(vec![b"W".to_vec(), b"4".to_vec()]);
    }

    fn drain(&mut self, _now: Time, effects: &mut Vec<Effect>) {
        effects.append(&mut self.effects);
    }
}

/// A ROUTER socket controlled by the test.
#[derive(Default)]
pub struct RawBroker {
    pub heard: Vec<(Vec<u8>, Frames)>,
    pub heard_at: Vec<Time>,
    effects: Vec<Effect>,
}

impl RawBroker {
    pub fn tell(&mut self, to: &[u8], frames: Frames) {
        self.effects.push(Effect::SendTo(to.to_vec(), frames));
    }
}

impl Hears for RawBroker {
    fn take(&mut self) -> Vec<String> {
        self.heard_at.clear();
        let heard = self.heard.drain(..);
        heard.map(|(_, frames)| render(&frames)).collect()
    }
}

impl Actor for RawBroker {
    fn start(&mut self, _now: Time) {}

    fn crash(&mut self) {}

    fn message(&mut self, now: Time, from: &[u8], frames: Frames) {
        self.heard.push((from.to_vec(), frames));
        self.heard_at.push(now);
    }

    fn deadline(&self) -> Option<Time> {
        None
    }

    fn timeout(&mut self, _now: Time) {}

    fn drain(&mut self, _now: Time, effects: &mut Vec<Effect>) {
        effects.append(&mut self.effects);
    }
}
