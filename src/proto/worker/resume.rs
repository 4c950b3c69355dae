//! Recovery of deliveries when the connection to the broker is lost.
//!
//! For this side, the loss of a connection is the loss of a broker. Deliveries that the application has taken are
//! *detached*: their handlers go on, and their replies are kept, see [`detached`](super::detached). Offers are taken
//! back at once, with certainty.
//!
//! All of them, and the replies of the last moments (see [`log`](super::log)), are claimed from the broker of the
//! next connection. If it is the same process, it knows each by its token: it states which parts it has, or that no
//! client wants the reply; requests without a claim have not started. Another process searches for the clients. If no
//! broker is found in time, detached deliveries are given up.

use super::Worker;
use super::delivery::Delivery;
use super::detached::Detached;
use super::log::{Ended, Unacknowledged};
use crate::proto::Time;
use crate::proto::code::Code;
use crate::proto::flow::Debt;
use crate::proto::link::BrokerLife;
use crate::wire::omdp::{
    ClaimExt, ClaimState, Question, ReplyKind, ResumeExt, WorkerMessage, questions, tokens,
};
use crate::wire::{Body, Frame};

/// Maximum of disowned requests. The clients of further ones will not learn that they have not started.
const MAX_DISOWNED: usize = 65_536;

/// A request that had not started when its broker was lost.
#[derive(Debug)]
pub(super) struct Disowned<F> {
    client: F,
    rid: F,
    user: Option<F>,
    given: Option<(BrokerLife, u64)>,
}

impl<F: Frame> Worker<F> {
    /// Handles the loss of the connection: detaches deliveries of an extended broker, and cancels the others.
    pub(super) fn lose_deliveries(&mut self, now: Time) {
        let broker = self.link.broker();
        let Unacknowledged {
            finished,
            mut parts,
            complete,
        } = self.log.take(self.link.last_heard());
        self.detached.incomplete |= !complete;
        self.detached.unclaim();
        if let Some(broker) = broker {
            for (number, (token, mut reply)) in finished {
                reply.given = Some((broker, token));
                self.detached.insert(number, reply);
            }
        }
        let numbers: Vec<u64> = self.deliveries.keys().copied().collect();
        let mut running = false;
        for number in numbers {
            let Some(delivery) = self.deliveries.get_mut(&number) else {
                continue;
            };
            if delivery.detached {
                running = true;
            } else if let (Some(token), Some(broker)) = (delivery.token.take(), broker) {
                delivery.detached = true;
                running = true;
                let mut reply = Detached::new(
                    delivery.client.clone(),
                    delivery.rid.clone(),
                    delivery.user.clone(),
                    delivery.sent,
                    parts.remove(&number).unwrap_or_default(),
                );
                reply.given = Some((broker, token));
                self.by_token.remove(&token);
                self.detached.insert(number, reply);
            } else {
                self.cancel(number, Code::BrokerLost);
            }
        }
        if running {
            // Only the owner knows which deliveries were taken.
            self.ask_back(0);
        }
        if !self.detached.is_empty() {
            let until = now + self.link.away();
            self.give_up_at.get_or_insert(until);
        }
    }

    /// Gives the connection up because the application is blocked. Nothing is detached: the broker is told that
    /// started requests are lost.
    pub(super) fn abandon(&mut self) {
        self.give_up_at = None;
        self.disowned.clear();
        self.log = super::log::Log::new();
        self.detached = super::detached::DetachedReplies::new();
        // If that message is lost, the broker must not conclude that they have not started.
        self.detached.incomplete = true;
        let numbers: Vec<u64> = self.deliveries.keys().copied().collect();
        for number in numbers {
            if let Some(token) = self.deliveries.get(&number).and_then(|each| each.token) {
                self.say_code(token, Code::WorkerLost);
            }
            self.cancel(number, Code::WorkerLost);
        }
    }

    /// Records that a detached delivery was taken back before the application took it, so it never starts here.
    pub(super) fn disown(&mut self, number: u64, delivery: Delivery<F>) {
        let reply = self.detached.take(number);
        if reply.as_ref().is_some_and(|reply| reply.claimed) {
            // After HOLD for a reply that has not begun, which no broker of zmq-omdp sends. RESUME is answered by an error.
            return;
        }
        let given = reply.and_then(|reply| reply.given);
        if self.disowned.len() < MAX_DISOWNED {
            self.disowned.push(Disowned {
                client: delivery.client,
                rid: delivery.rid,
                user: delivery.user.map(|user| *user),
                given,
            });
        }
    }

    /// Gives up detached deliveries when no broker was found in time.
    pub(super) fn give_up_detached(&mut self) {
        self.give_up_at = None;
        self.disowned.clear();
        for number in self.detached.give_up() {
            self.detached.incomplete = true;
            self.cancel(number, Code::BrokerLost);
        }
    }

    /// Claims all detached deliveries after the broker's hello.
    pub(super) fn claim_detached(&mut self) {
        self.give_up_at = None;
        let Some(broker) = self.link.broker() else {
            return self.give_up_detached();
        };
        let token = |given: Option<(BrokerLife, u64)>| {
            given.and_then(|(giver, token)| (giver == broker).then_some(token))
        };
        for disowned in std::mem::take(&mut self.disowned) {
            self.transmits.push(WorkerMessage::Claim {
                client: disowned.client,
                rid: disowned.rid,
                ext: ClaimExt {
                    state: ClaimState::NotStarted,
                    number: 0,
                    token: token(disowned.given),
                },
                user: disowned.user,
            });
        }
        for (number, reply) in self.detached.iter_mut() {
            if std::mem::replace(&mut reply.claimed, true) {
                continue;
            }
            self.transmits.push(reply.claim(number, token(reply.given)));
        }
        if self.last_broker.replace(broker) != Some(broker) {
            self.detached.incomplete = false;
        }
        if self.connections > 1 && !self.detached.incomplete {
            let session = self.link.peer().map_or("", |broker| &broker.session);
            let knows = self.link.peer().is_some_and(|broker| broker.roster);
            let lives = knows.then(|| self.had.lives(session)).flatten();
            self.transmits.push(WorkerMessage::AllClaimed { lives });
        }
    }

    /// Handles ASK: denies those requests of another broker that this worker never had.
    #[cold]
    pub(super) fn on_ask(&mut self, session: &[u8], asked: &[u8]) {
        let deliveries = self.deliveries.values();
        let here = deliveries.map(|each| (&*each.client, &*each.rid));
        let kept = self.detached.iter();
        let here = here.chain(kept.map(|each| (&*each.client, &*each.rid)));
        let asked: Vec<Question<'_>> = questions(asked).collect();
        let tokens = self.had.denied(session, &asked, &here.collect());
        if !tokens.is_empty() {
            let tokens = F::from(tokens);
            self.transmits.push(WorkerMessage::Denied { tokens });
        }
    }

    /// Handles RESUME: the client of a claim was found.
    pub(super) fn on_resume(&mut self, now: Time, ext: ResumeExt) {
        let ResumeExt {
            number,
            token,
            received,
            read,
        } = ext;
        // A broker gives each token once.
        if self.by_token.contains_key(&token) {
            return;
        }
        let Some(mut reply) = self.detached.take_claimed(number) else {
            // The reply was given up meanwhile.
            self.detached.incomplete = true;
            self.log.skip(now);
            return self.say_code(token, Code::BrokerLost);
        };
        let missing = reply.take_missing(received).unwrap_or_else(|| {
            // Parts are missing: the reply ends with this.
            reply.lose();
            self.cancel(number, Code::BrokerLost);
            Vec::new()
        });
        self.reattach(now, number, token, read);
        let sent = received.saturating_add(u32::try_from(missing.len()).unwrap_or(u32::MAX));
        let Detached {
            client,
            rid,
            user,
            end,
            ..
        } = reply;
        for part in missing {
            self.log.part(now, number, &part);
            self.say_again(ReplyKind::Partial, (&client, &rid), part, token);
        }
        if let Some((kind, body)) = end {
            let ended = Ended {
                client: &client,
                rid: &rid,
                user: user.as_ref().map(|user| &***user),
                token,
                sent,
                kind,
            };
            self.log.end(now, number, ended, &body);
            self.say_again(kind, (&client, &rid), body, token);
        }
        self.say_need(number, true);
        self.check_drained(now);
    }

    /// The delivery is one of this connection again, if its handler runs.
    fn reattach(&mut self, now: Time, number: u64, token: u64, read: u64) {
        let has_windows = self.has_windows();
        if let Some(delivery) = self.deliveries.get_mut(&number) {
            delivery.detached = false;
            delivery.token = Some(token);
            delivery.arrived = now;
            self.by_token.insert(token, number);
            // Credit that was under way is lost, so the total that was read is compared with the total that was
            // given. Credit that this side gives by itself is given now.
            let read = if has_windows { read } else { u64::MAX };
            let owed = read.min(delivery.spent).saturating_sub(delivery.granted);
            delivery.debt = Debt::default();
            if owed > 0 {
                let bytes = u32::try_from(owed).unwrap_or(u32::MAX);
                self.notices.push(delivery.credit(number, bytes));
            }
        }
    }

    fn say_again(&mut self, kind: ReplyKind, (client, rid): (&F, &F), body: Body<F>, token: u64) {
        self.transmits.push(WorkerMessage::Reply {
            kind,
            client: client.clone(),
            rid: rid.clone(),
            body,
            token: Some(token),
            pace: None,
        });
    }

    /// Ends the request of a token with a code.
    pub(super) fn say_code(&mut self, token: u64, code: Code) {
        let nobody = F::from(&b"-"[..]);
        let body = Body::json(F::from(code.to_json()));
        self.say_again(ReplyKind::OwnError, (&nobody, &nobody), body, token);
    }

    /// Handles DISCLAIM: no client wants these replies.
    pub(super) fn on_disclaim(&mut self, now: Time, numbers: &[u8]) {
        for number in tokens(numbers) {
            if self.detached.take_claimed(number).is_some() {
                self.cancel(number, Code::Aborted);
            }
        }
        self.check_drained(now);
    }
}
