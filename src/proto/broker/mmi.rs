//! MMI, <https://rfc.zeromq.org/spec/8/>: services that the broker itself answers, for clients of
//! every dialect. `mmi.service` is the standard's; the others are extensions, and answer with JSON.
//!
//! No answer takes long, and none is made for each who asks: lists come in pages, a page is made a
//! few times in [`FRESH`] at most, and the bytes of an answer are shared by all who get it.

use super::Broker;
use super::stats::text;
use crate::proto::Time;
use crate::proto::code::Code;
use crate::wire::{Body, Encoding, Frame};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::Duration;

/// How many entries a page has.
const PAGE: usize = 512;

/// How long an answer is as good as new.
const FRESH: Duration = Duration::from_millis(20);

/// The same of metrics, which are of everything.
const METRICS_FRESH: Duration = Duration::from_millis(250);

/// How many answers are made in [`FRESH`], and kept.
const MOST: usize = 6;

/// Whether a service is one that the broker keeps to itself.
pub(super) fn is_reserved(service: &[u8]) -> bool {
    service.starts_with(b"mmi.")
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum List {
    Services,
    Workers,
    Clients,
    Metrics,
    Events,
    Stats,
}

/// What was answered lately: which list, which page of it, the answer, and when it was made.
#[derive(Debug)]
pub(super) struct Answers<F>(Vec<(List, usize, F, Time)>);

impl<F> Default for Answers<F> {
    fn default() -> Self {
        Answers(Vec::new())
    }
}

impl<F> Answers<F> {
    fn forget_old(&mut self, now: Time) {
        self.0.retain(|(list, _, _, made)| {
            let fresh = match list {
                List::Metrics => METRICS_FRESH,
                _ => FRESH,
            };
            now.since(*made) < fresh
        });
    }
}

impl<F: Frame> Broker<F> {
    pub(super) fn answer_mmi(
        &mut self,
        now: Time,
        service: &[u8],
        body: Body<F>,
    ) -> Result<Body<F>, Code> {
        let list = match service {
            b"mmi.services" => List::Services,
            b"mmi.workers" => List::Workers,
            b"mmi.clients" => List::Clients,
            b"mmi.metrics" => List::Metrics,
            b"mmi.events" => List::Events,
            b"mmi.stats" => List::Stats,
            b"mmi.service" => {
                let code: &[u8] = match self.services.is_served(&name_of(body)) {
                    true => b"200",
                    false => b"404",
                };
                return Ok(Body::json(F::from(code)));
            }
            _ => return Ok(Body::json(F::from(&b"501"[..]))),
        };
        let page = match list {
            List::Services | List::Workers => number_in(&body).unwrap_or(0),
            // The number of the last event that is known.
            List::Events => number_in(&body).unwrap_or(usize::MAX),
            List::Clients | List::Metrics | List::Stats => 0,
        };
        self.answer_list(now, list, page).map(Body::json)
    }

    fn answer_list(&mut self, now: Time, list: List, page: usize) -> Result<F, Code> {
        self.answers.forget_old(now);
        let mut made = self.answers.0.iter();
        if let Some(made) = made.find(|made| (made.0, made.1) == (list, page)) {
            return Ok(made.2.clone());
        }
        if self.answers.0.len() >= MOST {
            return Err(Code::QueueFull);
        }
        let answer = match list {
            List::Services => self.list_services(page),
            List::Workers => self.list_workers(now, page),
            List::Clients => self.client_stats(now),
            List::Metrics => self.stats(now),
            List::Events => {
                let known = (page < usize::MAX).then_some(page as u64);
                self.journal.since(known)
            }
            List::Stats => self.list_stats(),
        };
        let answer = F::from(answer.to_string().into_bytes());
        self.answers.0.push((list, page, answer.clone(), now));
        Ok(answer)
    }

    fn list_services(&self, page: usize) -> Value {
        // Workers, queued and running requests of each.
        let mut services: BTreeMap<String, [usize; 3]> = BTreeMap::new();
        let mut names: Vec<Option<String>> = Vec::new();
        for (at, service) in self
            .services
            .iter()
            .skip(page.saturating_mul(PAGE))
            .take(PAGE)
        {
            let name = text(&service.name);
            let entry = services.entry(name.clone()).or_default();
            entry[0] += service.workers;
            entry[1] += service.queue.waiting().requests;
            names.resize(at, None);
            names.push(Some(name));
        }
        for worker in self.workers.iter() {
            let name = names.get(worker.service.index()).and_then(Option::as_ref);
            if let Some(entry) = name.and_then(|name| services.get_mut(name)) {
                entry[2] += worker.running.len();
            }
        }
        let entry = |(name, [workers, queued, running]): (String, [usize; 3])| json!({ "name": name, "workers": workers, "queued": queued, "running": running });
        services.into_iter().map(entry).collect()
    }

    /// Without security workers have numbers here: by the identity of a worker a stranger could take
    /// its place.
    fn list_workers(&self, now: Time, page: usize) -> Value {
        let workers = self.workers.iter().skip(page.saturating_mul(PAGE));
        let entry = |worker: &super::workers::Worker| {
            let mut entry = self.worker_entry(now, worker);
            entry["id"] = match self.authorizer.is_on() {
                true => text(&worker.id).into(),
                false => worker.number.into(),
            };
            entry
        };
        workers.take(PAGE).map(entry).collect()
    }

    fn list_stats(&self) -> Value {
        let [requests, workers, clients, services] = self.load();
        json!({
            "services": services,
            "workers": workers,
            "clients": clients,
            "requests": requests,
            "requestsTotal": self.counters.requests,
            "expiredTotal": self.counters.expired,
            "badMessagesTotal": self.counters.bad_messages,
            "slowPeersTotal": self.counters.slow_peers,
            "dialects": self.dialect_stats("messagesTotal"),
        })
    }
}

/// The service that is asked about: a string, or the first frame.
fn name_of<F: Frame>(body: Body<F>) -> Vec<u8> {
    if body.encoding == Encoding::Json
        && let Ok(name) = serde_json::from_slice::<String>(&body.bytes)
    {
        return name.into_bytes();
    }
    let first = body.into_frames().into_iter().next();
    first.map(|frame| frame.to_vec()).unwrap_or_default()
}

/// The number that the question brings.
fn number_in<F: Frame>(body: &Body<F>) -> Option<usize> {
    std::str::from_utf8(&body.bytes).ok()?.parse().ok()
}
