//! From the queue to a worker, from the worker to the client, and every way a request ends.

use super::requests::{Place, RequestKey};
use super::services::ServiceKey;
use super::workers::Owed;
use super::{Broker, BrokerEvent};
use crate::proto::Time;
use crate::proto::code::Code;
use crate::proto::flow;
use crate::wire::omdp::{ReplyKind, ToClient, ToWorker, error_for_old};
use crate::wire::{Body, Dialect, Frame};

impl<F: Frame> Broker<F> {
    /// Pairs waiting requests with workers that have room, the least recently used worker first.
    pub(super) fn dispatch(&mut self, now: Time, service: ServiceKey) {
        if self.stopping {
            return;
        }
        loop {
            self.pair(now, service);
            if !self.ask_ahead(now, service) {
                break;
            }
        }
    }

    fn pair(&mut self, now: Time, service: ServiceKey) {
        while let Some((request, worker)) = self.services.pair(service, &mut self.requests) {
            self.services.get_mut(service).rate.count(now);
            if let Some(entry) = self.requests.get_mut(request) {
                entry.place = Place::Worker(worker);
                entry.given = now;
            }
            self.give(worker, request);
            if let Some(message) = self.request_for(worker, request) {
                self.send_worker(worker, message);
            }
            self.line_up(worker);
        }
    }

    /// Back to where the next worker takes it.
    pub(super) fn requeue(&mut self, now: Time, key: RequestKey) {
        if let Some(request) = self.requests.get(key) {
            let service = self.services.get_mut(request.service);
            service.queue.push_front(key, &mut self.requests);
            self.watch(now, key);
        }
    }

    /// A worker's reply to the client, in the form that the client understands.
    pub(super) fn pass_on(&mut self, now: Time, key: RequestKey, kind: ReplyKind, body: Body<F>) {
        let Some(request) = self.requests.get_mut(key) else {
            return;
        };
        if kind == ReplyKind::Partial {
            self.counters.partials += 1;
            // Its client has seen the beginning of this attempt.
            request.retry = 0;
        }
        request.begun = true;
        if let Some(timeout) = request.timeout {
            request.deadline = now + timeout;
        }
        let cost = flow::cost(&body);
        self.reply(key, kind, body);
        if kind == ReplyKind::Partial {
            self.owe(key, cost);
        }
    }

    fn reply(&mut self, key: RequestKey, kind: ReplyKind, body: Body<F>) {
        let Some(request) = self.requests.get(key) else {
            return;
        };
        let (client, rid) = (request.client, request.rid.clone());
        let Some(entry) = self.clients.get(client) else {
            return;
        };
        let extended = entry.extended;
        if let Dialect::Mdp(dialect) = entry.dialect {
            return self.reply_mdp(dialect, key, kind, body);
        }
        let mut body = body.into_value();
        if !extended {
            // A null partial ends the stream of a 0.0.92 client before its final, which kills it.
            if kind == ReplyKind::Partial && body.is_null() {
                return;
            }
            if kind.is_error() {
                body = Body::json(error_for_old(body.into_json()));
            }
        }
        let message = ToClient::Reply {
            kind,
            rid,
            body,
            extended,
        };
        self.send_client(client, message);
    }

    /// The request's deadline may have come, or may have been moved by a partial.
    pub(super) fn request_due(&mut self, now: Time, key: RequestKey) {
        let Some(request) = self.requests.get_mut(key) else {
            return;
        };
        request.timer = None;
        if request.deadline > now {
            request.timer = Some(
                self.deadlines
                    .set(request.deadline, super::Timer::Request(key)),
            );
            return;
        }
        let client = self
            .clients
            .get(request.client)
            .map(|client| client.dialect);
        if !request.place.is_waiting() && matches!(client, Some(Dialect::Mdp(_))) {
            // An MDP client has set no limit to the work, only the broker one to the waiting.
            return self.wait_on(now, key);
        }
        self.report_expired(key);
        self.end_request(now, key, Code::ClientTimeout);
    }

    pub(super) fn report_expired(&mut self, key: RequestKey) {
        if let Some(request) = self.requests.get(key) {
            self.counters.expired += 1;
            self.events.push(BrokerEvent::RequestExpired {
                service: (&*self.services.name(request.service)).into(),
                running: !request.place.is_waiting(),
            });
        }
    }

    /// Ends a request with a code of ours: its client is told, and so is its worker.
    pub(super) fn end_request(&mut self, now: Time, key: RequestKey, code: Code) {
        self.counters.count(code);
        let body = Body::json(F::from(code.to_json()));
        self.reply(key, ReplyKind::OwnError, body);
        self.drop_request(now, key);
    }

    /// Forgets a request that nobody waits for any more, and tells its worker.
    pub(super) fn drop_request(&mut self, now: Time, key: RequestKey) {
        let Some(request) = self.requests.get(key) else {
            return;
        };
        let (service, place) = (request.service, request.place);
        let token = self.requests.token(key);
        match place {
            Place::Queue => {
                self.leave_queue(key);
                self.forget_request(key);
            }
            Place::Aside | Place::Sought => {
                self.leave_aside(key);
                self.forget_request(key);
            }
            Place::Worker(worker) => {
                let owed = self.owed(key);
                self.free_slot(worker, key);
                self.forget_request(key);
                if let Some(entry) = self.workers.get_mut(worker) {
                    if entry.hello.is_some() {
                        self.send_worker(worker, ToWorker::Cancel { token });
                    } else {
                        entry.busy_for_nobody = owed;
                    }
                    self.line_up(worker);
                }
            }
        }
        self.dispatch(now, service);
        self.services.release(service);
    }

    fn owed(&self, key: RequestKey) -> Option<Owed> {
        let request = self.requests.get(key)?;
        let client = self.clients.get(request.client)?;
        Some(Owed {
            client: client.id.clone(),
            rid: (&*request.name_without_token()).into(),
        })
    }

    /// The last step of every end: nothing is held for what has ended.
    pub(super) fn forget_request(&mut self, key: RequestKey) {
        if let Some(request) = self.requests.remove(key) {
            self.cancel_timer(request.timer);
            self.forget_search(key);
            if self.requests.len() == 0 {
                self.close_parking();
            }
            if !self.parts.is_empty() {
                self.parts.remove(&key);
            }
            let timer = self
                .clients
                .remove_request(request.client, key, &request.rid);
            self.cancel_timer(timer);
        }
    }
}
