//! The check of the services: their lines and queues.

use super::Audit;
use crate::proto::broker::keys::{ServiceKey, WorkerKey};
use crate::proto::broker::ready::Line;
use crate::proto::broker::requests::{ParkState, State};
use crate::proto::broker::services::has_room;
use crate::proto::broker::tasks::Task;
use crate::wire::Frame;
use std::collections::BTreeSet;

impl<F: Frame> Audit<'_, F> {
    /// Returns the length of the queue.
    pub(super) fn audit_service(&self, key: ServiceKey) -> usize {
        let service = self.cx.services.get(key);
        self.audit_lines(key);
        let relocations = self.tasks.tasks().filter(|task| match task {
            Task::Relocation(relocation) => relocation.is_of(key, &service.name),
            _ => false,
        });
        let is_relocating = self.cx.services.is_relocating(key);
        assert_eq!(
            relocations.count(),
            usize::from(is_relocating),
            "a service that holds its requests back has a task"
        );
        let queued = self.audit_queue(key);
        let is_left = self.tasks.looks_for(key, &service.name);
        let is_open = self.has_open_front(key, is_left);
        let can_run = service.lines().any(|(line, _)| line == Line::Idle);
        assert!(
            !can_run
                || !is_open
                || is_left
                || self.phase.is_stopping()
                || service.special.is_some(),
            "an idle worker although a request is open"
        );
        assert!(
            service.workers > 0 || queued + service.queue.beside() > 0 || service.special.is_some(),
            "a service is forgotten when it is idle"
        );
        queued
    }

    fn audit_lines(&self, key: ServiceKey) {
        let service = self.cx.services.get(key);
        for (line, worker) in service.lines() {
            let worker = self
                .cx
                .workers
                .get(worker)
                .expect("workers in lines are registered");
            assert_eq!(worker.service, key);
            assert_eq!(worker.position.map(|position| position.line), Some(line));
        }
        let serving = self.cx.workers.keys().into_iter();
        let serving = serving.filter(|&worker| {
            self.cx
                .workers
                .get(worker)
                .is_some_and(|worker| worker.service == key)
        });
        let serving: BTreeSet<WorkerKey> = serving.collect();
        assert_eq!(serving.len(), service.workers);
        assert_eq!(*self.cx.workers.serving(key), serving);
    }

    /// Returns the length of the queue.
    fn audit_queue(&self, key: ServiceKey) -> usize {
        let service = self.cx.services.get(key);
        let mut queued = 0;
        let (mut parked, mut asked_for) = (0, 0);
        for request_key in service.queue.iter(&self.cx.requests) {
            let request = self
                .cx
                .requests
                .get(request_key)
                .expect("queued requests exist");
            assert_eq!(request.service, key);
            queued += 1;
            match self.cx.requests.park(request_key) {
                Some(ParkState::Open) => {}
                Some(ParkState::Parked) => parked += 1,
                Some(ParkState::Asked | ParkState::Released) => asked_for += 1,
                None => panic!("what is in a queue is queued"),
            }
        }
        for (client, token) in service.queue.aside() {
            let request = self.cx.requests.by_token(token);
            let request = request.and_then(|key| self.cx.requests.get(key));
            let request = request.expect("what is set aside is there");
            assert!(matches!(&request.state, State::SetAside(aside) if !aside.is_kept_back));
            assert_eq!((request.service, request.client), (key, client));
        }
        assert_eq!(service.queue.parked(), parked);
        assert_eq!(service.queue.asked_for(), asked_for);
        queued
    }

    /// Whether a request of which no client has to be asked is the next one. `is_left` tells whether a look at the lanes
    /// is not complete.
    fn has_open_front(&self, key: ServiceKey, is_left: bool) -> bool {
        let service = self.cx.services.get(key);
        let mut is_open = service.queue.first_plain().is_some_and(|first| {
            service.queue.may_start(first, &self.cx.requests) && !self.cx.is_of_leaving(first)
        });
        // The first request of a lane is open or asked for, so that those behind it wait no longer than its client
        // may take.
        if let Some(lanes) = service.queue.lanes() {
            lanes.audit(&self.cx.requests, has_room(&self.cx.workers));
        }
        if service.queue.has_lanes() && !is_left && !self.cx.services.is_relocating(key) {
            for head in service.firsts_with_workers(&self.cx.requests, &self.cx.workers) {
                match self.cx.requests.park(head) {
                    Some(ParkState::Parked) => {
                        assert!(
                            self.phase.is_stopping(),
                            "parked requests near the front are asked for"
                        )
                    }
                    Some(ParkState::Asked) => is_open = false,
                    _ => {}
                }
            }
        }
        is_open
    }
}
