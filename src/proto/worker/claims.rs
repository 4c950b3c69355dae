//! What a worker claims of the next broker.
//!
//! When it is another process than the one that was lost, the worker claims what it holds, and disowns
//! what had not started. The broker answers for each claim that its client was found, and whatever was
//! kept is sent; or that nobody asks for it. The same broker has told the clients already, so there is
//! nothing to claim.
//!
//! What was said in the last moments may not have reached anybody. Parts that a client turns out not to
//! have are repeated from what is kept in [`recent`](super::recent); replies that had ended, and may be
//! lost, are claimed as well, see [`late`](super::late).

use super::Worker;
use super::late::missing;
use super::resume::Disowned;
use crate::proto::Time;
use crate::proto::code::Code;
use crate::proto::flow::Debt;
use crate::wire::omdp::{ClaimExt, ClaimState, ResumeExt, WorkerMessage, tokens};
use crate::wire::{Frame, Hello};

impl<F: Frame> Worker<F> {
    /// The broker of this connection has said what it is.
    pub(super) fn find_out(&mut self, hello: &Hello) {
        let patience = self.link.patience().unwrap_or_default();
        if !self.resume.meet(hello, patience) {
            return self.give_up_held();
        }
        for Disowned { client, rid, user } in self.resume.take_disowned() {
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
}
