//! What a worker holds while it has no broker: deliveries on which its user works on, and what the user
//! says of them meanwhile.

use super::Worker;
use super::delivery::Delivery;
use crate::proto::code::Code;
use crate::wire::omdp::ReplyKind;
use crate::wire::{Body, Frame};

/// How many bytes of replies are kept for brokers to come.
pub const MAX_HELD: usize = 16 * 1024 * 1024;

/// A delivery without a broker.
#[derive(Debug)]
pub(super) struct Held<F> {
    /// The broker of this connection was told.
    pub(super) claimed: bool,
    /// The last parts that were sent to a broker.
    pub(super) tail: Vec<Body<F>>,
    /// What its user has said since.
    pub(super) parts: Vec<Body<F>>,
    pub(super) end: Option<(ReplyKind, Body<F>)>,
    pub(super) bytes: usize,
}

impl<F> Held<F> {
    /// With the last parts that were sent to the broker that is lost.
    pub(super) fn new(tail: Vec<Body<F>>) -> Self {
        Held {
            claimed: false,
            tail,
            parts: Vec::new(),
            end: None,
            bytes: 0,
        }
    }

    pub(super) fn has_ended(&self) -> bool {
        self.end.is_some()
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

    /// A delivery that is forgotten is not held any more.
    pub(super) fn release(&mut self, delivery: &Delivery<F>) {
        if let Some(held) = &delivery.held {
            self.held -= 1;
            self.resume.bytes -= held.bytes;
        }
    }
}
