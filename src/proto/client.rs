//! The client: requests go out when there is a broker, and each ends exactly once.
//!
//! A request that is submitted before the link is up waits here, where it can still be cancelled
//! and can still time out, not in a socket. Its deadline is an *idle* timeout as in 0.0.92: every
//! partial restarts it. When the link is lost, what was not sent goes to the next broker, and what was
//! is looked for there: see [`resume`].
//!
//! MDP's replies do not say which request they are for. So a client that speaks it has one request
//! under way at a time, and the others wait in line; when that one is given up, so is the
//! connection, lest its late reply be taken for that of the next.

#[cfg(any(test, feature = "fuzz"))]
mod audit;
mod resume;

use super::code::Code;
use super::deadlines::{Deadlines, TimerKey};
use super::link::{Action, Due, Link, LinkConfig, Loss};
use super::{Terms, Time};
use crate::wire::ext::{RequestData, RequestExt};
use crate::wire::omdp::{ClientMessage, ReplyKind, ToClient};
use crate::wire::{Body, Dialect, Encoding, Form, Frame, Hello, Malformed, mdp};
use resume::Resume;
use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

/// How a client behaves.
#[derive(Debug, Clone)]
pub struct ClientConfig {
    /// The link to the broker.
    pub link: LinkConfig,
    /// What the broker speaks.
    pub dialect: Dialect,
    /// Begins every request id. Differs from one life of an identity to the next, so that a late
    /// reply to an earlier life is nobody's.
    pub session: String,
    /// Whether requests wait for the broker's hello, not for the transport alone: over inproc a
    /// connection to an endpoint that nobody has bound yet is up at once.
    pub await_hello: bool,
}

/// What the client reports to its user.
#[derive(Debug, PartialEq, Eq)]
pub enum ClientNotice<F> {
    /// A part of the reply, or its end.
    Reply {
        /// The request, as its submitter numbered it.
        id: u64,
        /// Partial, final or an error value of the worker; an error of the broker's own is
        /// `Failed`.
        kind: ReplyKind,
        /// What the worker sent.
        body: Body<F>,
    },
    /// The request ended with a code of ours.
    Failed {
        /// The request, as its submitter numbered it.
        id: u64,
        /// A stable code; the broker may know codes that this client does not.
        code: String,
    },
    /// There is a broker.
    Connected,
    /// There is none any more; the client is looking for it.
    Disconnected(Loss),
    /// The broker sent something that is no message; it was dropped.
    Fault(Malformed),
}

/// A request that has not ended.
#[derive(Debug)]
pub(super) struct Pending<F> {
    /// Kept until it ends: another broker may need it. Clones share the bytes.
    service: F,
    data: Body<F>,
    opts: F,
    terms: Terms,
    stage: Stage,
    /// How often it was given to another broker, or anew to the same. Part of its id there: a late
    /// word about an earlier time is about nothing.
    again: u32,
    /// How many parts of the reply have come.
    received: u32,
    /// How many bytes of them its user has given back.
    read: u64,
    /// How many of those the broker of this connection was told.
    told: u64,
    timeout: Option<Duration>,
    /// Moved by every partial; the timer below is set anew only when it fires too early.
    deadline: Time,
    timer: Option<TimerKey>,
}

/// Where a request is; see [`resume`].
#[derive(Debug, Clone, Copy)]
enum Stage {
    Waiting,
    Sent,
    Parked,
    Unknown { until: Time },
    Resuming { until: Time },
}

impl Stage {
    /// Whether the broker of this connection has it.
    fn is_with_broker(self) -> bool {
        matches!(self, Stage::Sent | Stage::Parked | Stage::Resuming { .. })
    }
}

impl<F: Frame> Pending<F> {
    /// The data in the form that the broker understands, and what it has to know beside it.
    fn payload(&self, broker_is_ours: bool, is_mdp: bool) -> (F, RequestExt) {
        let data = self.data.clone();
        let form = match data.encoding {
            Encoding::Binary if broker_is_ours || is_mdp => RequestData::Binary,
            Encoding::Binary => RequestData::BufferAsJson,
            _ => RequestData::Json,
        };
        let data = match form {
            RequestData::BufferAsJson => data.into_json(),
            _ => data.bytes,
        };
        let timeout_ms = self.terms.timeout.map_or(-1, |timeout| {
            i32::try_from(timeout.as_millis()).unwrap_or(i32::MAX)
        });
        let ext = RequestExt {
            data: form,
            timeout_ms,
            retry: self.terms.retry,
            fail_fast: self.terms.fail_fast,
        };
        (data, ext)
    }
}

/// What the broker is told of a request that is forgotten.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Tell {
    Nothing,
    Cancelled,
    Expired,
}

/// The client machine. See [`super`] for the contract.
#[derive(Debug)]
pub struct Client<F> {
    config: ClientConfig,
    link: Link,
    requests: HashMap<u64, Pending<F>>,
    /// Ids of the requests that were not sent, in the order in which they came.
    waiting: BTreeSet<u64>,
    /// MDP: the one request that is under way, and its service.
    under_way: Option<(u64, F)>,
    deadlines: Deadlines<u64>,
    resume: Resume,
    transmits: Vec<ClientMessage<F>>,
    notices: Vec<ClientNotice<F>>,
    connected: bool,
    /// How many connections there have been.
    connections: u64,
}

impl<F: Frame> Client<F> {
    /// A client that is not started.
    pub fn new(config: ClientConfig) -> Self {
        Client {
            link: Link::new(config.link.clone()),
            config,
            requests: HashMap::new(),
            waiting: BTreeSet::new(),
            under_way: None,
            deadlines: Deadlines::new(),
            resume: Resume::default(),
            transmits: Vec::new(),
            notices: Vec::new(),
            connected: false,
            connections: 0,
        }
    }

    /// Begins to look for the broker.
    pub fn start(&mut self) {
        self.link.open();
    }

    /// Says goodbye to the broker and forgets every request without a notice: whoever stops a
    /// client ends its requests.
    pub fn stop(&mut self) {
        // As with a cancel, one that has not said hello may be ours nevertheless.
        if self.link.is_up() {
            self.transmits.push(ClientMessage::Disconnect);
        }
        self.requests.clear();
        self.waiting.clear();
        self.under_way = None;
        self.deadlines = Deadlines::new();
        self.resume = Resume::default();
        self.notices.clear();
        if self.connected {
            self.connected = false;
            self.notices.push(ClientNotice::Disconnected(Loss::Stopped));
        }
        self.link.close();
    }

    /// Submits a request under an id that its submitter has never used before.
    pub fn request(
        &mut self,
        now: Time,
        id: u64,
        service: F,
        data: Body<F>,
        opts: F,
        terms: impl Into<Terms>,
    ) {
        let terms = terms.into();
        let timeout = terms.timeout;
        let request = Pending {
            service,
            data,
            opts,
            terms,
            stage: Stage::Waiting,
            again: 0,
            received: 0,
            read: 0,
            told: 0,
            timeout,
            deadline: timeout.map_or(now, |timeout| now + timeout),
            timer: None,
        };
        self.admit(id, request);
    }

    /// Takes a request that another client of the same user had, and has not sent.
    pub(super) fn admit(&mut self, id: u64, mut request: Pending<F>) {
        request.timer = request
            .timeout
            .map(|_| self.deadlines.set(request.deadline, id));
        self.requests.insert(id, request);
        if self.ready() && self.config.dialect == Dialect::Omdp {
            self.send(id);
        } else {
            self.waiting.insert(id);
            self.advance();
        }
    }

    /// Gives away the requests that were not sent, in the order in which they came.
    pub(super) fn give_waiting(&mut self) -> Vec<(u64, Pending<F>)> {
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

    pub(super) fn has_waiting(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// Forgets a request; the broker is told if it has it. No notice follows.
    pub fn cancel(&mut self, id: u64) {
        self.forget(id, Tell::Cancelled);
    }

    /// The user has read so many bytes of the reply's parts: the worker may send as many more, see
    /// [`flow`](super::flow). Reading is a sign of life of the reply too.
    pub fn credit(&mut self, now: Time, id: u64, bytes: u32) {
        let Some(request) = self.requests.get_mut(&id).filter(|_| bytes > 0) else {
            return;
        };
        if let Some(timeout) = request.timeout {
            request.deadline = now + timeout;
        }
        request.read += u64::from(bytes);
        self.tell_read(id);
    }

    /// Passes on what was read, unless the broker is lost or still looks for the request: then it
    /// is told with what asks for it, or once it was found.
    fn tell_read(&mut self, id: u64) {
        let knows = self.link.peer().is_some_and(|broker| broker.flow);
        if let Some(request) = self.requests.get_mut(&id).filter(|_| knows)
            && matches!(request.stage, Stage::Sent)
            && request.read > request.told
        {
            let bytes = u32::try_from(request.read - request.told).unwrap_or(u32::MAX);
            request.told += u64::from(bytes);
            let rid = self.rid(id);
            self.transmits.push(ClientMessage::Credit { rid, bytes });
        }
    }

    /// Tells the worker that holds the request that it is still wanted (0.0.92's own way), or the
    /// broker that this client lives.
    pub fn heartbeat(&mut self, id: Option<u64>) {
        if !self.link.is_up() {
            return;
        }
        match id {
            None => self.transmits.push(ClientMessage::Heartbeat),
            Some(id)
                if self
                    .requests
                    .get(&id)
                    .is_some_and(|request| request.stage.is_with_broker()) =>
            {
                let rid = self.rid(id);
                self.transmits.push(ClientMessage::RequestHeartbeat { rid });
            }
            Some(_) => {}
        }
    }

    /// The transport takes messages.
    pub fn handle_up(&mut self, now: Time) {
        if !self.link.handle_up(now) {
            return;
        }
        self.connections += 1;
        let mut hello = Hello::new(
            self.config.link.heartbeat.as_millis() as u64,
            self.config.link.liveness,
        );
        hello.session = self.session();
        hello.flow = true;
        hello.parks = true;
        self.transmits.push(ClientMessage::Hello {
            hello: hello.to_frame(),
        });
        self.advance();
    }

    /// It may be meant for the other peer of this name, if that was displaced just now.
    #[cold]
    fn name_taken(&mut self, now: Time, session: &[u8]) {
        if *session == *self.session().as_bytes() {
            self.link.close();
            if !std::mem::replace(&mut self.connected, true) {
                self.notices.push(ClientNotice::Connected);
            }
            self.resume.dismiss();
            self.lost(now, Loss::NameTaken);
        }
    }

    fn session(&self) -> String {
        format!("{}{}", self.config.session, self.connections)
    }

    /// The connection broke.
    pub fn handle_down(&mut self, now: Time) {
        self.lose(now, Loss::Transport);
    }

    /// The broker does not let this client in: the next attempt has more time.
    pub fn handle_refused(&mut self, now: Time) {
        self.link.refused();
        self.lose(now, Loss::Refused);
    }

    /// Takes one message of the broker; `frames` is empty afterwards.
    pub fn handle_message(&mut self, now: Time, frames: &mut Vec<F>) {
        // Behind the end of its connection.
        if !self.link.is_up() {
            return frames.clear();
        }
        if let Dialect::Mdp(dialect) = self.config.dialect {
            return self.on_mdp(now, dialect, frames);
        }
        let message = match ToClient::decode(frames) {
            Ok(message) => message,
            Err(why) => return self.notices.push(ClientNotice::Fault(why)),
        };
        self.link.heard(now);
        match message {
            ToClient::Welcome { hello } => match Hello::parse(&hello) {
                Ok(hello) => {
                    self.link.welcome(hello.clone());
                    // Over inproc no line dies, and one may be up long before there is a broker.
                    if !self.config.await_hello {
                        self.link.expect_hello();
                    }
                    self.advance();
                    self.find_out(now, &hello);
                }
                Err(why) => self.notices.push(ClientNotice::Fault(why)),
            },
            ToClient::Reply {
                kind, rid, body, ..
            } => self.on_reply(now, kind, &rid, body),
            ToClient::Heartbeat => {}
            // Before its welcome a broker may speak of what it was sent on an earlier connection.
            ToClient::Resumed { .. } | ToClient::Parked { .. } | ToClient::Unpark { .. }
                if self.link.peer().is_none() => {}
            ToClient::Resumed { rids } => self.on_resumed(&rids),
            ToClient::Parked { rids } => self.on_parked(&rids),
            ToClient::Unpark { rids } => self.on_unpark(&rids),
            ToClient::Disconnect => {
                self.resume.dismiss();
                if !self.connected {
                    self.link.refused();
                }
                self.lose(now, Loss::Refused);
            }
            ToClient::NameTaken { session } => self.name_taken(now, &session),
        }
    }

    fn on_mdp(&mut self, now: Time, dialect: mdp::Dialect, frames: &mut Vec<F>) {
        let reply = match mdp::ClientReply::decode(dialect, frames) {
            Ok(reply) => reply,
            Err(why) => return self.notices.push(ClientNotice::Fault(why)),
        };
        self.link.heard(now);
        // On this connection there was one request before this reply, or none.
        let Some((id, service)) = &self.under_way else {
            return;
        };
        if reply
            .service
            .as_ref()
            .is_some_and(|named| **named != **service)
        {
            return self.notices.push(ClientNotice::Fault(Malformed::Name));
        }
        let rid = self.rid(*id);
        let (kind, body) = reply.into_neutral();
        self.on_reply(now, kind, &rid, body);
        self.advance();
    }

    fn on_reply(&mut self, now: Time, kind: ReplyKind, rid: &[u8], body: Body<F>) {
        // A reply to a request that has ended meanwhile, or to an earlier life of this identity:
        // it crossed our cancel on the way, and is nobody's fault.
        let Some(id) = self.parse_rid(rid) else {
            return;
        };
        let Some(request) = self.requests.get_mut(&id) else {
            return;
        };
        // Of an earlier connection, by a broker that has not noticed its end: parts may be missing.
        if !request.stage.is_with_broker() {
            return;
        }
        self.link.answered();
        let found = matches!(request.stage, Stage::Resuming { .. });
        if !kind.is_last() {
            request.stage = Stage::Sent;
            request.received = request.received.saturating_add(1);
            if let Some(timeout) = request.timeout {
                request.deadline = now + timeout;
            }
            if found {
                self.tell_read(id);
            }
        } else {
            self.forget(id, Tell::Nothing);
        }
        self.notices.push(match kind {
            ReplyKind::OwnError => ClientNotice::Failed {
                id,
                code: serde_json::from_slice(&body.bytes)
                    .unwrap_or_else(|_| Code::BadReply.as_str().into()),
            },
            kind => ClientNotice::Reply { id, kind, body },
        });
    }

    /// To be called when [`next_deadline`](Self::next_deadline) has come, after the messages that
    /// were there already: a reply that is on time must not lose against its own timeout.
    pub fn handle_timeout(&mut self, now: Time) {
        while let Some(id) = self.deadlines.pop_due(now) {
            let Some(request) = self.requests.get_mut(&id) else {
                continue;
            };
            if request.deadline > now {
                request.timer = Some(self.deadlines.set(request.deadline, id));
                continue;
            }
            request.timer = None;
            self.forget(id, Tell::Expired);
            self.fail(id, Code::ClientTimeout);
        }
        self.give_up_unknown(now);
        match self.link.handle_timeout(now) {
            Some(Due::Beat) => {
                self.transmits.push(ClientMessage::Heartbeat);
                self.beat_for_requests();
            }
            Some(Due::Lost(why)) => self.lost(now, why),
            None => {}
        }
    }

    /// How its messages are to be written.
    pub fn form(&self) -> Form {
        Form {
            dialect: self.config.dialect,
            packed: self.link.peer().is_some_and(|hello| hello.packs),
        }
    }

    /// When to call [`handle_timeout`](Self::handle_timeout).
    pub fn next_deadline(&self) -> Option<Time> {
        let times = [
            self.deadlines.next(),
            self.resume.next_deadline(),
            self.link.next_deadline(),
        ];
        times.into_iter().flatten().min()
    }

    /// Appends the frames of the messages to be sent, one message a call of `send`, in order.
    pub fn drain_transmits(&mut self, mut send: impl FnMut(ClientMessage<F>)) {
        self.transmits.drain(..).for_each(&mut send);
    }

    /// Hands out what there is to report, in order.
    pub fn drain_notices(&mut self) -> std::vec::Drain<'_, ClientNotice<F>> {
        self.notices.drain(..)
    }

    /// What is to be done with the socket, after the transmits were drained.
    pub fn poll_action(&mut self) -> Option<Action> {
        self.link.poll_action()
    }

    /// Whether there is a broker.
    pub fn is_connected(&self) -> bool {
        self.connected
    }

    /// How many requests wait for one.
    pub fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// How many requests have not ended.
    pub fn outstanding(&self) -> usize {
        self.requests.len()
    }

    /// Whether there is a broker to speak to.
    pub(super) fn ready(&self) -> bool {
        self.link.is_up() && (!self.config.await_hello || self.link.peer().is_some())
    }

    /// Once there is a broker to speak to: says so, and sends what waits.
    fn advance(&mut self) {
        if !self.ready() {
            return;
        }
        if !self.connected {
            self.connected = true;
            self.link.accepted();
            self.notices.push(ClientNotice::Connected);
        }
        if self.config.dialect == Dialect::Omdp {
            for id in std::mem::take(&mut self.waiting) {
                self.send(id);
            }
        } else if self.under_way.is_none()
            && let Some(id) = self.waiting.pop_first()
        {
            self.send(id);
        }
    }

    fn send(&mut self, id: u64) {
        let is_mdp = self.config.dialect != Dialect::Omdp;
        let broker_is_ours = self.link.peer().is_some();
        let rid = self.rid(id);
        let Some(request) = self.requests.get_mut(&id) else {
            return;
        };
        request.stage = Stage::Sent;
        let (data, ext) = request.payload(broker_is_ours, is_mdp);
        if is_mdp {
            self.under_way = Some((id, request.service.clone()));
        }
        self.transmits.push(ClientMessage::Request {
            service: request.service.clone(),
            rid,
            data,
            opts: Some(request.opts.clone()),
            ext: Some(ext),
        });
    }

    /// A worker of 0.0.92 takes a request for abandoned after three silent intervals. Its broker
    /// can't know better, so we beat for each request; a broker of ours does it for us.
    fn beat_for_requests(&mut self) {
        if self.link.peer().is_some() {
            return;
        }
        let mut sent: Vec<u64> = self
            .requests
            .iter()
            .filter(|(_, request)| request.stage.is_with_broker())
            .map(|(id, _)| *id)
            .collect();
        sent.sort_unstable();
        for id in sent {
            let rid = self.rid(id);
            self.transmits.push(ClientMessage::RequestHeartbeat { rid });
        }
    }

    fn lose(&mut self, now: Time, why: Loss) {
        if self.link.lose(now) {
            self.lost(now, why);
        }
    }

    fn lost(&mut self, now: Time, why: Loss) {
        self.lose_requests(now);
        if self.connected {
            self.connected = false;
            self.notices.push(ClientNotice::Disconnected(why));
        }
    }

    fn fail(&mut self, id: u64, code: Code) {
        self.notices.push(ClientNotice::Failed {
            id,
            code: code.as_str().into(),
        });
    }

    fn forget(&mut self, id: u64, tell: Tell) {
        let Some(request) = self.requests.remove(&id) else {
            return;
        };
        if let Some(timer) = request.timer {
            self.deadlines.cancel(timer);
        }
        if !request.stage.is_with_broker() {
            self.waiting.remove(&id);
            if let Stage::Unknown { until } = request.stage {
                self.resume.forget(until, id);
            }
        } else if self.config.dialect != Dialect::Omdp {
            self.under_way = None;
            if tell != Tell::Nothing && self.link.is_up() {
                self.link.renew();
                // With MDP nothing is waited for that the time could tell.
                self.lost(Time::ZERO, Loss::Abandoned);
            }
        } else if tell != Tell::Nothing && self.link.is_up() {
            // Also one whose hello has not come yet; a broker of 0.0.92 ignores the command.
            let rid = self.rid_of(id, request.again);
            let expired = tell == Tell::Expired;
            self.transmits.push(ClientMessage::Cancel { rid, expired });
        }
    }

    fn rid(&self, id: u64) -> F {
        let again = self.requests.get(&id).map_or(0, |request| request.again);
        self.rid_of(id, again)
    }

    fn rid_of(&self, id: u64, again: u32) -> F {
        let session = &self.config.session;
        F::from(match again {
            0 => format!("{session}{id}").into_bytes(),
            _ => format!("{session}{id}.{again}").into_bytes(),
        })
    }

    fn parse_rid(&self, rid: &[u8]) -> Option<u64> {
        let id = rid.strip_prefix(self.config.session.as_bytes())?;
        let id = std::str::from_utf8(id).ok()?;
        let (id, again) = match id.split_once('.') {
            None => (id, 0),
            Some((id, again)) => (id, again.parse().ok()?),
        };
        let id = id.parse().ok()?;
        let request = self.requests.get(&id)?;
        (request.again == again).then_some(id)
    }
}
