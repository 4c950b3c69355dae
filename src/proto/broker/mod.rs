//! The broker: knows the services and who serves them, queues requests, gives each to one worker
//! and passes its replies on; notices who died.
//!
//! Peers are told apart by their routing id, which the transport vouches for: what a message says
//! of its sender is never believed. A worker's reply counts only for a request that this worker
//! was given; a client's cancel only for a request of its own.
//!
//! | from   | message            | what the broker does                                           |
//! |--------|--------------------|----------------------------------------------------------------|
//! | client | HELLO              | registers the client, answers; an earlier life's requests end  |
//! | client | REQUEST            | queues it under its service, dispatches                        |
//! | client | REQUEST that may not wait | `W_NONE`, `B_QUEUE_FULL` (see [`limits`])                |
//! | client | HEARTBEAT rid      | passes it to the worker that holds the request                 |
//! | client | CANCEL             | forgets the request, tells its worker                          |
//! | client | RESUME             | looks for it among the claims, see [`claims`]                  |
//! | client | GO                 | the requests may be given to a worker, see [`parking`]         |
//! | client | CREDIT rid         | passes it to the worker that holds the request                 |
//! | client | DISCONNECT         | forgets the client and its requests                            |
//! | worker | READY              | registers the worker, answers a hello, dispatches              |
//! | worker | READY, held        | same session: updates; new one: starts over; 0.0.92: DISCONNECT |
//! | worker | PARTIAL            | passes it on, restarts the idle timeout                        |
//! | worker | FINAL, error       | passes it on, forgets the request, dispatches                  |
//! | worker | error `W_LOST` of a request that may start again | see [`retry`]                   |
//! | worker | RETURN             | its requests go back to the front of the queue                 |
//! | worker | CLAIM              | looks for who asks for it, see [`claims`]                      |
//! | worker | DISCONNECT         | forgets the worker; of ours: its requests had not started      |
//! | worker | anything, not held | DISCONNECT, and the worker starts over                         |
//! | any    | MDP                | see `mdp`: the same, in the terms of its dialect               |
//! | any    | PIGATO             | see `pigato`: the same                                         |
//! | time   | request's deadline | `C_TIMEOUT` to the client, CANCEL to the worker                |
//! | either | READY, REQUEST the user may not | DISCONNECT; `B_DENIED` (see [`access`])                |
//! | time   | silent peer        | DISCONNECT, and as if its connection had broken                |
//! | transport | takes no more of a peer's | DISCONNECT, or `C_SLOW` for its requests (see `flow`)    |
//! | transport | connection broke | a worker's requests start again or are lost; a client's end    |

mod access;
mod accounts;
mod addresses;
mod admission;
mod ahead;
#[cfg(any(test, feature = "fuzz"))]
mod audit;
mod backlog;
mod bans;
mod charges;
mod claims;
mod clients;
mod config;
mod detached;
mod directory;
mod dispatch;
mod displaced;
mod ends;
mod entries;
mod event;
mod fanout;
mod flow;
mod forgotten;
mod handover;
mod homes;
mod incoming;
mod input;
mod keys;
mod limits;
mod liveness;
mod lookahead;
mod mdp;
mod metrics;
mod mmi;
mod omdp;
mod pace;
mod parking;
mod pigato;
mod places;
mod registration;
mod replies;
mod reply_log;
mod request_log;
mod requests;
mod retry;
mod returned;
mod routing;
mod running;
mod services;
mod stats;
mod transmit;
pub mod turns;
mod unparking;
mod workers;

pub use access::{Access, Action, Credentials, Grant, Pattern, Principal, Refusals};
pub use accounts::HeldLimits;
pub use config::BrokerConfig;
pub use event::{BrokerEvent, Departure, EndedRequest, Told};
pub use limits::Limits;
pub use services::{Policies, Policy};
pub use transmit::{Outgoing, Transmit};

use super::Time;
use super::deadlines::{Deadlines, TimerKey};
use crate::proto::table::Table;
use crate::wire::pigato::is_bare_beat;
use crate::wire::{Dialect, Frame, Malformed};
use accounts::Accounts;
use addresses::Addresses;
use claims::Claims;
use clients::Clients;
use displaced::Displaced;
use forgotten::Forgotten;
use incoming::Incoming;
use keys::{ClientKey, RequestKey, ServiceKey, WorkerKey};
use limits::{Gauge, Pulse};
use mdp::{Parts, Refused};
use parking::Parking;
use reply_log::ReplyLogs;
use requests::Requests;
use services::Services;
use stats::Counters;
use std::sync::Arc;
use workers::Workers;

/// What the transport calls a peer: 1 to 255 bytes, unique among the connections of one socket.
pub type RoutingId = Arc<[u8]>;

/// Who waits for a time.
#[derive(Debug, Clone, Copy)]
enum Timer {
    Request(RequestKey),
    Worker(WorkerKey),
    Client(ClientKey),
    Question(u64),
    Parking,
    Leaving,
    Claim(usize),
    Search(RequestKey),
    Rate(ServiceKey),
}

/// How many deadlines are seen to before messages get their turn: a queue of a million that expires
/// must not keep the others waiting.
const MAX_DUE: usize = 1024;

/// How many messages that are none, or denied, an operator is told of in a second.
const MAX_FAULTS: u32 = 512;

/// The broker machine. See [`super`] for the contract.
#[derive(Debug)]
pub struct Broker<F> {
    config: BrokerConfig,
    services: Services,
    workers: Workers,
    clients: Clients,
    requests: Requests<F>,
    deadlines: Deadlines<Timer>,
    parking: Parking,
    claims: Claims,
    accounts: Accounts,
    addresses: Addresses,
    leaving: registration::Leaving,
    logs: ReplyLogs<F>,
    forgotten: Forgotten,
    transmits: Vec<Transmit<F>>,
    events: Vec<BrokerEvent>,
    /// What a worker of PIGATO adds to the reply that is being passed on.
    reply_opts: Option<F>,
    /// What has come of replies whose clients can't be given parts.
    parts: Table<RequestKey, Parts<F>>,
    /// Who was told to begin anew, and hears no more until it does.
    refused: Refused,
    displaced: Displaced,
    answers: mmi::Answers<F>,
    /// Numbers the requests of clients that don't.
    last_rid: u64,
    counters: Counters,
    journal: metrics::Journal,
    request_log: request_log::RequestLog,
    gauge: Gauge,
    /// The time of the message that is being handled.
    now: Time,
    /// How often faults and refusals of peers are told.
    faults: Pulse,
    authorizer: access::Authorizer<F>,
    settling: fanout::Settling,
    backlogs: backlog::Backlogs,
    /// What the message that is being handled takes beyond one unit of work.
    work: u32,
    /// Nothing is given to a worker any more.
    stopping: bool,
    /// It has stopped, and hears nobody.
    stopped: bool,
}

impl<F: Frame> Broker<F> {
    /// A broker that knows nobody.
    pub fn new(config: BrokerConfig) -> Self {
        Broker {
            services: Services::new(config.measured_services, config.policies.spreads),
            workers: Workers::default(),
            clients: Clients::new(config.seed),
            requests: Requests::new(),
            deadlines: Deadlines::new(),
            parking: Parking::default(),
            claims: Claims::default(),
            accounts: Accounts::new(config.held),
            addresses: Addresses::default(),
            leaving: registration::Leaving::default(),
            logs: ReplyLogs::new(),
            forgotten: Forgotten::default(),
            transmits: Vec::new(),
            events: Vec::new(),
            reply_opts: None,
            parts: Table::default(),
            refused: Refused::default(),
            displaced: Displaced::default(),
            answers: mmi::Answers::default(),
            last_rid: 0,
            counters: Counters::default(),
            journal: metrics::Journal::default(),
            request_log: request_log::RequestLog::new(),
            gauge: Gauge::default(),
            now: Time::ZERO,
            faults: Pulse::new(MAX_FAULTS),
            authorizer: access::Authorizer::new(),
            settling: fanout::Settling::default(),
            backlogs: backlog::Backlogs::default(),
            work: 0,
            stopping: false,
            stopped: false,
            config,
        }
    }

    /// Takes one message, without the routing id that the transport put before it; `frames` is
    /// empty afterwards.
    pub fn handle_message(&mut self, now: Time, from: &[u8], frames: &mut Vec<F>) {
        self.now = now;
        if self.is_banned(now, from) {
            return frames.clear();
        }
        let dialect = Dialect::detect(frames);
        if self.stopped {
            return self.turn_away(from, dialect, frames);
        }
        if let Some(dialect) = dialect {
            self.counters.messages[dialect.index()] += 1;
        }
        if dialect.is_some_and(|dialect| !self.config.dialects.contains(dialect)) {
            frames.clear();
            return self.report_bad(from, "dialect not served");
        }
        if let Some(dialect) = dialect
            && self.is_mixed(now, from, dialect)
        {
            frames.clear();
            return self.report_bad(from, "another dialect than before");
        }
        if is_bare_beat(frames) {
            self.answer_beat(from);
        }
        match Incoming::decode(dialect, frames) {
            Ok(message) => self.handle_decoded(now, from, message),
            Err(why) => self.report_bad(from, why.as_str()),
        }
    }

    fn handle_decoded(&mut self, now: Time, from: &[u8], message: Incoming<F>) {
        if self.authorizer.is_on() {
            return self.screen(now, from, message);
        }
        self.do_decoded(now, from, message);
    }

    /// Does what may be done.
    fn do_decoded(&mut self, now: Time, from: &[u8], message: Incoming<F>) {
        let result = match message {
            Incoming::Request(request) => self.admit(now, from, request).map_err(Malformed::as_str),
            Incoming::Client(message) => self
                .on_client(now, from, message)
                .map_err(Malformed::as_str),
            Incoming::Worker(message) => self
                .on_worker(now, from, message)
                .map_err(Malformed::as_str),
            Incoming::MdpWorker(dialect, message) => {
                self.on_mdp_worker(now, from, dialect, message)
            }
            Incoming::Pigato(message) => {
                self.on_pigato(now, from, message);
                Ok(())
            }
        };
        if let Err(why) = result {
            self.report_bad(from, why);
        }
    }

    /// The connection of this peer broke, or a message could not be delivered because it had.
    pub fn handle_gone(&mut self, now: Time, peer: &[u8]) {
        self.refused.remove(peer);
        let (worker, client) = (self.workers.find(peer), self.clients.find(peer));
        let why = Departure::Connection;
        let worker = worker.filter(|&key| !self.detach_worker(now, key, why));
        let client = client.filter(|&key| !self.detach_client(now, key, why));
        self.withhold(peer);
        if let Some(worker) = worker {
            self.remove_worker(now, worker, why);
        }
        if let Some(client) = client {
            self.client_gone(now, client);
        }
        self.forget_peer(peer);
    }

    /// To be called when [`next_deadline`](Self::next_deadline) has come, after the messages that
    /// were there already: what was said in time must not count as silence. When very many are due
    /// at once some may be left, and the next deadline is still that one.
    pub fn handle_timeout(&mut self, now: Time) {
        self.now = now;
        for _ in 0..MAX_DUE {
            let Some(timer) = self.deadlines.pop_due(now) else {
                return;
            };
            match timer {
                Timer::Request(key) => self.request_due(now, key),
                Timer::Worker(key) => self.worker_due(now, key),
                Timer::Client(key) => self.client_due(now, key),
                Timer::Question(id) => self.question_due(now, id),
                Timer::Parking => self.parking_due(now),
                Timer::Leaving => self.leaving_due(now),
                Timer::Claim(at) => self.claim_due(now, at),
                Timer::Search(key) => self.search_due(now, key),
                Timer::Rate(key) => self.rate_due(now, key),
            }
        }
    }

    /// When to call [`handle_timeout`](Self::handle_timeout).
    pub fn next_deadline(&self) -> Option<Time> {
        self.deadlines.next()
    }

    /// Hands out the messages to be sent, in order.
    pub fn drain_transmits(&mut self) -> std::vec::Drain<'_, Transmit<F>> {
        self.transmits.drain(..)
    }

    /// Hands out what an operator may want to know, in order.
    pub fn drain_events(&mut self) -> std::vec::IntoIter<Told> {
        let Broker {
            addresses, journal, ..
        } = self;
        let told = self.events.drain(..).map(|event| {
            let address = event.peer().and_then(|peer| addresses.of(peer)).cloned();
            let told = Told { event, address };
            journal.note(&told);
            told
        });
        told.collect::<Vec<_>>().into_iter()
    }

    /// How many messages that are none have come.
    pub fn bad_messages(&self) -> u64 {
        self.counters.bad_messages
    }

    /// How many requests wait or run; workers; clients; services. All are zero when nobody is
    /// there and nothing is asked.
    pub fn load(&self) -> [usize; 4] {
        [
            self.requests.len(),
            self.workers.len(),
            self.clients.len(),
            self.services.len(),
        ]
    }

    /// How often peers wanted what they may not.
    pub fn refusals(&self) -> Refusals {
        self.authorizer.refusals
    }

    /// Every one is counted; so many that a log stays readable are told.
    fn report_bad(&mut self, from: &[u8], why: &'static str) {
        self.counters.bad_messages += 1;
        if self.faults.beats(self.now) {
            self.events.push(BrokerEvent::BadMessage {
                peer: from.into(),
                why,
            });
        }
    }

    fn cancel_timer(&mut self, timer: Option<TimerKey>) {
        if let Some(timer) = timer {
            self.deadlines.cancel(timer);
        }
    }
}
