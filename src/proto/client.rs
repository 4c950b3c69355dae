//! The client: requests go out when there is a broker, and each ends exactly once.
//!
//! A request that is submitted before the link is up waits here, where it can still be cancelled
//! and can still time out, not in a socket. Its deadline is an *idle* timeout as in 0.0.92: every
//! partial restarts it. When the link is lost, what was sent ends with `B_LOST`, because nobody can
//! know whether it ran; what was not sent goes to the next broker.
//!
//! MDP's replies do not say which request they are for. So a client that speaks it has one request
//! under way at a time, and the others wait in line; when that one is given up, so is the
//! connection, lest its late reply be taken for that of the next.

#[cfg(any(test, feature = "fuzz"))]
mod audit;

use super::code::Code;
use super::deadlines::{Deadlines, TimerKey};
use super::link::{Action, Due, Link, LinkConfig, Loss};
use super::{Terms, Time};
use crate::wire::ext::{RequestData, RequestExt};
use crate::wire::omdp::{ClientMessage, ReplyKind, ToClient};
use crate::wire::{Body, Dialect, Encoding, Form, Frame, Hello, Malformed, mdp};
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
    /// What is still to be sent; `None` once it was.
    unsent: Option<Unsent<F>>,
    timeout: Option<Duration>,
    /// Moved by every partial; the timer below is set anew only when it fires too early.
    deadline: Time,
    timer: Option<TimerKey>,
}

#[derive(Debug)]
struct Unsent<F> {
    service: F,
    data: Body<F>,
    opts: F,
    terms: Terms,
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
            unsent: Some(Unsent {
                service,
                data,
                opts,
                terms,
            }),
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
        if self.link.peer().is_some_and(|broker| broker.flow) {
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
            Some(id) if self.requests.get(&id).is_some_and(|r| r.unsent.is_none()) => {
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
        self.transmits.push(ClientMessage::Hello {
            hello: hello.to_frame(),
        });
        self.advance();
    }

    /// It may be meant for the other peer of this name, if that was displaced just now.
    #[cold]
    fn name_taken(&mut self, session: &[u8]) {
        if *session == *self.session().as_bytes() {
            self.link.close();
            if !std::mem::replace(&mut self.connected, true) {
                self.notices.push(ClientNotice::Connected);
            }
            self.lost(Loss::NameTaken);
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
                    self.link.welcome(hello);
                    self.advance();
                }
                Err(why) => self.notices.push(ClientNotice::Fault(why)),
            },
            ToClient::Reply {
                kind, rid, body, ..
            } => self.on_reply(now, kind, &rid, body),
            ToClient::Heartbeat => {}
            ToClient::Disconnect => {
                if !self.connected {
                    self.link.refused();
                }
                self.lose(now, Loss::Refused);
            }
            ToClient::NameTaken { session } => self.name_taken(&session),
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
        if !kind.is_last() {
            if let Some(timeout) = request.timeout {
                request.deadline = now + timeout;
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
        match self.link.handle_timeout(now) {
            Some(Due::Beat) => {
                self.transmits.push(ClientMessage::Heartbeat);
                self.beat_for_requests();
            }
            Some(Due::Lost(why)) => self.lost(why),
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
        [self.deadlines.next(), self.link.next_deadline()]
            .into_iter()
            .flatten()
            .min()
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
        let Some(Unsent {
            service,
            data,
            opts,
            terms,
        }) = request.unsent.take()
        else {
            return;
        };
        let form = match data.encoding {
            Encoding::Binary if broker_is_ours || is_mdp => RequestData::Binary,
            Encoding::Binary => RequestData::BufferAsJson,
            _ => RequestData::Json,
        };
        let data = match form {
            RequestData::BufferAsJson => data.into_json(),
            _ => data.bytes,
        };
        if is_mdp {
            self.under_way = Some((id, service.clone()));
        }
        let timeout_ms = request.timeout.map_or(-1, |timeout| {
            i32::try_from(timeout.as_millis()).unwrap_or(i32::MAX)
        });
        self.transmits.push(ClientMessage::Request {
            service,
            rid,
            data,
            opts: Some(opts),
            ext: Some(RequestExt {
                data: form,
                timeout_ms,
                retry: terms.retry,
                fail_fast: terms.fail_fast,
            }),
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
            .filter(|(_, request)| request.unsent.is_none())
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
            self.lost(why);
        }
    }

    fn lost(&mut self, why: Loss) {
        let mut sent: Vec<u64> = self
            .requests
            .iter()
            .filter(|(_, request)| request.unsent.is_none())
            .map(|(id, _)| *id)
            .collect();
        sent.sort_unstable();
        for id in sent {
            self.forget(id, Tell::Nothing);
            self.fail(id, Code::BrokerLost);
        }
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
        if request.unsent.is_some() {
            self.waiting.remove(&id);
        } else if self.config.dialect != Dialect::Omdp {
            self.under_way = None;
            if tell != Tell::Nothing && self.link.is_up() {
                self.link.renew();
                self.lost(Loss::Abandoned);
            }
        } else if tell != Tell::Nothing && self.link.is_up() {
            // Also one whose hello has not come yet; a broker of 0.0.92 ignores the command.
            let rid = self.rid(id);
            let expired = tell == Tell::Expired;
            self.transmits.push(ClientMessage::Cancel { rid, expired });
        }
    }

    fn rid(&self, id: u64) -> F {
        F::from(format!("{}{id}", self.config.session).as_bytes())
    }

    fn parse_rid(&self, rid: &[u8]) -> Option<u64> {
        let id = rid.strip_prefix(self.config.session.as_bytes())?;
        std::str::from_utf8(id).ok()?.parse().ok()
    }
}
