//! The end of requests: every request ends here, whether it was admitted or not.
//! [`Broker::count_end`] is the place for anything that has to happen at each end.

use super::event::EndedRequest;
use super::incoming::RequestHead;
use super::keys::{RequestKey, ServiceKey, WorkerKey};
use super::metrics::Times;
use super::requests::State;
use super::workers::Owed;
use super::{Broker, BrokerEvent, Timer};
use crate::proto::Time;
use crate::proto::code::Code;
use crate::wire::omdp::{ReplyKind, ToWorker};
use crate::wire::{Body, Dialect, Frame};
use std::time::Duration;

/// The way in which a request ends.
#[derive(Debug)]
pub(super) enum End<F> {
    /// A final or an error of its worker.
    Answered(ReplyKind, Body<F>),
    /// A code of the broker.
    Failed(Code),
    /// A cancellation, or the loss of its client.
    Cancelled,
    /// A timeout at the client, which has already ended the request there.
    ExpiredAtClient,
}

impl<F: Frame> End<F> {
    /// The outcome in the log of requests.
    fn outcome(&self) -> &'static str {
        match self {
            End::Answered(kind, _) if kind.is_error() => {
                own_code(self).map_or("error", Code::as_str)
            }
            End::Answered(..) => "ok",
            End::Failed(code) => code.as_str(),
            End::Cancelled => Code::Aborted.as_str(),
            End::ExpiredAtClient => Code::ClientTimeout.as_str(),
        }
    }
}

impl<F: Frame> Broker<F> {
    /// Ends an admitted request: replies to its client, frees its worker, and forgets it.
    pub(super) fn end(&mut self, now: Time, key: RequestKey, end: End<F>) {
        let Some(request) = self.requests.get(key) else {
            return;
        };
        let (service, worker) = (request.service, request.worker());
        self.count_end(now, key, &end);
        let answered = matches!(end, End::Answered(..));
        match end {
            End::Answered(kind, body) => self.reply(key, kind, body),
            End::Failed(code) => self.reply(key, ReplyKind::OwnError, text_of(code)),
            End::Cancelled | End::ExpiredAtClient => {}
        }
        match worker {
            None => {
                self.leave_queue(key);
                self.forget_request(key);
            }
            Some(worker) if answered => {
                self.free_slot(worker, key);
                self.forget_request(key);
                if let Some(entry) = self.workers.get_mut(worker) {
                    entry.pace.end();
                }
                self.line_up(worker);
            }
            Some(worker) => {
                let (token, owed) = (self.requests.token(key), self.owed(key));
                self.free_slot(worker, key);
                self.forget_request(key);
                if let Some(entry) = self.workers.get_mut(worker) {
                    if entry.hello.is_some() {
                        self.send_worker(worker, ToWorker::Cancel { token });
                    } else {
                        entry.owe(owed);
                    }
                    self.line_up(worker);
                }
            }
        }
        self.dispatch(now, service);
        self.services.release(service);
        self.end_dependents(now);
    }

    /// Ends a request that was assigned to a worker but cannot be sent to it.
    pub(super) fn end_unsent(&mut self, now: Time, key: RequestKey, worker: WorkerKey, code: Code) {
        self.count_end(now, key, &End::Failed(code));
        self.reply(key, ReplyKind::OwnError, text_of(code));
        self.free_slot(worker, key);
        self.forget_request(key);
        self.line_up(worker);
        self.end_dependents(now);
    }

    /// Refuses a request. Nothing is kept of it.
    pub(super) fn refuse(&mut self, from: &[u8], head: RequestHead<F>, code: Code) {
        self.counters.count(code);
        let meter = self.services.meter_of(&head.service);
        meter.count(code);
        meter.note_code(self.now, code);
        if self.config.log_requests {
            self.log_refusal(from, &head, code);
        }
        self.respond(from, head, ReplyKind::OwnError, text_of(code));
    }

    fn count_end(&mut self, now: Time, key: RequestKey, end: &End<F>) {
        let Some(request) = self.requests.get(key) else {
            return;
        };
        let counters = &mut self.counters;
        let meter = &mut self.services.get_mut(request.service).meter;
        match end {
            End::Answered(kind, body) => {
                let failed = kind.is_error();
                meter.bytes_out += body.bytes.len() as u64;
                let code = own_code(end);
                if let Some(code) = code {
                    counters.count(code);
                    meter.count(code);
                    meter.note_code(now, code);
                } else if failed {
                    counters.failures += 1;
                    meter.failures += 1;
                    meter.note_error(now, &body.bytes);
                } else {
                    counters.replies += 1;
                    meter.replies += 1;
                }
                // A rejection is no answer of the worker, and is counted where it is handled.
                if code != Some(Code::Rejected)
                    && let Some(worker) = request.worker().and_then(|key| self.workers.get_mut(key))
                {
                    worker.ended += 1;
                    worker.failed += u64::from(failed);
                }
            }
            End::Failed(code) => {
                counters.count(*code);
                meter.count(*code);
                meter.note_code(now, *code);
            }
            End::Cancelled => {
                counters.cancelled += 1;
                meter.cancelled += 1;
            }
            End::ExpiredAtClient => {
                counters.count(Code::ClientTimeout);
                meter.count(Code::ClientTimeout);
                meter.note_code(now, Code::ClientTimeout);
            }
        }
        let times = Times {
            arrived: request.arrived,
            given: request.given(),
            ended: now,
        };
        meter.record(times);
        if self.services.get_mut(request.service).special.is_some() {
            self.count_share(key, times);
        }
        if self.config.log_requests {
            self.log_end(key, times, end);
        }
        if let End::Failed(Code::ClientTimeout) | End::ExpiredAtClient = end {
            self.report_expired(key);
        }
    }

    #[cold]
    fn count_share(&mut self, key: RequestKey, times: Times) {
        let Some(request) = self.requests.get(key) else {
            return;
        };
        let special = &mut self.services.get_mut(request.service).special;
        let balancer = special
            .as_mut()
            .and_then(|special| special.balancer.as_mut());
        if let Some(balancer) = balancer
            && let Some(given) = times.given
            && let Some(worker) = request.worker().and_then(|key| self.workers.get_mut(key))
        {
            worker.share += balancer.ended(times.ended - given);
        }
    }

    #[cold]
    fn report_expired(&mut self, key: RequestKey) {
        if let Some(request) = self.requests.get(key) {
            self.counters.expired += 1;
            self.out.tell(BrokerEvent::RequestExpired {
                service: (&*self.asked_name(request)).into(),
                running: !request.is_waiting(),
            });
        }
    }

    /// Records the end of an admitted request.
    #[cold]
    fn log_end(&mut self, key: RequestKey, times: Times, end: &End<F>) {
        let Some(omitted) = self.request_log.take(times.ended) else {
            return;
        };
        let Some(request) = self.requests.get(key) else {
            return;
        };
        let client = self.clients.get(request.client);
        let worker = request.worker().and_then(|key| self.workers.get(key));
        let log = EndedRequest {
            rid: (&*request.rid).into(),
            service: (&*self.asked_name(request)).into(),
            client: client.map_or(Box::default(), |client| (&*client.id).into()),
            worker: worker.map(|worker| (&*worker.id).into()),
            attempt: u32::from(request.retried) + 1,
            queue: times.given.unwrap_or(times.ended) - times.arrived,
            work: times.given.map(|given| times.ended - given),
            outcome: end.outcome(),
            omitted,
        };
        self.out.tell(BrokerEvent::RequestEnded(Box::new(log)));
    }

    /// Records a refused request.
    #[cold]
    fn log_refusal(&mut self, client: &[u8], head: &RequestHead<F>, code: Code) {
        let Some(omitted) = self.request_log.take(self.now) else {
            return;
        };
        let log = EndedRequest {
            rid: (&*head.rid).into(),
            service: (&*head.service).into(),
            client: client.into(),
            worker: None,
            attempt: 0,
            queue: Duration::ZERO,
            work: None,
            outcome: code.as_str(),
            omitted,
        };
        self.out.tell(BrokerEvent::RequestEnded(Box::new(log)));
    }

    /// Ends a request whose deadline has passed, or sets the timer again if a sign of life has
    /// moved the deadline.
    pub(super) fn request_due(&mut self, now: Time, key: RequestKey) {
        let Some(request) = self.requests.get_mut(key) else {
            return;
        };
        let client = self.clients.get(request.client);
        let is_mdp = client.is_some_and(|client| matches!(client.dialect, Dialect::Mdp(_)));
        if !request.is_waiting() && is_mdp {
            // The limit of an MDP request is the broker's, and only for waiting. While the request
            // runs, the timer stays set for the case that it waits again.
            request.extend(now);
        }
        let Some(deadline) = &mut request.deadline else {
            return;
        };
        if deadline.at > now {
            deadline.timer = self.deadlines.set(deadline.at, Timer::Request(key));
            return;
        }
        self.end(now, key, End::Failed(Code::ClientTimeout));
    }

    /// Ends the requests with `failFast` when the last worker of a service has left.
    pub(super) fn end_fail_fast(&mut self, now: Time, service: ServiceKey) {
        let entry = self.services.get_mut(service);
        if entry.workers > 0 || !entry.queue.has_fail_fast() {
            return;
        }
        for key in entry.queue.fail_fast(&self.requests) {
            let started = self
                .requests
                .get(key)
                .is_some_and(|r| r.retried > 0 || r.uncertain);
            let code = match started {
                true => Code::WorkerLost,
                false => Code::NoWorker,
            };
            self.end(now, key, End::Failed(code));
        }
    }

    fn owed(&self, key: RequestKey) -> Option<Owed> {
        let request = self.requests.get(key)?;
        let client = self.clients.get(request.client)?;
        Some(Owed {
            client: client.id.clone(),
            rid: (&*request.name_without_token()).into(),
        })
    }

    /// The last step of every end: removes the request and all that refers to it.
    fn forget_request(&mut self, key: RequestKey) {
        let Some(request) = self.requests.remove(key) else {
            return;
        };
        self.cancel_timer(request.deadline.as_ref().map(|deadline| deadline.timer));
        self.forget_search(&request.state);
        if self.requests.len() == 0 {
            self.close_parking();
        }
        self.collected.forget(key);
        if let Some(client) = self.clients.get_mut(request.client) {
            self.accounts.credit(client.account, request.charged);
            if let State::Assigned(assigned) = &request.state {
                client.unread -= assigned.unread;
            }
        }
        let client = self
            .clients
            .remove_request(request.client, key, &request.rid);
        self.close_client(client);
        self.note_ended(&request);
    }
}

/// The code of an answer that is one. A worker may send any text in place of a code; a text that is no code counts as
/// an error value, so that workers cannot invent codes.
pub(super) fn own_code<F: Frame>(end: &End<F>) -> Option<Code> {
    match end {
        End::Answered(ReplyKind::OwnError, body) => Code::from_json(&body.bytes),
        _ => None,
    }
}

pub(super) fn text_of<F: Frame>(code: Code) -> Body<F> {
    Body::json(F::from(code.to_json()))
}
