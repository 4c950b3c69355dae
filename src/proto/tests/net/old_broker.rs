//! A broker that behaves as 0.0.92: ids are text, and answered requests are never forgotten.

use super::actor::{Actor, Effect, Frames};
use crate::proto::Time;
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::time::Duration;

const LIVENESS: i32 = 3;

pub struct OldBroker {
    heartbeat: Duration,
    tick: Option<Time>,
    services: BTreeMap<String, Service>,
    workers: BTreeMap<String, Worker>,
    requests: HashMap<String, Request>,
    effects: Vec<Effect>,
}

#[derive(Default)]
struct Service {
    requests: VecDeque<String>,
    waiting: VecDeque<String>,
}

struct Worker {
    liveness: i32,
    service: String,
}

struct Request {
    client: String,
    worker: Option<String>,
    rid: Vec<u8>,
    data: Vec<u8>,
    expires: Option<Time>,
}

impl OldBroker {
    pub fn new(heartbeat: Duration) -> Self {
        OldBroker {
            heartbeat,
            tick: None,
            services: BTreeMap::new(),
            workers: BTreeMap::new(),
            requests: HashMap::new(),
            effects: Vec::new(),
        }
    }

    pub fn workers(&self) -> usize {
        self.workers.len()
    }

    fn send(&mut self, to: &str, frames: &[&[u8]]) {
        let frames = frames.iter().map(|frame| frame.to_vec()).collect();
        self.effects
            .push(Effect::SendTo(to.as_bytes().to_vec(), frames));
    }

    fn on_client(&mut self, now: Time, client: String, frames: &Frames) {
        match &*frames[1] {
            b"2" => {
                let service = text(&frames[2]);
                let rid = text(&frames[3]);
                let opts = frames
                    .get(5)
                    .and_then(|opts| serde_json::from_slice(opts).ok());
                let opts: serde_json::Value = opts.unwrap_or_default();
                let timeout = opts.get("timeout").and_then(|ms| ms.as_i64());
                let timeout = timeout.filter(|ms| *ms != 0).unwrap_or(60_000);
                let request = Request {
                    client,
                    worker: None,
                    rid: frames[3].clone(),
                    data: frames[4].clone(),
                    expires: u64::try_from(timeout)
                        .ok()
                        .map(|ms| now + Duration::from_millis(ms)),
                };
                self.requests.insert(rid.clone(), request);
                let entry = self.services.entry(service.clone()).or_default();
                entry.requests.push_back(rid);
                self.dispatch(now, &service);
            }
            b"4" if frames.len() == 3 => {
                let rid = text(&frames[2]);
                let holder = self.requests.get(&rid).and_then(|r| r.worker.clone());
                if let Some(worker) = holder {
                    let (client, rid) = (client.as_bytes(), rid.as_bytes());
                    self.send(&worker, &[b"W", b"4", client, rid]);
                }
            }
            _ => {}
        }
    }

    fn on_worker(&mut self, now: Time, id: String, frames: &Frames) {
        let held = self.workers.contains_key(&id);
        if let Some(worker) = self.workers.get_mut(&id) {
            worker.liveness = LIVENESS;
        }
        match (&*frames[1], held) {
            (b"1", false) => {
                let service = text(&frames[2]);
                let worker = Worker {
                    liveness: LIVENESS,
                    service,
                };
                self.workers.insert(id.clone(), worker);
                self.waiting(now, &id);
            }
            (b"1", true) | (_, false) => self.delete(&id, true),
            (b"3" | b"6", true) => {
                let mut out: Vec<&[u8]> = vec![b"C", &frames[1]];
                out.extend(frames[3..].iter().map(|frame| &**frame));
                let client = text(&frames[2]);
                self.send(&client, &out);
                if frames[1] == b"3" {
                    self.waiting(now, &id);
                }
            }
            (b"5", true) => self.delete(&id, false),
            _ => {}
        }
    }

    fn waiting(&mut self, now: Time, id: &str) {
        let Some(worker) = self.workers.get(id) else {
            return;
        };
        let service = worker.service.clone();
        let entry = self.services.entry(service.clone()).or_default();
        if entry.waiting.iter().any(|waiting| waiting == id) {
            return self.delete(id, true);
        }
        entry.waiting.push_back(id.into());
        self.dispatch(now, &service);
    }

    fn delete(&mut self, id: &str, tell: bool) {
        if tell {
            self.send(id, &[b"W", b"5"]);
        }
        if let Some(worker) = self.workers.remove(id) {
            let entry = self.services.entry(worker.service).or_default();
            entry.waiting.retain(|waiting| waiting != id);
        }
    }

    fn dispatch(&mut self, now: Time, service: &str) {
        loop {
            let Some(entry) = self.services.get_mut(service) else {
                return;
            };
            if entry.waiting.is_empty() || entry.requests.is_empty() {
                return;
            }
            let Some(rid) = entry.requests.pop_front() else {
                return;
            };
            let Some(request) = self.requests.get_mut(&rid) else {
                continue;
            };
            if request.expires.is_some_and(|at| at < now) {
                self.requests.remove(&rid);
                continue;
            }
            let Some(worker) = entry.waiting.pop_front() else {
                return;
            };
            request.worker = Some(worker.clone());
            let (client, rid) = (request.client.clone(), request.rid.clone());
            let data = request.data.clone();
            self.send(&worker, &[b"W", b"2", client.as_bytes(), &rid, &data]);
        }
    }
}

impl Actor for OldBroker {
    fn start(&mut self, now: Time) {
        *self = OldBroker::new(self.heartbeat);
        self.tick = Some(now + self.heartbeat);
    }

    fn crash(&mut self) {
        *self = OldBroker::new(self.heartbeat);
    }

    fn message(&mut self, now: Time, from: &[u8], frames: Frames) {
        match &*frames[0] {
            b"C" => self.on_client(now, text(from), &frames),
            b"W" => self.on_worker(now, text(from), &frames),
            _ => {}
        }
    }

    fn deadline(&self) -> Option<Time> {
        self.tick
    }

    fn timeout(&mut self, now: Time) {
        self.tick = Some(now + self.heartbeat);
        let ids: Vec<String> = self.workers.keys().cloned().collect();
        for id in ids {
            let Some(worker) = self.workers.get_mut(&id) else {
                continue;
            };
            worker.liveness -= 1;
            if worker.liveness < 0 {
                self.delete(&id, true);
            } else {
                self.send(&id, &[b"W", b"4"]);
            }
        }
    }

    fn drain(&mut self, _now: Time, effects: &mut Vec<Effect>) {
        effects.append(&mut self.effects);
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
