//! Conditions that hold whatever happens.

use super::world::{Ending, Plan, World};
use crate::proto::Terms;
use crate::proto::flow::{OVERHEAD, WINDOW};
use crate::proto::machine::Machine;
use crate::proto::tests::net::*;
use crate::wire::Body;
use std::collections::{HashMap, HashSet};

/// Started requests, on any worker. Clients check that each request ends at most once and that nothing follows its
/// end. The network checks that replies reach the right client, that no table holds ended requests, and that each
/// timer has an owner and fires once.
#[derive(Default)]
pub struct Ledger {
    /// Number of starts by body.
    started: HashMap<Vec<u8>, usize>,
    /// Those that a worker of 0.0.92 started.
    by_old: HashSet<Vec<u8>>,
    /// Those that all workers got, with the workers that have started them.
    by_all: HashSet<(usize, Vec<u8>)>,
    /// Number of starts of each worker that are counted.
    counted: Vec<usize>,
}

impl Ledger {
    /// No request is started again unless its client permits it, and no more often; every broker counts separately.
    pub fn check_starts(
        &mut self,
        net: &mut Net,
        terms: &HashMap<Vec<u8>, Terms>,
        brokers: &[Id<BrokerActor>],
        workers: &[Id<WorkerActor>],
        old_workers: &[Id<OldWorker>],
    ) {
        let lives: u32 = brokers.iter().map(|&id| net[id].life).sum();
        self.counted.resize(workers.len() + old_workers.len(), 0);
        let ours = workers.iter().map(|&id| &net[id].started);
        let all = ours.chain(old_workers.iter().map(|&id| &net[id].started));
        for (n, (started, counted)) in all.zip(&mut self.counted).enumerate() {
            for body in &started[*counted..] {
                if n >= workers.len() {
                    self.by_old.insert(body.bytes.clone());
                }
                if Plan::of(body).to_all {
                    self.started.entry(body.bytes.clone()).or_default();
                    let is_first = self.by_all.insert((n, body.bytes.clone()));
                    assert!(
                        is_first,
                        "{} started twice",
                        String::from_utf8_lossy(&body.bytes)
                    );
                    continue;
                }
                let starts = self.started.entry(body.bytes.clone()).or_default();
                *starts += 1;
                let retry = terms.get(&body.bytes).map_or(0, |terms| terms.retry);
                let lives = lives.max(1) as usize;
                // Each worker may reject it once per life of a broker, and again after a reconnect.
                let rejections = match Plan::of(body).end {
                    Ending::Picky => usize::MAX / 2,
                    _ => 0,
                };
                assert!(
                    *starts <= usize::from(retry) * lives + 1 + rejections,
                    "{} started {starts} times",
                    String::from_utf8_lossy(&body.bytes)
                );
            }
            *counted = started.len();
        }
    }

    /// The bytes of a stream under way, from a 1.x worker to the application of a 1.x client, are within the window
    /// plus one part.
    pub fn check_windows(
        &self,
        net: &mut Net,
        workers: &[Id<WorkerActor>],
        clients: &[Id<ClientActor>],
    ) {
        for &w in workers {
            for stream in net[w].streams.values().filter(|stream| stream.sent > 0) {
                if Plan::of(&json_of(&stream.request)).to_all {
                    continue;
                }
                let reader = clients.iter().find_map(|&c| {
                    let mut streams = net[c].streams.values();
                    streams.find(|reader| reader.request == stream.request)
                });
                if let Some(reader) = reader {
                    let most = i64::from(WINDOW + OVERHEAD) + 8;
                    assert!(stream.sent - reader.read <= most, "beyond the window");
                    assert!(i64::from(reader.unread) <= most);
                }
            }
        }
    }

    /// What a worker has of a request's stream begins with its first chunk and has no gap, and is all of it behind its
    /// end.
    pub fn check_streams(&self, world: &World) {
        for &w in &world.workers {
            let worker = &world.net[w];
            for (delivery, inflow) in &worker.inflows {
                let request = worker.streams.get(delivery);
                // Without a stream it is a request of a later life with the same number.
                let body = request.map(|stream| json_of(&stream.request));
                let body = body.filter(|body| Plan::of(body).upload > 0);
                let number = match inflow.parts.first() {
                    Some(part) => part.bytes[..8].try_into().map(u64::from_be_bytes),
                    None => continue,
                };
                let number = number.expect("eight bytes");
                for (at, part) in inflow.parts.iter().enumerate() {
                    assert!(*part == Plan::chunk(number, at), "{number}: a gap at {at}");
                }
                let Some(body) = body else {
                    continue;
                };
                assert_eq!(number, Plan::numbers(&body)[0]);
                let all = Plan::of(&body).upload;
                assert!(inflow.parts.len() <= all);
                assert!(!inflow.ended || inflow.parts.len() == all);
            }
        }
    }

    /// Every request has ended as its worker ended it, or with a code.
    pub fn all_ended(&self, world: &mut World) {
        for &c in &world.clients {
            for seen in &world.net[c].seen {
                let forever = Plan::of(&seen.body).end == Ending::Never;
                assert!(
                    !seen.is_open() || forever || seen.timeout.is_none(),
                    "{seen:?}"
                );
                self.check_end(world, seen, !self.by_old.contains(&seen.body.bytes));
            }
        }
        for &c in &world.old_clients {
            for seen in &world.net[c].seen {
                assert!(!seen.is_open(), "{seen:?}");
                self.check_end(world, seen, false);
            }
        }
    }

    /// A worker of 0.0.92 never gets a second request before it has ended the first.
    pub fn no_overlaps(&self, world: &World) {
        if world.old_brokers.is_empty() {
            for &w in &world.old_workers {
                assert_eq!(world.net[w].overlaps, 0);
            }
        }
    }

    /// `ours`: both its client and its worker are of 1.x. Connections of 0.0.92 peers are replaced silently, and
    /// messages under way are lost. Parts of two attempts may be out of order or repeated.
    fn check_end(&self, world: &World, seen: &Seen, ours: bool) {
        let plan = Plan::of(&seen.body);
        if plan.to_all {
            return self.check_answers(world, seen);
        }
        let parts: Vec<usize> = seen
            .partials
            .iter()
            .map(|part| serde_json::from_slice(&part.bytes).expect("a number"))
            .collect();
        assert!(
            parts.is_sorted_by(|a, b| a < b),
            "parts out of order: {seen:?}"
        );
        assert!(
            !ours || parts.iter().copied().eq(0..parts.len()),
            "parts lost: {seen:?}"
        );
        let started = self.started.contains_key(&seen.body.bytes);
        assert!(started || parts.is_empty());
        match &seen.end {
            Some(End::Final(body)) => {
                let expected = match plan.upload {
                    0 => seen.body.clone(),
                    all => json(&all.to_string()),
                };
                assert!(
                    started && plan.end != Ending::Error && *body == expected,
                    "{seen:?}"
                );
                assert!(!ours || plan.end == Ending::Never || parts.len() == plan.parts);
            }
            Some(End::Error(value)) if *value == json("\"bad\"") => {
                assert!(started && plan.end == Ending::Error, "{seen:?}");
                assert!(!ours || parts.len() == plan.parts);
            }
            Some(End::Failed(code)) => self.check_code(world, seen, code),
            Some(End::Error(value)) => {
                let code: String = serde_json::from_slice(&value.bytes).expect("a code");
                self.check_code(world, seen, &code);
            }
            None => {}
        }
    }

    /// A request to all workers has at most one answer of each, and ends with their number or with a code.
    fn check_answers(&self, world: &World, seen: &Seen) {
        let plan = Plan::of(&seen.body);
        let mut names = HashSet::new();
        for part in &seen.partials {
            let (flags, end) = (part.bytes[0], 2 + usize::from(part.bytes[1]));
            let (name, value) = (&part.bytes[2..end], &part.bytes[end..]);
            assert!(names.insert(name), "two answers of one worker: {seen:?}");
            let started = self.started.contains_key(&seen.body.bytes);
            let expected = match flags {
                0 => started && plan.end != Ending::Error && *value == *seen.body.bytes,
                4 => started && plan.end == Ending::Error && *value == *b"\"bad\"",
                // B_LOST: the worker was away for so long that it dropped its answer.
                12 => ["W_LOST", "W_REJECTED", "B_LOST"]
                    .map(|code| format!("\"{code}\"").into_bytes())
                    .contains(&value.to_vec()),
                _ => false,
            };
            assert!(expected, "{flags}: {seen:?}");
        }
        match &seen.end {
            Some(End::Final(body)) => assert_eq!(*body, json("null")),
            Some(End::Failed(code)) => {
                let expected = match &**code {
                    "C_TIMEOUT" | "B_LOST" => true,
                    "B_QUEUE_FULL" => world.is_tight,
                    _ => false,
                };
                assert!(expected, "{code}: {seen:?}");
            }
            other => assert!(other.is_none(), "{seen:?}"),
        }
    }

    fn check_code(&self, world: &World, seen: &Seen, code: &str) {
        let terms = world.terms.get(&seen.body.bytes);
        let expected = match code {
            "C_TIMEOUT" | "W_LOST" | "B_LOST" => true,
            "W_NONE" => terms.is_some_and(|terms| terms.fail_fast),
            "W_REJECTED" => Plan::of(&seen.body).end == Ending::Picky,
            "B_QUEUE_FULL" => world.is_tight,
            "W_NO_STREAMS" => Plan::of(&seen.body).upload > 0,
            _ => false,
        };
        assert!(expected, "{code}: {seen:?}");
        let never_ran =
            ["W_NONE", "B_QUEUE_FULL"].contains(&code) && Plan::of(&seen.body).end != Ending::Picky;
        assert!(
            !never_ran || !self.started.contains_key(&seen.body.bytes),
            "it ran: {seen:?}, {terms:?}"
        );
    }

    /// All services with a worker answer every client.
    pub fn service_goes_on(&self, world: &mut World) {
        let all: Vec<Id<()>> = world.clients.iter().map(|id| id.any()).collect();
        let old = world.old_clients.iter().map(|id| id.any());
        for client in all.into_iter().chain(old) {
            let body = format!("[{},0,0,0]", 1_000_000 + world.net.serial());
            let r = world
                .net
                .request_with(client, "echo", json(&body), Some(15_000));
            world.net.run(secs(20));
            let end = world.net.end(client, r);
            let blocked = ["C_TIMEOUT", "B_QUEUE_FULL"]
                .into_iter()
                .any(|code| end == failed(code) || end == error(&format!("\"{code}\"")));
            assert!(
                end == done(&body) || (blocked && world.may_be_blocked(client)),
                "{end:?}"
            );
        }
    }

    pub fn nothing_is_asked(&self, world: &mut World) {
        for &b in &world.brokers {
            let [requests, _, clients, _] = world.net[b].machine.load();
            assert_eq!([requests, clients], [0, 0]);
        }
        for &w in &world.workers {
            assert_eq!(world.net[w].machine.outstanding(), 0);
            assert_eq!(world.net[w].machine.kept(), 0);
        }
        for &c in &world.clients {
            assert_eq!(world.net[c].machine.outstanding(), 0);
            assert_eq!(world.net[c].machine.next_deadline(), None);
        }
    }

    pub fn no_peer_is_left(&self, world: &World) {
        for &b in &world.brokers {
            assert_eq!(world.net[b].machine.load(), [0; 4]);
            assert_eq!(world.net[b].machine.next_deadline(), None);
        }
        for &w in &world.workers {
            assert!(world.net[w].drained.is_some());
            assert_eq!(world.net[w].machine.next_deadline(), None);
        }
    }
}

fn json_of(bytes: &[u8]) -> Body<Vec<u8>> {
    Body::json(bytes.to_vec())
}
