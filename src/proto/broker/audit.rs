//! Invariants between the tables that hold between two calls. Tests check them after each step.

mod services;

use super::Broker;
use super::keys::{ClientKey, RequestKey, WorkerKey};
use super::ready::Line;
use super::requests::State;
use super::tasks::Task;
use super::workers::Worker;
use crate::proto::deadlines::TimerKey;
use crate::wire::Frame;
use std::ops::Deref;

/// Checks a broker.
pub(super) struct Audit<'a, F>(pub(super) &'a Broker<F>);

impl<F> Deref for Audit<'_, F> {
    type Target = Broker<F>;

    fn deref(&self) -> &Broker<F> {
        self.0
    }
}

impl<F: Frame> Audit<'_, F> {
    pub(super) fn check(&self) {
        self.audit_accounts();
        self.cx.on_hold.audit(&self.cx.requests, &self.cx.workers);
        self.roster.audit(
            &self.cx.services,
            &self.cx.workers,
            &self.cx.clients,
            &self.cx.requests,
        );
        self.audit_timers();
        self.audit_places();
        let surveys = self.tasks.tasks();
        let surveys = surveys.filter(|task| matches!(task, Task::Survey)).count();
        assert!(
            self.answers.surveys.len() <= surveys,
            "each survey has a task"
        );
        let claims = self.cx.workers.iter().map(|worker| worker.claims);
        let claims: usize = claims.sum();
        assert_eq!(self.claims.len(), claims, "a claim has one worker");
    }

    /// Checks all peers and requests, and that each timer has an owner.
    fn audit_timers(&self) {
        let requests = self.cx.requests.keys().into_iter();
        let requests = requests.flat_map(|key| self.audit_request(key)).map(Some);
        let workers = self.cx.workers.keys().into_iter();
        let clients = self.cx.clients.keys().into_iter();
        let peers = workers
            .map(|key| self.audit_worker(key))
            .chain(clients.map(|key| self.audit_client(key)));
        let timers: Vec<TimerKey> = requests
            .chain(peers)
            .flatten()
            .chain(self.authorizer.timers())
            .chain(self.parking.timer())
            .chain(self.tasks.timer)
            .chain(self.given_up.timer)
            .chain(self.claims.timers())
            .chain(self.roster.timer())
            .chain(self.cx.services.timers())
            .collect();
        let deadlines = &self.cx.deadlines;
        assert_eq!(deadlines.len(), timers.len(), "every timer has an owner");
        assert!(
            timers.iter().all(|timer| deadlines.contains(*timer)),
            "nobody waits for a timer that is gone"
        );
    }

    /// Checks all services, and that each request is in one place and has one client.
    fn audit_places(&self) {
        let services = self.cx.services.keys();
        let queued =
            services.map(|key| self.audit_service(key) + self.cx.services.get(key).queue.beside());
        let queued: usize = queued.sum();
        let running = self.cx.workers.iter().map(|worker| worker.running.len());
        let running: usize = running.sum();
        let requests = self.cx.requests.len();
        assert_eq!(queued + running, requests, "a request is in one place");
        let known = self.cx.clients.keys().into_iter();
        let known = known.filter_map(|key| Some(self.cx.clients.get(key)?.requests.len()));
        let known: usize = known.sum();
        assert_eq!(known, requests, "a request has one client");
    }

    /// Checks that everything kept for peers is charged to their accounts.
    fn audit_accounts(&self) {
        let account = |key: ClientKey| {
            let client = self.cx.clients.get(key).expect("its client is there");
            client.account
        };
        let requests = self.cx.requests.keys().into_iter().map(|key| {
            let request = self.cx.requests.get(key).expect("a key of the table");
            (account(request.client), request.charged)
        });
        let clients: Vec<_> = self
            .cx
            .clients
            .iter()
            .map(|c| (c.account, c.charged))
            .collect();
        let workers: Vec<_> = self
            .cx
            .workers
            .iter()
            .map(|w| (w.account, w.charged))
            .collect();
        let waiting = self.transport_charges.charges();
        let holders = clients.iter().chain(&workers).copied().chain(waiting);
        let holders = holders.chain(self.claims.charges());
        let holders: Vec<_> = holders.chain(self.authorizer.charges()).collect();
        let charges: Vec<_> = holders.iter().copied().chain(requests).collect();
        let holders: Vec<_> = holders.iter().map(|(key, _)| *key).collect();
        self.cx.accounts.audit(&charges, &holders);
    }

    /// Returns the timers of the request.
    fn audit_request(&self, key: RequestKey) -> Vec<TimerKey> {
        let request = self.cx.requests.get(key).expect("a key of the table");
        let client = self
            .cx
            .clients
            .get(request.client)
            .expect("its client is there");
        assert!(client.requests.iter().any(|known| known == key));
        let mut timers = Vec::new();
        timers.extend(request.deadline.as_ref().map(|deadline| deadline.timer));
        match &request.state {
            State::Queued(_) | State::SetAside(_) => {}
            State::Addressed(_) => {
                let token = self.cx.requests.token(key);
                let waits_for = |worker: &&Worker| {
                    let mut addressed = worker.addressed.iter().flatten();
                    addressed.any(|&addressed| addressed == token)
                };
                match self.cx.workers.iter().find(waits_for) {
                    Some(worker) => {
                        let is_limited = self.cx.services.is_limited(worker.service);
                        let has_room = worker.line() == Some(Line::Idle);
                        assert!(
                            is_limited || !has_room,
                            "it waits for room, or for the rate"
                        );
                    }
                    None => assert!(self.is_about_to_end(token), "its worker is there"),
                }
            }
            State::Gathering(gathering) => {
                let copies = gathering.copies.iter();
                let open = copies.filter(|&&token| self.cx.requests.by_token(token).is_some());
                assert_eq!(open.count(), gathering.open);
            }
            State::Reclaimed(_) => {
                let token = self.cx.requests.token(key);
                assert!(self.is_about_to_go_back(token), "a task has it");
            }
            State::Searching(search) => timers.push(search.timer),
            State::Assigned(assigned) => {
                let worker = self.cx.workers.get(assigned.worker);
                let worker = worker.expect("its worker is there");
                assert!(worker.running.iter().any(|running| running == key));
                assert_eq!(worker.service, request.service);
            }
        }
        timers
    }

    /// Whether a task will end the request.
    fn is_about_to_end(&self, token: u64) -> bool {
        self.tasks.tasks().any(|task| match task {
            Task::Ends { tokens, .. } => tokens.contains(&token),
            _ => false,
        })
    }

    /// Whether a task will put the request back to its queue.
    fn is_about_to_go_back(&self, token: u64) -> bool {
        self.tasks.tasks().any(|task| match task {
            Task::Back { tokens, .. } => tokens.contains(&token),
            _ => false,
        })
    }

    fn audit_worker(&self, key: WorkerKey) -> Option<TimerKey> {
        let worker = self.cx.workers.get(key).expect("a key of the table");
        assert_eq!(self.cx.workers.find(&worker.id), Some(key));
        assert!(worker.timer.is_some(), "its silence will be noticed");
        assert_eq!(
            worker.position.map(|position| position.line),
            worker.line(),
            "in the right line"
        );
        assert_eq!(worker.claimed_running, self.claims.running_of(key));
        for request in worker.running.iter() {
            assert_eq!(self.cx.requests.worker(request), Some(key));
        }
        if let Some(unclaimed) = &worker.unclaimed {
            let mut requests = unclaimed.requests.iter();
            assert!(
                requests.all(|request| worker.running.iter().any(|running| running == *request))
            );
        }
        let bytes = worker.running.iter().map(|key| self.cx.requests.bytes(key));
        assert_eq!(worker.bytes, bytes.sum::<usize>());
        worker.timer
    }

    fn audit_client(&self, key: ClientKey) -> Option<TimerKey> {
        let client = self.cx.clients.get(key).expect("a key of the table");
        let unread = client.requests.iter().map(|key| {
            let request = self.cx.requests.get(key).expect("its request is there");
            match &request.state {
                State::Assigned(assigned) => assigned.unread,
                _ => 0,
            }
        });
        assert_eq!(client.unread, unread.sum::<u64>());
        if client.leaving {
            assert!(client.timer.is_none() && self.tasks.timer.is_some());
            return None;
        }
        assert_eq!(self.cx.clients.find(&client.id), Some(key));
        self.replies.logs.audit(key);
        assert!(
            client
                .unresumed
                .iter()
                .all(|key| self.cx.requests.get(key).is_some())
        );
        let is_looked_at = self.tasks.tasks().any(|task| match task {
            Task::GraceEnd(look) => look.client == key,
            _ => false,
        });
        if client.is_registered() {
            let is_noticed = client.timer.is_some() || is_looked_at;
            assert!(is_noticed, "its silence will be noticed");
        } else {
            assert!(!client.requests.is_empty(), "only its requests keep it");
        }
        client.timer
    }
}
