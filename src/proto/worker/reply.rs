//! Replies of the application: partials, and the end of a delivery.

use super::delivery::Delivery;
use super::log::Ended;
use super::{Worker, WorkerNotice};
use crate::proto::code::Code;
use crate::proto::{Time, flow};
use crate::wire::ext;
use crate::wire::omdp::{ReplyKind, WorkerMessage, error_for_old};
use crate::wire::{Body, Dialect, Frame};

impl<F: Frame> Worker<F> {
    /// Sends a partial.
    pub fn partial(&mut self, now: Time, delivery: u64, body: Body<F>) {
        let dialect = self.config.dialect;
        let has_windows = self.has_windows();
        let number = delivery;
        if self.is_too_large(&body) && self.deliveries.contains_key(&number) {
            self.notices.push(WorkerNotice::Cancelled {
                delivery: number,
                code: Code::ReplyTooLarge,
            });
            return self.end(now, number, ReplyKind::OwnError, too_large());
        }
        let Some(delivery) = self.deliveries.get_mut(&number) else {
            return;
        };
        let cost = flow::cost(&body);
        if delivery.detached {
            delivery.sent = delivery.sent.saturating_add(1);
            delivery.spent += u64::from(cost);
            return self.keep_part(number, body);
        }
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
        // Through a 0.0.92 broker this could reach a 0.0.92 client, which a null partial crashes.
        if token.is_none() && body.is_null() && !matches!(dialect, Dialect::Mdp(_)) {
            return;
        }
        *sent = sent.saturating_add(1);
        *spent += u64::from(cost);
        if token.is_some() {
            self.log.part(now, number, &body);
        }
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

    /// Whether the body exceeds the maximum of the broker's hello.
    fn is_too_large(&self, body: &Body<F>) -> bool {
        let broker = self.link.peer();
        broker.is_some_and(|broker| !broker.takes(body.bytes.len()))
    }

    /// Ends a delivery with data.
    pub fn finish(&mut self, now: Time, delivery: u64, body: Body<F>) {
        self.end(now, delivery, ReplyKind::Final, body);
    }

    /// Ends a delivery with an error value.
    pub fn error(&mut self, now: Time, delivery: u64, value: Body<F>) {
        self.end(now, delivery, ReplyKind::Error, value);
    }

    /// Rejects a delivery: an extended broker gives it to another worker. With other brokers, or after a partial, it
    /// is an error. Only an extended broker asks for the end of a detached delivery.
    pub fn reject(&mut self, now: Time, delivery: u64, reason: Body<F>) {
        let entry = self.deliveries.get(&delivery);
        let is_known = entry.is_some_and(|d| d.sent == 0 && (d.token.is_some() || d.detached));
        if is_known {
            return self.end(now, delivery, ReplyKind::Rejected, reason);
        }
        let code = Body::json(F::from(Code::Rejected.to_json()));
        self.end(now, delivery, ReplyKind::OwnError, code);
    }

    /// Ends a delivery whose handler took too long. The application has given it up, and has room for another.
    pub fn expire(&mut self, now: Time, delivery: u64) {
        let value = Body::json(F::from(Code::WorkerTimeout.to_json()));
        self.end(now, delivery, ReplyKind::OwnError, value);
    }

    pub(super) fn end(&mut self, now: Time, number: u64, mut kind: ReplyKind, mut body: Body<F>) {
        let Some(delivery) = self.forget(number) else {
            return self.end_left(now, number);
        };
        self.had.note(&delivery.client, &delivery.rid);
        if delivery.detached {
            self.keep_end(number, kind, body);
            return self.check_drained(now);
        }
        let Delivery {
            client,
            rid,
            token,
            user,
            sent,
            arrived,
            parts,
            ..
        } = delivery;
        if kind == ReplyKind::Final && !parts.is_empty() {
            body = with_parts(parts, body);
            if body.has_too_many_frames() {
                (kind, body) = (ReplyKind::OwnError, too_large());
            }
        }
        if self.config.dialect == Dialect::Omdp && token.is_none() && kind.is_error() {
            body = Body::json(error_for_old(body.into_json()));
        }
        if self.is_too_large(&body) {
            (kind, body) = (ReplyKind::OwnError, too_large());
        }
        if let Some(token) = token {
            let ended = Ended {
                client: &client,
                rid: &rid,
                user: user.as_ref().map(|user| &***user),
                token,
                sent,
                kind,
            };
            self.log.end(now, number, ended, &body);
        }
        let service = token.and_then(|_| self.pace.tell(now));
        let pace = service.map(|service| ext::Pace {
            service,
            spent: u32::try_from(now.since(arrived).as_micros()).unwrap_or(u32::MAX),
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
        self.check_drained(now);
    }
}

/// The error value in place of a reply that exceeds the broker's maximum.
fn too_large<F: Frame>() -> Body<F> {
    Body::json(F::from(Code::ReplyTooLarge.to_json()))
}

/// Joins the collected partials and the final, which adds nothing if it has no data.
fn with_parts<F: Frame>(mut parts: Vec<F>, body: Body<F>) -> Body<F> {
    if !body.is_null() {
        parts.extend(body.into_frames());
    }
    Body::from_frames(parts)
}
