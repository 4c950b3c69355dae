//! MMI, <https://rfc.zeromq.org/spec/8/>: services that the broker itself answers, for clients of
//! every dialect. `mmi.service` is the standard's; the others are ours, and answer with JSON.

use super::Broker;
use super::stats::text;
use crate::proto::Time;
use crate::wire::{Body, Encoding, Frame};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Whether a service is one that the broker keeps to itself.
pub(super) fn is_reserved(service: &[u8]) -> bool {
    service.starts_with(b"mmi.")
}

impl<F: Frame> Broker<F> {
    pub(super) fn answer_mmi(&self, now: Time, service: &[u8], body: Body<F>) -> Body<F> {
        let answer = match service {
            b"mmi.service" => match self.is_served(&name_of(body)) {
                true => json!(200),
                false => json!(404),
            },
            b"mmi.services" => self.list_services(),
            b"mmi.workers" => self.worker_stats(now, "id"),
            b"mmi.clients" => self.client_stats(now),
            b"mmi.metrics" => self.stats(now),
            b"mmi.events" => self.journal.since(serde_json::from_slice(&body.bytes).ok()),
            b"mmi.stats" => self.list_stats(),
            _ => json!(501),
        };
        Body::json(F::from(answer.to_string().into_bytes()))
    }

    fn is_served(&self, service: &[u8]) -> bool {
        self.workers
            .iter()
            .any(|worker| *self.services.name(worker.service) == *service)
    }

    fn list_services(&self) -> Value {
        // Workers, queued and running requests of each.
        let mut services: BTreeMap<String, [usize; 3]> = BTreeMap::new();
        for (_, service) in self.services.iter() {
            let entry = services.entry(text(&service.name)).or_default();
            entry[0] += service.workers;
            entry[1] += service.queue.waiting().requests;
        }
        for worker in self.workers.iter() {
            let name = text(&self.services.name(worker.service));
            services.entry(name).or_default()[2] += worker.running.len();
        }
        let entry = |(name, [workers, queued, running]): (String, [usize; 3])| json!({ "name": name, "workers": workers, "queued": queued, "running": running });
        services.into_iter().map(entry).collect()
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
