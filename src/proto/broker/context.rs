//! What the broker lends to a part for the time of one call.
//!
//! A part owns a state that no other code touches, and its methods change that state. What it needs beside it, the
//! tables and the outbox, comes as a [`Context`]; what only the broker can do, such as dispatch, it returns.

use super::Timer;
use super::clients::Clients;
use super::keys::ClientKey;
use super::outbox::Outbox;
use super::requests::Requests;
use super::services::Services;
use super::workers::Workers;
use crate::proto::Time;
use crate::proto::deadlines::{Deadlines, TimerKey};
use crate::wire::Frame;
use crate::wire::omdp::ToClient;

pub(super) struct Context<'a, F> {
    pub(super) now: Time,
    pub(super) services: &'a mut Services,
    pub(super) workers: &'a mut Workers,
    pub(super) clients: &'a mut Clients,
    pub(super) requests: &'a mut Requests<F>,
    pub(super) deadlines: &'a mut Deadlines<Timer>,
    pub(super) out: &'a mut Outbox<F>,
}

/// The context of a broker, and the named part of it.
macro_rules! lend {
    ($broker:ident, $now:expr, $part:ident) => {
        (
            &mut $broker.$part,
            &mut $crate::proto::broker::context::Context {
                now: $now,
                services: &mut $broker.services,
                workers: &mut $broker.workers,
                clients: &mut $broker.clients,
                requests: &mut $broker.requests,
                deadlines: &mut $broker.deadlines,
                out: &mut $broker.out,
            },
        )
    };
}
pub(super) use lend;

impl<F: Frame> Context<'_, F> {
    #[inline]
    pub(super) fn send_client(&mut self, key: ClientKey, message: ToClient<F>) {
        if let Some(client) = self.clients.get(key) {
            self.out.send_client(client, message);
        }
    }

    /// Sets a timer in place of another one.
    pub(super) fn reset(&mut self, old: &mut Option<TimerKey>, at: Time, timer: Timer) {
        self.cancel(old);
        *old = Some(self.deadlines.set(at, timer));
    }

    pub(super) fn cancel(&mut self, timer: &mut Option<TimerKey>) {
        if let Some(timer) = timer.take() {
            self.deadlines.cancel(timer);
        }
    }
}
