//! The orderly stop of a broker.
//!
//! Extended peers keep their state, as after the death of a broker, and go on with the next one. Here the broker
//! knows more: a request that was not given to a worker has not started. The goodbye therefore tells each client
//! which requests may have started; all others, including those still under way, wait for the next broker. Peers of
//! other dialects and of 0.0.92 know no other broker, so their requests end.

use super::context::Context;
use super::incoming::Incoming;
use super::keys::{ClientKey, RequestKey};
use super::machine::Phase;
use super::outcome::End;
use super::requests::State;
use super::{Broker, BrokerConfig, BrokerEvent, Departure, Outgoing};
use crate::proto::Time;
use crate::proto::code::Code;
use crate::wire::omdp::{ClientMessage, ToClient, ToWorker, WorkerMessage, rids_to_frame};
use crate::wire::{Dialect, Frame, mdp};

impl<F: Frame> Context<F> {
    /// Whether a worker may have started the request.
    fn may_have_started(&self, key: RequestKey) -> bool {
        self.requests.get(key).is_some_and(|request| {
            let with_worker = match &request.state {
                State::Assigned(_) | State::Searching(_) | State::Gathering(_) => true,
                State::Reclaimed(reclaimed) => reclaimed.has_started,
                _ => false,
            };
            // The client does not know of earlier attempts.
            with_worker || request.attempts.count() > 0
        })
    }

    /// Whether both the client and the worker support recovery.
    fn outlives_broker(&self, key: RequestKey) -> bool {
        let Some(request) = self.requests.get(key) else {
            return false;
        };
        // The next broker cannot know which workers have answered.
        if matches!(request.state, State::Gathering(_)) {
            return false;
        }
        let client = self.clients.get(request.client);
        let worker = request.worker().and_then(|key| self.workers.get(key));
        client.is_some_and(|client| client.acknowledges())
            && worker.is_none_or(|worker| worker.hello.is_some())
    }

    fn leave_client(&mut self, key: ClientKey) {
        let Some(client) = self.clients.get(key) else {
            return;
        };
        if !client.acknowledges() {
            if client.is_extended() {
                self.send_client(key, ToClient::Disconnect);
            }
            return;
        }
        let requests = client.requests.iter();
        let started: Vec<&F> = requests
            .filter(|&key| self.may_have_started(key))
            .filter_map(|key| self.requests.get(key))
            .filter(|request| !request.is_copy())
            .map(|request| &request.rid)
            .collect();
        let rids = (!started.is_empty()).then(|| rids_to_frame(started.iter().map(|rid| &***rid)));
        self.send_client(key, ToClient::Leave { rids });
    }

    fn report_left_worker(&mut self, key: super::keys::WorkerKey) {
        if let Some(worker) = self.workers.get(key) {
            let service = self.services.name(worker.service);
            self.out.tell(BrokerEvent::WorkerGone {
                worker: (&*worker.id).into(),
                service: (&*service).into(),
                why: Departure::Stop,
                lost: 0,
            });
        }
    }

    /// Sends a client to the next broker if none of its requests may have started.
    #[cold]
    pub(super) fn send_on(&mut self, key: ClientKey) {
        let Some(client) = self.clients.get(key) else {
            return;
        };
        let is_free = client.acknowledges()
            && client.absence.is_none()
            && client
                .requests
                .iter()
                .all(|key| !self.may_have_started(key));
        if is_free {
            self.leave_client(key);
        }
    }
}

impl<F: Frame> Broker<F> {
    /// Stops dispatching, so that running requests can end before [`stop`](Self::stop). Clients without running
    /// requests are sent to the next broker at once.
    pub fn retire(&mut self) {
        self.phase = self.phase.max(Phase::Retired);
        for key in self.cx.clients.keys() {
            self.cx.send_on(key);
        }
    }

    /// Whether workers still have requests.
    pub fn has_running(&self) -> bool {
        self.cx
            .workers
            .iter()
            .any(|worker| !worker.running.is_empty())
    }

    /// Leaves all requests to the brokers that clients and workers find next. From now on nothing is dispatched, and
    /// messages are not handled.
    pub fn stop(&mut self, now: Time) {
        self.cx.now = now;
        self.phase = Phase::Stopped;
        for key in self.cx.requests.keys() {
            if self.cx.is_lost_with_worker(key) {
                self.end(key, End::Failed(Code::WorkerLost));
            } else if !self.cx.outlives_broker(key) {
                self.end(key, End::Failed(Code::BrokerLost));
            }
        }
        for key in self.cx.clients.keys() {
            self.cx.leave_client(key);
        }
        for key in self.cx.workers.keys() {
            self.cx.send_worker(key, ToWorker::Disconnect);
            self.cx.report_left_worker(key);
        }
        self.forget_everything();
    }

    /// Ends every request, and tells every peer that the broker is gone.
    pub fn discard(&mut self, now: Time) {
        self.cx.now = now;
        self.phase = Phase::Stopped;
        self.end_pending();
        for key in self.cx.requests.keys() {
            self.end(key, End::Failed(Code::BrokerLost));
        }
        for key in self.cx.workers.keys() {
            self.cx.send_worker(key, ToWorker::Disconnect);
            self.remove_worker(key, Departure::Stop);
        }
        for key in self.cx.clients.keys() {
            if self.cx.clients.is_extended(key) {
                self.cx.send_client(key, ToClient::Disconnect);
            }
            self.drop_client(key);
        }
        self.parking.close(&mut self.cx);
        self.forget_everything();
    }

    /// Answers a message after the stop. A peer that has just sent its hello may have sent requests with it, and is
    /// told that they have not started. No other peer expects an answer.
    #[cold]
    pub(super) fn turn_away(&mut self, from: &[u8], dialect: Option<Dialect>, frames: &mut Vec<F>) {
        match Incoming::decode(dialect, frames) {
            Ok(Incoming::Client(ClientMessage::Hello { .. })) => {
                let hello = self.cx.config.hello().to_frame();
                let welcome = ToClient::Welcome {
                    hello,
                    roster: None,
                };
                for message in [welcome, ToClient::Leave { rids: None }] {
                    self.cx.out.send_plain(from, Outgoing::Client(message));
                }
            }
            Ok(Incoming::Worker(WorkerMessage::Ready { .. })) => self.cx.send_away(from),
            Ok(Incoming::MdpWorker(dialect, mdp::WorkerMessage::Ready { .. })) => {
                self.disconnect(from, dialect);
            }
            _ => {}
        }
    }

    /// Resets all state, except the messages and events that are still to be drained, the addresses for these events, and
    /// the counters.
    fn forget_everything(&mut self) {
        let config: BrokerConfig = self.cx.config.clone();
        let mut left = Broker::new(config);
        left.phase = Phase::Stopped;
        left.cx.now = self.cx.now;
        std::mem::swap(&mut left.cx.out, &mut self.cx.out);
        std::mem::swap(&mut left.cx.counters, &mut self.cx.counters);
        (left.cx.refusals, left.cx.messages) = (self.cx.refusals, self.cx.messages);
        std::mem::swap(&mut left.cx.addresses, &mut self.cx.addresses);
        *self = left;
    }
}
