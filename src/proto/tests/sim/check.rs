//! Conditions that hold whatever happens.

use super::world::{Ending, Plan, World};
use crate::proto::Terms;
use crate::proto::flow::{OVERHEAD, WINDOW};
use crate::proto::tests::net::*;
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
                assert!(
                    started && plan.end != Ending::Error && *body == seen.body,
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

    fn check_code(&self, world: &World, seen: &Seen, code: &str) {
        let terms = world.terms.get(&seen.body.bytes);
        let expected = match code {
            "C_TIMEOUT" | "W_LOST" | "B_LOST" => true,
            "W_NONE" => terms.is_some_and(|terms| terms.fail_fast),
            "W_REJECTED" => Plan::of(&seen.body).end == Ending::Picky,
            "B_QUEUE_FULL" => world.is_tight,
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

    pub fn nobody_is_there(&self, world: &World) {
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
