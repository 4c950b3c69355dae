//! What must hold between the tables whenever nothing is under way; tests ask after every step.

use super::Broker;
use super::clients::ClientKey;
use super::parking::Gate;
use super::requests::{Place, RequestKey};
use super::services::{Line, ServiceKey};
use super::workers::WorkerKey;
use crate::proto::deadlines::TimerKey;
use crate::wire::Frame;

impl<F: Frame> Broker<F> {
    pub(crate) fn audit(&self) {
        let requests = self.requests.keys();
        let workers = self.workers.keys();
        let clients = self.clients.keys();
        let owned = requests
            .iter()
            .map(|&key| self.audit_request(key))
            .chain(workers.iter().map(|&key| self.audit_worker(key)))
            .chain(clients.iter().map(|&key| self.audit_client(key)))
            .flatten();
        let timers: Vec<TimerKey> = owned
            .chain(self.guard.timers())
            .chain(self.parking.timer())
            .chain(self.claims.timers())
            .collect();
        assert_eq!(
            self.deadlines.len(),
            timers.len(),
            "every timer has an owner"
        );
        assert!(
            timers.iter().all(|timer| self.deadlines.contains(*timer)),
            "nobody waits for a timer that is gone"
        );
        let queued: usize = self
            .services
            .keys()
            .map(|key| self.audit_service(key))
            .sum();
        let aside = self.services.keys().map(|key| self.services.get(key).aside);
        let aside: usize = aside.sum();
        let running = |&key| {
            self.workers
                .get(key)
                .map_or(0, |worker| worker.running.len())
        };
        let running: usize = workers.iter().map(running).sum();
        assert_eq!(
            queued + aside + running,
            requests.len(),
            "a request is in one place"
        );
        let known = |&key| {
            self.clients
                .get(key)
                .map_or(0, |client| client.requests.len())
        };
        let known: usize = clients.iter().map(known).sum();
        assert_eq!(known, requests.len(), "a request has one client");
        let claims = |&key| self.workers.get(key).map_or(0, |worker| worker.claims);
        let claims: usize = workers.iter().map(claims).sum();
        assert_eq!(self.claims.len(), claims, "a claim has one worker");
    }

    fn audit_request(&self, key: RequestKey) -> Option<TimerKey> {
        let request = self.requests.get(key).expect("a key of the table");
        assert_eq!(request.timer.is_some(), request.timeout.is_some());
        let client = self
            .clients
            .get(request.client)
            .expect("its client is there");
        assert!(client.requests.iter().any(|&known| known == key));
        assert_eq!(
            request.place == Place::Sought,
            self.claims.is_sought(key),
            "what is looked for is given up in the end"
        );
        assert!(request.place == Place::Queue || !request.cleared);
        assert!(request.place != Place::Aside || request.gate == Gate::Asked);
        if let Place::Worker(worker) = request.place {
            assert_eq!(request.gate, Gate::Open, "nobody has what is parked");
            let worker = self.workers.get(worker).expect("its worker is there");
            assert!(worker.running.contains(&key));
            assert_eq!(worker.service, request.service);
        }
        request.timer
    }

    fn audit_worker(&self, key: WorkerKey) -> Option<TimerKey> {
        let worker = self.workers.get(key).expect("a key of the table");
        assert_eq!(self.workers.find(&worker.id), Some(key));
        assert!(worker.timer.is_some(), "its silence will be noticed");
        assert_eq!(
            worker.turn.map(|turn| turn.line),
            worker.line(),
            "in the right line"
        );
        assert_eq!(worker.claimed_running, self.claims.running_of(key));
        for &request in &worker.running {
            let place = self.requests.get(request).map(|request| request.place);
            assert_eq!(place, Some(Place::Worker(key)));
        }
        let bytes = worker.running.iter().map(|&key| self.requests.bytes(key));
        assert_eq!(worker.bytes, bytes.sum::<usize>());
        worker.timer
    }

    fn audit_client(&self, key: ClientKey) -> Option<TimerKey> {
        let client = self.clients.get(key).expect("a key of the table");
        assert_eq!(self.clients.find(&client.id), Some(key));
        if client.is_registered() {
            assert!(client.timer.is_some(), "its silence will be noticed");
        } else {
            assert!(!client.requests.is_empty(), "only its requests keep it");
        }
        client.timer
    }

    /// Gives the length of its queue.
    fn audit_service(&self, key: ServiceKey) -> usize {
        let service = self.services.get(key);
        for (line, worker) in service.lines() {
            let worker = self
                .workers
                .get(worker)
                .expect("who stands in line is there");
            assert_eq!(worker.service, key);
            assert_eq!(worker.turn.map(|turn| turn.line), Some(line));
        }
        let serving = self.workers.keys().into_iter();
        let serving = serving.filter(|&worker| {
            self.workers
                .get(worker)
                .is_some_and(|worker| worker.service == key)
        });
        assert_eq!(serving.count(), service.workers);
        let mut queued = 0;
        let mut at_gate = [0, 0];
        for request in service.queue.iter(&self.requests) {
            let request = self.requests.get(request).expect("what is queued is there");
            assert_eq!((request.place, request.service), (Place::Queue, key));
            queued += 1;
            at_gate[0] += usize::from(request.gate == Gate::Parked);
            at_gate[1] += usize::from(request.cleared);
        }
        assert_eq!([service.parked, service.cleared], at_gate);
        let first = service.queue.first().and_then(|key| self.requests.get(key));
        let is_open = first.is_some_and(|request| request.gate == Gate::Open);
        let can_run = service.lines().any(|(line, _)| line == Line::Idle);
        assert!(
            !can_run || !is_open || self.stopping,
            "nobody waits for nothing"
        );
        assert!(
            service.workers > 0 || queued + service.aside > 0,
            "a service is forgotten when it is idle"
        );
        queued
    }
}
