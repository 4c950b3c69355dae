//! Replies on hold: those that the broker could not take, because their client is away or takes too little.
//!
//! For such a reply, HOLD is the loss of the connection: the delivery is detached, and claimed at once. The broker asks
//! for it by RESUME when it has room.

use super::Worker;
use super::detached::Detached;
use crate::proto::Time;
use crate::proto::code::Code;
use crate::wire::Frame;

impl<F: Frame> Worker<F> {
    /// Handles HOLD: keeps what was sent of this reply, and what follows.
    #[cold]
    pub(super) fn on_hold(&mut self, now: Time, token: u64) {
        let Some(broker) = self.link.broker() else {
            return;
        };
        let running = self.by_token.get(&token).copied();
        let delivery = running.and_then(|number| self.deliveries.get(&number));
        if delivery.is_some_and(|delivery| delivery.sent == 0) {
            // No part of this reply was sent, so HOLD cannot be about it. The delivery may not have started.
            return;
        }
        self.by_token.remove(&token);
        let number = running.or_else(|| self.log.number_of(token));
        let Some(number) = number else {
            // It was given up meanwhile, or too much was kept. The broker waits for an answer.
            self.log.skip(now);
            return self.say_code(token, Code::BrokerLost);
        };
        let (parts, finished) = self.log.take_reply(number);
        let mut reply = match (self.deliveries.get_mut(&number), finished) {
            (Some(delivery), _) => {
                delivery.token = None;
                delivery.detached = true;
                Detached::new(
                    delivery.client.clone(),
                    delivery.rid.clone(),
                    delivery.user.clone(),
                    delivery.sent,
                    parts,
                )
            }
            (None, Some((_, reply))) => reply,
            (None, None) => return,
        };
        reply.given = Some((broker, token));
        reply.claimed = true;
        reply.is_new = true;
        self.transmits.push(reply.claim(number, Some(token)));
        self.detached.insert(number, reply);
    }
}
