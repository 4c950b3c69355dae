//! The end of requests: every request ends here, whether it was admitted or not.
//! [`Broker::count_end`] is the place for anything that has to happen at each end.

use super::event::EndedRequest;
use super::incoming::RequestHead;
use super::keys::{RequestKey, ServiceKey, WorkerKey};
use super::metrics::Times;
use super::requests::State;
use super::workers::Owed;
use super::{Broker, BrokerEvent, Timer};
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
    pub(super) fn end(&mut self, key: RequestKey, end: End<F>) {
        let Some(request) = self.cx.requests.get(key) else {
            return;
        };
        let (service, worker) = (request.service, request.worker());
        self.count_end(key, &end);
        let answered = matches!(end, End::Answered(..));
        match end {
            End::Answered(kind, body) => self.replies.reply(&mut self.cx, key, kind, body),
            End::Failed(code) => {
                self.replies
                    .reply(&mut self.cx, key, ReplyKind::OwnError, text_of(code))
            }
            End::Cancelled | End::ExpiredAtClient => {}
        }
        match worker {
            None => {
                self.cx.leave_queue(key);
                self.forget_request(key);
            }
            Some(worker) if answered => {
                self.cx.free_slot(worker, key);
                self.forget_request(key);
                if let Some(entry) = self.cx.workers.get_mut(worker) {
                    entry.pace.end();
                }
                self.line_up(worker);
            }
            Some(worker) => {
                let (token, owed) = (self.cx.requests.token(key), self.owed(key));
                self.cx.free_slot(worker, key);
                self.forget_request(key);
                if let Some(entry) = self.cx.workers.get_mut(worker) {
                    if entry.hello.is_some() {
                        self.cx.send_worker(worker, ToWorker::Cancel { token });
                    } else {
                        entry.owe(owed);
                    }
                    self.line_up(worker);
                }
            }
        }
        self.dispatch(service);
        self.cx.services.release(service);
        self.end_dependents();
    }

    /// Ends a request that was assigned to a worker but cannot be sent to it.
    pub(super) fn end_unsent(&mut self, key: RequestKey, worker: WorkerKey, code: Code) {
        self.count_end(key, &End::Failed(code));
        self.replies
            .reply(&mut self.cx, key, ReplyKind::OwnError, text_of(code));
        self.cx.free_slot(worker, key);
        self.forget_request(key);
        self.line_up(worker);
        self.end_dependents();
    }

    /// Refuses a request. Nothing is kept of it.
    pub(super) fn refuse(&mut self, from: &[u8], head: RequestHead<F>, code: Code) {
        self.cx.counters.count(code);
        let meter = self.cx.services.meter_of(&head.service);
        meter.count(code);
        meter.note_code(self.cx.now, code);
        if self.cx.config.log_requests {
            self.log_refusal(from, &head, code);
        }
        self.replies
            .respond(&mut self.cx, from, head, ReplyKind::OwnError, text_of(code));
    }

    fn count_end(&mut self, key: RequestKey, end: &End<F>) {
        let now = self.cx.now;
        let Some(request) = self.cx.requests.get(key) else {
            return;
        };
        let counters = &mut self.cx.counters;
        let meter = &mut self.cx.services.get_mut(request.service).meter;
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
                    && let Some(worker) = request
                        .worker()
                        .and_then(|key| self.cx.workers.get_mut(key))
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
        if self.cx.services.get_mut(request.service).special.is_some() {
            self.count_share(key, times);
        }
        if self.cx.config.log_requests {
            self.log_end(key, times, end);
        }
        if let End::Failed(Code::ClientTimeout) | End::ExpiredAtClient = end {
            self.report_expired(key);
        }
    }

    #[cold]
    fn count_share(&mut self, key: RequestKey, times: Times) {
        let Some(request) = self.cx.requests.get(key) else {
            return;
        };
        let special = &mut self.cx.services.get_mut(request.service).special;
        let balancer = special
            .as_mut()
            .and_then(|special| special.balancer.as_mut());
        if let Some(balancer) = balancer
            && let Some(given) = times.given
            && let Some(worker) = request
                .worker()
                .and_then(|key| self.cx.workers.get_mut(key))
        {
            worker.share += balancer.ended(times.ended - given);
        }
    }

    #[cold]
    fn report_expired(&mut self, key: RequestKey) {
        if let Some(request) = self.cx.requests.get(key) {
            self.cx.counters.expired += 1;
            self.cx.out.tell(BrokerEvent::RequestExpired {
                service: (&*self.cx.asked_name(request)).into(),
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
        let Some(request) = self.cx.requests.get(key) else {
            return;
        };
        let client = self.cx.clients.get(request.client);
        let worker = request.worker().and_then(|key| self.cx.workers.get(key));
        let log = EndedRequest {
            rid: (&*request.rid).into(),
            service: (&*self.cx.asked_name(request)).into(),
            client: client.map_or(Box::default(), |client| (&*client.id).into()),
            worker: worker.map(|worker| (&*worker.id).into()),
            attempt: u32::from(request.retried) + 1,
            queue: times.given.unwrap_or(times.ended) - times.arrived,
            work: times.given.map(|given| times.ended - given),
            outcome: end.outcome(),
            omitted,
        };
        self.cx.out.tell(BrokerEvent::RequestEnded(Box::new(log)));
    }

    /// Records a refused request.
    #[cold]
    fn log_refusal(&mut self, client: &[u8], head: &RequestHead<F>, code: Code) {
        let Some(omitted) = self.request_log.take(self.cx.now) else {
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
        self.cx.out.tell(BrokerEvent::RequestEnded(Box::new(log)));
    }

    /// Ends a request whose deadline has passed, or sets the timer again if a sign of life has
    /// moved the deadline.
    pub(super) fn request_due(&mut self, key: RequestKey) {
        let now = self.cx.now;
        let Some(request) = self.cx.requests.get_mut(key) else {
            return;
        };
        let client = self.cx.clients.get(request.client);
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
            deadline.timer = self.cx.deadlines.set(deadline.at, Timer::Request(key));
            return;
        }
        self.end(key, End::Failed(Code::ClientTimeout));
    }

    /// Ends the requests with `failFast` when the last worker of a service has left.
    pub(super) fn end_fail_fast(&mut self, service: ServiceKey) {
        let entry = self.cx.services.get_mut(service);
        if entry.workers > 0 || !entry.queue.has_fail_fast() {
            return;
        }
        for key in entry.queue.fail_fast(&self.cx.requests) {
            let started = self
                .cx
                .requests
                .get(key)
                .is_some_and(|r| r.retried > 0 || r.uncertain);
            let code = match started {
                true => Code::WorkerLost,
                false => Code::NoWorker,
            };
            self.end(key, End::Failed(code));
        }
    }

    fn owed(&self, key: RequestKey) -> Option<Owed> {
        let request = self.cx.requests.get(key)?;
        let client = self.cx.clients.get(request.client)?;
        Some(Owed {
            client: client.id.clone(),
            rid: (&*request.name_without_token()).into(),
        })
    }

    /// The last step of every end: removes the request and all that refers to it.
    fn forget_request(&mut self, key: RequestKey) {
        let Some(request) = self.cx.requests.remove(key) else {
            return;
        };
        self.cx
            .deadlines
            .cancel(request.deadline.as_ref().map(|deadline| deadline.timer));
        self.cx.forget_search(&request.state);
        if self.cx.requests.len() == 0 {
            self.parking.close(&mut self.cx);
        }
        self.replies.collected.forget(key);
        if let Some(client) = self.cx.clients.get_mut(request.client) {
            self.cx.accounts.credit(client.account, request.charged);
            if let State::Assigned(assigned) = &request.state {
                client.unread -= assigned.unread;
            }
        }
        let client = self
            .cx
            .clients
            .remove_request(request.client, key, &request.rid);
        self.close_client(client);
        self.note_ended(&request);
    }

    /// Ends a request for a named worker that is gone.
    #[cold]
    pub(super) fn end_for_nobody(&mut self, key: RequestKey) {
        let Some(request) = self.cx.requests.get(key) else {
            return;
        };
        let code = match request.retried > 0 || request.uncertain {
            true => Code::WorkerLost,
            false => Code::NoWorker,
        };
        self.end(key, End::Failed(code));
    }

    /// Reassigns the requests that waited for a worker that is gone, or ends them. Called after its own requests were
    /// handled.
    pub(super) fn on_worker_went(&mut self, service: ServiceKey) {
        if !self.cx.services.get_mut(service).queue.has_lanes() {
            return;
        }
        self.cx.reroute(service);
        for key in self.cx.waiting_in(service) {
            if self.cx.is_for_nobody(key) {
                self.end_for_nobody(key);
            } else if self.cx.is_rejected_by_all(key) && self.cx.is_fail_fast(key) {
                self.end(key, End::Failed(Code::Rejected));
            }
        }
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
