//! The broker machine and its contract.

#[cfg(any(test, feature = "fuzz"))]
use super::audit::Audit;
use super::claims::Claims;
use super::context::Context;
use super::displaced::Displaced;
use super::exemption::Exemption;
use super::expelled::Expelled;
use super::given_up_clients::GivenUpClients;
use super::incoming::Incoming;
use super::limits::QueueLimits;
use super::metrics::COUNTS;
use super::parking::Parking;
use super::recall::Recalls;
use super::replies::Replies;
use super::snapshot::{Reader, Taking};
use super::{
    BrokerConfig, BrokerStats, Refusals, RoutingId, TableStats, Told, Transmit, access, answers,
    copies, metrics, requests, roster, tally, tasks, transport_charges,
};
use crate::proto::Time;
use crate::wire::pigato::is_bare_beat;
use crate::wire::{Dialect, Frame, Malformed};

/// The broker machine. See [`machine`](crate::proto::machine) for the contract.
#[derive(Debug)]
pub struct Broker<F> {
    pub(super) cx: Context<F>,
    pub(super) parking: Parking,
    pub(super) claims: Claims,
    /// The places at which requests were last put back into their queues after searches.
    pub(super) rejoined: requests::Cursors,
    pub(super) roster: roster::Roster,
    pub(super) recalls: Recalls,
    pub(super) tasks: tasks::Tasks,
    pub(super) replies: Replies<F>,
    pub(super) given_up: GivenUpClients<F>,
    /// Workers that were told to start over; no further messages are sent to them until they do.
    pub(super) expelled: Expelled,
    pub(super) displaced: Displaced,
    pub(super) answers: answers::Answers<F>,
    /// The latest id that was assigned to a request of a client whose dialect has no ids.
    pub(super) last_rid: u64,
    pub(super) journal: metrics::Journal,
    pub(super) tally: tally::Tally,
    pub(super) queue_limits: QueueLimits,
    pub(super) authorizer: access::Authorizer<F>,
    pub(super) dependents: copies::Dependents,
    pub(super) transport_charges: transport_charges::TransportCharges,
    pub(super) exemption: Exemption,
    pub(super) phase: Phase,
}

/// How far the broker is on its way to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Phase {
    Serving,
    /// Nothing is dispatched any more; requests that run may end.
    Retired,
    /// Messages are not handled any more.
    Stopped,
}

impl Phase {
    /// Whether nothing is dispatched any more.
    pub(super) fn is_stopping(self) -> bool {
        self != Phase::Serving
    }
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
            given_up: GivenUpClients::new(),
            expelled: Expelled::default(),
            displaced: Displaced::default(),
            answers: answers::Answers::default(),
            last_rid: 0,
            journal: metrics::Journal::default(),
            tally: tally::Tally::new(),
            queue_limits: QueueLimits::default(),
            authorizer: access::Authorizer::new(),
            dependents: copies::Dependents::default(),
            transport_charges: transport_charges::TransportCharges::default(),
            exemption: Exemption::default(),
            phase: Phase::Serving,
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
        if self.phase == Phase::Stopped {
            return self.turn_away(from, dialect, frames);
        }
        if COUNTS && let Some(dialect) = dialect {
            self.cx.messages[dialect.index()] += 1;
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

    pub(super) fn handle_decoded(&mut self, from: &[u8], message: Incoming<F>) {
        if self.authorizer.is_on() {
            return self.screen(from, message);
        }
        self.do_decoded(from, message);
    }

    /// Handles a message that is permitted.
    pub(super) fn do_decoded(&mut self, from: &[u8], message: Incoming<F>) {
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
        self.given_up.kept()
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

    /// The owner of the turns of a peer: its user, or its address, or the peer itself if neither is known.
    pub fn owner_of(&self, peer: &[u8]) -> RoutingId {
        let user = self.authorizer.principal_of(peer);
        let (kind, owner) = match (&user, self.cx.addresses.network_of(peer)) {
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

    pub(super) fn reader(&self, now: Time) -> Reader<'_, F> {
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
        self.cx.refusals
    }

    /// Records a fault of a peer that the owner has found.
    pub fn report_fault(&mut self, peer: &[u8], why: &'static str) {
        self.cx.report_bad(peer, why);
    }

    /// Checks the invariants between the tables.
    #[cfg(any(test, feature = "fuzz"))]
    pub(crate) fn audit(&self) {
        Audit(self).check();
    }
}
