//! A client that behaves as 0.0.92, including its crashes.

use super::actor::{Actor, Asks, Effect, Frames};
use super::{End, Seen, old_json};
use crate::proto::Time;
use crate::wire::Body;
use std::collections::BTreeMap;
use std::time::Duration;

pub struct OldClient {
    /// Prefix of its request ids, which are random in 0.0.92.
    tag: String,
    heartbeat: Duration,
    tick: Option<Time>,
    requests: BTreeMap<String, Waiting>,
    pub seen: Vec<Seen>,
    effects: Vec<Effect>,
}

struct Waiting {
    id: usize,
    timeout: Option<Duration>,
    last_heard: Time,
}

impl OldClient {
    pub fn new(tag: &str, heartbeat: Duration) -> Self {
        OldClient {
            tag: tag.into(),
            heartbeat,
            tick: None,
            requests: BTreeMap::new(),
            seen: Vec::new(),
            effects: Vec::new(),
        }
    }

    /// Closes its socket; it cannot say goodbye.
    pub fn stop(&mut self) {
        self.crash();
        self.effects.push(Effect::Close);
    }

    /// Sends the message of `stream.heartbeat()`.
    pub fn heartbeat(&mut self, id: u64) {
        let rid = self.rid(id as usize);
        self.send(&[b"C", b"4", rid.as_bytes()]);
    }

    fn rid(&self, id: usize) -> String {
        format!("{}-{id}", self.tag)
    }

    fn send(&mut self, frames: &[&[u8]]) {
        let frames = frames.iter().map(|frame| frame.to_vec()).collect();
        self.effects.push(Effect::Send(frames));
    }
}

impl Actor for OldClient {
    fn start(&mut self, now: Time) {
        self.effects.push(Effect::Open);
        self.tick = Some(now + self.heartbeat);
    }

    fn crash(&mut self) {
        for waiting in std::mem::take(&mut self.requests).into_values() {
            self.seen[waiting.id].dropped = true;
        }
        self.tick = None;
    }

    fn message(&mut self, now: Time, _from: &[u8], frames: Frames) {
        assert_eq!(frames[0], b"C", "an `error` event of a 0.0.92 client");
        if frames.len() < 3 {
            return;
        }
        let rid = String::from_utf8_lossy(&frames[2]).into_owned();
        let Some(waiting) = self.requests.get_mut(&rid) else {
            return;
        };
        waiting.last_heard = now;
        let id = waiting.id;
        let code = &frames[3];
        // Its comparison `err == 0` coerces, and other values must be JSON.
        let text = String::from_utf8_lossy(code);
        let success = text.trim().is_empty() || text.trim().parse::<f64>() == Ok(0.0);
        let error = (!success).then(|| Body::json(old_json(code)));
        let data = frames.get(4).map(|data| Body::json(old_json(data)));
        match (&*frames[1], error) {
            (b"6", None) => {
                let body = data.unwrap_or_else(Body::null);
                assert!(!body.is_null(), "a null partial kills a 0.0.92 client");
                self.seen[id].partial(body);
            }
            (b"3", error) => {
                self.requests.remove(&rid);
                let end = match error {
                    Some(value) => End::Error(value),
                    None => End::Final(data.unwrap_or_else(Body::null)),
                };
                self.seen[id].end(now, end);
            }
            (other, _) => panic!("an `error` event of a 0.0.92 client: {other:?}"),
        }
    }

    fn deadline(&self) -> Option<Time> {
        self.tick
    }

    /// Timeouts are checked on the tick. The real client crashes on them; here this is fixed.
    fn timeout(&mut self, now: Time) {
        self.tick = Some(now + self.heartbeat);
        self.send(&[b"C", b"4"]);
        let overdue: Vec<String> = self
            .requests
            .iter()
            .filter(|(_, w)| w.timeout.is_some_and(|t| now.since(w.last_heard) > t))
            .map(|(rid, _)| rid.clone())
            .collect();
        for rid in overdue {
            if let Some(waiting) = self.requests.remove(&rid) {
                self.seen[waiting.id].end(now, End::Failed("C_TIMEOUT".into()));
            }
        }
    }

    fn drain(&mut self, _now: Time, effects: &mut Vec<Effect>) {
        effects.append(&mut self.effects);
    }

    fn asks(&mut self) -> &mut dyn Asks {
        self
    }
}

impl Asks for OldClient {
    fn request(
        &mut self,
        now: Time,
        service: &str,
        body: Body<Vec<u8>>,
        timeout_ms: Option<u64>,
    ) -> u64 {
        let id = self.seen.len();
        let rid = self.rid(id);
        let opts = match timeout_ms {
            Some(ms) => format!(r#"{{"timeout":{ms}}}"#),
            None => r#"{"timeout":-1}"#.into(),
        };
        self.seen.push(Seen::new(
            body.clone(),
            timeout_ms.map(Duration::from_millis),
        ));
        let data = body.into_json();
        let service = service.as_bytes();
        self.send(&[b"C", b"2", service, rid.as_bytes(), &data, opts.as_bytes()]);
        let waiting = Waiting {
            id,
            timeout: timeout_ms.map(Duration::from_millis),
            last_heard: now,
        };
        self.requests.insert(rid, waiting);
        id as u64
    }

    fn seen(&self) -> &[Seen] {
        &self.seen
    }
}
