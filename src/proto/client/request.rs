//! The life of a request at the client: submitted, sent when a broker is connected, forgotten at its end.

use super::pending::{Pending, Stage, Tell};
use super::retry::{ClientTerms, Retry};
use super::stream_state::DataStream;
use super::{Client, ClientNotice};
use crate::proto::Time;
use crate::proto::code::Code;
use crate::proto::link::Loss;
use crate::wire::omdp::ClientMessage;
use crate::wire::trace_context::without_trace_context;
use crate::wire::{Body, Dialect, Frame};

impl<F: Frame> Client<F> {
    /// Submits a request. The id must never have been used before by this client.
    pub fn request(
        &mut self,
        now: Time,
        id: u64,
        service: F,
        data: Body<F>,
        opts: F,
        terms: impl Into<ClientTerms>,
    ) {
        if self.name_taken {
            if self.link.is_closed() {
                return self.fail(id, Code::NameTaken);
            }
            // The refusal was that of an earlier hello, and the name may be free by now.
            self.link.ask_for_name_soon();
        }
        let ClientTerms { terms, policy } = terms.into();
        if terms.stream && self.config.dialect != Dialect::Omdp {
            return self.fail(id, Code::NoStreams);
        }
        let policy = policy.filter(|_| !terms.stream);
        let timeout = terms.idle();
        let request = Pending {
            service,
            data,
            opts,
            terms,
            retry: policy.map(Retry::new),
            stage: Stage::Waiting,
            again: 0,
            broker: None,
            stamp: 0,
            recall: None,
            may_have_run: false,
            received: 0,
            read: 0,
            told: 0,
            timeout,
            latest: terms.deadline.map(|left| now + left),
            deadline: timeout.map_or(now, |timeout| now + timeout),
            timer: None,
            data_stream: terms.stream.then(|| Box::new(DataStream::new())),
        };
        self.admit(now, id, request);
    }

    /// Adds a request. It may come unsent from another member of a client of several brokers, or be a further
    /// attempt.
    pub(in crate::proto) fn admit(&mut self, now: Time, id: u64, mut request: Pending<F>) {
        request.timer = request
            .timeout
            .map(|_| self.deadlines.set(request.ask_at(), id));
        self.requests.insert(id, request);
        if self.ready() && !self.is_mdp() && !self.retiring {
            self.send(now, id);
        } else {
            self.waiting.insert(id);
            self.advance(now);
        }
    }

    /// Removes and returns the requests that were not sent, in order of submission.
    pub(in crate::proto) fn give_waiting(&mut self) -> Vec<(u64, Pending<F>)> {
        let mut given = Vec::with_capacity(self.waiting.len());
        for id in std::mem::take(&mut self.waiting) {
            if let Some(mut request) = self.requests.remove(&id) {
                if let Some(timer) = request.timer.take() {
                    self.deadlines.cancel(timer);
                }
                given.push((id, request));
            }
        }
        given
    }

    pub(in crate::proto) fn has_waiting(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// Whether only one request can be under way at a time.
    fn is_mdp(&self) -> bool {
        matches!(self.config.dialect, Dialect::Mdp(_))
    }

    /// Cancels a request. The broker is told if it has the request. No notice follows.
    pub fn cancel(&mut self, id: u64) {
        self.forget(id, Tell::Cancelled);
    }

    /// If a broker is ready, reports the connection and sends the requests that wait.
    pub(super) fn advance(&mut self, now: Time) {
        if !self.ready() {
            return;
        }
        if !self.connected {
            self.connected = true;
            self.name_taken = false;
            self.notices.push(ClientNotice::Connected);
        }
        if self.retiring {
            return;
        }
        if !self.is_mdp() {
            for id in std::mem::take(&mut self.waiting) {
                self.send(now, id);
            }
        } else if self.under_way.is_none()
            && let Some(id) = self.waiting.pop_first()
        {
            self.send(now, id);
        }
    }

    /// Ends a request that exceeds the broker's maximum. Returns true if it did.
    pub(super) fn ends_too_large(&mut self, id: u64) -> bool {
        let size = self.requests.get(&id).map(|each| each.data.bytes.len());
        let too_large = self
            .link
            .peer()
            .zip(size)
            .is_some_and(|(broker, size)| !broker.takes(size));
        if too_large {
            self.forget(id, Tell::Nothing);
            self.fail(id, Code::RequestTooLarge);
        }
        too_large
    }

    fn send(&mut self, now: Time, id: u64) {
        if self.ends_too_large(id) {
            return;
        }
        let is_mdp = self.is_mdp();
        let peer = self.link.peer();
        let broker = self.link.broker().filter(|_| peer.is_some());
        let rid = self.rid(id);
        let stamp = self.stamp();
        let Some(request) = self.requests.get_mut(&id) else {
            return;
        };
        if request.data_stream.is_some() && !peer.is_some_and(|broker| broker.streams) {
            return self.hold_stream(id);
        }
        request.stage = Stage::Sent;
        request.broker = broker;
        request.stamp = stamp;
        let (data, ext) = request.payload(now, peer, is_mdp);
        let opts = match peer {
            None if self.config.dialect == Dialect::Omdp => opts_for_old_broker(&request.opts),
            _ => request.opts.clone(),
        };
        if is_mdp {
            self.under_way = Some((id, request.service.clone()));
        }
        self.transmits.push(ClientMessage::Request {
            service: request.service.clone(),
            rid,
            data,
            opts: Some(opts),
            ext: Some(ext),
        });
    }

    /// A request with a stream waits until the broker's hello shows whether it supports streams.
    #[cold]
    fn hold_stream(&mut self, id: u64) {
        if self.link.peer().is_some() {
            self.forget(id, Tell::Nothing);
            self.fail(id, Code::NoStreams);
        } else {
            self.waiting.insert(id);
        }
    }

    /// Ends requests with streams: an extended broker would have sent its hello by now.
    #[cold]
    pub(super) fn give_up_streams(&mut self) {
        for id in std::mem::take(&mut self.waiting) {
            let request = self.requests.get(&id);
            if request.is_some_and(|request| request.data_stream.is_some()) {
                self.forget(id, Tell::Nothing);
                self.fail(id, Code::NoStreams);
            } else {
                self.waiting.insert(id);
            }
        }
    }

    /// Asks the broker for the place of a request whose timeout is near.
    #[cold]
    pub(super) fn ask_where(&mut self, id: u64) {
        let knows = self.link.peer().is_some_and(|broker| broker.places);
        let with_broker = self
            .requests
            .get(&id)
            .is_some_and(|request| matches!(request.stage, Stage::Sent | Stage::Parked));
        if knows && with_broker && self.link.is_up() {
            let rid = self.rid(id);
            self.transmits.push(ClientMessage::Where { rid });
        }
    }

    pub(super) fn fail(&mut self, id: u64, code: Code) {
        self.notices.push(ClientNotice::Failed {
            id,
            code: code.as_str().into(),
        });
    }

    pub(super) fn forget(&mut self, id: u64, tell: Tell) {
        let Some(request) = self.requests.remove(&id) else {
            return;
        };
        if let Some(timer) = request.timer {
            self.deadlines.cancel(timer);
        }
        if !request.stage.is_with_broker() {
            self.waiting.remove(&id);
            if let Stage::Unknown { until } = request.stage {
                self.unknown.remove(&(until, id));
            }
        } else if self.is_mdp() {
            self.under_way = None;
            if tell != Tell::Nothing && self.link.is_up() {
                self.link.renew();
                // With MDP there is no deadline that depends on this time.
                self.lost(Time::ZERO, Loss::Abandoned);
            }
        } else if tell != Tell::Nothing && self.link.is_up() {
            // Also before the hello: a broker of 0.0.92 ignores the message.
            let rid = self.rid_of(id, request.again);
            let expired = tell == Tell::Expired;
            self.transmits.push(ClientMessage::Cancel { rid, expired });
        }
    }
}

/// The options for a broker of 0.0.92, which ignores headers.
#[cold]
fn opts_for_old_broker<F: Frame>(opts: &F) -> F {
    without_trace_context(opts).map_or_else(|| opts.clone(), F::from)
}
