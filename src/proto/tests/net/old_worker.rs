//! A worker that behaves as 0.0.92: ids decoded as UTF-8, one request at a time, liveness of three
//! ticks.

use super::actor::{Actor, Effect, Frames, Handler, Serves};
use super::{Job, Jobs, Outcome, Step, old_json};
use crate::proto::Time;
use crate::wire::Body;
use std::rc::Rc;
use std::time::Duration;

const LIVENESS: i32 = 3;
const RECONNECT: Duration = Duration::from_millis(100);

/// The name of a request: client and id.
type Name = (String, String);

pub struct OldWorker {
    service: String,
    heartbeat: Duration,
    tick: Option<Time>,
    liveness: i32,
    reconnect: Option<Time>,
    /// The request to which `reply.active()` refers, and its liveness.
    request: Option<(Name, i32)>,
    /// The latest request on this connection, until it has ended.
    serving: Option<Name>,
    /// How often it was given another request before the end of the first.
    pub overlaps: usize,
    handler: Handler,
    jobs: Jobs<Name>,
    pub started: Vec<Body<Vec<u8>>>,
    /// How often it gave its broker up.
    pub reconnects: u32,
    effects: Vec<Effect>,
}

impl OldWorker {
    pub fn new(service: &str, heartbeat: Duration) -> Self {
        OldWorker {
            service: service.into(),
            heartbeat,
            tick: None,
            liveness: 0,
            reconnect: None,
            request: None,
            serving: None,
            overlaps: 0,
            handler: Rc::new(Job::echo),
            jobs: Jobs::new(),
            started: Vec::new(),
            reconnects: 0,
            effects: Vec::new(),
        }
    }

    /// `reply.active()` of the latest request.
    pub fn active(&self) -> bool {
        matches!(self.request, Some((_, liveness)) if liveness > 0)
    }

    pub fn stop(&mut self) {
        self.send(&[b"W", b"5"]);
        self.effects.push(Effect::Close);
        self.tick = None;
        self.reconnect = None;
    }

    fn connect(&mut self, now: Time) {
        self.request = None;
        self.serving = None;
        self.reconnect = None;
        self.effects.extend([Effect::Close, Effect::Open]);
        let service = self.service.clone();
        self.send(&[b"W", b"1", service.as_bytes()]);
        self.liveness = LIVENESS;
        self.tick = Some(now + self.heartbeat);
    }

    fn send(&mut self, frames: &[&[u8]]) {
        let frames = frames.iter().map(|frame| frame.to_vec()).collect();
        self.effects.push(Effect::Send(frames));
    }

    fn on_tick(&mut self, now: Time) {
        self.tick = Some(now + self.heartbeat);
        self.liveness -= 1;
        if self.liveness <= 0 {
            self.reconnects += 1;
            self.reconnect = Some(now + RECONNECT);
            return;
        }
        self.send(&[b"W", b"4"]);
        if let Some((_, liveness)) = &mut self.request {
            *liveness -= 1;
        }
    }

    fn reply(&mut self, name: &Name, step: Step) {
        if matches!(step, Step::End(_)) && self.serving.as_ref() == Some(name) {
            self.serving = None;
        }
        let (client, rid) = name;
        let (client, rid) = (client.as_bytes(), rid.as_bytes());
        match step {
            Step::Partial(body) => {
                self.send(&[b"W", b"6", client, rid, b"0", &body.into_json()]);
            }
            Step::End(Outcome::Final(body)) => {
                self.send(&[b"W", b"3", client, rid, b"0", &body.into_json()]);
                self.request = None;
            }
            Step::End(Outcome::Error(value) | Outcome::Reject(value)) => {
                self.send(&[b"W", b"3", client, rid, &value.into_json()]);
                self.request = None;
            }
        }
    }
}

impl Actor for OldWorker {
    fn start(&mut self, now: Time) {
        self.connect(now);
    }

    fn crash(&mut self) {
        self.jobs = Jobs::new();
        self.tick = None;
        self.reconnect = None;
    }

    fn message(&mut self, now: Time, _from: &[u8], frames: Frames) {
        let text = |n: usize| String::from_utf8_lossy(&frames[n]).into_owned();
        assert_eq!(frames[0], b"W", "an `error` event of a 0.0.92 worker");
        self.liveness = LIVENESS;
        match &*frames[1] {
            b"2" => {
                let name = (text(2), text(3));
                self.overlaps += usize::from(self.serving.is_some());
                self.serving = Some(name.clone());
                let body = Body::json(old_json(&frames[4]));
                let job = (self.handler)(&body);
                self.request = Some((name.clone(), LIVENESS));
                self.jobs.begin(now, name, job);
                self.started.push(body);
            }
            b"4" if frames.len() == 4 => {
                let rid = text(3);
                if let Some((name, liveness)) = &mut self.request
                    && name.1 == rid
                {
                    *liveness = LIVENESS;
                }
            }
            b"4" => {}
            b"5" => self.connect(now),
            other => panic!("an `error` event of a 0.0.92 worker: {other:?}"),
        }
    }

    fn deadline(&self) -> Option<Time> {
        let times = [self.tick, self.reconnect, self.jobs.deadline()];
        times.into_iter().flatten().min()
    }

    fn timeout(&mut self, now: Time) {
        if self.reconnect.is_some_and(|at| at <= now) {
            self.connect(now);
        } else if self.tick.is_some_and(|at| at <= now) {
            self.on_tick(now);
        }
        while let Some((name, step)) = self.jobs.due(now) {
            self.reply(&name, step);
        }
    }

    fn drain(&mut self, _now: Time, effects: &mut Vec<Effect>) {
        effects.append(&mut self.effects);
    }

    fn serves(&mut self) -> &mut dyn Serves {
        self
    }
}

impl Serves for OldWorker {
    fn set_handler(&mut self, handler: Handler) {
        self.handler = handler;
    }

    fn started(&self) -> &[Body<Vec<u8>>] {
        &self.started
    }
}
