//! The messages and events of the broker, until its owner takes them.

use super::clients::Client;
use super::workers::Worker;
use super::{BrokerEvent, Outgoing, RoutingId, Transmit};
use crate::proto::Time;
use crate::proto::event_rate::EventRate;
use crate::wire::mdp as wire_mdp;
use crate::wire::omdp::{ToClient, ToWorker};
use crate::wire::{Dialect, Frame, pigato};

/// Maximum of faults and denials that are reported as events, per second.
const MAX_FAULTS: u32 = 512;

/// Maximum of events about limits, per second.
const MAX_LIMITS: u32 = 10;

#[derive(Debug)]
pub(super) struct Outbox<F> {
    transmits: Vec<Transmit<F>>,
    events: Vec<BrokerEvent>,
    /// Limits the rate of events about faults and refusals.
    faults: EventRate,
    /// Limits the rate of events about limits that are reached.
    limits: EventRate,
}

impl<F> Default for Outbox<F> {
    fn default() -> Self {
        Outbox {
            transmits: Vec::new(),
            events: Vec::new(),
            faults: EventRate::new(MAX_FAULTS),
            limits: EventRate::new(MAX_LIMITS),
        }
    }
}

impl<F: Frame> Outbox<F> {
    #[inline]
    pub(super) fn send(&mut self, transmit: Transmit<F>) {
        self.transmits.push(transmit);
    }

    /// Sends a message without packed frames, which every peer understands.
    #[inline]
    pub(super) fn send_plain(&mut self, to: impl Into<RoutingId>, message: Outgoing<F>) {
        self.send(Transmit::plain(to.into(), message));
    }

    pub(super) fn send_all(&mut self, transmits: impl IntoIterator<Item = Transmit<F>>) {
        self.transmits.extend(transmits);
    }

    /// Sends in the dialect of the worker, unless it is detached.
    // Inlined, so that a request is constructed where it waits to be sent.
    #[inline(always)]
    pub(super) fn send_worker(&mut self, worker: &Worker, message: ToWorker<F>) {
        if worker.absence.is_some() {
            return;
        }
        let to = worker.id.clone();
        let other = match worker.dialect {
            // A branch of its own, so that the message is constructed in place.
            Dialect::Omdp => {
                return self.transmits.push(Transmit {
                    to,
                    message: Outgoing::Worker(message),
                    packed: worker.hello.as_ref().is_some_and(|hello| hello.packs),
                });
            }
            Dialect::Mdp(dialect) => wire_mdp::ToWorker::from_neutral(message)
                .map(|message| Outgoing::MdpWorker(dialect, message)),
            Dialect::Pigato => pigato::ToWorker::from_neutral(message).map(Outgoing::PigatoWorker),
        };
        self.send_all(other.map(|message| Transmit::plain(to, message)));
    }

    /// Sends to a client of OMDP, unless it is detached or leaves.
    #[inline]
    pub(super) fn send_client(&mut self, client: &Client, message: ToClient<F>) {
        if client.absence.is_none() && !client.leaving {
            self.transmits.push(Transmit {
                to: client.id.clone(),
                message: Outgoing::Client(message),
                packed: client.packs(),
            });
        }
    }

    /// Discards the messages to a peer.
    pub(super) fn withhold(&mut self, peer: &[u8]) {
        self.transmits.retain(|transmit| *transmit.to != *peer);
    }

    pub(super) fn tell(&mut self, event: BrokerEvent) {
        self.events.push(event);
    }

    /// Whether one more fault or refusal is to be reported. At most [`MAX_FAULTS`] a second are.
    pub(super) fn may_tell_fault(&mut self, now: Time) -> bool {
        self.faults.take(now).is_some()
    }

    /// Whether one more limit that was reached is to be reported. At most [`MAX_LIMITS`] a second are.
    pub(super) fn may_tell_limit(&mut self, now: Time) -> bool {
        self.limits.take(now).is_some()
    }

    pub(super) fn drain_transmits(&mut self) -> std::vec::Drain<'_, Transmit<F>> {
        self.transmits.drain(..)
    }

    pub(super) fn drain_events(&mut self) -> std::vec::Drain<'_, BrokerEvent> {
        self.events.drain(..)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_are_told_at_a_limited_rate() {
        let mut out: Outbox<Vec<u8>> = Outbox::default();
        let told = (0..2 * MAX_FAULTS).filter(|_| out.may_tell_fault(Time::ZERO));
        assert_eq!(told.count(), MAX_FAULTS as usize);
    }

    #[test]
    fn what_is_withheld_is_not_sent() {
        let mut out: Outbox<Vec<u8>> = Outbox::default();
        for peer in [b"A", b"B"] {
            let message = Outgoing::Client(ToClient::Heartbeat);
            out.send(Transmit::plain(peer.as_slice().into(), message));
        }
        out.withhold(b"A");
        let left: Vec<_> = out.drain_transmits().map(|transmit| transmit.to).collect();
        assert_eq!(left, [b"B".as_slice().into()]);
    }
}
