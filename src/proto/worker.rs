//! The worker: registers its service, takes requests, offers them to its user, gives back what
//! can't be started soon, and drains before it leaves.
//!
//! A delivery is one request in the hands of this worker. It belongs to the connection on which
//! it came: when that is lost, the broker tells the client, and nobody waits for the reply. Unless
//! it is the broker that was lost: then the worker holds it for the next one, see [`resume`].
//!
//! A delivery is *offered* first. It has started when the user takes it, which the user does as
//! often as its concurrency allows; the owner, who sits between the two, can take back an offer
//! that was not taken, at any time and for certain. So the broker may send more than can run at
//! once, which hides its round trip, and nothing waits behind a slow handler: when none has ended
//! for [`STALL`], what was only offered goes back to the broker. So does what would have to wait
//! for longer than [`BACKLOG`].

#[cfg(any(test, feature = "fuzz"))]
mod audit;
mod pace;
mod resume;
mod watchdog;

pub use pace::Worked;

use super::Time;
use super::code::Code;
use super::flow::{self, Debt};
use super::link::{Action, Due, Link, LinkConfig, Loss};
use super::table::Table;
use crate::wire::ext;
use crate::wire::omdp::{ReplyKind, ToWorker, WorkerMessage, error_for_old};
use crate::wire::{Body, Dialect, Form, Frame, Hello, Malformed};
use pace::Pace;
use resume::{Held, Resume};
use std::collections::BTreeMap;
use std::time::Duration;
use watchdog::Watchdog;

/// How a worker behaves.
#[derive(Debug, Clone)]
pub struct WorkerConfig {
    /// The link to the broker.
    pub link: LinkConfig,
    /// What the broker speaks. An MDP broker gives one request at a time, and takes none back.
    pub dialect: Dialect,
    /// The one service that this worker offers.
    pub service: String,
    /// How many requests may run at once; `None` is without limit. Default 1.
    pub concurrency: Option<usize>,
    /// How many requests a broker of ours may give beyond those; 0 turns it off.
    pub prefetch: u32,
    /// After how long without an answer of its user's thread the worker is treated as lost; `None` is
    /// never. See [`poll_ping`](Worker::poll_ping).
    pub max_blocked: Option<Duration>,
    /// Tells one life of an identity from the next, see [`Hello::session`].
    pub session: String,
}

/// What the worker reports to its user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WorkerNotice<F> {
    /// A request to be worked on.
    Request {
        /// This worker's number for it, never used twice.
        delivery: u64,
        /// What the client sent.
        body: Body<F>,
        /// The client's options as JSON, from a broker that passes them on.
        opts: Option<F>,
        /// How often other workers were lost with it before.
        retried: u8,
        /// Who the client is, from a broker that authenticates; see [`RequestExtra::user`].
        user: Option<F>,
        /// Whether the broker takes it back.
        returnable: bool,
    },
    /// Nobody waits for this delivery any more: the owner drops it if it was not taken, and what
    /// the user still sends for it goes nowhere.
    Cancelled {
        /// The number it was given out under.
        delivery: u64,
        /// Why.
        code: Code,
    },
    /// So many bytes more of this delivery's parts may be sent, see [`flow`].
    Credit {
        /// The number it was given out under.
        delivery: u64,
        /// How many, as its user counts; less than none if that counted too few before.
        bytes: i64,
    },
    /// The broker has this worker.
    Connected,
    /// It has not any more; the worker is looking for it.
    Disconnected(Loss),
    /// The broker sent something that is no message; it was dropped.
    Fault(Malformed),
    /// The drain is over: nothing runs, and the broker was told.
    Drained,
}

#[derive(Debug)]
struct Delivery<F> {
    client: F,
    rid: F,
    /// The broker's handle of it, from a broker of ours that is there.
    token: Option<u64>,
    /// Whose request it is, as the broker said.
    user: Option<F>,
    /// How many parts of the reply were handed to the transport.
    sent: u32,
    /// Set while its broker is lost, until another has found the client.
    held: Option<Box<Held<F>>>,
    arrived: Time,
    /// What its user has written, for a dialect without partials.
    parts: Vec<F>,
    /// Toward a broker that knows no flow control: what its parts cost.
    debt: Debt,
    /// What all of the parts that were sent cost, and how much credit its user was given.
    spent: u64,
    granted: u64,
    /// How many bytes more its user has counted than there were.
    surplus: i64,
}

impl<F> Delivery<F> {
    /// Whether its user has ended it, and only the reply is held.
    fn is_over(&self) -> bool {
        self.held.as_ref().is_some_and(|held| held.has_ended())
    }

    fn credit(&mut self, delivery: u64, bytes: u32) -> WorkerNotice<F> {
        self.granted += u64::from(bytes);
        WorkerNotice::Credit {
            delivery,
            bytes: i64::from(bytes) + std::mem::take(&mut self.surplus),
        }
    }
}

/// How long offers wait while no delivery ends. Several times what the broker sends ahead of need
/// should take, see `AHEAD` in `broker::pace`.
pub const STALL: Duration = Duration::from_millis(5);

/// How long an offer may have to wait by the pace of the latest requests. Longer than anything that
/// a broker of ours gives ahead of need, unless the user became slower meanwhile.
pub const BACKLOG: Duration = Duration::from_millis(100);

/// How long a broker of ours may take to answer a goodbye. Until then it may still give requests
/// to this worker, and what follows `Drained` may rely on it that it does not.
pub const GOODBYE: Duration = Duration::from_millis(250);

/// What a worker that is to stop waits for.
#[derive(Debug, Clone, Copy)]
enum Draining {
    /// The end of what runs, or the time to give up on it.
    Running { deadline: Option<Time> },
    /// The broker's answer to its goodbye.
    Goodbye { until: Time },
}

impl Draining {
    fn next_deadline(self) -> Option<Time> {
        match self {
            Draining::Running { deadline } => deadline,
            Draining::Goodbye { until } => Some(until),
        }
    }
}

/// The owner is to take back offers that are returnable, the latest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retract {
    /// Only those of this line, of a worker of [several](super::several) brokers.
    pub line: Option<usize>,
    /// How many deliveries there are, taken or offered.
    pub outstanding: usize,
    /// How many may remain: offers up to here have room to be taken.
    pub limit: usize,
}

/// The worker machine. See [`super`] for the contract.
#[derive(Debug)]
pub struct Worker<F> {
    config: WorkerConfig,
    link: Link,
    /// Everything that was received and not answered, by number, taken or offered.
    deliveries: BTreeMap<u64, Delivery<F>>,
    by_token: Table<u64, u64>,
    /// How many deliveries are held.
    held: usize,
    resume: Resume<F>,
    /// When offers go back unless a delivery ends before; set while there are more deliveries than
    /// may run.
    stalled_at: Option<Time>,
    pace: Pace,
    retract: Option<Retract>,
    last_delivery: u64,
    transmits: Vec<WorkerMessage<F>>,
    notices: Vec<WorkerNotice<F>>,
    /// The concurrency that the broker was told last.
    announced: Option<usize>,
    connected: bool,
    /// The transport takes less than it is given.
    congested: bool,
    /// How many connections there have been.
    connections: u64,
    /// Set once the worker is to stop: when to give up on what still runs.
    draining: Option<Draining>,
    /// Whether its room is that of other workers too, see [`share_room`](Self::share_room).
    shared: bool,
    /// Whether others have taken the room: the broker is to give no more than it has given.
    full: bool,
    watchdog: Watchdog,
}

impl<F: Frame> Worker<F> {
    /// A worker that is not started.
    pub fn new(config: WorkerConfig) -> Self {
        Worker {
            link: Link::new(config.link.clone()),
            watchdog: Watchdog::new(config.max_blocked),
            config,
            deliveries: BTreeMap::new(),
            by_token: Table::default(),
            held: 0,
            resume: Resume::new(),
            stalled_at: None,
            pace: Pace::new(),
            retract: None,
            last_delivery: 0,
            transmits: Vec::new(),
            notices: Vec::new(),
            announced: None,
            connected: false,
            congested: false,
            connections: 0,
            draining: None,
            shared: false,
            full: false,
        }
    }

    /// From now on others run requests in the same room. Whoever sees all of them watches for
    /// stalls; and what is taken back was given by a broker that can't know how full the room is,
    /// so it is asked for no more until [`room_again`](Self::room_again).
    pub(super) fn share_room(&mut self) {
        self.shared = true;
    }

    /// Others have left some of the room.
    pub(super) fn room_again(&mut self) {
        if std::mem::take(&mut self.full) && self.link.peer().is_some() && self.draining.is_none() {
            self.send_ready();
        }
    }

    /// Begins to look for the broker.
    pub fn start(&mut self) {
        self.link.open();
    }

    /// Takes no new request, lets the running ones end, then says goodbye; `Drained` follows. At
    /// `deadline` the running ones are given up, and their clients told.
    pub fn stop(&mut self, now: Time, deadline: Option<Time>) {
        self.draining = Some(Draining::Running { deadline });
        if self.link.peer().is_some() && !self.deliveries.is_empty() {
            // It takes part until the last one ends, and is given nothing until then.
            self.send_ready();
        }
        // What was not taken is given back before the running ones end.
        self.ask_back(0);
        self.settle_drain(now);
    }

    /// How many requests may run at once from now on; those that run are left alone.
    pub fn set_concurrency(&mut self, now: Time, concurrency: Option<usize>) {
        self.config.concurrency = concurrency;
        self.pace.forget();
        // What is on offer may have room now, or have none any more.
        let since = self.stalled_at;
        self.watch_for_stall(now);
        self.stalled_at = self.stalled_at.map(|at| since.unwrap_or(at).min(at));
        if self.link.peer().is_some() {
            self.send_ready();
        }
    }

    /// Takes note of what the user has taken, and is about to end.
    pub fn handle_worked(&mut self, worked: Worked) {
        if let (Some(limit), true) = (self.config.concurrency, self.config.prefetch > 0) {
            let oldest = self.deliveries.first_key_value().map(|(number, _)| *number);
            let load = self.load();
            self.pace.worked(worked, oldest, load, limit as u64);
        }
    }

    /// Takes note that the owner has taken these offers back, in the order in which they came.
    pub fn handle_retracted(&mut self, now: Time, deliveries: &[u64]) {
        let mut tokens: Vec<u8> = Vec::new();
        for &number in deliveries {
            match self.forget(number) {
                Some(Delivery {
                    token: Some(token), ..
                }) => tokens.extend(token.to_be_bytes()),
                Some(delivery) if delivery.held.is_some() => self.disown(delivery),
                _ => {}
            }
        }
        if !tokens.is_empty() {
            if self.shared && self.draining.is_none() {
                // First, or the broker would give them back at once.
                self.full = true;
                self.send_ready();
            }
            self.transmits.push(WorkerMessage::Return {
                tokens: F::from(tokens),
            });
            // It takes this worker for a slow one.
            self.pace.untold();
        }
        if self.watchdog.is_barking() && self.link.is_up() {
            self.lose_blocked(now);
        }
        self.settle_drain(now);
    }

    /// Sends one part of the reply.
    pub fn partial(&mut self, delivery: u64, body: Body<F>) {
        if self.held > 0 && self.keep_part(delivery, &body) {
            return;
        }
        let dialect = self.config.dialect;
        let has_windows = self.has_windows();
        let number = delivery;
        let Some(delivery) = self.deliveries.get_mut(&number) else {
            return;
        };
        let cost = flow::cost(&body);
        if !has_windows {
            delivery.debt.add(cost);
            if let Some(bytes) = delivery.debt.settle(self.congested) {
                self.notices.push(delivery.credit(number, bytes));
            }
        }
        if let Dialect::Mdp(mdp) = dialect
            && !mdp.has_partials()
        {
            return delivery.parts.extend(body.into_frames());
        }
        let Delivery {
            client,
            rid,
            token,
            sent,
            spent,
            ..
        } = delivery;
        // Through a 0.0.92 broker this could reach a 0.0.92 client, which a null partial kills.
        if dialect == Dialect::Omdp && token.is_none() && body.is_null() {
            return;
        }
        *sent = sent.saturating_add(1);
        *spent += u64::from(cost);
        let message = WorkerMessage::Reply {
            kind: ReplyKind::Partial,
            client: F::from(&client[..]),
            rid: F::from(&rid[..]),
            body,
            token: *token,
            pace: None,
        };
        self.transmits.push(message);
    }

    /// Ends the request with data.
    pub fn finish(&mut self, now: Time, delivery: u64, body: Body<F>) {
        self.end(now, delivery, ReplyKind::Final, body);
    }

    /// Ends the request with an error value.
    pub fn error(&mut self, now: Time, delivery: u64, value: Body<F>) {
        self.end(now, delivery, ReplyKind::Error, value);
    }

    /// A heartbeat out of turn.
    pub fn heartbeat(&mut self) {
        if self.link.is_up() && !self.said_goodbye() {
            self.transmits.push(WorkerMessage::Heartbeat);
        }
    }

    /// The user has counted a part that it is about to send, and can't know what becomes of it as
    /// JSON: what it counted too much or too little is set right with the next credit.
    pub fn correct(&mut self, delivery: u64, counted: u32, body: &Body<F>) {
        let cost = flow::cost(body);
        if counted != cost
            && let Some(delivery) = self.deliveries.get_mut(&delivery)
        {
            delivery.surplus += i64::from(counted) - i64::from(cost);
        }
    }

    /// Whether the broker sees to it that credit comes.
    pub fn has_windows(&self) -> bool {
        self.link.peer().is_some_and(|broker| broker.flow)
    }

    /// Whether the transport takes less than it is given.
    pub fn handle_congestion(&mut self, congested: bool) {
        self.congested = congested;
        for (&number, delivery) in &mut self.deliveries {
            if let Some(bytes) = delivery.debt.settle(congested) {
                self.notices.push(delivery.credit(number, bytes));
            }
        }
    }

    /// The transport takes messages: registers.
    pub fn handle_up(&mut self, now: Time) {
        if self.link.handle_up(now) {
            self.connections += 1;
            self.watchdog.begin(now);
            self.pace.untold();
            self.send_ready();
        }
    }

    /// The connection broke.
    pub fn handle_down(&mut self, now: Time) {
        self.lose(now, Loss::Transport);
    }

    /// The broker does not let this worker in: the next attempt has more time.
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
        let message = match self.config.dialect.decode_for_worker(frames) {
            Ok(message) => message,
            Err(why) => return self.notices.push(WorkerNotice::Fault(why)),
        };
        if !matches!(message, ToWorker::Disconnect) {
            self.heard(now);
        }
        match message {
            ToWorker::Welcome { hello } => match Hello::parse(&hello) {
                Ok(hello) => {
                    self.link.welcome(hello.clone());
                    self.find_out(&hello);
                    self.settle_drain(now);
                    if self.announced != self.concurrency() {
                        self.send_ready();
                    }
                }
                Err(why) => self.notices.push(WorkerNotice::Fault(why)),
            },
            // A broker of ours gave it to an earlier life of this name, whose requests it ends when
            // it hears our READY.
            ToWorker::Request { extra: Some(_), .. } if self.link.peer().is_none() => {}
            // It would have two deliveries, of which a CANCEL could name but one.
            ToWorker::Request {
                extra: Some(extra), ..
            } if self.by_token.contains_key(&extra.token) => {
                self.notices.push(WorkerNotice::Fault(Malformed::Extension));
            }
            ToWorker::Request {
                client,
                rid,
                body,
                extra,
            } => {
                let token = extra.as_ref().map(|extra| extra.token);
                let said = extra.map(|extra| (extra.opts, extra.retried, extra.user));
                let user = said.as_ref().and_then(|(_, _, user)| user.clone());
                let delivery = Delivery {
                    client,
                    rid,
                    token,
                    user,
                    sent: 0,
                    held: None,
                    arrived: now,
                    parts: Vec::new(),
                    debt: Debt::default(),
                    spent: 0,
                    granted: 0,
                    surplus: 0,
                };
                self.on_request(now, delivery, body, said);
            }
            ToWorker::Cancel { token } => {
                if let Some(&delivery) = self.by_token.get(&token) {
                    self.cancel(delivery, Code::Aborted);
                    self.settle_drain(now);
                }
            }
            ToWorker::Resume(ext) => self.on_resume(now, ext),
            ToWorker::Disclaim { numbers } => self.on_disclaim(now, &numbers),
            ToWorker::Credit { token, bytes } => {
                if let Some(&number) = self.by_token.get(&token)
                    && let Some(delivery) = self.deliveries.get_mut(&number)
                {
                    self.notices.push(delivery.credit(number, bytes));
                }
            }
            // A client's own heartbeat; a delivery stays active until somebody says otherwise.
            ToWorker::RequestHeartbeat { .. } | ToWorker::Heartbeat => {}
            ToWorker::Disconnect => {
                self.resume.dismiss();
                if !self.connected {
                    self.link.refused();
                }
                self.lose(now, Loss::Refused);
            }
            ToWorker::NameTaken { session } => self.name_taken(now, &session),
        }
    }

    /// To be called when [`next_deadline`](Self::next_deadline) has come, after the messages that
    /// were there already.
    pub fn handle_timeout(&mut self, now: Time) {
        match self.link.handle_timeout(now) {
            Some(Due::Beat) => self.heartbeat(),
            Some(Due::Lost(why)) => {
                self.watchdog.end();
                self.lost(now, why);
            }
            None => {}
        }
        if self.resume.next_deadline().is_some_and(|at| at <= now) {
            self.give_up_held();
        }
        if self.stalled_at.is_some_and(|at| at <= now) {
            self.stalled_at = None;
            self.ask_back(self.config.concurrency.unwrap_or(usize::MAX));
        }
        if self.watchdog.handle_timeout(now) {
            self.block();
        }
        self.settle_drain(now);
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
        // What the owner is to take back comes first, and goes on with the drain.
        let draining = self.draining.filter(|_| self.retract.is_none());
        [
            draining.and_then(Draining::next_deadline),
            self.stalled_at,
            self.resume.next_deadline(),
            self.watchdog.next_deadline(),
            self.link.next_deadline(),
        ]
        .into_iter()
        .flatten()
        .min()
    }

    /// Which offers are to be taken back; the answer is
    /// [`handle_retracted`](Self::handle_retracted).
    pub fn poll_retract(&mut self) -> Option<Retract> {
        self.retract.take()
    }

    /// Hands out the messages to be sent, in order.
    pub fn drain_transmits(&mut self, mut send: impl FnMut(WorkerMessage<F>)) {
        self.transmits.drain(..).for_each(&mut send);
    }

    /// Hands out what there is to report, in order.
    pub fn drain_notices(&mut self) -> std::vec::Drain<'_, WorkerNotice<F>> {
        self.notices.drain(..)
    }

    /// What is to be done with the socket, after the transmits were drained.
    pub fn poll_action(&mut self) -> Option<Action> {
        self.link.poll_action()
    }

    /// Whether the broker has it.
    pub fn is_connected(&self) -> bool {
        self.connected
    }

    /// How many requests were taken and not answered.
    pub fn outstanding(&self) -> usize {
        self.load()
    }

    /// How many requests the broker may give it: none once it is to leave, or its user is blocked,
    /// and fewer while some run that the broker does not know of.
    fn concurrency(&self) -> Option<usize> {
        let limit = match self.draining.is_some() || self.watchdog.is_barking() {
            true => Some(0),
            false if self.full => Some(self.load()),
            false => self.config.concurrency,
        };
        limit.map(|limit| limit.saturating_sub(self.unclaimed()))
    }

    /// Whatever it said after that would make the broker think that it begins anew.
    fn said_goodbye(&self) -> bool {
        matches!(self.draining, Some(Draining::Goodbye { .. }))
    }

    /// It may be meant for the other peer of this name, if that was displaced just now.
    #[cold]
    fn name_taken(&mut self, now: Time, session: &[u8]) {
        if *session == *self.session().as_bytes() {
            self.link.close();
            self.resume.dismiss();
            self.lost(now, Loss::NameTaken);
        }
    }

    fn session(&self) -> String {
        format!("{}.{}", self.config.session, self.connections)
    }

    fn send_ready(&mut self) {
        if self.said_goodbye() {
            return;
        }
        let mut hello = Hello::new(
            self.config.link.heartbeat.as_millis() as u64,
            self.config.link.liveness,
        );
        hello.session = self.session();
        self.announced = self.concurrency();
        hello.concurrency = Some(
            self.announced
                .map_or(-1, |n| i64::try_from(n).unwrap_or(i64::MAX)),
        );
        let ahead = self.config.prefetch > 0 && self.draining.is_none() && !self.full;
        hello.prefetch = ahead.then_some(self.config.prefetch);
        hello.flow = true;
        self.transmits.push(WorkerMessage::Ready {
            service: F::from(self.config.service.as_bytes()),
            hello: Some(hello.to_frame()),
        });
    }

    /// A sign of life, and the first one of a connection: a broker that speaks to this worker has
    /// it.
    fn heard(&mut self, now: Time) {
        self.link.heard(now);
        if !self.connected && self.link.is_up() {
            self.connected = true;
            self.link.accepted();
            self.notices.push(WorkerNotice::Connected);
        }
    }

    /// `said` is the client's options, and what the broker says of the attempt and of its user.
    fn on_request(
        &mut self,
        now: Time,
        delivery: Delivery<F>,
        body: Body<F>,
        said: Option<(F, u8, Option<F>)>,
    ) {
        if self.draining.is_some() {
            // It crossed our decision to leave; our goodbye, or this, gives it to another worker.
            if let Some(token) = delivery.token.filter(|_| !self.said_goodbye()) {
                self.transmits.push(WorkerMessage::Return {
                    tokens: F::from(&token.to_be_bytes()[..]),
                });
            }
            return;
        }
        self.last_delivery += 1;
        let number = self.last_delivery;
        let returnable = delivery.token.is_some();
        if let Some(token) = delivery.token {
            self.by_token.insert(token, number);
        }
        self.deliveries.insert(number, delivery);
        if self.stalled_at.is_none() {
            self.watch_for_stall(now);
        }
        let (opts, retried, user) = said.map_or((None, 0, None), |(opts, retried, user)| {
            (Some(opts), retried, user)
        });
        self.notices.push(WorkerNotice::Request {
            delivery: number,
            body,
            opts,
            retried,
            user,
            returnable,
        });
    }

    fn watch_for_stall(&mut self, now: Time) {
        if self.shared {
            return;
        }
        let limit = self.config.concurrency.unwrap_or(usize::MAX);
        self.stalled_at = (self.load() > limit).then(|| now + STALL);
    }

    /// It became slow, though not so slow that nothing ends: what would wait for long goes back.
    fn shed_backlog(&mut self) {
        let Some(limit) = self
            .config
            .concurrency
            .filter(|_| self.stalled_at.is_some())
        else {
            return;
        };
        let Some(soon) = self.pace.within(BACKLOG) else {
            return;
        };
        let limit = limit.saturating_add(soon);
        if self.load() > limit && self.retract.is_none() && self.draining.is_none() {
            self.ask_back(limit);
        }
    }

    fn ask_back(&mut self, limit: usize) {
        self.retract = Some(Retract {
            line: None,
            outstanding: self.load(),
            limit,
        });
    }

    fn end(&mut self, now: Time, number: u64, kind: ReplyKind, mut body: Body<F>) {
        if self.held > 0 && self.keep_end(number, kind, &body) {
            return;
        }
        let Some(delivery) = self.forget(number) else {
            return;
        };
        let Delivery {
            client,
            rid,
            token,
            arrived,
            parts,
            ..
        } = delivery;
        if kind == ReplyKind::Final && !parts.is_empty() {
            body = with_parts(parts, body);
        }
        if self.config.dialect == Dialect::Omdp && token.is_none() && kind.is_error() {
            body = Body::json(error_for_old(body.into_json()));
        }
        let service = token.and_then(|_| self.pace.tell(now));
        let pace = service.map(|service| ext::Pace {
            service,
            held: u32::try_from(now.since(arrived).as_micros()).unwrap_or(u32::MAX),
        });
        self.transmits.push(WorkerMessage::Reply {
            kind,
            client,
            rid,
            body,
            token,
            pace,
        });
        self.watch_for_stall(now);
        self.shed_backlog();
        self.settle_drain(now);
    }

    fn forget(&mut self, number: u64) -> Option<Delivery<F>> {
        let delivery = self.deliveries.remove(&number)?;
        if let Some(token) = delivery.token {
            self.by_token.remove(&token);
        }
        self.release(&delivery);
        Some(delivery)
    }

    fn cancel(&mut self, number: u64, code: Code) {
        if self
            .forget(number)
            .is_none_or(|delivery| delivery.is_over())
        {
            return;
        }
        self.notices.push(WorkerNotice::Cancelled {
            delivery: number,
            code,
        });
    }

    /// While the worker is to stop: says goodbye as soon as nothing runs, or at the deadline.
    fn settle_drain(&mut self, now: Time) {
        let deadline = match self.draining {
            None => return,
            Some(Draining::Running { deadline }) => deadline,
            Some(Draining::Goodbye { until }) => {
                // Without a link nobody is left to answer.
                if until <= now || !self.link.is_up() {
                    self.leave();
                }
                return;
            }
        };
        let overdue = deadline.is_some_and(|at| at <= now);
        // Offers come back at once, and must not be taken for running.
        if (!self.deliveries.is_empty() && !overdue) || self.retract.is_some() {
            return;
        }
        let running: Vec<u64> = self.deliveries.keys().copied().collect();
        for number in running {
            if let Some(delivery) = self.forget(number) {
                if delivery.is_over() {
                    continue;
                }
                // The broker drops a claim with its worker.
                if delivery.held.is_none() {
                    self.transmits.push(WorkerMessage::Reply {
                        kind: ReplyKind::OwnError,
                        client: delivery.client,
                        rid: delivery.rid,
                        body: Body::json(F::from(Code::WorkerLost.to_json())),
                        token: delivery.token,
                        pace: None,
                    });
                }
                self.notices.push(WorkerNotice::Cancelled {
                    delivery: number,
                    code: Code::WorkerLost,
                });
            }
        }
        if self.link.is_up() {
            self.transmits.push(WorkerMessage::Disconnect);
            // One of 0.0.92 has been heard without a hello, and doesn't answer.
            if self.link.peer().is_some() || !self.connected {
                let until = now + GOODBYE;
                self.draining = Some(Draining::Goodbye { until });
                return;
            }
        }
        self.leave();
    }

    /// The drain is over.
    fn leave(&mut self) {
        self.draining = None;
        self.stalled_at = None;
        self.resume = Resume::new();
        self.watchdog = Watchdog::new(self.config.max_blocked);
        self.link.close();
        if self.connected {
            self.connected = false;
            self.notices.push(WorkerNotice::Disconnected(Loss::Stopped));
        }
        self.notices.push(WorkerNotice::Drained);
    }

    /// The user's thread is to be asked for a sign of life now; the answer is
    /// [`handle_pong`](Self::handle_pong).
    pub fn poll_ping(&mut self) -> bool {
        self.watchdog.poll_ping()
    }

    /// The user's thread is not blocked.
    pub fn handle_pong(&mut self, now: Time) {
        if self.watchdog.handle_pong(now) {
            self.link.resume(now);
        }
    }

    /// The user's thread is blocked. What it has not taken goes back before the link is given up.
    fn block(&mut self) {
        if self.link.peer().is_some() {
            self.send_ready();
        }
        self.ask_back(0);
    }

    /// What it has taken is lost, as if the worker had died.
    fn lose_blocked(&mut self, now: Time) {
        if self.said_goodbye() {
            return self.leave();
        }
        self.link.suspend(now);
        self.lost(now, Loss::Blocked);
    }

    fn lose(&mut self, now: Time, why: Loss) {
        if self.said_goodbye() {
            // The broker's answer, or that there will be none.
            return self.leave();
        }
        if self.link.lose(now) {
            self.watchdog.end();
            self.lost(now, why);
        }
    }

    fn lost(&mut self, now: Time, why: Loss) {
        self.stalled_at = None;
        if why == Loss::Blocked {
            // The broker is there, and gives them to another.
            self.abandon();
        } else {
            self.lose_deliveries(now);
        }
        if self.connected {
            self.connected = false;
            self.notices.push(WorkerNotice::Disconnected(why));
        }
        self.settle_drain(now);
    }
}

/// One body of all parts and the final, which adds nothing if it has no data.
fn with_parts<F: Frame>(mut parts: Vec<F>, body: Body<F>) -> Body<F> {
    if !body.is_null() {
        parts.extend(body.into_frames());
    }
    Body::from_frames(parts)
}
