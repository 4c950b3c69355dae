//! Every way a request ends, its deadline among them.

use super::requests::{Place, RequestKey};
use super::workers::Owed;
use super::{Broker, BrokerEvent, Timer};
use crate::proto::Time;
use crate::proto::code::Code;
use crate::wire::omdp::{ReplyKind, ToWorker};
use crate::wire::{Body, Dialect, Frame};

impl<F: Frame> Broker<F> {
    /// The request's deadline may have come, or may have been moved by a partial.
    pub(super) fn request_due(&mut self, now: Time, key: RequestKey) {
        let Some(request) = self.requests.get_mut(key) else {
            return;
        };
        request.timer = None;
        if request.deadline > now {
            request.timer = Some(self.deadlines.set(request.deadline, Timer::Request(key)));
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
