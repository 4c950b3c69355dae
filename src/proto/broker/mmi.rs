//! MMI, <https://rfc.zeromq.org/spec/8/>: services that the broker itself answers, for clients of
//! every dialect. `mmi.service` is the standard's; `mmi.services`, `mmi.workers` and `mmi.stats` are
//! ours, and answer with JSON.

use super::Broker;
use crate::wire::{Body, Dialect, Encoding, Frame};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Whether a service is one that the broker keeps to itself.
pub(super) fn is_reserved(service: &[u8]) -> bool {
    service.starts_with(b"mmi.")
}

impl<F: Frame> Broker<F> {
    pub(super) fn answer_mmi(&self, service: &[u8], body: Body<F>) -> Body<F> {
        let answer = match service {
            b"mmi.service" => match self.is_served(&name_of(body)) {
                true => json!(200),
                false => json!(404),
            },
            b"mmi.services" => self.list_services(),
            b"mmi.workers" => self.list_workers(),
            b"mmi.stats" => self.list_stats(),
            _ => json!(501),
        };
        Body::json(F::from(answer.to_string().into_bytes()))
    }

    fn is_served(&self, service: &[u8]) -> bool {
        let workers = self.workers.keys();
        workers.iter().any(|&key| {
            let worker = self.workers.get(key);
            worker.is_some_and(|worker| *self.services.name(worker.service) == *service)
        })
    }

    fn list_services(&self) -> Value {
        // Workers, queued and running requests of each.
        let mut services: BTreeMap<String, [usize; 3]> = BTreeMap::new();
        for key in self.workers.keys() {
            if let Some(worker) = self.workers.get(key) {
                let name = text(&self.services.name(worker.service));
                services.entry(name).or_default()[0] += 1;
            }
        }
        for key in self.requests.keys() {
            if let Some(request) = self.requests.get(key) {
                let name = text(&self.services.name(request.service));
                let column = if request.place.is_waiting() { 1 } else { 2 };
                services.entry(name).or_default()[column] += 1;
            }
        }
        let entry = |(name, [workers, queued, running]): (String, [usize; 3])| json!({ "name": name, "workers": workers, "queued": queued, "running": running });
        services.into_iter().map(entry).collect()
    }

    fn list_workers(&self) -> Value {
        let keys = self.workers.keys();
        let workers = keys.iter().filter_map(|&key| self.workers.get(key));
        let entry = |worker: &super::workers::Worker| {
            json!({
                "id": text(&worker.id),
                "service": text(&self.services.name(worker.service)),
                "dialect": worker.dialect.as_str(),
                "running": worker.running.len(),
            })
        };
        workers.map(entry).collect()
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
            "dialects": self.list_dialects(),
        })
    }

    /// Messages so far, and the peers that are held now. Peers are counted here and not as they come
    /// and go: somebody asks far less often.
    fn list_dialects(&self) -> Value {
        let mut workers = [0_usize; Dialect::ALL.len()];
        for key in self.workers.keys() {
            if let Some(worker) = self.workers.get(key) {
                workers[worker.dialect.index()] += 1;
            }
        }
        let mut clients = [0_usize; Dialect::ALL.len()];
        for key in self.clients.keys() {
            if let Some(client) = self.clients.get(key) {
                clients[client.dialect.index()] += 1;
            }
        }
        let entry = |dialect: Dialect| {
            let counts = json!({
                "messagesTotal": self.counters.dialects.of(dialect),
                "workers": workers[dialect.index()],
                "clients": clients[dialect.index()],
            });
            (dialect.as_str().to_string(), counts)
        };
        Dialect::ALL.into_iter().map(entry).collect()
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

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
