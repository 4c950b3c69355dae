//! The broker: registers services and their workers, queues requests, gives each to one worker, passes its replies to
//! the client, and detects peers that have died.
//!
//! Peers are identified by the routing id of the transport, never by what a message says about its sender. A worker
//! may reply only to requests that it was given, and a client may cancel only its own requests.
//!
//! | from   | message            | what the broker does                                           |
//! |--------|--------------------|----------------------------------------------------------------|
//! | client | HELLO              | registers the client, answers; ends requests of an earlier life |
//! | client | REQUEST            | queues it under its service, dispatches                        |
//! | client | REQUEST beyond a limit, or with `failFast` | `B_QUEUE_FULL`, `W_NONE` (see [`limits`]) |
//! | client | HEARTBEAT rid      | passes it to the worker of the request                         |
//! | client | CANCEL             | ends the request, tells its worker                             |
//! | client | RESUME             | searches the claims for it, see [`recovery`]                   |
//! | client | GO                 | releases parked requests, see [`parking`]                      |
//! | client | CREDIT rid         | passes it to the worker of the request                         |
//! | client | DISCONNECT         | removes the client, ends its requests                          |
//! | worker | READY              | registers the worker, answers a hello, dispatches              |
//! | worker | READY, registered  | same session: updates; new session: starts over; 0.0.92: DISCONNECT |
//! | worker | PARTIAL            | passes it on, restarts the idle timeout                        |
//! | worker | FINAL, error       | passes it on, ends the request, dispatches                     |
//! | worker | error `W_LOST` of a request with `retry` | see [`attempts`]                         |
//! | worker | RETURN             | puts its requests back to the front of the queue               |
//! | worker | CLAIM              | searches the resumed requests for it, see [`recovery`]         |
//! | worker | DISCONNECT         | removes the worker; requests of an extended worker had not started |
//! | worker | other, not registered | DISCONNECT, and the worker starts over                      |
//! | any    | MDP                | see `mdp`                                                      |
//! | any    | PIGATO             | see `pigato`                                                   |
//! | timer  | end of a timeout   | `C_TIMEOUT` to the client, CANCEL to the worker                |
//! | any    | READY, REQUEST that the rules deny | DISCONNECT; `B_DENIED` (see [`access`])        |
//! | timer  | silent peer        | DISCONNECT, then as after the end of its connection            |
//! | transport | too much waits for a peer | DISCONNECT, or `C_SLOW` for its requests (see `flow`)   |
//! | transport | end of a connection | retries or ends a worker's requests; ends a client's          |

mod absence;
mod access;
mod accounts;
mod action;
mod addresses;
mod admission;
mod answers;
mod attempts;
#[cfg(any(test, feature = "fuzz"))]
mod audit;
mod bans;
#[cfg(test)]
mod bench;
mod claims;
mod clients;
mod collected;
mod config;
mod context;
mod copies;
mod data_stream;
mod departures;
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
mod grace;
mod handover;
mod heard;
mod heartbeats;
mod homes;
mod incoming;
mod kept_back;
mod keys;
mod limits;
mod liveness;
mod lookahead;
mod mdp;
mod metrics;
mod mmi;
mod names;
mod omdp;
mod on_hold;
mod outbox;
mod outcome;
mod pace;
mod parking;
mod payload;
mod pigato;
mod places;
mod ready;
mod recall;
mod reclaim;
mod recovery;
mod registration;
mod relocation;
mod replies;
mod reply_log;
mod request_log;
mod requests;
mod returned;
mod rids;
mod roster;
mod routing;
mod running;
mod services;
mod session;
mod snapshot;
mod stats;
mod survey;
mod tally;
mod tasks;
mod transmit;
mod transport;
mod transport_charges;
pub mod turns;
mod unparking;
mod unresumed;
mod worker_replies;
mod workers;

pub use access::{Access, Credentials, Grant, Pattern, Principal, Refusals};
pub use accounts::HeldLimits;
pub use action::Action;
pub use config::BrokerConfig;
pub use event::{BrokerEvent, Departure, EndedRequest, Told};
pub use limits::Limits;
pub use names::{NameClaim, Role};
pub use payload::Payload;
pub use services::{Policies, Policy};
pub use snapshot::Taking;
pub use stats::{BrokerStats, TableStats};
pub use transmit::{Outgoing, Transmit};

use super::Time;
use crate::wire::pigato::is_bare_beat;
use crate::wire::{Dialect, Frame, Malformed};
use claims::Claims;
use context::Context;
use displaced::Displaced;
use forgotten::Forgotten;
use incoming::Incoming;
use keys::{ClientKey, RequestKey, ServiceKey, WorkerKey};
use limits::Gauge;
use mdp::Expelled;
use metrics::COUNTS;
use parking::Parking;
use recall::Recalls;
use replies::Replies;
use snapshot::Reader;
use std::sync::Arc;

/// The transport's id of a peer: 1 to 255 bytes, unique among the connections of a socket.
pub type RoutingId = Arc<[u8]>;

/// The owner of a deadline.
#[derive(Debug, Clone, Copy)]
enum Timer {
    Request(RequestKey),
    Worker(WorkerKey),
    Client(ClientKey),
    Question(u64),
    Parking,
    Tasks,
    Claim(usize),
    Search(RequestKey),
    Rate(ServiceKey),
    Roster,
    Forgotten,
}

/// Maximum of deadlines that are handled before messages are handled again, so that a million requests that expire at
/// once do not delay messages.
const MAX_DUE: u32 = 256;

/// The broker machine. See [`super`] for the contract.
#[derive(Debug)]
pub struct Broker<F> {
    cx: Context<F>,
    parking: Parking,
    claims: Claims,
    /// Where the latest requests have come back to their queues after searches.
    rejoined: requests::Cursors,
    roster: roster::Roster,
    recalls: Recalls,
    tasks: tasks::Tasks,
    replies: Replies<F>,
    forgotten: Forgotten<F>,
    /// Workers that were told to start over; no further messages are sent to them until they do.
    expelled: Expelled,
    displaced: Displaced,
    answers: answers::Answers<F>,
    /// The latest id that was assigned to a request of a client whose dialect has no ids.
    last_rid: u64,
    journal: metrics::Journal,
    tally: tally::Tally,
    gauge: Gauge,
    authorizer: access::Authorizer<F>,
    dependents: fanout::Dependents,
    transport_charges: transport_charges::TransportCharges,
    /// Whether dispatch has ended.
    stopping: bool,
    /// Whether the broker has stopped; messages are not handled.
    stopped: bool,
}

impl<F: Frame> Broker<F> {
    /// Creates a broker without peers.
    pub fn new(config: BrokerConfig) -> Self {
        Broker {
            parking: Parking::default(),
            claims: Claims::default(),
            rejoined: requests::Cursors::default(),
            roster: roster::Roster::default(),
            recalls: Recalls::default(),
            tasks: tasks::Tasks::default(),
            replies: Replies::new(),
            forgotten: Forgotten::new(),
            expelled: Expelled::default(),
            displaced: Displaced::default(),
            answers: answers::Answers::default(),
            last_rid: 0,
            journal: metrics::Journal::default(),
            tally: tally::Tally::new(),
            gauge: Gauge::default(),
            authorizer: access::Authorizer::new(),
            dependents: fanout::Dependents::default(),
            transport_charges: transport_charges::TransportCharges::default(),
            stopping: false,
            stopped: false,
            cx: Context::new(config),
        }
    }

    /// Handles a message, given without the routing id in front. Leaves `frames` empty.
    pub fn handle_message(&mut self, now: Time, from: &[u8], frames: &mut Vec<F>) {
        self.cx.now = now;
        if self.cx.is_banned(from) {
            return frames.clear();
        }
        let dialect = Dialect::detect(frames);
        if self.stopped {
            return self.turn_away(from, dialect, frames);
        }
        if COUNTS && let Some(dialect) = dialect {
            self.cx.counters.messages[dialect.index()] += 1;
        }
        if dialect.is_some_and(|dialect| !self.cx.config.dialects.contains(dialect)) {
            frames.clear();
            return self.cx.report_bad(from, "dialect not served");
        }
        if let Some(dialect) = dialect
            && self.is_mixed(from, dialect)
        {
            frames.clear();
            return self.cx.report_bad(from, "a different dialect than before");
        }
        if is_bare_beat(frames) {
            self.cx.answer_beat(from);
        }
        match Incoming::decode(dialect, frames) {
            Ok(message) => self.handle_decoded(from, message),
            Err(why) => self.cx.report_bad(from, why.as_str()),
        }
    }

    fn handle_decoded(&mut self, from: &[u8], message: Incoming<F>) {
        if self.authorizer.is_on() {
            return self.screen(from, message);
        }
        self.do_decoded(from, message);
    }

    /// Handles a message that is permitted.
    fn do_decoded(&mut self, from: &[u8], message: Incoming<F>) {
        let result = match message {
            Incoming::Request(request) => self.admit(from, request).map_err(Malformed::as_str),
            Incoming::Client(message) => self.on_client(from, message).map_err(Malformed::as_str),
            Incoming::Worker(message) => self.on_worker(from, message).map_err(Malformed::as_str),
            Incoming::MdpWorker(dialect, message) => self.on_mdp_worker(from, dialect, message),
            Incoming::Pigato(message) => {
                self.on_pigato(from, message);
                Ok(())
            }
        };
        if let Err(why) = result {
            self.cx.report_bad(from, why);
        }
    }

    /// Must be called at [`next_deadline`](Self::next_deadline), after messages that have already arrived, so that a
    /// message in time does not count as silence. If very many deadlines have passed, some may be left; the next
    /// deadline is then already past.
    pub fn handle_timeout(&mut self, now: Time) {
        self.cx.now = now;
        let mut room = MAX_DUE;
        while room > 0 {
            let Some(timer) = self.cx.deadlines.pop_due(now) else {
                return;
            };
            match timer {
                Timer::Request(key) => self.request_due(key),
                Timer::Worker(key) => self.worker_due(key),
                Timer::Client(key) => self.client_due(key),
                Timer::Question(id) => self.question_due(id),
                Timer::Parking => self.parking_due(),
                Timer::Tasks => self.tasks_due(),
                Timer::Claim(at) => self.claim_due(at),
                Timer::Search(key) => self.search_due(key),
                Timer::Rate(key) => self.rate_due(key),
                Timer::Roster => self.roster_due(),
                Timer::Forgotten => self.forgotten.due(&mut self.cx),
            }
            room = room.saturating_sub(self.take_work().saturating_add(1));
        }
    }

    /// When to call [`handle_timeout`](Self::handle_timeout).
    pub fn next_deadline(&self) -> Option<Time> {
        self.cx.deadlines.next()
    }

    /// Removes and returns the messages to send, in order.
    pub fn drain_transmits(&mut self) -> std::vec::Drain<'_, Transmit<F>> {
        if self.cx.on_hold.has_touched() {
            self.take_up_touched();
        }
        self.cx.out.drain_transmits()
    }

    /// Removes and returns the events, in order. They have happened since the last call.
    pub fn drain_events(&mut self, now: Time) -> std::vec::IntoIter<Told> {
        let Broker { journal, cx, .. } = self;
        let told = cx.out.drain_events().map(|event| {
            let address = event.peer().and_then(|peer| cx.addresses.of(peer)).cloned();
            let told = Told { event, address };
            journal.note(now, &told);
            told
        });
        told.collect::<Vec<_>>().into_iter()
    }

    /// Number of malformed or unexpected messages.
    pub fn bad_messages(&self) -> u64 {
        self.cx.counters.bad_messages
    }

    /// Numbers of requests that have not ended, workers, clients, and services. All are zero without peers.
    pub fn load(&self) -> [usize; 4] {
        self.cx.load()
    }

    /// Bytes of the replies that are kept for clients that were given up.
    #[cfg(test)]
    pub(in crate::proto) fn kept_for_forgotten(&self) -> usize {
        self.forgotten.kept()
    }

    /// Bytes held for all peers, as charged.
    pub fn held(&self) -> usize {
        self.cx.accounts.total()
    }

    /// Units of work of the latest message beyond the first, see [`turns`].
    #[inline]
    pub fn take_work(&mut self) -> u32 {
        std::mem::take(&mut self.cx.work)
    }

    /// A snapshot of all counters and table sizes. Entries that are in no table are not included.
    pub fn stats(&self, now: Time) -> BrokerStats {
        self.reader(now).stats(&self.cx.addresses.whole_view())
    }

    /// To whom the turns of a peer belong: its user, or its address, or the peer itself if neither is known.
    pub fn owner_of(&self, peer: &[u8]) -> RoutingId {
        let user = self.authorizer.principal_of(peer);
        let (kind, owner) = match (&user, self.cx.addresses.host_of(peer)) {
            (Some(user), _) => (b"u", user.user.as_bytes()),
            (None, Some(host)) => (b"a", host.as_bytes()),
            (None, None) => (b"p", peer),
        };
        [&kind[..], owner].concat().into()
    }

    /// Begins a snapshot that is taken in pieces.
    pub fn begin_stats(&self, now: Time) -> Taking {
        self.reader(now).begin()
    }

    /// Takes a piece of a snapshot. Returns false after the last one.
    pub fn take_stats(&self, now: Time, taking: &mut Taking) -> bool {
        let view = self.cx.addresses.whole_view();
        self.reader(now).take_more(&view, taking)
    }

    /// The snapshot, after the last piece.
    pub fn end_stats(&self, now: Time, taking: Taking) -> BrokerStats {
        let view = self.cx.addresses.whole_view();
        self.reader(now).finish(&view, taking)
    }

    fn reader(&self, now: Time) -> Reader<'_, F> {
        Reader {
            now,
            cx: &self.cx,
            authorizer: &self.authorizer,
            journal: &self.journal,
            tables: TableStats {
                requests: self.cx.requests.len(),
                workers: self.cx.workers.len(),
                clients: self.cx.clients.len(),
                services: self.cx.services.len(),
                timers: self.cx.deadlines.len(),
                collected: self.replies.collected.len(),
                refused: self.expelled.len(),
                questions: self.authorizer.questions(),
                principals: self.authorizer.principals(),
                accounts: self.cx.accounts.len(),
                leaving: self.tasks.len(),
            },
        }
    }

    /// Numbers of refusals by the access rules.
    pub fn refusals(&self) -> Refusals {
        self.cx.counters.refusals
    }

    /// Records a fault of a peer that the owner has found.
    pub fn report_fault(&mut self, peer: &[u8], why: &'static str) {
        self.cx.report_bad(peer, why);
    }
}
