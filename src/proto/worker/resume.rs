//! What becomes of a worker's deliveries when their broker is lost.
//!
//! What its user has taken is *held*: its user works on, and what it says is kept. What its user has
//! not taken is taken back at once, for certain. When a broker comes that is another process than
//! the one that was lost, the worker *claims* what it holds, and disowns what had not started. The
//! broker answers for each claim that its client was found, and whatever was kept is sent; or that
//! nobody asks for it. The same broker has told the clients already, so there is nothing to claim.
//!
//! What was said in the last moments may not have reached anybody. Parts that a client turns out not to
//! have are repeated from what is kept in [`recent`](super::recent); replies that had ended, and may be
//! lost, are claimed as well, see [`late`](super::late).

use super::Worker;
use super::delivery::Delivery;
use super::late::{Late, missing};
use super::recent::{Recent, Said};
use crate::proto::Time;
use crate::proto::code::Code;
use crate::proto::flow::Debt;
use crate::wire::omdp::{ClaimExt, ClaimState, ReplyKind, ResumeExt, WorkerMessage, tokens};
use crate::wire::{Body, Frame, Hello};
use std::time::Duration;

/// How many bytes of replies are kept for brokers to come.
pub const MAX_HELD: usize = 16 * 1024 * 1024;

/// More is not disowned: its clients end up not knowing.
const MAX_DISOWNED: usize = 65_536;

/// A delivery without a broker.
#[derive(Debug)]
pub(super) struct Held<F> {
    /// The broker of this connection was told.
    claimed: bool,
    /// The last parts that were sent to a broker.
    tail: Vec<Body<F>>,
    /// What its user has said since.
    parts: Vec<Body<F>>,
    end: Option<(ReplyKind, Body<F>)>,
    bytes: usize,
}

impl<F> Held<F> {
    pub(super) fn has_ended(&self) -> bool {
        self.end.is_some()
    }
}

/// A request that had not started when its broker was lost.
#[derive(Debug)]
struct Disowned<F> {
    client: F,
    rid: F,
    user: Option<F>,
}

/// Which brokers there were, and what was lost with them.
#[derive(Debug)]
pub(super) struct Resume<F> {
    /// The broker of this connection, by the name that it gave its life.
    here: Option<String>,
    /// The one that deliveries were lost with last.
    before: Option<String>,
    /// How long a broker of ours may be away.
    patience: Duration,
    /// When what is held without a claim is given up.
    until: Option<Time>,
    disowned: Vec<Disowned<F>>,
    /// What the broker of this connection was told last.
    pub(super) recent: Recent<F>,
    /// What brokers were told that are lost.
    pub(super) late: Late<F>,
    /// Of everything that is kept.
    pub(super) bytes: usize,
}

impl<F> Resume<F> {
    pub(super) fn new() -> Self {
        Resume {
            here: None,
            before: None,
            patience: Duration::ZERO,
            until: None,
            disowned: Vec::new(),
            recent: Recent::new(),
            late: Late::new(),
            bytes: 0,
        }
    }

    /// Whether the broker of this connection gave its life a name.
    pub(super) fn is_with_broker(&self) -> bool {
        self.here.is_some()
    }

    /// The broker of this connection has told the clients that their requests are over.
    pub(super) fn dismiss(&mut self) {
        self.here = None;
    }

    pub(super) fn next_deadline(&self) -> Option<Time> {
        self.until
    }
}

impl<F: Frame> Worker<F> {
    /// How many deliveries its user has, or is offered.
    pub(super) fn load(&self) -> usize {
        self.deliveries.len() - self.count_held(|held| held.has_ended())
    }

    /// How many run that no broker knows of.
    pub(super) fn unclaimed(&self) -> usize {
        self.count_held(|held| !held.claimed && !held.has_ended())
    }

    fn count_held(&self, which: impl Fn(&Held<F>) -> bool) -> usize {
        if self.held == 0 {
            return 0;
        }
        let held = self.deliveries.values();
        let held = held.filter_map(|delivery| delivery.held.as_deref());
        held.filter(|held| which(held)).count()
    }

    /// The link is lost: holds what a broker of ours gave, and gives the rest up.
    pub(super) fn lose_deliveries(&mut self, now: Time) {
        let here = self.resume.here.take();
        let said = self.resume.recent.take(self.link.last_heard());
        let Said {
            finished,
            mut parts,
        } = said;
        self.resume.late.unclaim();
        for (number, finished) in finished.into_iter().filter(|_| here.is_some()) {
            self.resume.late.add(number, finished);
        }
        let numbers: Vec<u64> = self.deliveries.keys().copied().collect();
        for number in numbers {
            let Some(delivery) = self.deliveries.get_mut(&number) else {
                continue;
            };
            if let Some(held) = &mut delivery.held {
                held.claimed = false;
            } else if let (Some(token), true) = (delivery.token, here.is_some()) {
                delivery.token = None;
                delivery.held = Some(Box::new(Held {
                    claimed: false,
                    tail: parts.remove(&number).unwrap_or_default(),
                    parts: Vec::new(),
                    end: None,
                    bytes: 0,
                }));
                self.held += 1;
                self.by_token.remove(&token);
            } else {
                self.cancel(number, Code::BrokerLost);
            }
        }
        if self.held > 0 {
            // Only the owner knows which of them were taken.
            self.ask_back(0);
        }
        if self.held > 0 || !self.resume.late.is_empty() {
            let until = now + self.resume.patience;
            self.resume.until.get_or_insert(until);
        }
        if here.is_some() {
            self.resume.before = here;
        }
    }

    /// The link is lost because the user is blocked: nothing is held.
    pub(super) fn abandon(&mut self) {
        self.resume.dismiss();
        self.resume.until = None;
        self.resume.disowned.clear();
        self.resume.recent = Recent::new();
        self.resume.late.clear();
        let numbers: Vec<u64> = self.deliveries.keys().copied().collect();
        for number in numbers {
            self.cancel(number, Code::WorkerLost);
        }
    }

    /// The owner has taken it back before its user took it: it never starts here.
    pub(super) fn disown(&mut self, delivery: Delivery<F>) {
        if self.resume.disowned.len() < MAX_DISOWNED {
            self.resume.disowned.push(Disowned {
                client: delivery.client,
                rid: delivery.rid,
                user: delivery.user,
            });
        }
    }

    /// The broker of this connection has said what it is.
    pub(super) fn find_out(&mut self, hello: &Hello) {
        let name = Some(&hello.session).filter(|name| !name.is_empty());
        let another = name.is_some() && name != self.resume.before.as_ref();
        self.resume.here = name.cloned();
        self.resume.patience = self.link.patience().unwrap_or_default();
        if !another {
            return self.give_up_held();
        }
        self.resume.until = None;
        for Disowned { client, rid, user } in std::mem::take(&mut self.resume.disowned) {
            self.transmits.push(WorkerMessage::Claim {
                client,
                rid,
                ext: ClaimExt {
                    state: ClaimState::NotStarted,
                    number: 0,
                },
                user,
            });
        }
        self.resume.late.claim(|claim| self.transmits.push(claim));
        for (&number, delivery) in &mut self.deliveries {
            let Some(held) = delivery.held.as_mut().filter(|held| !held.claimed) else {
                continue;
            };
            held.claimed = true;
            let state = match held.has_ended() {
                true => ClaimState::Ended,
                false => ClaimState::Running,
            };
            self.transmits.push(WorkerMessage::Claim {
                client: delivery.client.clone(),
                rid: delivery.rid.clone(),
                ext: ClaimExt { state, number },
                user: delivery.user.clone(),
            });
        }
    }

    /// No broker came that they could be claimed from.
    pub(super) fn give_up_held(&mut self) {
        self.resume.until = None;
        self.resume.disowned.clear();
        self.resume.late.give_up();
        let held = self.deliveries.iter();
        let held =
            held.filter(|(_, delivery)| delivery.held.as_ref().is_some_and(|held| !held.claimed));
        let numbers: Vec<u64> = held.map(|(number, _)| *number).collect();
        for number in numbers {
            self.cancel(number, Code::BrokerLost);
        }
    }

    /// Keeps a part for a broker to come. False if the delivery is with a broker.
    pub(super) fn keep_part(&mut self, number: u64, body: &Body<F>) -> bool {
        self.keep(number, body, |held, body| held.parts.push(body))
    }

    /// The same for the end.
    pub(super) fn keep_end(&mut self, number: u64, kind: ReplyKind, body: &Body<F>) -> bool {
        self.keep(number, body, |held, body| held.end = Some((kind, body)))
    }

    fn keep(
        &mut self,
        number: u64,
        body: &Body<F>,
        put: impl FnOnce(&mut Held<F>, Body<F>),
    ) -> bool {
        let delivery = self.deliveries.get_mut(&number);
        let Some(held) = delivery.and_then(|delivery| delivery.held.as_mut()) else {
            return false;
        };
        if held.has_ended() {
            return true;
        }
        let bytes = body.bytes.len();
        held.bytes += bytes;
        put(held, body.clone());
        self.resume.bytes += bytes;
        if self.resume.bytes > MAX_HELD {
            self.cancel(number, Code::BrokerLost);
        }
        true
    }

    /// The client of a claim was found.
    pub(super) fn on_resume(&mut self, now: Time, ext: ResumeExt) {
        let ResumeExt {
            number,
            token,
            received,
            read,
        } = ext;
        let has_windows = self.has_windows();
        let delivery = self.deliveries.get_mut(&number);
        let delivery = delivery.and_then(|delivery| {
            let held = delivery.held.take_if(|held| held.claimed)?;
            Some((delivery, held))
        });
        let Some((delivery, mut held)) = delivery else {
            if !self.resume_late(now, ext) {
                // Given up here meanwhile.
                self.refuse_to_resume(token);
            }
            return;
        };
        self.held -= 1;
        self.resume.bytes -= held.bytes;
        // Parts were on their way when the broker died, and are nowhere else any more.
        let Some(missing) = missing(delivery.sent, received, held.tail.len()) else {
            self.refuse_to_resume(token);
            let is_over = held.has_ended();
            self.forget(number);
            if !is_over {
                self.tell_cancelled(number, Code::BrokerLost);
            }
            return;
        };
        delivery.token = Some(token);
        delivery.arrived = now;
        self.by_token.insert(token, number);
        // Credit that was on its way when the broker died is in no message any more, so all that was
        // read is compared with all that was given. What this side gives by itself, it gives now.
        let read = if has_windows { read } else { u64::MAX };
        let owed = read.min(delivery.spent).saturating_sub(delivery.granted);
        delivery.debt = Debt::default();
        if owed > 0 && !held.has_ended() {
            let bytes = u32::try_from(owed).unwrap_or(u32::MAX);
            self.notices.push(delivery.credit(number, bytes));
        }
        if missing > 0 {
            let names = (delivery.client.clone(), delivery.rid.clone());
            for part in held.tail.drain(held.tail.len() - missing..) {
                self.repeat(now, number, token, (&names.0, &names.1), part);
            }
        }
        for part in held.parts {
            self.partial(now, number, part);
        }
        if let Some((kind, body)) = held.end {
            self.end(now, number, kind, body);
        }
    }

    /// Nobody asks for these.
    pub(super) fn on_disclaim(&mut self, now: Time, numbers: &[u8]) {
        for number in tokens(numbers) {
            if self.drop_late(number) {
                continue;
            }
            let delivery = self.deliveries.get(&number);
            let held = delivery.and_then(|delivery| delivery.held.as_ref());
            if held.is_some_and(|held| held.claimed) {
                self.cancel(number, Code::Aborted);
            }
        }
        self.settle_drain(now);
    }

    /// A delivery that is forgotten is not held any more.
    pub(super) fn release(&mut self, delivery: &Delivery<F>) {
        if let Some(held) = &delivery.held {
            self.held -= 1;
            self.resume.bytes -= held.bytes;
        }
    }

    #[cfg(any(test, feature = "fuzz"))]
    pub(super) fn audit_held(&self) {
        let held = self.deliveries.values();
        let held: Vec<_> = held.filter_map(|delivery| delivery.held.as_ref()).collect();
        assert_eq!(held.len(), self.held);
        let bytes: usize = held.iter().map(|held| held.bytes).sum();
        assert_eq!(bytes, self.resume.bytes);
        let unclaimed = held.iter().any(|held| !held.claimed);
        assert!(
            !unclaimed || self.resume.until.is_some(),
            "what is held is given up in the end"
        );
        assert!(self.link.is_up() || held.iter().all(|held| !held.claimed));
        let late = &self.resume.late;
        late.audit();
        assert!(!late.has(false) || self.resume.until.is_some());
        assert!(self.link.is_up() || !late.has(true));
        assert!(self.link.is_up() || self.resume.recent.len() == 0);
        assert!(
            self.resume.disowned.is_empty() || self.resume.until.is_some(),
            "what was disowned is forgotten in the end"
        );
    }

    /// How many words are kept of what is over.
    #[cfg(test)]
    pub(in crate::proto) fn kept(&self) -> usize {
        self.resume.recent.len() + self.resume.late.len()
    }
}
